"""Repository of the review queue: reads cases, assigns, decides, releases a row for a recheck.

Each change of a case is a compare-and-set on its version, in one transaction with its line of the log
and, for a recheck, with the result row. A database that cannot do that is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from ... import __version__
from ...clock import Clock, utc_text
from ...exceptions import (
    ConfigurationError,
    ReviewConflictError,
    ReviewError,
    WarehouseError,
)
from ..migrations import check_encoding, prepare, prepare_review_log
from ..names import Names
from ..records import RunContext, Status
from ..results import unix_seconds
from ..sql.database import Database
from ..sql.upsert import update_statement
from ..tables import REVIEW_LOG, REVIEWS, insert
from ..views.metrics import REVIEW_COUNTS
from .decisions import Case, Change, assign, case_of, decide, unknown_case
from .rules import (
    ReviewDecision,
    ReviewStatus,
)

MOST_LISTED = 1000
"""Cases in one list."""


class ReviewsRepository:
    """
    The review queue beside a result table.

    Not for several threads.

    :param database: the warehouse.
    :param names: of the tables.
    """

    def __init__(self, database: Database, clock: Clock, *, names: Names | None = None) -> None:
        self.database, self._clock = database, clock
        self.names = names or Names()

    def open(self, context: RunContext | None = None) -> None:
        """
        Make the tables, or bring them up to date.

        :param context: the run whose rows will be written.
        :raises ConfigurationError: they cannot be, or the database cannot compare and set.
        """
        if self.database.dialect.changed_rows is None:
            raise ConfigurationError(
                f"Connection '{self.database.label}' is a {self.database.dialect.name} warehouse, which has "
                "no transactions: two people could decide one case at once. Keep reviews, and the results "
                "they are about, in SQLite, PostgreSQL, DuckDB, MySQL or MariaDB"
            )
        if context is not None:
            check_encoding(self.database, context, self.names)
        prepare(self.database, self.names)
        prepare_review_log(self.database, self.names)

    def case(self, id_: str) -> Case:
        """
        Return a case.

        :raises ReviewError: there is none.
        """
        found = self._select(f"review_id = {self.database.dialect.marker}", [id_])
        if not found:
            raise unknown_case(id_)
        return found[0]

    def unresolved(
        self,
        campaign: str,
        actions: Sequence[str] = (),
        *,
        second: bool | None = None,
        limit: int,
    ) -> list[Case]:
        """
        Return cases that are not resolved: by priority, then by due time.

        :param actions: names of the Actions; none for all.
        :param second: True for those that wait for a second person only, False for the others, None for
            all.
        :param limit: at most so many.
        """
        marker = self.database.dialect.marker
        condition = f"campaign = {marker} AND status <> {marker}"
        values = [campaign, ReviewStatus.RESOLVED.value]
        if actions:
            condition += f" AND action IN ({', '.join([marker] * len(actions))})"
            values += actions
        awaits = (
            "four_eyes = 1 AND status = 'in_progress' AND decision IS NOT NULL "
            "AND decision <> 'escalate'"
        )
        if second is not None:
            is_one = f"CASE WHEN {awaits} THEN 1 ELSE 0 END"
            condition += f" AND {is_one} = {int(second)}"
        return self._select(condition, values, limit=min(limit, MOST_LISTED))

    def counts(self, campaign: str, action: str) -> dict[str, int]:
        """Return how many cases of a campaign and Action are unresolved, and overdue."""
        dialect = self.database.dialect
        names = ("unresolved", "overdue")
        columns = ", ".join(REVIEW_COUNTS[name].sql.format(now=dialect.now) for name in names)
        (found,) = self.database.rows(
            f"SELECT {columns} FROM {dialect.quote_table(self.names.reviews)} AS review "
            f"WHERE review.campaign = {dialect.marker} AND review.action = {dialect.marker}",
            [campaign, action],
        )
        return dict(zip(names, map(int, found), strict=True))

    def assign(self, id_: str, to: str, by: str, *, version: int | None = None) -> Case:
        """
        Assign a case.

        :param to: who shall decide; empty to take the assignment back.
        :param by: who assigns.
        :param version: the one that person has seen; any if not given.
        :raises ReviewError: the case cannot be assigned; nothing was changed.
        """
        return self._change(id_, lambda case: assign(case, to, by), version=version)

    def decide(
        self,
        id_: str,
        decision: str,
        by: str,
        *,
        note: str = "",
        reviewers: Collection[str] | None = None,
        version: int | None = None,
        origin: str = "",
    ) -> Case:
        """
        Decide a case, see :func:`.decisions.decide`.

        A recheck releases the result row in the same transaction: the next run of its campaign asks the
        service again. Its verdict stays until then.

        :param version: the one that person has seen; any if not given.
        :param origin: names the task instance. A repetition of it changes nothing.
        :return: the case after it.
        :raises ReviewError: it cannot be decided so; nothing was changed.
        """
        now = self._clock.now()
        return self._change(
            id_,
            lambda case: decide(case, decision, by, now, note=note, reviewers=reviewers),
            version=version,
            origin=origin,
        )

    def _change(
        self, id_: str, make: Callable[[Case], Change], *, version: int | None, origin: str = ""
    ) -> Case:
        before = self.case(id_)
        try:
            with self.database.transaction("changing a case of the review queue") as cursor:
                self._apply(cursor, id_, make, version=version, origin=origin)
        except WarehouseError:
            # Two transactions that change one row: some databases refuse the second one at once.
            if self.case(id_).version == before.version:
                raise
            raise _conflict(id_) from None
        return self.case(id_)

    def _apply(
        self,
        cursor: Any,
        id_: str,
        make: Callable[[Case], Change],
        *,
        version: int | None,
        origin: str,
    ) -> None:
        """Change a case, its log and its result row in a transaction."""
        dialect, marker = self.database.dialect, self.database.dialect.marker
        if origin:
            cursor.execute(
                f"SELECT number FROM {dialect.quote_table(self.names.review_log)} "
                f"WHERE review_id = {marker} AND origin = {marker} AND number > 1",
                (id_, origin),
            )
            if cursor.fetchall():
                return
        cursor.execute(self._query(f"review_id = {marker}"), (id_,))
        rows = cursor.fetchall()
        if not rows:
            raise unknown_case(id_)
        case = case_of(REVIEWS.columns, tuple(rows[0]), unix_seconds)
        if version is not None and version != case.version and not case.is_resolved:
            raise _conflict(id_)
        change = make(case)
        now = utc_text(self._clock.now())
        values = {**change.values, "version": case.version + 1, "updated_at": now}
        key = {name: getattr(case, name) for name in REVIEWS.key}
        if self._set(cursor, self.names.reviews, values, {**key, "version": case.version}) != 1:
            raise _conflict(id_)
        self._log(cursor, [_line(case, change, now, origin)])
        resolved = change.values.get("status") == ReviewStatus.RESOLVED
        if resolved and change.decision is ReviewDecision.RECHECK:
            self._release(cursor, case, now)

    def _release(self, cursor: Any, case: Case, now: str) -> None:
        """
        Release the result row of a case: the next run asks about it.

        :raises ReviewError: the row has another answer by now, or none.
        """
        row = {name: getattr(case, name) for name in ("campaign", "action", "source_key")}
        if case.answered_at:
            of_case = {"status": Status.ANSWERED.value, "answered_at": utc_text(case.answered_at)}
            values = {"not_before": now}
        else:
            of_case = {"status": Status.HELD.value}
            values = {"not_before": now, "status": Status.POSTPONED.value}
        where, values = {**row, **of_case}, {**values, "updated_at": now}
        if self._set(cursor, self.names.results, values, where) != 1:
            raise ReviewError(
                f"Case {case.review_id}: its row has another answer by now, or none, so there is nothing "
                "to recheck. Nothing was changed; decide otherwise"
            )

    def _set(self, cursor: Any, name: str, values: dict[str, Any], where: dict[str, Any]) -> int:
        """Change rows whose columns have some values, and return how many there were."""
        dialect = self.database.dialect
        if dialect.changed_rows is None:
            raise ConfigurationError(f"{dialect.name} cannot compare and set")
        setting = {column: self._parameter(column) for column in values}
        condition = " AND ".join(
            f"{dialect.quote(column)} = {self._parameter(column)}" for column in where
        )
        statement = update_statement(dialect, name, setting, condition)
        cursor.execute(statement, (*values.values(), *where.values()))
        return dialect.changed_rows(cursor)

    def _parameter(self, column: str) -> str:
        columns = {**REVIEWS.columns, "not_before": REVIEWS.columns["due_at"]}
        return self.database.dialect.parameter(columns[column].type)

    def _log(self, cursor: Any, lines: Sequence[dict[str, Any]]) -> None:
        insert(cursor, self.database, REVIEW_LOG, self.names.review_log, lines, replaces="")

    def _query(self, condition: str) -> str:
        dialect = self.database.dialect
        columns = ", ".join(map(dialect.quote, REVIEWS.columns))
        return f"SELECT {columns} FROM {dialect.quote_table(self.names.reviews)} WHERE {condition}"

    def _select(self, condition: str, values: Sequence[Any], limit: int = 1) -> list[Case]:
        order = f" ORDER BY priority, due_at, review_id LIMIT {int(limit)}"
        rows = self.database.rows(self._query(condition) + order, values)
        return [case_of(REVIEWS.columns, row, unix_seconds) for row in rows]


def _line(case: Case, change: Change, now: str, origin: str) -> dict[str, Any]:
    return {
        **{name: getattr(case, name) for name in ("review_id", "campaign", "action", "source_key")},
        "number": case.version + 1,
        "event": change.event.value,
        "actor": change.actor or None,
        "decision": None if change.decision is None else change.decision.value,
        "assigned_to": change.values.get("assigned_to", case.assigned_to),
        "status": change.values.get("status", case.status),
        "at": now,
        "origin": origin,
        "note": change.note,
        "provider_version": __version__,
        "updated_at": now,
    }


def _conflict(id_: str) -> ReviewConflictError:
    return ReviewConflictError(
        f"Somebody else has changed case {id_} meanwhile. Nothing was changed by this decision: look at "
        "the case again"
    )
