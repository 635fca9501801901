"""``BankCardVerification``: whether a name, an ID number and a bank card belong to the same person.

Sources: the API page (document 1061/78854) and the models of the official SDK, which name the codes and
say which of them are free. A code about the state of the card says nothing against the person, so it is
``review``. The identity limits are published on the Chinese site only (document 1007/108625).
"""

from __future__ import annotations

from ..action import Action, IdentityLimits
from ..codes import code_table
from ..fields import BANK_CARD, CERT_TYPE, ENCRYPTION, ID_CARD, NAME, Field

ACTION = Action(
    name="BankCardVerification",
    title="whether name, ID number and bank card belong to the same person",
    document="78854",
    quota=20,
    fields=(
        Field("IdCard", ID_CARD, column="id_card", encrypted=True, invalid_code="-3"),
        Field("Name", NAME, column="name", encrypted=True, invalid_code="-2"),
        Field("BankCard", BANK_CARD, column="bank_card", encrypted=True, invalid_code="-4"),
        CERT_TYPE,
        ENCRYPTION,
    ),
    identity_limits=IdentityLimits(id_card_per_day=500, name_per_day=500, bank_card_per_day=500),
    # code, outcome, charged, next step, meaning | the same in Chinese
    results=code_table("""
0   match          yes     record     name, ID number and bank card belong together | 姓名、身份证号与银行卡一致
-1  mismatch       yes     record     name, ID number and bank card do not belong together | 姓名、身份证号与银行卡不一致
-2  invalid_input  no      quarantine invalid name | 姓名无效
-3  invalid_input  no      quarantine invalid ID number | 身份证号无效
-4  invalid_input  no      quarantine malformed card number | 银行卡号格式有误
-5  mismatch       yes     record     the cardholder's details are wrong | 持卡人信息有误
-6  review         yes     record     card-not-present payment is not enabled | 未开通无卡支付
-7  review         yes     record     the card was confiscated | 银行卡已被没收
-8  review         yes     record     the bank finds the card number invalid | 银行认为卡号无效
-9  review         yes     record     no bank has issued this card | 没有银行发行过该卡
-10 review         yes     record     the card is not activated, or dormant | 银行卡未激活，或为睡眠卡
-11 review         yes     record     a fraud card, retained | 欺诈卡，被没收
-12 review         yes     record     the card was reported lost | 银行卡已挂失
-13 review         yes     record     the card has expired | 银行卡已过期
-14 review         yes     record     the card is restricted | 银行卡受限制
-15 review         yes     record     too many wrong PINs | 密码错误次数过多
-16 review         yes     record     the issuer does not support this check | 发卡行不支持此项核验
-17 unavailable    no      retry      the authority is busy | 权威库繁忙
-18 limit          no      postpone   one of the values was asked about too often today | 其中一项今日查询次数过多
-19 not_found      no      record     this kind of ID number is not supported | 不支持该类证件号
-20 review         yes     record     the card's state is abnormal, or its number wrong | 银行卡状态异常，或卡号有误
"""),
)
