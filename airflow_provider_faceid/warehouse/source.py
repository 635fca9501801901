"""A table of people, read in pages by its key: flat memory, no long transaction."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ..counting import counted
from ..exceptions import ConfigurationError
from .database import Database
from .shard import Shard

EVERYTHING = Shard()

_LITERAL = re.compile(r"'(?:[^']|'')*'|\b\d[\d.]*\b")


class Source:
    """
    Any table or query with a unique key column.

    A row that appears behind the current page while a run goes on is read, one that appears before
    it is not; a changed row is read as it is when its page comes.

    :param database: where it is.
    :param relation: table name, with a schema if there is a dot, or a ``SELECT`` statement.
    :param key: column that names a row; unique and never NULL.
    :param shard: the keys to read; the others are as if they were not there.
    """

    def __init__(
        self, database: Database, relation: str, key: str, shard: Shard = EVERYTHING
    ) -> None:
        self.database = database
        self.relation = relation
        self.shard = shard
        self._key = database.dialect.quote(key)
        self._key_name = key
        self._from = _from_clause(database, relation)

    @property
    def label(self) -> str:
        """
        Return what names this source in our tables: its connection, then the table or query.

        A query is named by a fingerprint of its text without the literals, which may hold a date that
        changes every day, or a person.
        """
        named = self.relation
        if _is_query(named):
            shape = " ".join(_LITERAL.sub("?", named).split())
            named = f"query-{hashlib.sha256(shape.encode()).hexdigest()[:8]}"
        return f"{self.database.label}:{named}"

    def inspect(self, columns: Sequence[str], min_rows: int = 1) -> int:
        """
        Return the number of rows, after making sure that they can be read one by one.

        A row without a key is in no shard: only an inspection of the whole source finds it.

        :param columns: columns that will be asked for.
        :param min_rows: fewer rows than these are an error.
        :raises ConfigurationError: the table or a column is missing, there are too few rows, a key
            is NULL or occurs twice.
        """
        quote = self.database.dialect.quote
        self.database.check(
            f"SELECT 1 FROM {self._from} WHERE 1 = 0", f"The source {self._title} cannot be read"
        )
        for column in dict.fromkeys((self._key_name, *columns)):
            # Behind an alias: SQLite reads an unknown "name" as a string.
            self.database.check(
                f"SELECT faceid_source.{quote(column)} FROM {self._from} WHERE 1 = 0",
                f"The source {self._title} has no column '{column}'",
            )
        where, ends = self._range()
        total, keyed, distinct = self.database.rows(
            f"SELECT COUNT(*), COUNT({self._key}), COUNT(DISTINCT {self._key}) "
            f"FROM {self._from}{where}",
            ends,
        )[0]
        if total < min_rows:
            raise ConfigurationError(
                f"The source {self._title} has {counted(total, 'row')}, fewer than min_rows={min_rows}. Set "
                "min_rows=0 if an empty source is nothing unusual"
            )
        if keyed < total or distinct < keyed:
            raise ConfigurationError(
                f"Column '{self._key_name}' of the source {self._title} is no key: "
                f"{counted(total - keyed, 'row has', 'rows have')} none and "
                f"{counted(keyed - distinct, 'row repeats', 'rows repeat')} another's. "
                "Nothing was sent; name a unique column or a query that makes one"
            )
        return int(total)

    def pages(self, expressions: Sequence[str], size: int) -> Iterator[list[tuple[Any, ...]]]:
        """
        Read all rows in order of the key.

        :param expressions: quoted columns or SQL expressions to select behind the key.
        :param size: rows per page.
        :return: pages of tuples ``(key, *values)``.
        """
        last: list[Any] = []
        while True:
            page = self.page(expressions, size, last)
            if page:
                yield page
            if len(page) < size:
                return
            last = [page[-1][0]]

    def page(
        self, expressions: Sequence[str], size: int, last: Sequence[Any]
    ) -> list[tuple[Any, ...]]:
        """
        Read one page.

        :param last: the key after which to go on, or nothing for the first page.
        """
        where, ends = self._range(last)
        return self.database.rows(
            f"SELECT {', '.join((self._key, *expressions))} FROM {self._from}"
            f"{where} ORDER BY {self._key} LIMIT {int(size)}",
            ends,
        )

    def row(self, key: Any, columns: Sequence[str]) -> tuple[Any, ...] | None:
        """Read some columns of one row; None if there is no such row."""
        dialect = self.database.dialect
        where, ends = self._range((), f"{self._key} = {dialect.marker}")
        rows = self.database.rows(
            f"SELECT {', '.join(map(dialect.quote, columns))} FROM {self._from}{where}",
            [*ends, key],
        )
        return rows[0] if rows else None

    def cut(self, rows: int, pieces: int) -> list[Shard]:
        """
        Cut the whole source into shards of equally many rows.

        :param rows: how many rows there are, as :meth:`inspect` found.
        :param pieces: how many shards there should be; there are never more than rows.
        :return: shards that together cover every key once, those to come too.
        """
        pieces = min(pieces, rows)
        last_rows = [rows * piece // pieces for piece in range(1, pieces)]
        if not last_rows:
            return [EVERYTHING]
        # By row number, not by the MAX of a group: the order must be that of the pages.
        markers = ", ".join([self.database.dialect.marker] * len(last_rows))
        keys = self.database.rows(
            f"SELECT faceid_key FROM (SELECT {self._key} AS faceid_key, "
            f"ROW_NUMBER() OVER (ORDER BY {self._key}) AS faceid_row FROM {self._from} "
            f"WHERE {self._key} IS NOT NULL) AS faceid_rows "
            f"WHERE faceid_row IN ({markers}) ORDER BY faceid_row",
            last_rows,
        )
        return Shard.between(key for (key,) in keys)

    def _range(self, last: Sequence[Any] = (), *conditions: str) -> tuple[str, list[Any]]:
        """Return a WHERE clause for the shard's keys, behind the last one read, and its values."""
        shard = self.shard
        after, until = ([] if key is None else [key] for key in (shard.after, shard.until))
        # A last key of NULL ends the pages: nothing is behind it.
        ends = {">": list(last) or after, "<=": until}
        marker = self.database.dialect.marker
        tests = [f"{self._key} {sign} {marker}" for sign, key in ends.items() if key]
        where = " AND ".join((*tests, *conditions))
        return (f" WHERE {where}" if where else ""), [*ends[">"], *ends["<="]]

    @property
    def _title(self) -> str:
        return "query" if _is_query(self.relation) else f"table '{self.relation}'"


def _is_query(relation: str) -> bool:
    return re.match(r"\s*(select|with)\s", relation, re.IGNORECASE) is not None


def _from_clause(database: Database, relation: str) -> str:
    dialect = database.dialect
    if _is_query(relation):
        query = dialect.literal_percent(relation.strip().rstrip(";"))
        return f"({query}\n) AS faceid_source"  # the query may end in a comment
    return f"{dialect.quote_table(relation)} AS faceid_source"
