"""``BankCard2EVerification``: whether a name and a bank card belong to the same person.

Sources: the API page (document 1061/78856) and the models of the official SDK, which name the codes and
say which of them are free. A code about the state of the card says nothing against the person, so it is
``review``. The identity limits are published on the Chinese site only (document 1007/108625).
"""

from __future__ import annotations

from ..action import Action, IdentityLimits
from ..codes import code_table
from ..fields import BANK_CARD, ENCRYPTION, NAME, Field

ACTION = Action(
    name="BankCard2EVerification",
    title="whether name and bank card belong to the same person",
    document="78856",
    quota=20,
    fields=(
        Field("Name", NAME, column="name", encrypted=True, invalid_code="-2"),
        Field("BankCard", BANK_CARD, column="bank_card", encrypted=True, invalid_code="-3"),
        ENCRYPTION,
    ),
    identity_limits=IdentityLimits(name_per_day=500, bank_card_per_day=500),
    # code, outcome, charged, next step, meaning
    results=code_table("""
0   match          yes     record     name and bank card belong together
-1  mismatch       yes     record     name and bank card do not belong together
-2  invalid_input  no      quarantine invalid name
-3  invalid_input  no      quarantine malformed card number
-4  mismatch       yes     record     the cardholder's details are wrong
-5  review         yes     record     card-not-present payment is not enabled
-6  review         yes     record     the card was confiscated
-7  review         yes     record     the bank finds the card number invalid
-8  review         yes     record     no bank has issued this card
-9  review         yes     record     the card is not activated, or dormant
-10 review         yes     record     a fraud card, retained
-11 review         yes     record     the card was reported lost
-12 review         yes     record     the card has expired
-13 review         yes     record     the card is restricted
-14 review         yes     record     too many wrong PINs
-15 review         yes     record     the issuer does not support this check
-16 unavailable    no      retry      the authority is busy
-17 limit          no      postpone   one of the values was asked about too often today
-18 review         yes     record     the card's state is abnormal, or its number wrong
"""),
)
