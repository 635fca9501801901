"""What is known of the rows of one campaign, and what is learned about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..clock import Clock, beijing_date, utc_seconds, utc_text
from ..service.outcomes import CodeRow, Outcome
from ..service.verdict import Verdict
from .database import Database
from .tables import (
    QUARANTINE,
    RESULTS,
    RUNS,
    create,
    delete,
    portions,
    select_by_keys,
    update,
    upsert,
)

RELEASED = "released"
"""Of a row that was held, and shall be called again."""


class Status(StrEnum):
    """Where a row of the result table stands."""

    ANSWERED = "answered"
    POSTPONED = "postponed"
    HELD = "held"


class Stage(StrEnum):
    """Who put a row into quarantine."""

    VALIDATE = "validate"
    INPUT = "input"
    SERVICE = "service"


@dataclass(frozen=True)
class Settled:
    """
    What an earlier run or the validation left of a row.

    :param place: ``answered``, ``postponed``, ``held`` or ``quarantined``; ``released`` for a row
        that was held and shall be called again.
    :param detail: the outcome, or the quarantine rule.
    :param not_before: Unix second from which a postponed row may be called.
    """

    place: str
    detail: str
    not_before: float = 0.0


@dataclass(frozen=True)
class Work:
    """
    The identity of one piece of work.

    :param campaign: name under which a person is verified once.
    :param action: the API Action.
    :param run_id: the Airflow run, written beside every row.
    :param shard: map index of the task, written beside the run; -1 if it is not mapped.
    """

    campaign: str
    action: str
    run_id: str
    shard: int = -1

    @property
    def scope(self) -> dict[str, str]:
        """Return the part of the tables' keys that is the same for all rows."""
        return {"campaign": self.campaign, "action": self.action}


class ResultsRepository:
    """
    The tables of one campaign and Action.

    Not for several threads: the engine gives it one of its own.

    :param database: the warehouse.
    :param results: name of the result table.
    :param quarantine: name of the quarantine table.
    :param runs: name of the run table.
    """

    def __init__(
        self,
        database: Database,
        work: Work,
        clock: Clock,
        *,
        results: str = RESULTS.name,
        quarantine: str = QUARANTINE.name,
        runs: str = RUNS.name,
    ) -> None:
        self.database = database
        self.work = work
        self._clock = clock
        self._results, self._quarantine, self._runs = results, quarantine, runs
        self._answers: list[dict[str, Any]] = []
        self._bad: list[dict[str, Any]] = []

    def open(self) -> None:
        """Create the tables unless they are there."""
        self.open_quarantine()
        create(self.database, RESULTS, self._results)
        create(self.database, RUNS, self._runs)

    def open_quarantine(self) -> None:
        """Create the one table a validation writes unless it is there."""
        create(self.database, QUARANTINE, self._quarantine)

    def settled(self, keys: list[str], *, retry_held: bool) -> dict[str, Settled]:
        """
        Return which rows need no call now, and why; and which of the others were held before.

        Rows that were quarantined for their input are looked at again: they may have been mended.

        :param retry_held: whether rows that may have been charged are called again.
        """
        known: dict[str, Settled] = {}
        rules = select_by_keys(
            self.database, self._quarantine, ("source_key", "rule", "stage"), self.work.scope, keys
        )
        for key, rule, stage in sorted(rules):
            if stage != Stage.INPUT:
                known.setdefault(key, Settled("quarantined", rule))
        columns = ("source_key", "status", "outcome", "not_before")
        now = utc_text(self._clock.now())
        for key, status, outcome, not_before in select_by_keys(
            self.database, self._results, columns, self.work.scope, keys
        ):
            waits = status == Status.POSTPONED and (not_before or "") > now
            if status == Status.ANSWERED or waits or (status == Status.HELD and not retry_held):
                known[key] = Settled(status, outcome, utc_seconds(not_before) if waits else 0.0)
            elif outcome == Outcome.UNCERTAIN:
                known[key] = Settled(RELEASED, outcome)
        return known

    def answered(self, key: str, verdict: Verdict, at: float | None = None, **facts: Any) -> None:
        """
        Take down a final answer.

        :param at: when it came, in Unix seconds; now if not given.
        :param facts: more columns of the row.
        """
        self._add(key, Status.ANSWERED, verdict=verdict, at=at, **facts)

    def postponed(self, key: str, outcome: str, not_before: float, **facts: Any) -> None:
        """Take down that a row waits until a moment (Unix seconds)."""
        self._add(key, Status.POSTPONED, outcome=outcome, not_before=utc_text(not_before), **facts)

    def held(self, key: str, row: CodeRow, **facts: Any) -> None:
        """Take down that a row may have been charged without an answer."""
        self._add(
            key,
            Status.HELD,
            outcome=row.outcome.value,
            code=row.code,
            description=row.meaning,
            **facts,
        )

    def quarantined(self, key: str, rule: str, stage: Stage, request_id: str = "") -> None:
        """Take down that a row's input has to be mended."""
        self._bad.append(
            {
                **self.work.scope,
                "source_key": key,
                "rule": rule,
                "stage": stage.value,
                "request_id": request_id,
                "found_at": utc_text(self._clock.now()),
                "run_id": self.work.run_id,
            }
        )

    def release(self, keys: Sequence[str] | None = None) -> int:
        """
        Let held rows be called again by the next run.

        :param keys: of the rows; all held ones if not given.
        :return: how many were held.
        """
        values = {"status": Status.POSTPONED.value, "not_before": utc_text(self._clock.now())}
        held = [*self.work.scope.values(), Status.HELD.value]
        released = 0
        for some in [[]] if keys is None else portions(keys):
            these = f" AND source_key IN ({', '.join('?' * len(some))})" if some else ""
            condition = f"campaign = ? AND action = ? AND status = ?{these}"
            released += update(self.database, self._results, values, condition, [*held, *some])
        return released

    def take(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return what was taken down since the last time: result rows, quarantine rows."""
        taken = self._answers, self._bad
        self._answers, self._bad = [], []
        return taken

    def put_back(self, answers: list[dict[str, Any]], bad: list[dict[str, Any]]) -> None:
        """Take down again what could not be written, as older than what came meanwhile."""
        self._answers[:0], self._bad[:0] = answers, bad

    def write(self, answers: list[dict[str, Any]], bad: list[dict[str, Any]]) -> None:
        """Write rows; the same rows again do no harm."""
        called = [row for row in bad if row["stage"] != Stage.VALIDATE]
        # A row is in one place only: what it was before it got here is forgotten.
        self._forget(self._quarantine, "stage", Stage.INPUT, [*answers, *called])
        upsert(self.database, QUARANTINE, self._quarantine, bad)
        upsert(self.database, RESULTS, self._results, answers)
        for status in (Status.POSTPONED, Status.HELD):
            self._forget(self._results, "status", status, called)

    def write_run(self, numbers: Mapping[str, Any], started: float, *, succeeded: bool) -> None:
        """
        Write the run's own row.

        :param numbers: its counts by column; others are left out.
        """
        row = {column: numbers[column] for column in RUNS.columns if column in numbers}
        row |= {
            **self.work.scope,
            "run_id": self.work.run_id,
            "shard": self.work.shard,
            "started_at": utc_text(started),
            "finished_at": utc_text(self._clock.now()),
            "state": "success" if succeeded else "failed",
        }
        upsert(self.database, RUNS, self._runs, [row])

    def replace_validation(self, bad: Iterable[tuple[str, str]]) -> None:
        """Add what a validation found, pairs of source key and rule."""
        for key, rule in bad:
            self.quarantined(key, rule, Stage.VALIDATE)
        self.write(*self.take())

    def forget_validation_before(self, moment: float) -> None:
        """Delete what earlier validations found and the one that began at a moment did not."""
        delete(
            self.database,
            self._quarantine,
            "campaign = ? AND action = ? AND stage = ? AND found_at < ?",
            [*self.work.scope.values(), Stage.VALIDATE.value, utc_text(moment)],
        )

    def _forget(self, table: str, column: str, value: StrEnum, rows: list[dict[str, Any]]) -> None:
        keys = [row["source_key"] for row in rows]
        for some in portions(keys):
            delete(
                self.database,
                table,
                f"campaign = ? AND action = ? AND {column} = ? AND source_key IN "
                f"({', '.join('?' * len(some))})",
                [*self.work.scope.values(), value.value, *some],
            )

    def _add(
        self,
        key: str,
        status: Status,
        *,
        verdict: Verdict | None = None,
        at: float | None = None,
        **facts: Any,
    ) -> None:
        moment = self._clock.now() if at is None else at
        row = {
            **self.work.scope,
            "source_key": key,
            "status": status.value,
            "answered_at": utc_text(moment),
            "verified_date": beijing_date(moment).isoformat(),
            "run_id": self.work.run_id,
        }
        self._answers.append(row | (_verdict_columns(verdict) if verdict else {}) | facts)


def _verdict_columns(verdict: Verdict) -> dict[str, Any]:
    return {
        "outcome": verdict.outcome.value,
        "code": verdict.code,
        "similarity": verdict.similarity,
        "charged": None if verdict.charged is None else int(verdict.charged),
        # Our own words: the service's may change, and might quote the request.
        "description": verdict.meaning,
        "request_id": verdict.request_id,
        "attempts": verdict.attempts,
        "latency_ms": verdict.latency_ms,
    }
