"""Reconciliation of charges with the vendor's bill: which day, Action and code differ, and why.

A bill above our count is explained by calls that may be charged: answers of a code no page is clear about,
and calls in doubt, which were sent without an answer. A bill below our count is explained by nothing.

A bill is a list of dicts or a CSV file. A file is read as consoles export it: UTF-8 with or without a byte
order mark, or GB 18030; separated by commas, tabs or semicolons; any headers, thousands separators, and
lines with totals.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from io import StringIO
from typing import Any, NamedTuple

from ..api.actions import ACTIONS
from ..api.codes import NO_ANSWER
from ..clock import Clock, utc_text
from ..exceptions import ConfigurationError
from .records import RunContext
from .sql.database import Database
from .tables import RECONCILIATION, RECONCILIATION_CALLS, delete, insert

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


LATE_DAYS = 1
"""Days after its call on which the row of a killed worker's call may have been written."""


class InDoubt(NamedTuple):
    """
    A call that was sent without an answer.

    :param day: the service's day on which its row was written; the call was made then or before.
    """

    day: date
    action: str
    campaign: str
    source_key: str


@dataclass
class Difference:
    """
    A total of the bill that is not ours.

    :param key: day, Action and code.
    :param charged: our count of charged answers.
    :param billed: that of the bill.
    :param may_be_charged: answers of codes no page is clear about.
    :param in_doubt: calls in doubt that may be among the billed ones.
    :param explained: calls of the difference that may be charged answers or calls in doubt.
    """

    key: BillKey
    charged: int
    billed: int
    may_be_charged: int = 0
    in_doubt: list[InDoubt] = field(default_factory=list)
    explained: int = 0

    @property
    def difference(self) -> int:
        """Return the calls that are billed and not counted; below 0, counted and not billed."""
        return self.billed - self.charged

    @property
    def unexplained(self) -> int:
        """Return the calls of the difference that nothing explains, with its sign."""
        return self.difference - self.explained


class Charges(NamedTuple):
    """
    Our counts of some days.

    :param charged: charged answers by day, Action and code.
    :param may_be_charged: answers that may be charged, likewise; without calls in doubt.
    :param in_doubt: calls in doubt.
    """

    charged: Mapping[BillKey, int]
    may_be_charged: Mapping[BillKey, int]
    in_doubt: Sequence[InDoubt]


def differences(bill: Mapping[BillKey, int], ours: Charges) -> list[Difference]:
    """
    Compare a bill with our counts.

    A bill with codes is compared code by code. Each call in doubt explains one billed call: of its own
    day first, then of the day before, because the row of a killed worker is written by the next run.

    :return: what differs, in order of day, Action and code.
    """
    with_codes = any(key.code for key in bill)
    charged, unsure = (
        _summed(counts, with_codes=with_codes) for counts in (ours.charged, ours.may_be_charged)
    )
    found = []
    for key in sorted({*bill, *charged}):
        one = Difference(key, charged.get(key, 0), bill.get(key, 0), unsure.get(key, 0))
        if one.difference:
            one.explained = max(0, min(one.difference, one.may_be_charged))
            found.append(one)
    left: dict[tuple[date, str], list[InDoubt]] = defaultdict(list)
    for call in sorted(ours.in_doubt):
        left[call.day, call.action].append(call)
    for late in range(LATE_DAYS + 1):
        for one in found:
            calls = left[one.key.day + timedelta(days=late), one.key.action]
            needed = max(0, one.unexplained)
            if needed and calls:
                one.in_doubt += calls
                one.explained += min(needed, len(calls))
                del calls[:needed]
    return found


def _summed(counts: Mapping[BillKey, int], *, with_codes: bool) -> dict[BillKey, int]:
    summed: dict[BillKey, int] = defaultdict(int)
    for key, count in counts.items():
        summed[key if with_codes else key._replace(code="")] += count
    return summed


def read_charges(
    database: Database, charges: str, in_doubt: str, days: tuple[date, date], actions: Iterable[str]
) -> Charges:
    """
    Read our counts from the views.

    :param charges: name of the view of charges.
    :param in_doubt: name of the view of calls in doubt.
    :param days: first and last day.
    :param actions: names of the Actions; none for all.
    """
    dialect = database.dialect
    wanted = list(actions)
    these = f" AND action IN ({', '.join([dialect.marker] * len(wanted))})" if wanted else ""

    def ask(columns: str, view: str, day: str, last: date, more: str = "") -> list[Any]:
        return database.rows(
            f"SELECT {columns} FROM {dialect.quote_table(view)} "
            f"WHERE {day} BETWEEN {dialect.marker} AND {dialect.marker}{these}{more}",
            [days[0].isoformat(), last.isoformat(), *wanted],
        )

    charged, unsure = {}, {}
    for day, action, code, sure, perhaps in ask(
        "verified_date, action, code, charged, may_be_charged",
        charges,
        "verified_date",
        days[1],
        f" AND code <> '{NO_ANSWER.code}'",
    ):
        key = BillKey(_date(day), action, code)
        charged[key], unsure[key] = int(sure), int(perhaps)
    late = days[1] + timedelta(days=LATE_DAYS)
    calls = ask("service_date, action, campaign, source_key", in_doubt, "service_date", late)
    return Charges(charged, unsure, [InDoubt(_date(day), *rest) for day, *rest in calls])


def _date(value: Any) -> date:
    """Return a day; SQLite's are texts."""
    return date.fromisoformat(value) if isinstance(value, str) else value


def write_differences(
    database: Database,
    tables: Sequence[str],
    days: tuple[date, date],
    found: Iterable[Difference],
    *,
    context: RunContext,
    clock: Clock,
) -> None:
    """
    Replace what an earlier reconciliation of some days found, in one transaction.

    :param tables: names of the table of differences and of that of their calls in doubt.
    :param days: first and last day.
    :param context: the run, written beside each row.
    """
    origin = {
        "dag_id": context.dag_id,
        "run_id": context.run_id,
        "updated_at": utc_text(clock.now()),
    }
    rows, calls = [], []
    for one in found:
        about = {
            "verified_date": one.key.day.isoformat(),
            "action": one.key.action,
            "code": one.key.code,
        }
        counts = ("charged", "billed", "difference", "may_be_charged", "explained", "unexplained")
        rows.append(
            about | origin | {n: getattr(one, n) for n in counts} | {"in_doubt": len(one.in_doubt)}
        )
        for call in one.in_doubt:
            kept = {"campaign": call.campaign, "source_key": call.source_key}
            calls.append(about | origin | kept | {"written_on": call.day.isoformat()})

    def work(cursor: Any) -> None:
        for table in tables:
            between = [day.isoformat() for day in days]
            delete(cursor, database, table, "verified_date BETWEEN ? AND ?", between)
        insert(cursor, database, RECONCILIATION, tables[0], rows)
        insert(cursor, database, RECONCILIATION_CALLS, tables[1], calls)

    database.run("writing the reconciliation", work)
