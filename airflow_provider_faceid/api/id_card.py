"""ID number rules: GB 11643 with the check character of ISO 7064 MOD 11-2.

The service answers ``-2`` (``FailedOperation.IdFormatError``) for a number of the wrong length or
check digit, at no charge. Finding it here saves the call.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from functools import lru_cache
from operator import mul

from .rules import INVISIBLE, NO_RULES, InputField, Rule, is_missing, texts_of, visible_length

LENGTH = 18
LEGIBLE = 2
"""Characters of a masked number that are shown at each end."""
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_CHARACTERS = "10X98765432"
EARLIEST_YEAR = 1900
PROVINCES = frozenset(
    [
        "11",
        "12",
        "13",
        "14",
        "15",
        "21",
        "22",
        "23",
        "31",
        "32",
        "33",
        "34",
        "35",
        "36",
        "37",
        "41",
        "42",
        "43",
        "44",
        "45",
        "46",
        "50",
        "51",
        "52",
        "53",
        "54",
        "61",
        "62",
        "63",
        "64",
        "65",
        "71",
        "81",
        "82",
        "83",
    ]
)
"""First two digits (GB/T 2260); 83 is the residence permit of Taiwan residents."""


class Check(StrEnum):
    """How strictly a number is read before it is sent."""

    STRICT = "strict"
    """Length, characters, province, a real birth date and the check digit."""
    FORMAT = "format"
    """Length and characters only. The API page's own sample passes no stricter check."""


def normalise(value: str) -> str:
    """
    Return a number as the service wants it.

    Full-width digits become half-width, a final ``x`` becomes ``X``; outer blanks go, and what shows
    nothing, wherever it stands.
    """
    if not value.isascii():
        value = unicodedata.normalize("NFKC", INVISIBLE.sub("", value))
    return value.strip().upper()


def check_character(digits: Sequence[int]) -> str:
    """Return the check character of 17 digits."""
    return CHECK_CHARACTERS[sum(map(mul, WEIGHTS, digits)) % 11]


def well_formed(number: str) -> bool:
    """Say whether a normalised number is 17 digits and a final digit or X."""
    return _FORM.fullmatch(number) is not None


_FORM = re.compile(r"[0-9]{17}[0-9X]")


def check_digit_fits(number: str) -> bool:
    """Say whether the last character of a well-formed number is the check character."""
    # Text of digits as bytes: each is 48 more than its digit, which the sum of the weights takes back.
    total = sum(map(mul, WEIGHTS, number.encode())) - _SUM_OF_ZEROS
    return number[-1] == CHECK_CHARACTERS[total % 11]


_SUM_OF_ZEROS = ord("0") * sum(WEIGHTS)


def birth_date(number: str) -> date | None:
    """Return the birth date in a well-formed number, or None if it is no calendar date."""
    return _calendar_date(number[6:14])


@lru_cache(maxsize=2**16)
def _calendar_date(digits: str) -> date | None:
    """Return a date; there are fewer days since 1900 than people."""
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None


def birth_date_fits(number: str, today: date) -> bool:
    """Say whether a well-formed number carries a birth date from 1900 to today."""
    born = birth_date(number)
    return born is not None and born.year >= EARLIEST_YEAR and born <= today


def province_fits(number: str) -> bool:
    """Say whether a number starts with a province, or with 9 (permanent residents from abroad)."""
    return number[:2] in PROVINCES or number[:1] == "9"


def _read(value: object) -> object:
    return normalise(value) if isinstance(value, str) else value


def _is_missing(value: object, _: date) -> bool:
    return value is None or value == "" or (isinstance(value, str) and is_missing(value))


FIELD = InputField(
    rules=(
        Rule("id_card_missing", "an ID number is needed", _is_missing, is_implied=True),
        Rule(
            "id_card_not_text",
            "the ID number must be text: a number column loses the final X",
            lambda value, _: not isinstance(value, str),
            is_implied=True,
        ),
        Rule(
            "id_card_length",
            f"an ID number has {LENGTH} characters",
            # One with a control character in it looks as long as it should: the next rule speaks of it.
            lambda number, _: len(number) != LENGTH and visible_length(number) != LENGTH,
            is_implied=True,
        ),
        Rule(
            "id_card_characters",
            "an ID number is 17 digits and a final digit or X; control characters count",
            lambda number, _: not well_formed(number),
        ),
        Rule(
            "id_card_province",
            "the first two digits name no province",
            lambda number, _: not province_fits(number),
            is_optional=True,
        ),
        Rule(
            "id_card_birth_date",
            "digits 7 to 14 are not a birth date",
            lambda number, today: not birth_date_fits(number, today),
            is_optional=True,
        ),
        Rule(
            "id_card_check_digit",
            "the check digit does not fit the other 17",
            lambda number, _: not check_digit_fits(number),
            is_optional=True,
        ),
    ),
    read=_read,
)
RULES = texts_of(FIELD.rules)
"""What each rule asks for, in the order they are asked."""

_ONLY_STRICT = frozenset(rule.name for rule in FIELD.rules if rule.is_optional)


def not_asked(check: Check) -> frozenset[str]:
    """Return the rules that are not asked of a number that is read so strictly."""
    return NO_RULES if check is Check.STRICT else _ONLY_STRICT


def broken_rule(value: object, today: date, check: Check = Check.STRICT) -> str | None:
    """
    Return the name of the first rule a value breaks, or None.

    :param value: what the source holds; anything but text is refused, an integer included.
    :param today: the service's day; a later birth date is invalid.
    :param check: how strictly to read.
    """
    broken = FIELD.first_broken(value, today, not_asked(check))
    return broken.name if broken else None


def masked(number: str) -> str:
    """Return a number with its ends legible; of a text that is none, nothing but asterisks."""
    if not well_formed(number.upper()):
        return "*" * min(len(number), LENGTH)
    return number[:LEGIBLE] + "*" * (LENGTH - 2 * LEGIBLE) + number[-LEGIBLE:]


def prepare(value: object, today: date, check: Check = Check.STRICT) -> str:
    """
    Return a value as it is sent.

    :raises InvalidInputError: it breaks a rule of :data:`RULES`.
    """
    number: str = FIELD.prepare(value, today, not_asked(check))
    return number
