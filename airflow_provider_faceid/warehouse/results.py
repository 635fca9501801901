"""The repository of one campaign: what is known of its rows, and what is learned about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from .. import __version__
from ..api.codes import CodeRow, Outcome
from ..api.verdict import Verdict
from ..clock import Clock, beijing_date, utc_seconds, utc_text
from ..exceptions import ConfigurationError, WarehouseError
from .database import Database
from .migrations import Names, prepare
from .records import Known, LastRun, Refusal, Refused, RunState, Stage, Status, Work
from .tables import (
    HISTORY,
    QUARANTINE,
    RESULTS,
    RUNS,
    check_writable,
    delete,
    insert,
    portions,
    rename_keys,
    select_by_keys,
    set_row_hashes,
    update,
)
from .unreadable import UnusableKey

FEW_REFUSED = 20
"""If so many rows, or more, are written and all of them refused, no row is the cause."""


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

        :raises ConfigurationError: they cannot be, are of a newer version, or cannot hold what each
            row says of its run.
        """
        self._check_work()
        prepare(self.database, self.names)

    def open_quarantine(self) -> None:
        """Do the same with the one table a validation writes."""
        self._check_work()
        prepare(self.database, self.names, only_quarantine=True)

    def unusable(self, keys: Sequence[str]) -> dict[str, UnusableKey]:
        """Return which keys the warehouse cannot hold, with the names of their rows."""
        return {
            key: UnusableKey.named(key, "key_encoding")
            for key in keys
            if not self.database.holds(key)
        }

    def rename(self, earlier: Mapping[str, str]) -> bool:
        """
        Give rows that are known by the name an earlier version gave their key today's name.

        :param earlier: key by its earlier name.
        :return: whether there were any.
        """
        names = list(earlier)
        found = self.known(names).keys() | self.refusals(names).keys()
        if not found:
            return False
        keys = {name: earlier[name] for name in sorted(found)}

        def work(cursor: Any) -> None:
            for table in (self.names.results, self.names.history, self.names.quarantine):
                rename_keys(cursor, self.database, table, self.work.scope, keys)

        self.database.run("renaming keys", work)
        return True

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

    def count_released(self, keys: Sequence[str] | None = None) -> int:
        """
        Return how many rows have been released and wait for the next run.

        :param keys: of the rows; all of them if not given.
        """
        # Only a row that was held is postponed without a known outcome.
        scope = [*self.work.scope.values(), Status.POSTPONED.value, Outcome.UNCERTAIN.value]
        dialect, total = self.database.dialect, 0
        for some in [[]] if keys is None else portions(keys):
            markers = ", ".join([dialect.marker] * len(some))
            these = f" AND source_key IN ({markers})" if some else ""
            condition = " AND ".join(
                f"{name} = {dialect.marker}" for name in ("campaign", "action", "status", "outcome")
            )
            table = dialect.quote_table(self.names.results)
            sql = f"SELECT COUNT(*) FROM {table} WHERE {condition}{these}"
            total += int(self.database.rows(sql, [*scope, *some])[0][0])
        return total

    def adopt(self, hashes: Mapping[str, str]) -> None:
        """
        Say what answers are about whose rows were found unchanged, by another kind of hash.

        :param hashes: row hash by key.
        """
        if not hashes:
            return
        self.database.run(
            "adopting results",
            lambda cursor: set_row_hashes(
                cursor,
                self.database,
                self.names.results,
                self.work.scope,
                hashes,
                source=self.work.source,
            ),
        )

    def drop(self, keys: Sequence[str]) -> None:
        """Delete result rows that are about another question than their source row's."""
        if not keys:
            return
        self.database.run(
            "dropping outdated results",
            lambda cursor: self._delete(cursor, self.names.results, keys),
        )

    def take(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return what was kept since the last time: result rows, quarantine rows."""
        taken = self._answers, self._bad
        self._answers, self._bad = [], []
        return taken

    def put_back(self, answers: list[dict[str, Any]], bad: list[dict[str, Any]]) -> None:
        """Keep again what could not be written, as older than what came meanwhile."""
        self._answers[:0], self._bad[:0] = answers, bad

    def write(self, answers: list[dict[str, Any]], bad: list[dict[str, Any]]) -> list[Refused]:
        """
        Write rows in one transaction; the same rows again do no harm.

        Each final answer is appended to the history. A held or postponed row never replaces a valid
        answer to the same question: another run may have got it meanwhile.

        If the warehouse refuses a value, rows are written one by one; those it refuses go to
        quarantine. Their answers stay in the ledger.

        :return: the rows that were refused.
        :raises WarehouseError: nothing can be written, whatever the rows.
        """
        if not answers and not bad:
            return []
        now = utc_text(self._clock.now())
        for row in (*answers, *bad):
            row["updated_at"] = now
        try:
            self._write(answers, bad)
        except WarehouseError as error:
            if not error.is_about_data:
                raise
            return self._write_row_by_row(answers, bad, error)
        return []

    def _write(self, answers: list[dict[str, Any]], bad: list[dict[str, Any]]) -> None:
        names = self.names
        refused = [row["source_key"] for row in bad if row["stage"] != Stage.VALIDATE]
        called = [*(row["source_key"] for row in answers), *refused]
        final = [row for row in answers if row["status"] == Status.ANSWERED]
        with self.database.transaction("writing results") as cursor:
            # A row is in one place only: what it was before it got here is forgotten.
            for stage in (Stage.INPUT, Stage.SERVICE, Stage.WAREHOUSE):
                self._delete(cursor, names.quarantine, called, "stage", stage)
            insert(cursor, self.database, QUARANTINE, names.quarantine, bad)
            self._delete(cursor, names.results, refused)
            insert(cursor, self.database, HISTORY, names.history, final, replaces="")
            insert(
                cursor, self.database, RESULTS, names.results, answers, replaces=self._replaces()
            )

    def _write_row_by_row(
        self, answers: list[dict[str, Any]], bad: list[dict[str, Any]], first: WarehouseError
    ) -> list[Refused]:
        """Write rows in halves, down to those that are refused, and put these into quarantine."""
        rows: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {}
        for number, kind in enumerate((answers, bad)):
            for row in kind:
                rows.setdefault(row["source_key"], ([], []))[number].append(row)
        refused: dict[str, WarehouseError] = {}
        ahead = [list(rows)]
        while ahead:
            keys = ahead.pop()
            try:
                self._write(*([row for key in keys for row in rows[key][n]] for n in (0, 1)))
            except WarehouseError as error:
                if not error.is_about_data:
                    raise
                middle = len(keys) // 2
                if middle:
                    ahead += [keys[middle:], keys[:middle]]
                else:
                    refused[keys[0]] = error
        if len(refused) == len(rows) >= FEW_REFUSED:
            raise first
        return [self._put_aside(key, *rows[key], error) for key, error in refused.items()]

    def _put_aside(
        self,
        key: str,
        answers: list[dict[str, Any]],
        bad: list[dict[str, Any]],
        error: WarehouseError,
    ) -> Refused:
        """Put a row into quarantine that the warehouse refuses."""
        last = (*bad, *answers)[-1]
        facts = ("question_hash", "row_hash", "request_id", "updated_at")
        rule = f"warehouse:{error.reason}"
        row = self._origin(key) | {fact: last.get(fact) for fact in facts}
        row |= {"rule": rule, "stage": Stage.WAREHOUSE.value, "found_at": row["updated_at"]}
        self._write([], [row])
        return Refused(key, rule, tuple((line["status"], line["outcome"]) for line in answers))

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

        def work(cursor: Any) -> None:
            if state is RunState.RUNNING:
                ours = (names.results, names.history, names.quarantine)
                check_writable(cursor, self.database, ours)
            insert(cursor, self.database, RUNS, names.runs, [row])

        self.database.run(f"writing table '{names.runs}'", work)

    def replace_validation(self, bad: Iterable[tuple[str, str]]) -> None:
        """Add what a validation found, pairs of source key and rule."""
        for key, rule in bad:
            self.quarantined(key, rule, Stage.VALIDATE)
        _, found = self.take()
        now = utc_text(self._clock.now())
        rows = [row | {"updated_at": now} for row in found]
        try:
            self._insert_quarantine(rows)
        except WarehouseError as error:
            unusable = self.unusable([row["source_key"] for row in rows])
            if not error.is_about_data or not unusable:
                raise
            for row in rows:
                row["source_key"] = unusable.get(row["source_key"], row["source_key"])
            self._insert_quarantine(rows)

    def forget_validation_before(self, moment: float) -> None:
        """Delete what earlier validations found and the one that began at a moment did not."""
        before = self.database.dialect.moment.format("?")
        self.database.run(
            f"cleaning table '{self.names.quarantine}'",
            lambda cursor: delete(
                cursor,
                self.database,
                self.names.quarantine,
                f"campaign = ? AND action = ? AND stage = ? AND found_at < {before}",
                [*self.work.scope.values(), Stage.VALIDATE.value, utc_text(moment)],
            ),
        )

    def _insert_quarantine(self, rows: list[dict[str, Any]]) -> None:
        table = self.names.quarantine
        self.database.run(
            f"writing table '{table}'",
            lambda cursor: insert(cursor, self.database, QUARANTINE, table, rows),
        )

    def _check_work(self) -> None:
        """
        Make sure that the warehouse can hold what each row says of its run.

        :raises ConfigurationError: its encoding cannot hold one of the values, which is named.
        """
        values = {
            name: getattr(self.work, name) for name in ("campaign", "dag_id", "run_id", "source")
        }
        values |= {f"{name} table": value for name, value in vars(self.names).items()}
        if self.database.holds("".join(values.values())):
            return
        for name, value in values.items():
            if not self.database.holds(value):
                raise ConfigurationError(
                    f"The {name} {value!r} cannot be written through connection "
                    f"'{self.database.label}': the encoding of its database cannot hold it. Name "
                    "another, or use a database in UTF-8"
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
