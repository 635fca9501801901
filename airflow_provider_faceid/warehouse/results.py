"""Repository of one campaign's tables: reads what earlier runs wrote, writes what this one finds.

Rows are buffered (:class:`~.records.WriteBuffer`) and written by upsert in one transaction, which
is idempotent. Rows that the warehouse rejects are found by bisection and go to quarantine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from .. import __version__
from ..api.actions import ACTIONS
from ..api.codes import Outcome
from ..clock import Clock, utc_seconds, utc_text
from ..exceptions import WarehouseError
from .migrations import check_encoding, prepare
from .names import Names
from .records import (
    PreviousRun,
    QuarantineEntry,
    RejectedRow,
    RunContext,
    RunState,
    Stage,
    Status,
    StoredResult,
    UnusableKey,
    WriteBuffer,
)
from .result_changes import rename_keys, set_row_hashes, update
from .sql.database import Database
from .sql.upsert import ALWAYS
from .tables import (
    HISTORY,
    QUARANTINE,
    RESULTS,
    RUNS,
    check_writable,
    chunks,
    delete,
    insert,
    select_by_keys,
)

FEW_REFUSED = 20
"""If so many rows, or more, are written and all of them refused, no row is the cause."""


class ResultsRepository:
    """
    The tables of one campaign and Action.

    Not for several threads: the engine gives it one of its own.

    :param database: the warehouse.
    :param context: the run whose rows are written.
    :param names: of the tables.
    :param valid_for: seconds for which an answer is good; None for ever.
    :ivar buffer: rows the next :meth:`write` gets.
    """

    def __init__(
        self,
        database: Database,
        context: RunContext,
        clock: Clock,
        *,
        names: Names | None = None,
        valid_for: float | None = None,
    ) -> None:
        self.database = database
        self.context = context
        self.names = names or Names()
        self._clock, self.valid_for = clock, valid_for
        action = ACTIONS.get(context.action)
        self._own = action.result_columns if action is not None else ()
        self.buffer = WriteBuffer(context, clock)

    def open(self) -> None:
        """
        Make the tables and the view, or bring them up to date.

        :raises ConfigurationError: they cannot be, are of a newer version, or cannot hold what each
            row says of its run.
        """
        check_encoding(self.database, self.context, self.names)
        prepare(self.database, self.names, own=self._own)

    def open_quarantine(self) -> None:
        """Do the same with the one table a validation writes."""
        check_encoding(self.database, self.context, self.names)
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
        found = self.stored_results(names).keys() | self.quarantine_entries(names).keys()
        if not found:
            return False
        keys = {name: earlier[name] for name in sorted(found)}

        def work(cursor: Any) -> None:
            for table in (self.names.results, self.names.history, self.names.quarantine):
                rename_keys(cursor, self.database, table, self.context.scope, keys)

        self.database.run("renaming keys", work)
        return True

    def stored_results(self, keys: list[str]) -> dict[str, StoredResult]:
        """Return the result rows of some keys."""
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
            key: StoredResult(
                status, outcome, row_hash, id_hash, unix_seconds(answered), unix_seconds(not_before)
            )
            for key, status, outcome, row_hash, id_hash, answered, not_before in select_by_keys(
                self.database, self.names.results, columns, self.context.scope, keys
            )
        }

    def quarantine_entries(self, keys: list[str]) -> dict[str, list[QuarantineEntry]]:
        """Return the quarantine rows of some keys, in order of the rules."""
        found: dict[str, list[QuarantineEntry]] = {}
        columns = ("source_key", "rule", "stage", "row_hash")
        for key, *refusal in sorted(
            select_by_keys(self.database, self.names.quarantine, columns, self.context.scope, keys),
            key=lambda row: row[:2],
        ):
            found.setdefault(key, []).append(QuarantineEntry(*refusal))
        return found

    def last_runs(self, count: int) -> list[PreviousRun]:
        """Return the latest runs of this campaign and Action that could call, the latest first."""
        dialect = self.database.dialect
        rows = self.database.rows(
            f"SELECT source, hash_key_id FROM {dialect.quote_table(self.names.runs)} "
            f"WHERE campaign = {dialect.marker} AND action = {dialect.marker} "
            f"AND hash_key_id IS NOT NULL AND state NOT IN ({dialect.marker}, {dialect.marker}) "
            f"ORDER BY started_at DESC LIMIT {int(count)}",
            [*self.context.scope.values(), RunState.PLANNED.value, RunState.REFUSED.value],
        )
        return [PreviousRun(*row) for row in rows]

    def release(self, keys: Sequence[str] | None = None) -> int:
        """
        Release held rows: the next run calls them again.

        :param keys: of the rows; all held ones if not given.
        :return: how many were held.
        """
        now = utc_text(self._clock.now())
        values = {"status": Status.POSTPONED.value, "not_before": now, "updated_at": now}
        held = [*self.context.scope.values(), Status.HELD.value]
        released = 0
        for some in [[]] if keys is None else chunks(keys):
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
        scope = [*self.context.scope.values(), Status.POSTPONED.value, Outcome.UNCERTAIN.value]
        dialect, total = self.database.dialect, 0
        for some in [[]] if keys is None else chunks(keys):
            markers = ", ".join([dialect.marker] * len(some))
            these = f" AND source_key IN ({markers})" if some else ""
            condition = " AND ".join(
                f"{name} = {dialect.marker}" for name in ("campaign", "action", "status", "outcome")
            )
            table = dialect.quote_table(self.names.results)
            sql = f"SELECT COUNT(*) FROM {table} WHERE {condition}{these}"
            total += int(self.database.rows(sql, [*scope, *some])[0][0])
        return total

    def set_row_hashes(self, hashes: Mapping[str, str]) -> None:
        """
        Rewrite the row hashes of answers whose rows are unchanged by another version of the hash.

        :param hashes: row hash by key.
        """
        if not hashes:
            return
        self.database.run(
            "updating row hashes",
            lambda cursor: set_row_hashes(
                cursor,
                self.database,
                self.names.results,
                self.context.scope,
                hashes,
                source=self.context.source,
            ),
        )

    def delete_results(self, keys: Sequence[str]) -> None:
        """Delete result rows that are about another question than their source row's."""
        if not keys:
            return
        self.database.run(
            "deleting outdated results",
            lambda cursor: self._delete(cursor, self.names.results, keys),
        )

    def write(self, answers: list[dict[str, Any]], bad: list[dict[str, Any]]) -> list[RejectedRow]:
        """
        Write rows in one transaction; writing the same rows again is idempotent.

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
            insert(
                cursor,
                self.database,
                HISTORY.with_columns_of(self._own),
                names.history,
                final,
                replaces="",
            )
            others = [row for row in answers if row["status"] != Status.ANSWERED]
            table = RESULTS.with_columns_of(self._own)
            # An answer replaces any row; written by itself, it needs to look at none.
            for rows, replaces in ((others, self._replaces()), (final, ALWAYS)):
                insert(cursor, self.database, table, names.results, rows, replaces=replaces)

    def _write_row_by_row(
        self, answers: list[dict[str, Any]], bad: list[dict[str, Any]], first: WarehouseError
    ) -> list[RejectedRow]:
        """Write rows by bisection, down to those that are rejected, and quarantine these."""
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
        return [self._quarantine_rejected(key, *rows[key], error) for key, error in refused.items()]

    def _quarantine_rejected(
        self,
        key: str,
        answers: list[dict[str, Any]],
        bad: list[dict[str, Any]],
        error: WarehouseError,
    ) -> RejectedRow:
        """Put a row into quarantine that the warehouse rejects."""
        last = (*bad, *answers)[-1]
        facts = ("question_hash", "row_hash", "request_id", "updated_at")
        rule = f"warehouse:{error.reason}"
        row = self.buffer.origin(key) | {fact: last.get(fact) for fact in facts}
        row |= {"rule": rule, "stage": Stage.WAREHOUSE.value, "found_at": row["updated_at"]}
        self._write([], [row])
        return RejectedRow(key, rule, tuple((line["status"], line["outcome"]) for line in answers))

    def write_run(
        self,
        numbers: Mapping[str, Any],
        started: float,
        state: RunState,
        *,
        is_progress: bool = False,
    ) -> None:
        """
        Write the run's own row; that of a run that begins only if the other tables can be written to.

        :param numbers: its counts by column; others are left out.
        :param started: when it began, in Unix seconds.
        :param is_progress: whether these are the counts so far of a run that began before.
        :raises FaceIdError: they cannot, or it cannot.
        """
        now = utc_text(self._clock.now())
        row = {column: numbers[column] for column in RUNS.columns if column in numbers}
        row |= {
            **self.context.scope,
            "run_id": self.context.run_id,
            "map_index": self.context.map_index,
            "dag_id": self.context.dag_id,
            "source": self.context.source,
            "provider_version": __version__,
            "started_at": utc_text(started),
            "finished_at": None if state is RunState.RUNNING else now,
            "state": state.value,
            "updated_at": now,
        }
        names = self.names

        def work(cursor: Any) -> None:
            if state is RunState.RUNNING and not is_progress:
                ours = (names.results, names.history, names.quarantine)
                check_writable(cursor, self.database, ours)
            insert(cursor, self.database, RUNS, names.runs, [row])

        self.database.run(f"writing table '{names.runs}'", work)

    def replace_validation(self, bad: Iterable[tuple[str, str]]) -> None:
        """Add what a validation found, pairs of source key and rule."""
        for key, rule in bad:
            self.buffer.add_quarantined(key, rule, Stage.VALIDATE)
        _, found = self.buffer.drain()
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
                [*self.context.scope.values(), Stage.VALIDATE.value, utc_text(moment)],
            ),
        )

    def _insert_quarantine(self, rows: list[dict[str, Any]]) -> None:
        table = self.names.quarantine
        self.database.run(
            f"writing table '{table}'",
            lambda cursor: insert(cursor, self.database, QUARANTINE, table, rows),
        )

    def _replaces(self) -> str:
        """
        Return under which condition a row without an answer replaces the one that is there.

        A row that is held already keeps day and run of its call. An answer stays until there is
        another one, unless it is about another question. An expired one, or one a reviewer wants
        checked again, gives way to a held row: a person decides about that.
        """
        expired = "old.not_before IS NOT NULL"
        if self.valid_for is not None:
            since = utc_text(self._clock.now() - self.valid_for)
            literal = self.database.dialect.moment.format(f"'{since}'")
            expired += f" OR old.answered_at < {literal}"
        both = f"old.status = '{Status.HELD}' AND excluded.status = '{Status.HELD}'"
        return (
            f"(old.status <> '{Status.ANSWERED}' AND NOT ({both} AND excluded.attempts = 0)) "
            f"OR COALESCE(old.row_hash, '') <> COALESCE(excluded.row_hash, '') "
            f"OR (excluded.status = '{Status.HELD}' AND ({expired}))"
        )

    def _delete(
        self,
        cursor: Any,
        table: str,
        keys: Sequence[str],
        column: str = "action",
        value: str | None = None,
    ) -> None:
        for some in chunks(keys):
            delete(
                cursor,
                self.database,
                table,
                f"campaign = ? AND action = ? AND {column} = ? AND source_key IN "
                f"({', '.join('?' * len(some))})",
                [*self.context.scope.values(), value or self.context.action, *some],
            )


def unix_seconds(moment: datetime | str | None) -> float:
    """Return a moment of a table in Unix seconds, 0 for none. SQLite's are texts, MySQL's have no zone."""
    if not moment:
        return 0.0
    if isinstance(moment, str):
        return utc_seconds(moment)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
