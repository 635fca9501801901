"""ID number rules: GB 11643 with the check character of ISO 7064 MOD 11-2.

The service answers ``-2`` (``FailedOperation.IdFormatError``) for a number of the wrong length or
check digit, at no charge. Finding it here saves the call.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import date
from enum import StrEnum

from ..exceptions import InvalidInputError

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


RULES: dict[str, str] = {
    "id_card_missing": "an ID number is needed",
    "id_card_not_text": "the ID number must be text: a number column loses the final X",
    "id_card_length": "an ID number has 18 characters",
    "id_card_characters": "an ID number is 17 digits and a final digit or X",
    "id_card_province": "the first two digits name no province",
    "id_card_birth_date": "digits 7 to 14 are not a birth date",
    "id_card_check_digit": "the check digit does not fit the other 17",
}
"""Rules in the order they are asked; a number breaks at most the first that fails."""


def normalise(value: str) -> str:
    """Return a number as the service wants it: half-width digits, upper-case X, no outer blanks."""
    if not value.isascii():
        value = unicodedata.normalize("NFKC", value)
    return value.strip().upper()


def check_character(digits: Sequence[int]) -> str:
    """Return the check character of 17 digits."""
    return CHECK_CHARACTERS[sum(w * d for w, d in zip(WEIGHTS, digits, strict=True)) % 11]


def well_formed(number: str) -> bool:
    """Say whether a normalised number is 17 digits and a final digit or X."""
    head, last = number[:-1], number[-1:]
    return (
        len(number) == LENGTH
        and number.isascii()
        and head.isdigit()
        and (last.isdigit() or last == "X")
    )


def check_digit_fits(number: str) -> bool:
    """Say whether the last character of a well-formed number is the check character."""
    return number[-1] == check_character([int(digit) for digit in number[:17]])


def birth_date(number: str) -> date | None:
    """Return the birth date in a well-formed number, or None if it is no calendar date."""
    try:
        return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None


def birth_date_fits(number: str, today: date) -> bool:
    """Say whether a well-formed number carries a birth date from 1900 to today."""
    born = birth_date(number)
    return born is not None and born.year >= EARLIEST_YEAR and born <= today


def province_fits(number: str) -> bool:
    """Say whether a number starts with a province, or with 9 (permanent residents from abroad)."""
    return number[:2] in PROVINCES or number[:1] == "9"


def broken_rule(  # noqa: PLR0911 - one return per rule
    value: object, today: date, check: Check = Check.STRICT
) -> str | None:
    """
    Return the name of the first rule a value breaks, or None.

    :param value: what the source holds; anything but text is refused, an integer included.
    :param today: the day after which nobody can be born.
    :param check: how strictly to read.
    """
    if value is None:
        return "id_card_missing"
    if not isinstance(value, str):
        return "id_card_not_text"
    number = normalise(value)
    if not number:
        return "id_card_missing"
    if len(number) != LENGTH:
        return "id_card_length"
    if not well_formed(number):
        return "id_card_characters"
    if check is Check.FORMAT:
        return None
    if not province_fits(number):
        return "id_card_province"
    if not birth_date_fits(number, today):
        return "id_card_birth_date"
    if not check_digit_fits(number):
        return "id_card_check_digit"
    return None


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
    rule = broken_rule(value, today, check)
    if rule is not None:
        raise InvalidInputError(rule, RULES[rule])
    return normalise(str(value))
