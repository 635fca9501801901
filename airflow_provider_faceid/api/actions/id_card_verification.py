"""``IdCardVerification``: whether a name and an ID number belong to the same person.

Sources: the API page (document 1061/79049), which names the codes and says which of them are free. The
identity limits are published on the Chinese site only (document 1007/108625).
"""

from __future__ import annotations

from ..action import Action, IdentityLimits
from ..codes import code_table
from ..fields import ENCRYPTION, ID_CARD, NAME, Field

ACTION = Action(
    name="IdCardVerification",
    title="whether name and ID number belong to the same person",
    document="79049",
    quota=100,
    fields=(
        Field("IdCard", ID_CARD, column="id_card", encrypted=True, invalid_code="-2"),
        Field("Name", NAME, column="name", encrypted=True, invalid_code="-3"),
        ENCRYPTION,
    ),
    identity_limits=IdentityLimits(id_card_per_day=1000, name_per_day=500),
    # code, outcome, charged, next step, meaning | the same in Chinese
    results=code_table("""
0   match          yes     record     name and ID number belong together | 姓名与身份证号一致
-1  mismatch       yes     record     name and ID number do not belong together | 姓名与身份证号不一致
-2  invalid_input  no      quarantine invalid ID number (length or check digit) | 身份证号无效（长度或校验位）
-3  invalid_input  no      quarantine invalid name (length or format) | 姓名无效（长度或格式）
-4  unavailable    no      retry      the authority's library has a fault | 权威库故障
-5  not_found      no      record     no record of this ID number | 查无此身份证号
-6  unavailable    no      retry      the authority's system is being upgraded | 权威库系统升级中
-7  limit          no      postpone   this identity was asked about too often today | 此身份今日查询次数过多
"""),
)
