"""All numbers of a report as one structure for JSON: of a run, or of some days.

Numbers come from the views and the tables. Their definitions are in :mod:`.definitions`, the rule for
small groups is in :mod:`.groups`. There is no key and nobody's data in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from .. import __version__
from ..api.verdict import DEFAULT_THRESHOLD
from ..clock import beijing_date, utc_text
from ..warehouse.names import Names
from ..warehouse.sql.database import Database
from ..warehouse.views.definitions import (
    CODES,
    FUNNEL,
    LATENCY,
    QUARANTINE_REASONS,
    RATES_BY_DAY,
    SIMILARITY,
    THRESHOLDS,
    WAITING,
)
from ..warehouse.views.metrics import ANSWER_PLACES, COUNTS
from .definitions import DEFINITIONS
from .groups import SMALLEST, coarse_table, is_shown, merged, pooled
from .money import read_money
from .runs import RunNumbers, read_runs
from .selection import ANSWERS_OF_RUN, SelectedRows, Selection
from .similarity import similarity_of
from .stand_out import AT_LEAST, stand_out
from .thresholds import Threshold, hours_since, judge
from .verdicts import added, codes_of, groups_of, groups_of_sum, rate

FORMAT = 1
"""Version of the structure; a number that is added does not change it."""

TIME_ZONE = "Asia/Shanghai (UTC+08:00)"
"""Zone of the service's days, in which all days and moments of a report are."""

DAYS_IN_WEEK = 7
RATES = ("match_rate", "hit_rate", "review_rate")

Row = dict[str, Any]


@dataclass(frozen=True)
class Scope:
    """
    What a report is about, and how it is made.

    :param campaign: one campaign; None for all, of a report over days.
    :param actions: API Actions; none for all.
    :param run_id: the DAG run; None for a report over days.
    :param days: how many of the service's days up to today, of a report over days.
    :param threshold: similarity from which a face is accepted.
    :param quotas: calls per second of the account, by Action.
    :param smallest: the smallest group whose count is shown.
    :param thresholds: on numbers of the report, which are judged by it.
    """

    campaign: str | None = None
    actions: tuple[str, ...] = ()
    run_id: str | None = None
    days: int = 90
    threshold: float = DEFAULT_THRESHOLD
    quotas: Mapping[str, float] = field(default_factory=dict)
    smallest: int = SMALLEST
    thresholds: tuple[Threshold, ...] = ()


def read_numbers(database: Database, names: Names, scope: Scope, now: float) -> Row:
    """
    Return the numbers of a report.

    :param database: the warehouse, whose tables and views are up to date.
    :param names: of its tables.
    :param now: when the report is made, in Unix seconds.
    :raises WarehouseError: the warehouse cannot be read.
    """
    return _Reader(database, names, scope, now).read()


class _Reader:
    """Reads the sections of a report."""

    def __init__(self, database: Database, names: Names, scope: Scope, now: float) -> None:
        self._database, self._names, self._scope, self._now = database, names, scope, now
        today = beijing_date(now)
        first = today - timedelta(days=scope.days - 1)
        self._days = None if scope.run_id is not None else (first, today)
        self._rows = SelectedRows(
            database,
            names,
            Selection(scope.campaign, scope.actions, scope.run_id, self._days),
        )
        self._answers = ANSWERS_OF_RUN if scope.run_id is not None else "results"

    def read(self) -> Row:
        smallest = self._scope.smallest
        runs = read_runs(self._rows, self._names, self._scope.quotas, smallest)
        days, by_day = self._read_days()
        rows = self._rows_of_run(runs) if self._scope.run_id is not None else self._rows_of_days()
        codes = self._read_codes()
        money = read_money(self._rows, runs)
        latency = self._read_latency()
        waiting, stands_out = self._read_waiting(), self._stands_out(runs)
        numbers = {
            "format": FORMAT,
            "kind": "run" if self._scope.run_id is not None else "days",
            "provider_version": __version__,
            "made_at": utc_text(self._now),
            "time_zone": TIME_ZONE,
            "campaign": self._scope.campaign,
            "run_id": self._scope.run_id,
            "first_day": days[0],
            "last_day": days[1],
            "smallest_group": smallest,
            "headline": self._headline(rows, runs, money["totals"])
            | self._ages(waiting)
            | {"stood_out": sum(one["number"] is not None for one in stands_out)},
            "rows": rows,
            "verdicts_by_day": by_day,
            "codes": codes,
            "similarity": similarity_of(
                self._rows.view(SIMILARITY, results=self._answers),
                self._rows.view(THRESHOLDS, results=self._answers),
                self._scope.threshold,
                smallest,
            ),
            "money": money,
            "speed": [
                self._speed(action, runs) for action in sorted({r.action for r in runs.here})
            ],
            "latency": latency,
            "waiting": waiting,
            "quarantine": self._read_quarantine(),
            "checks": self._read_checks(),
            "runs": [line for lines in runs.history.values() for line in lines],
            "stands_out": stands_out,
            "definitions": dict(DEFINITIONS),
        }
        return numbers | {"alerts": judge(numbers, self._scope.thresholds)}

    def _rows_of_run(self, runs: RunNumbers) -> list[Row]:
        """Return where each row of the run ended."""
        counted = {name: COUNTS[name].sql for name in (*ANSWER_PLACES, "answers")}
        answers = {
            (row["campaign"], row["action"]): row
            for row in self._rows.group(ANSWERS_OF_RUN, ("campaign", "action"), counted)
        }
        lines = []
        for key in sorted({*answers, *((r.campaign, r.action) for r in runs.here)}):
            places = answers.get(key, {})
            new = places.get("answers", 0)
            last = added(r.last for r in runs.here if (r.campaign, r.action) == key)
            answered = max(last.get("answered", 0), new)
            others = {name: last.get(name, 0) for name in ("quarantined", "postponed", "held")}
            known = answered + sum(others.values())
            rows_in = max(last.get("rows_in", 0), known)
            counts = {place: places.get(place, 0) for place in ANSWER_PLACES}
            lines.append(
                self._places(key, counts)
                | {"rows_in": rows_in, "answered_before": answered - new, **others}
                | {"left": rows_in - known}
            )
        return lines

    def _rows_of_days(self) -> list[Row]:
        """Return where each row of the campaigns is now."""
        lines = []
        for row in self._rows.view(FUNNEL):
            counts = {place: row[place] for place in ANSWER_PLACES}
            others = {name: row[name] for name in ("quarantined", "postponed", "held")}
            line = self._places((row["campaign"], row["action"]), counts)
            lines.append(
                line | {"rows_in": row["rows_in"], "answered_before": 0, **others, "left": 0}
            )
        return sorted(lines, key=lambda line: (line["campaign"], line["action"]))

    def _places(self, key: tuple[str, str], counts: Mapping[str, int]) -> Row:
        """Return verdicts and rates of the answers of a campaign and Action."""
        groups = groups_of(counts, self._scope.smallest)
        with_sum = {**counts, "answers": sum(counts.values())}
        return {
            "campaign": key[0],
            "action": key[1],
            "answers": sum(counts.values()),
            "verdicts": groups,
            "rates": {name: rate(name, with_sum, groups, self._scope.smallest) for name in RATES},
            "_counts": dict(counts),
        }

    def _headline(self, rows: Sequence[Row], runs: RunNumbers, totals: Sequence[Row]) -> Row:
        """Return the sums over campaigns and Actions; private counts of the rows are taken away."""
        parts = [(row.pop("_counts"), row["verdicts"]) for row in rows]
        counts = added(part for part, _ in parts)
        groups = groups_of_sum(parts)
        counts["answers"] = sum(counts.get(place, 0) for place in ANSWER_PLACES)
        places = ("rows_in", "answered_before", "quarantined", "postponed", "held", "left")
        sums = {name: sum(row[name] for row in rows) for name in places}
        spent = added(r.spent for r in runs.here)
        return {
            **sums,
            "answers": counts["answers"],
            "answered": counts["answers"] + sums["answered_before"],
            "verdicts": groups,
            "rates": {name: rate(name, counts, groups, self._scope.smallest) for name in RATES},
            "requests": spent.get("calls", 0),
            "throttled": spent.get("throttled", 0),
            **{n: sum(t[n] for t in totals) for n in ("charged", "may_be_charged")},
            "runs": len({(r.campaign, r.run_id) for r in runs.here}),
            "runs_unfinished": sum(not r.has_ended for r in runs.here),
            "campaigns": len({row["campaign"] for row in rows}),
        }

    def _read_days(self) -> tuple[tuple[str | None, str | None], list[Row]]:
        """Return the first and last day, and the verdicts of each day by Action."""
        by_action: dict[str, list[Row]] = defaultdict(list)
        for row in sorted(self._rows.view(RATES_BY_DAY), key=lambda r: r["verified_date"] or ""):
            if row["verified_date"]:
                by_action[row["action"]].append(row)
        found = [
            {"action": action, **self._periods(listed)}
            for action, listed in sorted(by_action.items())
        ]
        if self._days is not None:
            return (self._days[0].isoformat(), self._days[1].isoformat()), found
        seen = [row["verified_date"] for listed in by_action.values() for row in listed]
        return (min(seen, default=None), max(seen, default=None)), found

    def _periods(self, listed: Sequence[Row]) -> Row:
        """Return days, or weeks, with columns of verdicts of which no cell is a small group."""
        smallest = self._scope.smallest
        sizes = [row["answers"] for row in listed]
        if not is_shown(sum(sizes), smallest):
            return {"columns": [], "periods": []}
        best: tuple[list[tuple[int, int]], list[tuple[str, ...]]] | None = None
        weeks = [
            (date.fromisoformat(row["verified_date"]).toordinal() - 1) // DAYS_IN_WEEK
            for row in listed
        ]
        for groups in (merged(sizes, smallest), _by_week(weeks, sizes, smallest)):
            tables = [added(_counts(row) for row in listed[a:b]) for a, b in groups]
            columns = coarse_table(tables, ANSWER_PLACES, smallest)
            if best is None or len(columns) > len(best[1]):
                best = groups, columns
        groups, columns = best or ([], [])
        periods = []
        for begin, end in groups:
            counts = added(_counts(row) for row in listed[begin:end])
            periods.append(
                {
                    "first_day": listed[begin]["verified_date"],
                    "last_day": listed[end - 1]["verified_date"],
                    "answers": sum(row["answers"] for row in listed[begin:end]),
                    "counts": [sum(counts[name] for name in column) for column in columns],
                }
            )
        return {"columns": [list(column) for column in columns], "periods": periods}

    def _read_codes(self) -> list[Row]:
        by_action: dict[str, list[Row]] = defaultdict(list)
        for row in self._rows.view(CODES):
            by_action[row["action"]].append(row)
        return [
            {"action": action, **line}
            for action, listed in sorted(by_action.items())
            for line in codes_of(action, listed, self._scope.smallest)
        ]

    def _speed(self, action: str, runs: RunNumbers) -> Row:
        """Return calls, pace and throttling of an Action over the selected runs."""
        these = [run for run in runs.here if run.action == action]
        spent = added(run.spent for run in these)
        seconds = sum(run.seconds for run in these)
        quota = self._scope.quotas.get(action)
        calls = spent.get("calls", 0)
        possible = sum(run.seconds for run in these) * (quota or 0)
        return {
            "action": action,
            "quota": quota,
            "requests": calls,
            "seconds": round(seconds, 3),
            "requests_per_second": round(calls / seconds, 3) if seconds else None,
            "quota_used": calls / possible if possible else None,
            "throttled": spent.get("throttled", 0),
            "throttled_share": spent.get("throttled", 0) / calls if calls else None,
        }

    def _read_latency(self) -> list[Row]:
        smallest = self._scope.smallest
        return sorted(
            (row for row in self._rows.view(LATENCY) if (row["calls"] or 0) >= smallest),
            key=lambda row: (row["action"], row["verified_date"] or ""),
        )

    def _read_waiting(self) -> list[Row]:
        return sorted(
            self._rows.view(WAITING),
            key=lambda row: (row["due_date"] or "", row["campaign"], row["action"], row["status"]),
        )

    def _ages(self, waiting: Sequence[Row]) -> Row:
        """Return for how many hours the oldest row of each kind has waited."""
        now = utc_text(self._now)
        oldest = {
            status: min((w["waiting_since"] for w in waiting if w["status"] == status), default="")
            for status in ("postponed", "held")
        }
        return {f"{status}_hours": hours_since(since, now) for status, since in oldest.items()}

    def _read_quarantine(self) -> list[Row]:
        """Return the broken rules by campaign and Action, small groups together."""
        by_key: dict[tuple[str, str], dict[tuple[str, str], int]] = defaultdict(dict)
        for row in self._rows.view(QUARANTINE_REASONS):
            rules = by_key[row["campaign"], row["action"]]
            rules[row["rule"], row["stage"]] = row["refusals"]
        lines = []
        for (campaign, action), rules in sorted(by_key.items()):
            ordered = dict(sorted(rules.items(), key=lambda one: (-one[1], one[0])))
            for named, count in pooled(ordered, self._scope.smallest):
                lines.append(
                    {
                        "campaign": campaign,
                        "action": action,
                        "rules": [rule for rule, _ in named],
                        "stages": sorted({stage for _, stage in named}),
                        "refusals": count if is_shown(count, self._scope.smallest) else None,
                    }
                )
        return lines

    def _read_checks(self) -> list[Row]:
        """Return what the last validation of each campaign and Action has found, by rule."""
        table, smallest = self._names.beside("checks"), self._scope.smallest
        if not self._database.columns(table):
            return []
        columns = (
            *("campaign", "action", "run_id", "task_id", "map_index", "number", "rule", "severity"),
            *("mostly", "evaluated", "unexpected", "success", "updated_at"),
        )
        condition, values = "1 = 1", []
        if self._scope.run_id is not None:
            condition, values = f"run_id = {self._database.dialect.marker}", [self._scope.run_id]
        rows = self._rows.table(table, columns, condition, values)
        newest: dict[tuple[str, ...], tuple[str, str]] = {}
        for row in rows:
            key = row["campaign"], row["action"], row["task_id"]
            newest[key] = max(newest.get(key, ("", "")), (row["updated_at"], row["run_id"]))
        sums: dict[tuple[str, ...], Row] = {}
        for row in rows:
            if newest[row["campaign"], row["action"], row["task_id"]][1] != row["run_id"]:
                continue
            key = tuple(row[name] for name in ("campaign", "action", "task_id", "rule", "severity"))
            line = sums.setdefault(
                key,
                dict(zip(("campaign", "action", "task_id", "rule", "severity"), key, strict=True))
                | {"mostly": row["mostly"], "evaluated": 0, "unexpected": 0, "success": True},
            )
            line["evaluated"] += row["evaluated"]
            line["unexpected"] += row["unexpected"]
            line["success"] = line["success"] and bool(row["success"])
        for line in sums.values():
            if not is_shown(line["unexpected"], smallest):
                line["unexpected"] = None
        severities = ("critical", "warning", "info")
        return sorted(
            sums.values(),
            key=lambda line: (
                severities.index(line["severity"]) if line["severity"] in severities else 9,
                line["success"],
                line["campaign"],
                line["action"],
                line["rule"],
            ),
        )

    def _stands_out(self, runs: RunNumbers) -> list[Row]:
        """Return what stands out in the last run of each campaign and Action."""
        found = []
        for (campaign, action), lines in runs.history.items():
            about = {"campaign": campaign, "action": action}
            found += [about | one for one in stand_out(lines)]
            if len(lines) <= AT_LEAST:
                found.append(about | {"number": None, "runs": max(0, len(lines) - 1)})
        return found


def _counts(row: Mapping[str, Any]) -> dict[str, int]:
    return {place: row[place] for place in ANSWER_PLACES}


def _by_week(weeks: Sequence[int], sizes: Sequence[int], smallest: int) -> list[tuple[int, int]]:
    """Return neighbouring days of a week together, and weeks until none is a small group."""
    bounds = [0, *(n for n in range(1, len(weeks)) if weeks[n] != weeks[n - 1]), len(weeks)]
    spans = list(pairwise(bounds))
    groups = merged([sum(sizes[a:b]) for a, b in spans], smallest)
    return [(spans[first][0], spans[last - 1][1]) for first, last in groups]
