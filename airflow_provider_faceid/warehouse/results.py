"""The repository of one campaign: what is known of its rows, and what is learned about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from .. import __version__
from ..clock import Clock, beijing_date, utc_seconds, utc_text
from ..service.outcomes import CodeRow
from ..service.verdict import Verdict
from .database import Database
from .migrations import Names, prepare
from .records import Known, LastRun, Refusal, RunState, Stage, Status, Work
from .tables import (
    HISTORY,
    QUARANTINE,
    RESULTS,
    RUNS,
    check_writable,
    delete,
    insert,
    portions,
    select_by_keys,
    set_row_hashes,
    update,
)


class ResultsRepository:
    """
    The tables of one campaign and Action.

    Not for several threads: the engine gives it one of its own.

    :param database: the warehouse.
    :param names: of the tables.
    :param valid_for: seconds for which an answer is good; None for ever.
    """

    def __init__(
        self,
        database: Database,
        work: Work,
        clock: Clock,
        *,
        names: Names | None = None,
        valid_for: float | None = None,
    ) -> None:
        self.database = database
        self.work = work
        self.names = names or Names()
        self._clock, self.valid_for = clock, valid_for
        self._answers: list[dict[str, Any]] = []
        self._bad: list[dict[str, Any]] = []

    def open(self) -> None:
        """
        Make the tables and the view, or bring them up to date.

        :raises ConfigurationError: they cannot be, or are of a newer version.
        """
        prepare(self.database, self.names)

    def open_quarantine(self) -> None:
        """Do the same with the one table a validation writes."""
        prepare(self.database, self.names, only_quarantine=True)

    def known(self, keys: list[str]) -> dict[str, Known]:
        """Return what the result table knows of some rows, by key."""
        columns = (
            "source_key",
            "status",
            "outcome",
            "row_hash",
            "id_card_hash",
            "answered_at",
            "not_before",
        )
        return {
            key: Known(status, outcome, row_hash, id_hash, _seconds(answered), _seconds(not_before))
            for key, status, outcome, row_hash, id_hash, answered, not_before in select_by_keys(
                self.database, self.names.results, columns, self.work.scope, keys
            )
        }

    def refusals(self, keys: list[str]) -> dict[str, list[Refusal]]:
        """Return what the quarantine table knows of some rows, by key and in order of the rules."""
        found: dict[str, list[Refusal]] = {}
        columns = ("source_key", "rule", "stage", "row_hash")
        for key, *refusal in sorted(
            select_by_keys(self.database, self.names.quarantine, columns, self.work.scope, keys),
            key=lambda row: row[:2],
        ):
            found.setdefault(key, []).append(Refusal(*refusal))
        return found

    def last_runs(self, count: int) -> list[LastRun]:
        """Return the latest runs of this campaign and Action that could call, the latest first."""
        dialect = self.database.dialect
        rows = self.database.rows(
            f"SELECT source, hash_key_id FROM {dialect.quote_table(self.names.runs)} "
            f"WHERE campaign = {dialect.marker} AND action = {dialect.marker} "
            f"AND hash_key_id IS NOT NULL AND state NOT IN ({dialect.marker}, {dialect.marker}) "
            f"ORDER BY started_at DESC LIMIT {int(count)}",
            [*self.work.scope.values(), RunState.PLANNED.value, RunState.REFUSED.value],
        )
        return [LastRun(*row) for row in rows]

    def answered(self, key: str, verdict: Verdict, at: float | None = None, **facts: Any) -> None:
        """
        Keep a final answer for the next write.

        :param at: when it came, in Unix seconds; now if not given.
        :param facts: more columns of the row.
        """
        moment = self._clock.now() if at is None else at
        row = self._row(key, Status.ANSWERED) | {
            "outcome": verdict.outcome.value,
            "code": verdict.code,
            "similarity": verdict.similarity,
            "charged": None if verdict.charged is None else int(verdict.charged),
            # Our own words: the service's may change, and might quote the request.
            "description": verdict.meaning,
            "request_id": verdict.request_id,
            "attempts": verdict.attempts,
            "latency_ms": verdict.latency_ms,
            "answered_at": utc_text(moment),
            "verified_date": beijing_date(moment).isoformat(),
            "answer_id": verdict.request_id or utc_text(moment),
        }
        self._answers.append(row | facts)

    def postponed(self, key: str, outcome: str, not_before: float, **facts: Any) -> None:
        """Keep for the next write that a row waits until a moment (Unix seconds)."""
        row = self._row(key, Status.POSTPONED)
        row |= {"outcome": outcome, "not_before": utc_text(not_before)}
        self._answers.append(row | facts)

    def held(self, key: str, code: CodeRow, **facts: Any) -> None:
        """Keep for the next write that a row may have been charged without an answer."""
        row = self._row(key, Status.HELD)
        row |= {"outcome": code.outcome.value, "code": code.code, "description": code.meaning}
        self._answers.append(row | facts)

    def quarantined(self, key: str, rule: str, stage: Stage, **facts: Any) -> None:
        """
        Keep for the next write that a row's input has to be mended.

        :param facts: more columns of the row.
        """
        row = {
            **self._origin(key),
            "rule": rule,
            "stage": stage.value,
            "found_at": utc_text(self._clock.now()),
        }
        self._bad.append(row | facts)

    def release(self, keys: Sequence[str] | None = None) -> int:
        """
        Let held rows be called again by the next run.

        :param keys: of the rows; all held ones if not given.
        :return: how many were held.
        """
        now = utc_text(self._clock.now())
        values = {"status": Status.POSTPONED.value, "not_before": now, "updated_at": now}
        held = [*self.work.scope.values(), Status.HELD.value]
        released = 0
        for some in [[]] if keys is None else portions(keys):
            these = f" AND source_key IN ({', '.join('?' * len(some))})" if some else ""
            condition = f"campaign = ? AND action = ? AND status = ?{these}"
            released += update(self.database, self.names.results, values, condition, [*held, *some])
        return released

    def adopt(self, hashes: Mapping[str, str]) -> None:
        """
        Say what answers are about whose rows were found unchanged, by another kind of hash.

        :param hashes: row hash by key.
        """
        if not hashes:
            return
        with self.database.transaction("adopting results") as cursor:
            set_row_hashes(
                cursor,
                self.database,
                self.names.results,
                self.work.scope,
                hashes,
                source=self.work.source,
            )

    def drop(self, keys: Sequence[str]) -> None:
        """Delete result rows that are about another question than their source row's."""
        if not keys:
            return
        with self.database.transaction("dropping outdated results") as cursor:
            self._delete(cursor, self.names.results, keys)

    def take(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return what was kept since the last time: result rows, quarantine rows."""
        taken = self._answers, self._bad
        self._answers, self._bad = [], []
        return taken

    def put_back(self, answers: list[dict[str, Any]], bad: list[dict[str, Any]]) -> None:
        """Keep again what could not be written, as older than what came meanwhile."""
        self._answers[:0], self._bad[:0] = answers, bad

    def write(self, answers: list[dict[str, Any]], bad: list[dict[str, Any]]) -> None:
        """
        Write rows in one transaction; the same rows again do no harm.

        Each final answer is appended to the history. A held or postponed row never replaces a valid
        answer to the same question: another run may have got it meanwhile.
        """
        if not answers and not bad:
            return
        names, now = self.names, utc_text(self._clock.now())
        for row in (*answers, *bad):
            row["updated_at"] = now
        refused = [row["source_key"] for row in bad if row["stage"] != Stage.VALIDATE]
        called = [*(row["source_key"] for row in answers), *refused]
        final = [row for row in answers if row["status"] == Status.ANSWERED]
        with self.database.transaction("writing results") as cursor:
            # A row is in one place only: what it was before it got here is forgotten.
            for stage in (Stage.INPUT, Stage.SERVICE):
                self._delete(cursor, names.quarantine, called, "stage", stage)
            insert(cursor, self.database, QUARANTINE, names.quarantine, bad)
            self._delete(cursor, names.results, refused)
            insert(cursor, self.database, HISTORY, names.history, final, replaces="")
            insert(
                cursor, self.database, RESULTS, names.results, answers, replaces=self._replaces()
            )

    def write_run(self, numbers: Mapping[str, Any], started: float, state: RunState) -> None:
        """
        Write the run's own row; that of a run that begins only if the other tables can be written to.

        :param numbers: its counts by column; others are left out.
        :param started: when it began, in Unix seconds.
        :raises FaceIdError: they cannot, or it cannot.
        """
        now = utc_text(self._clock.now())
        row = {column: numbers[column] for column in RUNS.columns if column in numbers}
        row |= {
            **self.work.scope,
            "run_id": self.work.run_id,
            "map_index": self.work.map_index,
            "dag_id": self.work.dag_id,
            "source": self.work.source,
            "provider_version": __version__,
            "started_at": utc_text(started),
            "finished_at": None if state is RunState.RUNNING else now,
            "state": state.value,
            "updated_at": now,
        }
        names = self.names
        with self.database.transaction(f"writing table '{names.runs}'") as cursor:
            if state is RunState.RUNNING:
                ours = (names.results, names.history, names.quarantine)
                check_writable(cursor, self.database, ours)
            insert(cursor, self.database, RUNS, names.runs, [row])

    def replace_validation(self, bad: Iterable[tuple[str, str]]) -> None:
        """Add what a validation found, pairs of source key and rule."""
        for key, rule in bad:
            self.quarantined(key, rule, Stage.VALIDATE)
        _, found = self.take()
        with self.database.transaction(f"writing table '{self.names.quarantine}'") as cursor:
            now = utc_text(self._clock.now())
            rows = [row | {"updated_at": now} for row in found]
            insert(cursor, self.database, QUARANTINE, self.names.quarantine, rows)

    def forget_validation_before(self, moment: float) -> None:
        """Delete what earlier validations found and the one that began at a moment did not."""
        before = self.database.dialect.moment.format("?")
        with self.database.transaction(f"cleaning table '{self.names.quarantine}'") as cursor:
            delete(
                cursor,
                self.database,
                self.names.quarantine,
                f"campaign = ? AND action = ? AND stage = ? AND found_at < {before}",
                [*self.work.scope.values(), Stage.VALIDATE.value, utc_text(moment)],
            )

    def _replaces(self) -> str:
        """
        Return under which condition a result row replaces the one that is there.

        An answer stays until there is another one, unless it is about another question. An expired
        one gives way to a held row, because a person has to decide about that.
        """
        expired = ""
        if self.valid_for is not None:
            since = utc_text(self._clock.now() - self.valid_for)
            literal = self.database.dialect.moment.format(f"'{since}'")
            expired = f" OR (excluded.status = '{Status.HELD}' AND old.answered_at < {literal})"
        return (
            f"excluded.status = '{Status.ANSWERED}' OR old.status <> '{Status.ANSWERED}' "
            f"OR COALESCE(old.row_hash, '') <> COALESCE(excluded.row_hash, ''){expired}"
        )

    def _delete(
        self,
        cursor: Any,
        table: str,
        keys: Sequence[str],
        column: str = "action",
        value: str | None = None,
    ) -> None:
        for some in portions(keys):
            delete(
                cursor,
                self.database,
                table,
                f"campaign = ? AND action = ? AND {column} = ? AND source_key IN "
                f"({', '.join('?' * len(some))})",
                [*self.work.scope.values(), value or self.work.action, *some],
            )

    def _row(self, key: str, status: Status) -> dict[str, Any]:
        return {**self._origin(key), "source": self.work.source, "status": status.value}

    def _origin(self, key: str) -> dict[str, Any]:
        return {
            **self.work.scope,
            "source_key": key,
            "dag_id": self.work.dag_id,
            "run_id": self.work.run_id,
            "map_index": self.work.map_index,
            "provider_version": __version__,
        }


def _seconds(moment: datetime | str | None) -> float:
    """Return a moment of a table in Unix seconds, 0 for none. SQLite's are texts."""
    if not moment:
        return 0.0
    return utc_seconds(moment) if isinstance(moment, str) else moment.timestamp()
