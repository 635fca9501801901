"""``CheckBankCardInformation``: which bank has issued a card, and of which kind it is.

Source: the models of the official SDK, which name the codes and say which of them are free. The identity
limits are published on the Chinese site only (document 1007/108625).
"""

from __future__ import annotations

from ..action import Action, IdentityLimits, Output
from ..codes import code_table
from ..fields import BANK_CARD, ENCRYPTION, Field

ACTION = Action(
    name="CheckBankCardInformation",
    title="which bank has issued a card, and of which kind it is",
    document="",
    quota=20,
    fields=(
        Field("BankCard", BANK_CARD, column="bank_card", encrypted=True, invalid_code="-5"),
        ENCRYPTION,
    ),
    identity_limits=IdentityLimits(bank_card_per_day=500),
    outputs=(
        Output(
            "AccountBank",
            "account_bank",
            "text",
            "bank that has issued the card, as the service names it",
            ("Bank of China", "China Merchants Bank", "Agricultural Bank of China"),
        ),
        Output(
            "AccountType",
            "account_type",
            "integer",
            "kind of card: 1 debit, 2 credit, 3 prepaid, 4 semi-credit",
            (1, 1, 2, 3, 4),
        ),
    ),
    # code, outcome, charged, next step, meaning | the same in Chinese
    results=code_table("""
0   found          yes     record     bank and kind are in `account_bank` and `account_type` | 银行与卡种见 `account_bank` 和 `account_type`
-1  not_found      yes     record     nothing is known of this card | 查无此银行卡
-2  unavailable    no      retry      the authority is busy | 权威库繁忙
-3  not_found      no      record     there is no such card | 没有此银行卡
-4  limit          no      postpone   this card was asked about too often today | 该卡今日查询次数过多
-5  review         yes     record     the service finds the card number invalid | 服务端认为卡号无效
-6  not_found      no      record     this kind of card is not supported | 不支持该类银行卡
"""),
)
