"""``MobileNetworkTimeVerification``: for how many months a phone number has been on its network.

Sources: the API page (document 1061/79048) and the models of the official SDK, which name the codes and
say which of them are free; the code ``-13`` is on the Chinese site only. The identity limits are
published there, too (document 1007/108625).
"""

from __future__ import annotations

from ..action import Action, IdentityLimits, Output
from ..codes import code_table
from ..fields import ENCRYPTION, PHONE, Field

ACTION = Action(
    name="MobileNetworkTimeVerification",
    title="for how many months a phone number has been on its network",
    document="79048",
    quota=20,
    fields=(
        Field("Mobile", PHONE, column="mobile", encrypted=True, invalid_code="-1"),
        ENCRYPTION,
    ),
    identity_limits=IdentityLimits(mobile_per_day=500),
    outputs=(
        Output(
            "Range",
            "network_months",
            "text",
            "months on the network as an interval `[a,b)`; `+` for b says that there is no upper limit",
            ("[0,3)", "[3,6)", "[6,12)", "[12,24)", "[24,+)"),
        ),
    ),
    # code, outcome, charged, next step, meaning | the same in Chinese
    results=code_table("""
0   found          yes     record     the months are in `network_months` | 在网月数见 `network_months`
-1  invalid_input  no      quarantine malformed phone number | 手机号格式有误
-2  not_found      yes     record     the phone number does not exist | 手机号不存在
-3  not_found      yes     record     the phone number exists, its time on the network is not known | 手机号存在，在网时长未知
-4  unavailable    no      retry      the authority is busy | 权威库繁忙
-5  limit          no      postpone   this phone number was asked about too often today | 该手机号今日查询次数过多
-13 not_found      no      record     the phone number's range is not supported | 不支持该号段
"""),
)
