"""Phone number rules: numbers of mobile phones in mainland China.

Which ranges are in use changes, so only the form is looked at: 11 digits, the first a 1 and the second
3 to 9. A number that is malformed is refused by the service at no charge; finding it here saves the call.
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

LENGTH = 11
HEAD, TAIL = 3, 4
"""Digits of a masked number that are shown at its ends."""

_BETWEEN = re.compile(r"[\s().·-]")
_COUNTRY = re.compile(r"^(?:\+|00)?86(?=[0-9]{11}$)")
_PREFIX = re.compile(r"1[3-9]")


def normalise(value: str) -> str:
    """
    Return a number as the service wants it: its digits alone.

    Full-width digits become half-width. What people write between digits goes (blanks, hyphens, dots,
    parentheses), and so does the country's code: ``+86``, ``0086`` or ``86`` before 11 digits.
    """
    if not value.isascii():
        value = unicodedata.normalize("NFKC", INVISIBLE.sub("", value))
    return _COUNTRY.sub("", _BETWEEN.sub("", value))


def masked(number: str) -> str:
    """
    Return a number of which the first 3 and the last 4 digits are shown, like ``138****8888``.

    Of a text that is no number, nothing but asterisks.
    """
    if len(number) != LENGTH or not is_digits(number):
        return "*" * min(len(number), LENGTH)
    return f"{number[:HEAD]}{'*' * (LENGTH - HEAD - TAIL)}{number[-TAIL:]}"


def sample(chance: random.Random) -> str:
    """Return an invented number."""
    return f"1{chance.randint(3, 9)}{chance.randrange(10**9):09}"


FIELD = InputField(
    rules=(
        Rule("phone_missing", "a phone number is needed", lambda value, _: is_no_value(value)),
        Rule(
            "phone_not_text",
            "the phone number must be text or a whole number",
            lambda value, _: not isinstance(value, str),
        ),
        Rule(
            "phone_characters",
            "a phone number is digits; blanks, hyphens, dots, parentheses and +86 may stand with them",
            lambda number, _: not is_digits(number),
        ),
        Rule(
            "phone_length",
            f"a phone number has {LENGTH} digits, the country's code not counted",
            lambda number, _: len(number) != LENGTH,
        ),
        Rule(
            "phone_prefix",
            "a phone number begins with 1 and a digit from 3 to 9",
            lambda number, _: _PREFIX.match(number) is None,
            is_optional=True,
        ),
    ),
    read=number_reader(normalise),
)
RULES = texts_of(FIELD.rules)
"""What each rule asks for, in the order they are asked."""
