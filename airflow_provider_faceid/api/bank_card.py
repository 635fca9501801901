"""Bank card number rules: 12 to 19 digits.

Most numbers pass the Luhn check (ISO/IEC 7812-1), but some genuine ones of Chinese banks do not: one that
fails is counted as a warning and asked about all the same.
"""

from __future__ import annotations

import random
import re
import unicodedata

from .rules import (
    INVISIBLE,
    InputField,
    Rule,
    is_digits,
    is_no_value,
    number_reader,
    texts_of,
)

SHORTEST, LONGEST = 12, 19
TAIL = 4
"""Digits of a masked number that are shown at its end."""

_BETWEEN = re.compile(r"[\s-]")
_DOUBLED = "0246813579"
"""Digit sum of twice a digit, by the digit."""
SAMPLE_HEAD, _SAMPLE_LENGTH = "62", 19


def normalise(value: str) -> str:
    """Return a number as the service wants it: half-width digits, without blanks and hyphens."""
    if not value.isascii():
        value = unicodedata.normalize("NFKC", INVISIBLE.sub("", value))
    return _BETWEEN.sub("", value)


def masked(number: str) -> str:
    """
    Return the last 4 digits behind asterisks, as many for every length: ``****4242``.

    Of a text that is no number, or a short one, nothing but asterisks.
    """
    if len(number) <= 2 * TAIL or not is_digits(number):
        return "****"
    return f"****{number[-TAIL:]}"


def luhn_fits(number: str) -> bool:
    """Say whether a number of digits passes the Luhn check."""
    return _luhn_sum(number) % 10 == 0


def sample(chance: random.Random) -> str:
    """Return an invented number that passes the Luhn check."""
    body = SAMPLE_HEAD + "".join(
        chance.choices("0123456789", k=_SAMPLE_LENGTH - len(SAMPLE_HEAD) - 1)
    )
    return f"{body}{-_luhn_sum(body + '0') % 10}"


def _luhn_sum(number: str) -> int:
    return sum(map(int, number[::-2])) + sum(int(_DOUBLED[int(d)]) for d in number[-2::-2])


FIELD = InputField(
    rules=(
        Rule("bank_card_missing", "a card number is needed", lambda value, _: is_no_value(value)),
        Rule(
            "bank_card_not_text",
            "the card number must be text or a whole number",
            lambda value, _: not isinstance(value, str),
        ),
        Rule(
            "bank_card_characters",
            "a card number is digits; blanks and hyphens may stand between them",
            lambda number, _: not is_digits(number),
        ),
        Rule(
            "bank_card_length",
            f"a card number has {SHORTEST} to {LONGEST} digits",
            lambda number, _: not SHORTEST <= len(number) <= LONGEST,
        ),
        Rule(
            "bank_card_luhn",
            "the last digit of a card number is its check digit (Luhn)",
            lambda number, _: not luhn_fits(number),
            is_optional=True,
            is_warning=True,
        ),
    ),
    read=number_reader(normalise),
)
RULES = texts_of(FIELD.rules)
"""What each rule asks for, in the order they are asked."""
