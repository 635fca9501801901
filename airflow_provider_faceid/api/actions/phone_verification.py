"""``PhoneVerification``: whether a name, an ID number and a phone number belong to the same person.

Sources: the API page (document 1061/79046) and the models of the official SDK, which name the codes and
say which of them are free. It takes encrypted fields in the older form only, beside the others. The
identity limits are published on the Chinese site only (document 1007/108625).
"""

from __future__ import annotations

from ..action import Action, IdentityLimits, Output
from ..codes import code_table
from ..fields import FLAT_ENCRYPTION, ID_CARD, NAME, PHONE, Field

ACTION = Action(
    name="PhoneVerification",
    title="whether name, ID number and phone number belong to the same person",
    document="79046",
    quota=20,
    fields=(
        Field("IdCard", ID_CARD, column="id_card", encrypted=True, invalid_code="-7"),
        Field("Name", NAME, column="name", encrypted=True, invalid_code="-8"),
        Field("Phone", PHONE, column="phone", encrypted=True, invalid_code="-6"),
        *FLAT_ENCRYPTION,
    ),
    identity_limits=IdentityLimits(id_card_per_day=500, name_per_day=500, phone_per_day=500),
    outputs=(
        Output(
            "Isp",
            "isp",
            "text",
            "carrier of the phone number: `mobile`, `telecom`, `cucc`, or empty",
            ("mobile", "telecom", "cucc"),
        ),
    ),
    # code, outcome, charged, next step, meaning | the same in Chinese
    results=code_table("""
0   match          yes     record     name, ID number and phone number belong together | 姓名、身份证号与手机号一致
-4  mismatch       yes     record     name, ID number and phone number do not belong together | 姓名、身份证号与手机号不一致
-6  invalid_input  no      quarantine invalid phone number | 手机号无效
-7  invalid_input  no      quarantine invalid ID number | 身份证号无效
-8  invalid_input  no      quarantine invalid name | 姓名无效
-9  not_found      no      record     no record of this phone number | 查无此手机号
-11 unavailable    no      retry      the authority is busy | 权威库繁忙
-12 limit          no      postpone   one of the values was asked about too often today | 其中一项今日查询次数过多
-13 not_found      no      record     the phone number's range is not supported | 不支持该号段
"""),
)
