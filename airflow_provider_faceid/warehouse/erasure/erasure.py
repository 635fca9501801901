"""Erasure of rows or people from our tables, and its receipt; charges stay countable, without a person.

Of a charged answer, and of a call in doubt, a row stays under a random key with day, Action, code and
charge: the bill is still rebuilt from them. Everything else of the rows is deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ...api.codes import NO_ANSWER, Outcome
from ..names import Names
from ..records import Status
from ..sql.database import Database
from ..tables import ERASURES, RECONCILIATION_CALLS, RESULTS, insert
from .search import Found, conditions_of, conditions_of_answers, marks, parts
from .sql import anonymise, sql_of

ERASED = "(erased) "
"""What stands in place of a source key, before a random text."""

IN_DOUBT = f"status <> '{Status.ANSWERED}' AND outcome = '{Outcome.UNCERTAIN}'"
BILLED = "charged = 1 OR (charged IS NULL AND attempts > 0)"

_KEPT: Mapping[str, tuple[str, ...]] = {
    "history": (
        *("campaign", "action", "outcome", "code", "charged", "description", "attempts"),
        *("verified_date", "provider_version"),
    ),
    "results": (
        *("campaign", "action", "outcome", "code", "description", "attempts", "updated_at"),
        "provider_version",
    ),
    "reconciliation": tuple(c for c in RECONCILIATION_CALLS.columns if c != "source_key"),
}
"""Columns of a row that stays, by table."""

_KEPT_COUNTS = {"history": "answers_kept", "results": "in_doubt_kept"}


class LostCall(NamedTuple):
    """A call in doubt of the ledger that no row of the results stands for."""

    campaign: str
    action: str
    written_at: str


class Erasure:
    """
    Erases what a search has found.

    :param database: the warehouse, whose tables are up to date.
    :param names: of the tables.
    :param tables: those that are there, see :class:`~.search.Search`.
    """

    def __init__(self, database: Database, names: Names, tables: Mapping[str, str]) -> None:
        self._database, self._names, self._tables = database, names, tables
        self._receipts = names.beside("erasures")

    def erase(
        self, found: Found, lost: Iterable[LostCall], receipt: dict[str, Any], now: str
    ) -> dict[str, Any]:
        """
        Erase what was found, and write how much it was, in one transaction.

        :param lost: calls in doubt of the ledger that stay countable as rows of the results.
        :param receipt: row of the receipt, which is there already.
        :param now: the moment, as text.
        :return: the receipt.
        """

        def work(cursor: Any) -> dict[str, Any]:
            changes = _Changes(cursor, self._database, self._tables, now)
            for call in lost:
                changes.keep_lost(call, self._names.results)
            for condition, values in conditions_of(found.rows):
                for word in self._tables:
                    changes.erase(word, condition, values)
            for condition, values in conditions_of_answers(found.answers):
                changes.erase("history", condition, values)
                changes.erase_reviews(condition, values)
            row = receipt | changes.counts | {"erased_at": now, "updated_at": now}
            insert(cursor, self._database, ERASURES, self._receipts, [row])
            return row

        return self._database.run("erasing rows", work)

    def write_receipt(self, receipt: dict[str, Any]) -> None:
        """Write a receipt, or what has been added to it."""
        name = self._receipts
        self._database.run(
            f"writing table '{name}'",
            lambda cursor: insert(cursor, self._database, ERASURES, name, [receipt]),
        )

    def withdraw_receipt(self, receipt: Mapping[str, Any]) -> None:
        """Delete the receipt of an erasure that was refused."""
        name = self._receipts

        def work(cursor: Any) -> None:
            delete(cursor, self._database, name, "receipt_id = ?", [receipt["receipt_id"]])

        self._database.run(f"writing table '{name}'", work)

    def unfinished(self) -> list[dict[str, Any]]:
        """Return receipts of erasures that were interrupted after the rows were erased."""
        dialect, columns = self._database.dialect, list(ERASURES.columns)
        table = dialect.current.format(dialect.quote_table(self._receipts))
        rows = self._database.rows(
            f"SELECT {', '.join(map(dialect.quote, columns))} FROM {table} "
            "WHERE erased_at IS NOT NULL AND finished_at IS NULL ORDER BY began_at"
        )
        return [dict(zip(columns, row, strict=True)) for row in rows]


class _Changes:
    """
    Changes of one transaction.

    :param tables: names of the tables that are there, by their words in a receipt.
    :param now: the moment, as text.
    :ivar counts: columns of the receipt.
    """

    def __init__(
        self, cursor: Any, database: Database, tables: Mapping[str, str], now: str
    ) -> None:
        self._cursor, self._database, self._tables, self._now = cursor, database, tables, now
        self._dialect, self._sql = database.dialect, sql_of(database.dialect)
        self.counts = {**dict.fromkeys(tables, 0), "answers_kept": 0, "in_doubt_kept": 0}
        for statement in self._sql.before:
            cursor.execute(statement)

    def erase(self, word: str, condition: str, values: Sequence[Any]) -> None:
        """Erase the rows of one table; keep of some what the bill needs."""
        name = self._tables[word]
        self.counts[word] += self._count(name, condition, values)
        stays = {"history": BILLED, "results": IN_DOUBT, "reconciliation": "1 = 1"}.get(word)
        if stays is not None:
            where = f"{condition} AND ({stays})"
            kept = self._count(name, where, values)
            if word in _KEPT_COUNTS:
                self.counts[_KEPT_COUNTS[word]] += kept
            if kept:
                self._anonymise(word, where, values)
        delete(self._cursor, self._database, name, condition, values)

    def erase_reviews(self, condition: str, values: Sequence[Any]) -> None:
        """Erase the reviews of an answer, and their log."""
        if not {"reviews", "review_log"} <= self._tables.keys():
            return
        table = self._dialect.current.format(self._dialect.quote_table(self._tables["reviews"]))
        where = condition.replace("?", self._dialect.marker)
        self._cursor.execute(f"SELECT review_id FROM {table} WHERE {where}", tuple(values))
        reviews = [review for (review,) in self._cursor.fetchall()]
        for some in parts(reviews):
            self.erase("review_log", f"review_id IN ({marks(some)})", some)
        self.erase("reviews", condition, values)

    def keep_lost(self, call: LostCall, results: str) -> None:
        """Let a call in doubt stay as a row of the results."""
        self._cursor.execute(f"SELECT {self._random_key}", ())
        row = {
            "campaign": call.campaign,
            "action": call.action,
            "source_key": self._cursor.fetchall()[0][0],
            "status": Status.ERASED.value,
            "outcome": NO_ANSWER.outcome.value,
            "code": NO_ANSWER.code,
            "description": NO_ANSWER.meaning,
            "updated_at": call.written_at,
        }
        insert(self._cursor, self._database, RESULTS, results, [row])
        self.counts["in_doubt_kept"] += 1

    @property
    def _random_key(self) -> str:
        return self._dialect.concat([f"'{ERASED}'", self._sql.random])

    def _anonymise(self, word: str, where: str, values: Sequence[Any]) -> None:
        kept = {column: column for column in _KEPT[word]} | {"source_key": self._random_key}
        if word == "history":
            kept["answer_id"] = self._random_key
            kept["updated_at"] = self._dialect.moment.format(f"'{self._now}'")
        if word == "results":
            kept["status"] = f"'{Status.ERASED}'"
        columns = self._database.columns_in(self._cursor, self._tables[word])
        statement = anonymise(self._dialect, self._tables[word], sorted(columns), kept, where)
        self._cursor.execute(statement.replace("?", self._dialect.marker), tuple(values))

    def _count(self, name: str, condition: str, values: Sequence[Any]) -> int:
        table = self._dialect.current.format(self._dialect.quote_table(name))
        where = condition.replace("?", self._dialect.marker)
        self._cursor.execute(f"SELECT COUNT(*) FROM {table} WHERE {where}", tuple(values))
        return int(self._cursor.fetchall()[0][0])


def delete(
    cursor: Any, database: Database, name: str, condition: str, values: Sequence[Any]
) -> None:
    """
    Delete rows for good, in a transaction of the caller's: ClickHouse rewrites what they are in.

    :param condition: SQL with one ``?`` per parameter.
    """
    dialect = database.dialect
    where = condition.replace("?", dialect.marker)
    statement = sql_of(dialect).delete.format(dialect.quote_table(name), where)
    cursor.execute(statement, tuple(values))
