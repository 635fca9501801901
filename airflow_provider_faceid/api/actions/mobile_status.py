"""``MobileStatus``: in which state a phone number is on its network.

Source: the models of the official SDK, which name the codes and say which of them are free; the codes
``-1`` and ``-13`` are on the Chinese site only. The identity limits are published there, too
(document 1007/108625).
"""

from __future__ import annotations

from ..action import Action, IdentityLimits, Output
from ..codes import code_table
from ..fields import ENCRYPTION, PHONE, Field

ACTION = Action(
    name="MobileStatus",
    title="in which state a phone number is on its network",
    document="",
    quota=20,
    fields=(
        Field("Mobile", PHONE, column="mobile", encrypted=True, invalid_code="-2"),
        ENCRYPTION,
    ),
    identity_limits=IdentityLimits(mobile_per_day=500),
    outputs=(
        Output(
            "StatusCode",
            "status_code",
            "integer",
            "state of the phone number: 0 normal, 1 suspended, 2 cancelled, 4 not on the network, 5 on it "
            "but unusable, 99 unknown",
            (0, 0, 0, 1, 2, 4, 99),
        ),
    ),
    # code, outcome, charged, next step, meaning | the same in Chinese
    results=code_table("""
0   found          yes     record     the state is in `status_code` | 状态见 `status_code`
-1  not_found      no      record     no record of this phone number | 查无此手机号
-2  invalid_input  no      quarantine malformed phone number | 手机号格式有误
-3  unavailable    no      retry      the authority is busy | 权威库繁忙
-4  limit          no      postpone   this phone number was asked about too often today | 该手机号今日查询次数过多
-13 not_found      no      record     the phone number's range is not supported | 不支持该号段
"""),
)
