"""``CheckIdNameDate``: whether an ID card of a name and number is valid from one day to another.

Sources: the API page (document 1061/79051) and the models of the official SDK, which name the codes and
say which of them are free. The identity limits are published on the Chinese site only
(document 1007/108625).
"""

from __future__ import annotations

from ..action import Action, IdentityLimits
from ..codes import code_table
from ..fields import DATE, ENCRYPTION, END_DATE, ID_CARD, NAME, Field
from ..rules import NO_END, RowRule

ACTION = Action(
    name="CheckIdNameDate",
    title="whether name, ID number and validity are those of the person's ID card",
    document="79051",
    quota=20,
    fields=(
        Field("Name", NAME, column="name", encrypted=True, invalid_code="-3"),
        Field("IdCard", ID_CARD, column="id_card", encrypted=True, invalid_code="-2"),
        Field("ValidityBegin", DATE, column="validity_begin", invalid_code="-4"),
        Field("ValidityEnd", END_DATE, column="validity_end", invalid_code="-4"),
        ENCRYPTION,
    ),
    identity_limits=IdentityLimits(name_per_day=500, id_card_per_day=500),
    row_rules=(
        RowRule(
            "validity_order",
            "the validity of an ID card ends after it begins",
            ("ValidityBegin", "ValidityEnd"),
            lambda begin, end: end != NO_END and end <= begin,
        ),
    ),
    # code, outcome, charged, next step, meaning | the same in Chinese
    results=code_table("""
0   match          yes     record     name, ID number and validity belong together | 姓名、身份证号与有效期一致
-1  mismatch       yes     record     name, ID number and validity do not belong together | 姓名、身份证号与有效期不一致
-2  invalid_input  no      quarantine invalid ID number | 身份证号无效
-3  invalid_input  no      quarantine invalid name | 姓名无效
-4  invalid_input  no      quarantine malformed validity | 有效期格式有误
-5  review         no      record     the authority finds the identity information invalid | 权威库认为身份信息无效
-6  unavailable    no      retry      the authority's library has a fault | 权威库故障
-7  not_found      no      record     no record of this ID number | 查无此身份证号
-8  limit          no      postpone   one of the values was asked about too often today | 其中一项今日查询次数过多
"""),
)
