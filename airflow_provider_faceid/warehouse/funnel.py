"""Funnel of checks in a row: conversion of each step, what it cost, and what earlier steps saved.

Counts come from the current rows of the result and quarantine tables, charges from the run table. No
query returns a key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ..api.codes import Outcome
from .names import Names
from .records import RunState, Status
from .sources.prerequisites import Prerequisite, Prerequisites
from .sql.database import Database


@dataclass(frozen=True)
class FunnelStep:
    """
    One Action of a funnel.

    ``reached`` is the sum of ``passed``, ``others``, ``postponed``, ``held``, ``quarantined`` and
    ``left``. The ``reached`` of the first step is that of this one, ``ended_before`` and
    ``waiting_before`` together.

    :param action: the Action.
    :param passed: rows whose answer leads to the next step.
    :param others: rows with any other answer, by outcome.
    :param postponed: rows that are asked about later.
    :param held: rows that were sent without an answer.
    :param quarantined: rows without a result whose input has to be mended.
    :param left: rows that no run has come to yet.
    :param ended_before: rows of the first step that an answer of an earlier step ended.
    :param waiting_before: rows of the first step that have no answer in an earlier step.
    :param asked_before: rows of ``ended_before`` that this step was asked about all the same, before
        the earlier verdict changed.
    :param calls: requests of all runs that have ended.
    :param charged: calls that are billed.
    :param charge_unknown: requests that may be billed besides.
    :param unfinished: runs that never wrote their counts, because their process was killed.
    :param price: of one charged call; None if unknown.
    """

    action: str
    passed: int = 0
    others: Mapping[str, int] = field(default_factory=dict)
    postponed: int = 0
    held: int = 0
    quarantined: int = 0
    left: int = 0
    ended_before: int = 0
    waiting_before: int = 0
    asked_before: int = 0
    calls: int = 0
    charged: int = 0
    charge_unknown: int = 0
    unfinished: int = 0
    price: Decimal | None = None

    @property
    def answered(self) -> int:
        """Rows with an answer."""
        return self.passed + sum(self.others.values())

    @property
    def waiting(self) -> int:
        """Rows without an answer."""
        return self.postponed + self.held + self.quarantined + self.left

    @property
    def reached(self) -> int:
        """Rows that passed all earlier steps."""
        return self.answered + self.waiting

    @property
    def saved_rows(self) -> int:
        """Rows that were never asked about here, because an earlier answer ended them."""
        return self.ended_before - self.asked_before

    def money(self, number: int) -> float | None:
        """Return what a number of charged calls costs; None without a price."""
        return None if self.price is None else float(number * self.price)

    def as_dict(self) -> dict[str, Any]:
        """Return the step as it goes to XCom: counts and money."""
        return {
            "action": self.action,
            "reached": self.reached,
            "answered": self.answered,
            "passed": self.passed,
            "others": dict(self.others),
            "postponed": self.postponed,
            "held": self.held,
            "quarantined": self.quarantined,
            "left": self.left,
            "ended_before": self.ended_before,
            "waiting_before": self.waiting_before,
            "asked_before": self.asked_before,
            "saved_rows": self.saved_rows,
            "calls": self.calls,
            "charged": self.charged,
            "charge_unknown": self.charge_unknown,
            "unfinished_runs": self.unfinished,
            "price": self.money(1),
            "cost": self.money(self.charged),
            "cost_at_most": self.money(self.charged + self.charge_unknown),
            "saved": self.money(self.saved_rows),
        }


class Funnel:
    """
    Reads the funnel of one campaign.

    :param database: the warehouse.
    :param names: of its tables, which exist and are of this version.
    :param campaign: campaign of the verdicts.
    """

    def __init__(self, database: Database, names: Names, campaign: str) -> None:
        self._database, self._names, self._campaign = database, names, campaign
        quote = database.dialect.quote_table
        self._results, self._history = quote(names.results), quote(names.history)
        self._quarantine, self._runs = quote(names.quarantine), quote(names.runs)
        marker = database.dialect.marker
        self._scope = f"faceid_row.campaign = {marker} AND faceid_row.action = {marker}"

    def read(
        self, steps: Sequence[Prerequisite], prices: Mapping[str, Decimal]
    ) -> Iterator[FunnelStep]:
        """
        Yield the steps in order.

        :param steps: Actions, each with the outcomes that lead to the next one.
        :param prices: price of one charged call by Action.
        """
        ended = waiting = expected = 0
        for number, step in enumerate(steps):
            earlier = steps[:number]
            answers, places = self._count(step, earlier)
            quarantined = self._count_quarantined(step, earlier)
            known = answers.total() + places.total() + quarantined
            if not earlier:
                expected = self._rows_of_last_run(step)
            passed = sum(count for word, count in answers.items() if word in step.outcomes)
            found = FunnelStep(
                step.action,
                passed=passed,
                others={w: n for w, n in sorted(answers.items()) if w not in step.outcomes},
                postponed=places[Status.POSTPONED],
                held=places[Status.HELD],
                quarantined=quarantined,
                left=max(0, expected - known),
                ended_before=ended,
                waiting_before=waiting,
                asked_before=self._asked_before(step, earlier),
                price=prices.get(step.action),
                **self._charges(step, places[Status.HELD]),
            )
            yield found
            ended += found.answered - passed
            waiting += found.waiting
            expected = passed

    def _count(
        self, step: Prerequisite, earlier: Sequence[Prerequisite]
    ) -> tuple[Counter[str], Counter[str]]:
        """Count the result rows that passed the earlier steps: answers by outcome, others by status."""
        condition, values = self._passed(earlier)
        rows = self._ask(
            "SELECT faceid_row.status, faceid_row.outcome, COUNT(*) "
            f"FROM {self._results} AS faceid_row WHERE {self._scope} AND {condition} "
            "GROUP BY faceid_row.status, faceid_row.outcome",
            step,
            values,
        )
        answers, places = Counter[str](), Counter[str]()
        for status, outcome, count in rows:
            if status == Status.ANSWERED:
                answers[outcome] += count
            else:
                places[status] += count
        return answers, places

    def _count_quarantined(self, step: Prerequisite, earlier: Sequence[Prerequisite]) -> int:
        """Count the rows that passed the earlier steps and have no result, only a broken rule."""
        condition, values = self._passed(earlier)
        ((count,),) = self._ask(
            "SELECT COUNT(DISTINCT faceid_row.source_key) "
            f"FROM {self._quarantine} AS faceid_row WHERE {self._scope} AND NOT EXISTS ("
            f"SELECT 1 FROM {self._results} AS faceid_result "
            "WHERE faceid_result.campaign = faceid_row.campaign "
            "AND faceid_result.action = faceid_row.action "
            f"AND faceid_result.source_key = faceid_row.source_key) AND {condition}",
            step,
            values,
        )
        return int(count)

    def _asked_before(self, step: Prerequisite, earlier: Sequence[Prerequisite]) -> int:
        """Count the rows that an earlier answer ends now, and that were asked about here before."""
        if not earlier:
            return 0
        ends: list[str] = []
        values: list[Any] = []
        for number, one in enumerate(earlier):
            others = tuple(outcome.value for outcome in Outcome if outcome not in one.outcomes)
            condition, more = self._passed([*earlier[:number], Prerequisite(one.action, others)])
            ends.append(f"({condition})")
            values += more
        selects = " UNION ".join(
            f"SELECT faceid_row.source_key FROM {table} AS faceid_row WHERE {self._scope}"
            for table in (self._results, self._history)
        )
        ((count,),) = self._ask(
            f"SELECT COUNT(*) FROM ({selects}) AS faceid_row WHERE {' OR '.join(ends)}",
            step,
            [self._campaign, step.action, *values],
        )
        return int(count)

    def _rows_of_last_run(self, step: Prerequisite) -> int:
        """Return how many rows the source of the last DAG run had, over all its shards."""
        runs = self._ask(
            "SELECT faceid_row.run_id, faceid_row.map_index, faceid_row.rows_in, faceid_row.state "
            f"FROM {self._runs} AS faceid_row WHERE {self._scope} ORDER BY faceid_row.started_at",
            step,
        )
        made = [run for run in runs if run[3] not in {RunState.PLANNED, RunState.REFUSED}]
        return sum(
            {shard: rows or 0 for run, shard, rows, _ in made if run == made[-1][0]}.values()
        )

    def _charges(self, step: Prerequisite, held: int) -> dict[str, int]:
        """
        Return calls and charges of all runs.

        A process that was killed wrote counts every few seconds at most. Its answers are in the history, from its own hand
        or from the run after it, and are counted there; what it had in flight is held.
        """
        ((calls, charged, unknown, unfinished),) = self._ask(
            f"SELECT {', '.join(map(_of_ended, ('calls', 'charged', 'charge_unknown')))}, "
            "COUNT(CASE WHEN faceid_row.finished_at IS NULL THEN 1 END) "
            f"FROM {self._runs} AS faceid_row WHERE {self._scope}",
            step,
        )
        if unfinished:
            ((uncounted,),) = self._ask(
                f"SELECT COUNT(*) FROM {self._history} AS faceid_row WHERE {self._scope} "
                "AND faceid_row.charged = 1 AND NOT EXISTS ("
                f"SELECT 1 FROM {self._runs} AS faceid_run "
                "WHERE faceid_run.campaign = faceid_row.campaign "
                "AND faceid_run.action = faceid_row.action "
                "AND faceid_run.run_id = faceid_row.run_id "
                "AND faceid_run.map_index = faceid_row.map_index "
                "AND faceid_row.answered_at >= faceid_run.started_at "
                "AND faceid_row.answered_at <= faceid_run.finished_at)",
                step,
            )
            charged, unknown = charged + uncounted, unknown + held
        return {
            "calls": int(calls),
            "charged": int(charged),
            "charge_unknown": int(unknown),
            "unfinished": int(unfinished),
        }

    def _passed(self, earlier: Sequence[Prerequisite]) -> tuple[str, list[Any]]:
        """Return the condition that a row passed some steps, and its parameters."""
        if not earlier:
            return "1 = 1", []
        verdicts = Prerequisites(self._database, self._names.results, self._campaign, earlier)
        return verdicts.condition("faceid_row.source_key")

    def _ask(self, sql: str, step: Prerequisite, more: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._database.rows(sql, [self._campaign, step.action, *more])


def _of_ended(column: str) -> str:
    """Return the SQL of a sum over the runs that have ended: the counts of others are as of a moment."""
    return f"COALESCE(SUM(CASE WHEN faceid_row.finished_at IS NULL THEN 0 ELSE faceid_row.{column} END), 0)"
