"""What our tables hold about source keys or a person: rows, answers, questions, for their erasure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...api.codes import Outcome
from ...api.person import PersonHashes
from ...api.pseudonyms import HASH_DIGITS
from ..names import Names
from ..records import Status
from ..sql.database import Database
from ..tables import KEYS_AT_ONCE
from .sql import sql_of


class Row(NamedTuple):
    """A row of a campaign."""

    campaign: str
    action: str
    source_key: str


class Answer(NamedTuple):
    """An answer of the history."""

    campaign: str
    action: str
    source_key: str
    answer_id: str


@dataclass
class Found:
    """
    What our tables hold about rows or a person.

    :ivar rows: rows that are erased whole, with all answers under their key.
    :ivar answers: further answers of the history: of the person, under the key of somebody else.
    :ivar questions: campaign and hash of the questions that were asked.
    :ivar in_doubt: rows that were sent without an answer.
    :ivar sources: where the rows were read from.
    :ivar request_ids: under which the service keeps its own log.
    """

    rows: set[Row] = field(default_factory=set)
    answers: set[Answer] = field(default_factory=set)
    questions: dict[tuple[str, str], Row] = field(default_factory=dict)
    in_doubt: set[Row] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)
    request_ids: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.rows or self.answers)


class Search:
    """
    Looks for rows about people in one result table and the tables beside it.

    :param database: the warehouse, whose tables are up to date.
    :param names: of the tables.
    :ivar tables: name of each table that is there and has rows about people, by its word in a receipt.
    """

    def __init__(self, database: Database, names: Names) -> None:
        self._database, self._names = database, names
        self._sql = sql_of(database.dialect)
        wanted = {
            "results": names.results,
            "history": names.history,
            "quarantine": names.quarantine,
            "reviews": names.beside("reviews"),
            "review_log": names.beside("review_log"),
            "reconciliation": names.beside("reconciliation_calls"),
        }
        self._columns = {word: database.columns(name) for word, name in wanted.items()}
        self.tables = {word: name for word, name in wanted.items() if self._columns[word]}

    def find_keys(self, keys: Sequence[str], campaign: str = "", action: str = "") -> Found:
        """
        Return what the tables hold about source keys.

        :param keys: the keys.
        :param campaign: of one campaign only.
        :param action: of one Action only.
        """
        found = Found()
        scope = {"campaign": campaign, "action": action}
        given = {name: value for name, value in scope.items() if value}
        for some in parts(sorted(set(keys))):
            where = [f"{name} = ?" for name in given]
            where.append(f"source_key IN ({marks(some)})")
            for word in self.tables:
                rows = self._select(word, " AND ".join(where), [*given.values(), *some])
                found.rows |= {Row(*row) for row in rows}
        self._complete(found)
        return found

    def find_person(self, person: PersonHashes, campaign: str = "", action: str = "") -> Found:
        """
        Return what the tables hold about a person.

        A row is the person's if it has one of the numbers given, and none of another person: a phone may
        be shared. A row whose key belongs to somebody else by now keeps all but the person's answers.
        """
        found = Found()
        theirs: dict[str, set[tuple[Any, ...]]] = {}
        for word in ("results", "history"):
            condition, values = self._of_person(word, person, campaign, action)
            more = ("answer_id",) if word == "history" else ()
            theirs[word] = set(self._select(word, condition, values, more) if condition else ())
        found.rows = self._still_theirs(theirs["results"], person, campaign, action)
        answers = {Answer(*row) for row in theirs["history"]}
        current = self.find_keys(sorted({answer.source_key for answer in answers}))
        known = current.rows & self._with_result(current.rows)
        for answer in answers:
            row = Row(*answer[:3])
            if row in known and row not in found.rows:
                found.answers.add(answer)
            else:
                found.rows.add(row)
        head = self._database.dialect.head.format("row_hash", HASH_DIGITS)
        for some in parts(sorted(person.rows)):
            condition = f"{head} IN ({marks(some)})"
            where, values = self._scoped(condition, some, campaign, action)
            found.rows |= {Row(*row) for row in self._select("quarantine", where, values)}
        self._complete(found)
        return found

    def hashes_of(self, found: Found) -> dict[str, frozenset[str]]:
        """Return the hashes of numbers of rows that were found, by column."""
        wanted = [c for c in self._columns["history"] if c.endswith("_hash")]
        wanted = [c for c in wanted if c not in {"question_hash", "row_hash"}]
        hashes: dict[str, set[str]] = defaultdict(set)
        for word in ("results", "history"):
            for condition, values in conditions_of(found.rows):
                for row in self._read(word, wanted, condition, values):
                    for name, value in zip(wanted, row, strict=True):
                        if value:
                            hashes[name].add(value)
        return {name: frozenset(values) for name, values in hashes.items()}

    def last_hash_keys(self) -> list[str]:
        """Return the ids of the hash keys under which runs have written rows."""
        table = self._database.dialect.current.format(
            self._database.dialect.quote_table(self._names.runs)
        )
        rows = self._database.rows(
            f"SELECT DISTINCT hash_key_id FROM {table} WHERE hash_key_id IS NOT NULL"
        )
        return sorted(key for (key,) in rows)

    def _of_person(
        self, word: str, person: PersonHashes, campaign: str, action: str
    ) -> tuple[str, list[Any]]:
        given = {c: sorted(h) for c, h in person.columns.items() if c in self._columns[word]}
        if not given:
            return "", []
        has = [f"{c} IN ({marks(hashes)})" for c, hashes in given.items()]
        lacks = [f"({c} IS NULL OR {one})" for c, one in zip(given, has, strict=True)]
        values = [value for hashes in given.values() for value in hashes]
        condition = f"({' OR '.join(has)}) AND {' AND '.join(lacks)}"
        return self._scoped(condition, [*values, *values], campaign, action)

    def _scoped(
        self, condition: str, values: Sequence[Any], campaign: str, action: str
    ) -> tuple[str, list[Any]]:
        scope = {"campaign": campaign, "action": action}
        given = {name: value for name, value in scope.items() if value}
        return (
            " AND ".join([condition, *(f"{name} = ?" for name in given)]),
            [*values, *given.values()],
        )

    def _still_theirs(
        self, rows: Iterable[tuple[Any, ...]], person: PersonHashes, campaign: str, action: str
    ) -> set[Row]:
        """Leave out rows of which an older version alone is the person's; the newest one counts."""
        stored = {Row(*row) for row in rows}
        if not stored or not self._sql.stored:
            return stored
        condition, values = self._of_person("results", person, campaign, action)
        newest = {
            Row(*row) for row in self._read("results", Row._fields, condition, values, end="")
        }
        return newest | (stored - self._with_result(stored))

    def _with_result(self, rows: Collection[Row]) -> set[Row]:
        """Return those of some rows that have a result now."""
        return {
            Row(*row)
            for condition, values in conditions_of(rows)
            for row in self._read("results", Row._fields, condition, values, end="")
        }

    def _complete(self, found: Found) -> None:
        """Add what is known of the rows that were found."""
        asked = {
            "results": ("question_hash", "source", "request_id", "status", "outcome"),
            "history": ("question_hash", "source", "request_id"),
            "quarantine": ("question_hash", "request_id"),
        }
        for word, columns in asked.items():
            conditions = [*conditions_of(found.rows)]
            if word == "history":
                conditions += conditions_of_answers(found.answers)
            for condition, values in conditions:
                for row in self._select(word, condition, values, columns):
                    named = dict(zip(columns, row[3:], strict=True))
                    key = Row(*row[:3])
                    if named["question_hash"]:
                        found.questions[key.campaign, named["question_hash"]] = key
                    if named["request_id"]:
                        found.request_ids.add(named["request_id"])
                    if named.get("source"):
                        found.sources.add(named["source"])
                    is_open = named.get("status", Status.ANSWERED) != Status.ANSWERED
                    if is_open and named["outcome"] == Outcome.UNCERTAIN:
                        found.in_doubt.add(key)

    def _select(
        self, word: str, condition: str, values: Sequence[Any], more: Sequence[str] = ()
    ) -> list[tuple[Any, ...]]:
        return self._read(word, (*Row._fields, *more), condition, values)

    def _read(
        self,
        word: str,
        columns: Sequence[str],
        condition: str,
        values: Sequence[Any],
        *,
        end: str | None = None,
    ) -> list[tuple[Any, ...]]:
        """
        Return columns of rows, also of older versions and of those that are only marked as deleted.

        :param end: of the query; empty for the newest versions alone.
        """
        dialect = self._database.dialect
        where = condition.replace("?", dialect.marker)
        end = self._sql.stored if end is None else end
        return self._database.rows(
            f"SELECT {', '.join(map(dialect.quote, columns))} "
            f"FROM {dialect.quote_table(self.tables[word])} WHERE {where}{end}",
            values,
        )


def conditions_of(rows: Iterable[Row]) -> Iterator[tuple[str, list[str]]]:
    """Yield conditions, and their values, that together are those of all rows."""
    keys: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in sorted(rows):
        keys[row.campaign, row.action].append(row.source_key)
    for scope, some in keys.items():
        for part in parts(some):
            yield (
                f"campaign = ? AND action = ? AND source_key IN ({marks(part)})",
                [*scope, *part],
            )


def conditions_of_answers(answers: Iterable[Answer]) -> Iterator[tuple[str, list[str]]]:
    """Yield the condition of each answer, and its values."""
    for answer in sorted(answers):
        yield " AND ".join(f"{name} = ?" for name in Answer._fields), list(answer)


def marks(values: Collection[Any]) -> str:
    """Return a mark for each of some parameters."""
    return ", ".join("?" * len(values))


def parts(values: Sequence[str]) -> Iterator[list[str]]:
    """Yield values in lists that fit into one statement."""
    for start in range(0, len(values), KEYS_AT_ONCE):
        yield list(values[start : start + KEYS_AT_ONCE])
