"""Rules of date fields: a day of the calendar, sent as ``YYYYMMDD``."""

from __future__ import annotations

import random
import re
from datetime import date, datetime
from functools import cache

from .rules import InputField, Rule, is_missing, without_invisible

MISSING, FORMAT = "date_missing", "date_format"
_DIGITS = re.compile(r"(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})(?:[T ]00:00:00(?:\.0+)?)?", re.ASCII)
_EARLIEST, _DAYS = date(1990, 1, 1), 365 * 30


def normalise(text: str) -> str:
    """Return a date as ``YYYYMMDD``; a text that is none is returned without outer blanks."""
    bare = without_invisible(text)
    found = _DIGITS.fullmatch(bare)
    return "".join(found.groups()) if found else bare


@cache
def field(required: bool, max_length: int) -> InputField:  # noqa: FBT001 - as field types ask it
    """
    Return the input rules of a date field.

    :param required: whether a value is needed.
    :param max_length: not asked: every date has 8 digits.
    """
    del max_length
    return InputField(
        rules=(
            Rule(MISSING, "a date is needed", lambda value, _: required and _is_missing(value)),
            Rule(
                FORMAT,
                "a date is a day of the calendar such as 2026-11-29 or 20261129",
                lambda value, _: value is not None and not _is_date(value),
            ),
        ),
        read=_read,
    )


def sample(chance: random.Random) -> str:
    """Return an invented date."""
    return date.fromordinal(_EARLIEST.toordinal() + chance.randrange(_DAYS)).strftime("%Y%m%d")


def _read(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.strftime("%Y%m%d")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return normalise(value) if isinstance(value, str) else value


def _is_missing(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, str) and is_missing(value))


def _is_date(value: object) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"\d{8}", value, re.ASCII):
        return False
    try:
        date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError:
        return False
    return True
