"""Marked numbers and dates: groups, reversed, parts, as integers and floats, and what only looks alike.

An ID number, a phone number or a card number is written in more ways than a name, and a part of it says
who it is. On the other hand a log is full of digits: timestamps, durations, hashes. So a find of few
digits counts only if what is around it is not a longer number.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from datetime import date
from enum import Enum
from typing import NamedTuple

PART = 8
"""Digits in a row of a phone or card number that are a find; masks show four."""
_SURE = 12
"""Digits in a row that stand nowhere by chance, whatever is around them."""
_ID_PART, _ID_PART_STARTS = 12, (0, 3, 6)
"""Fourteen characters in a row of an ID number hold one of these parts."""

_ID_NUMBER = re.compile(r"[0-9]{6}([0-9]{8})[0-9]{3}[0-9Xx]")
_DIGITS = re.compile(r"[0-9]{8,19}")
_YEARS = range(1900, 2100)
_FULL_WIDTH = {ord("0") + digit: ord("０") + digit for digit in range(10)}

_FIRST_SECOND, _LAST_SECOND = 1_500_000_000, 2_000_000_000
"""Unix seconds from 2017 to 2033: what begins so may be a point in time."""
_SECONDS_LENGTH = 10
_TIMESTAMP_LENGTHS = (13, 16, 19)
"""Digits of Unix milliseconds, microseconds, nanoseconds."""
_COUNTRY = (b"86", b"0086")
_LONGEST_COUNTRY = 4
_WHOLE_PART = re.compile(rb"[0-9][.]\Z")
_ALL_DIGITS, _NO_DIGIT = re.compile(rb"[0-9]+"), re.compile(rb"[^0-9]")
_EXPONENT = re.compile(rb"[0-9]*[eE][+]?[0-9]")
_INT64 = 2**63
_FEWEST_BYTES = 6

Check = Callable[[bytes, int, int], tuple[int, int] | None]
"""Says where a find really begins and ends, given the data and the place; None if it is none."""


class Kind(Enum):
    """What a value of digits is."""

    ID_NUMBER = "ID number"
    PHONE = "phone number"
    CARD = "card number"
    DATE = "date"


class Spelling(NamedTuple):
    """A number written otherwise, with the name of the form."""

    text: str
    form: str


def kind_of(value: str) -> Kind | None:
    """Return what a value is; None for a name or the like."""
    found = _ID_NUMBER.fullmatch(value)
    if found is not None and (is_date(found[1]) or not value.isdigit()):
        return Kind.ID_NUMBER
    if _DIGITS.fullmatch(value) is None:
        return None
    if is_date(value):
        return Kind.DATE
    return Kind.PHONE if len(value) <= len("13800138000") else Kind.CARD


def is_date(text: str) -> bool:
    """Say whether a text is a day of these centuries as YYYYMMDD."""
    if len(text) != len("20261129") or not text.isdigit() or int(text[:4]) not in _YEARS:
        return False
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


_GROUPS: dict[Kind, tuple[tuple[int, ...], ...]] = {
    Kind.ID_NUMBER: ((6, 8, 4),),
    Kind.PHONE: ((3, 4, 4), (3, 3, 5), (4, 3, 4)),
    Kind.CARD: ((4, 4, 4, 4, 4), (6, 13)),
    Kind.DATE: ((4, 2, 2),),
}
_SEPARATORS: dict[Kind, tuple[str, ...]] = {
    Kind.ID_NUMBER: (" ", "-"),
    Kind.PHONE: (" ", "-", ".", "\u00a0"),
    Kind.CARD: (" ", "-", ".", "\u00a0"),
    Kind.DATE: ("-", "/", "."),
}


def spellings(kind: Kind, value: str) -> Iterator[Spelling]:
    """Yield a number in groups, with commas, reversed, and in full-width digits."""
    for lengths in _GROUPS[kind]:
        groups = _split(value, lengths)
        for between in _SEPARATORS[kind]:
            yield Spelling(between.join(groups), "grouped")
    if kind is Kind.DATE:
        return
    if value.isdigit():
        yield Spelling(f"{int(value):,}", "grouped")
    yield Spelling(value[::-1], "reversed")
    yield Spelling(value.translate(_FULL_WIDTH), "full width")


def parts(kind: Kind, text: str) -> Iterator[tuple[bytes, str, Check | None]]:
    """
    Yield the parts that are a find, each with its form and check.

    :param text: a number, or a spelling of one.
    """
    if kind is Kind.DATE or not text.isascii():
        return
    if kind is Kind.ID_NUMBER:
        if text.isalnum():
            yield from ((text[at : at + _ID_PART].encode(), "part", None) for at in _ID_PART_STARTS)
        return
    at = [place for place, character in enumerate(text) if character.isdigit()]
    for first in range(len(at) - PART + 1):
        start, end = at[first], at[first + PART - 1] + 1
        # Eight digits with a point among them are seconds of a timestamp, or any float.
        if not is_date(text[start:end]) and "." not in text[start:end]:
            yield text[start:end].encode(), "part", _check_of_part(text.encode(), start)


def as_numbers(value: str) -> Iterator[tuple[bytes, str, Check | None]]:
    """Yield a number as databases, pickles and columnar files hold it, and in scientific notation."""
    if not value.isdigit() or len(value) <= PART:
        return
    number = int(value)
    yield f"{value[0]}.{value[1:PART]}".encode(), "scientific", _has_exponent
    if number < _INT64:
        yield from ((packed, "integer", None) for packed in _integers(number))
        for order in "<>":
            yield struct.pack(f"{order}d", number), "float", None


def check_of(kind: Kind | None) -> Check | None:
    """Return what judges a whole number by what is around it."""
    return {Kind.PHONE: _is_no_timestamp, Kind.DATE: _stands_alone}.get(kind) if kind else None


def _split(value: str, lengths: tuple[int, ...]) -> list[str]:
    groups, at = [], 0
    for length in lengths:
        groups.append(value[at : at + length])
        at += length
    return [group for group in groups if group]


def _integers(number: int) -> Iterator[bytes]:
    """Yield the bytes of an integer, those that are zero in front only to be long enough."""
    short = max((number.bit_length() + 7) // 8, 1)
    for length in {max(short, _FEWEST_BYTES), 8}:
        yield number.to_bytes(length, "big")
        yield number.to_bytes(length, "little")
    signed = number.bit_length() // 8 + 1
    yield bytes([signed]) + number.to_bytes(signed, "little")  # as pickle writes it


def _check_of_part(whole: bytes, at: int) -> Check:
    """
    Return the check of a part of a number.

    The part is a find if the digits around it are the number's own, or if so many of them are that
    chance is no explanation.
    """

    def check(data: bytes, start: int, end: int) -> tuple[int, int] | None:
        first, last = at, at + end - start
        while start and first and data[start - 1] == whole[first - 1]:
            start, first = start - 1, first - 1
        while end < len(data) and last < len(whole) and data[end] == whole[last]:
            end, last = end + 1, last + 1
        if len(_NO_DIGIT.sub(b"", data[start:end])) >= _SURE:
            return start, end
        before, behind = data[max(0, start - _LONGEST_COUNTRY - 1) : start], data[end : end + 1]
        if behind.isdigit() or (before[-1:].isdigit() and not _is_country(before)):
            return None
        if _WHOLE_PART.search(before):
            return None  # the fraction of a float, such as a duration
        return None if _is_hex_letter(before[-1:]) and _is_hex_letter(behind) else (start, end)

    return check


def _is_no_timestamp(data: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Refuse digits at the beginning of a longer number that is a point in time."""
    if data[max(0, start - 1) : start].isdigit():
        return start, end
    found = _ALL_DIGITS.match(data, start, start + max(_TIMESTAMP_LENGTHS) + 1)
    if found is None or len(found[0]) not in _TIMESTAMP_LENGTHS:
        return start, end
    seconds = int(found[0][:_SECONDS_LENGTH])
    return None if _FIRST_SECOND <= seconds < _LAST_SECOND else (start, end)


def _stands_alone(data: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Refuse a date that is a part of a longer number or a hash."""
    before, behind = data[max(0, start - 1) : start], data[end : end + 1]
    if before.isdigit() or behind.isdigit():
        return None
    return None if _is_hex_letter(before) and _is_hex_letter(behind) else (start, end)


def _has_exponent(data: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Refuse what is a small number, such as a duration in seconds."""
    found = _EXPONENT.match(data, end, end + 24)
    if found is None or data[max(0, start - 1) : start].isdigit():
        return None
    return start, found.end()


def _is_country(before: bytes) -> bool:
    """Say whether the digits in front of a phone number are its country's code."""
    digits = re.search(rb"[0-9]*\Z", before)
    return digits is not None and digits[0] in _COUNTRY


def _is_hex_letter(byte: bytes) -> bool:
    return byte.isalpha() and byte in b"abcdefABCDEF"
