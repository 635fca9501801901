"""The vendor's bill: totals by day, Action and code, from dicts or from a CSV file.

A CSV file is read as consoles export it: UTF-8 with or without a byte order mark, or GB 18030; separated
by commas, tabs or semicolons; any headers, thousands separators, and lines with totals.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from io import StringIO
from typing import Any, NamedTuple

from ..api.actions import ACTIONS
from ..exceptions import ConfigurationError

FIELDS = ("day", "action", "code", "charged")
NEEDED = ("day", "action", "charged")
_TOTALS = re.compile(r"合计|总计|小计|sum|(sub|grand )?total", re.IGNORECASE)
_DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y.%m.%d", "%Y年%m月%d日")
_SEPARATORS = str.maketrans("", "", ", ，'_\u00a0\u202f\u2009")
_ENCODINGS = ("utf-8-sig", "gb18030")


class BillKey(NamedTuple):
    """What the bill has a total for; an empty code is all of them."""

    day: date
    action: str
    code: str = ""


def bill_of(
    lines: Iterable[Mapping[str, Any]],
    columns: Mapping[str, str] | None = None,
    action_names: Mapping[str, str] | None = None,
) -> Counter[BillKey]:
    """
    Return charged calls by day, Action and code; lines with one key are summed.

    :param lines: one dict per line.
    :param columns: name of the column by ``day``, ``action``, ``charged`` and, if the bill has codes,
        ``code``; these words themselves if not given.
    :param action_names: API Action by what the bill calls it.
    :raises ConfigurationError: a column is missing, or a value is not what it should be; its line is
        named. Also if some lines have a code and others none.
    """
    named = {field: (columns or {}).get(field, field) for field in FIELDS}
    bill: Counter[BillKey] = Counter()
    has_code = set()
    for number, line in enumerate(lines, 1):
        cells = {str(name).strip(): value for name, value in line.items() if name is not None}
        if missing := [named[field] for field in NEEDED if named[field] not in cells]:
            raise ConfigurationError(
                f"The bill has no column '{missing[0]}'; it has {', '.join(cells)}. Name its columns "
                "with bill_columns"
            )
        given = {field: _cell(cells.get(named[field])) for field in FIELDS}
        if _TOTALS.fullmatch(given["day"]) or not any(given.values()):
            continue
        try:
            key = BillKey(
                _day(given["day"]), _action(given["action"], action_names or {}), given["code"]
            )
            bill[key] += _count(given["charged"])
        except ValueError as error:
            raise ConfigurationError(f"Line {number} of the bill: {error}") from None
        has_code.add(bool(given["code"]))
    if len(has_code) > 1:
        raise ConfigurationError("Some lines of the bill have a code and others none")
    return bill


def lines_of_csv(raw: bytes) -> Iterator[dict[str, Any]]:
    """
    Yield the lines of a CSV file, one dict each.

    :raises ConfigurationError: it is no text in a known encoding.
    """
    text = _decoded(raw)
    head = text.partition("\n")[0]
    delimiter = max(",\t;", key=head.count)
    yield from csv.DictReader(StringIO(text, newline=""), delimiter=delimiter)


def _decoded(raw: bytes) -> str:
    for encoding in _ENCODINGS:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ConfigurationError(f"The bill is not text in any of {', '.join(_ENCODINGS)}")


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        value = value.date()
    return "" if value is None else str(value).strip()


def _day(text: str) -> date:
    first = text.split(maxsplit=1)[0].partition("T")[0] if text else ""
    for form in _DAYS:
        try:
            return datetime.strptime(first, form).date()  # noqa: DTZ007 - a day of the service's
        except ValueError:
            continue
    raise ValueError(f"'{text}' is no day such as 2026-11-28")


def _action(text: str, names: Mapping[str, str]) -> str:
    name = names.get(text, text)
    if name not in ACTIONS:
        raise ValueError(f"'{text}' is no API Action. Say which it is with bill_action_names")
    return name


def _count(text: str) -> int:
    try:
        number = Decimal(text.translate(_SEPARATORS))
        count = int(number)
    except (InvalidOperation, ValueError, OverflowError):
        raise ValueError(f"'{text}' is no number of calls") from None
    if count != number or count < 0:
        raise ValueError(f"'{text}' is no number of calls")
    return count
