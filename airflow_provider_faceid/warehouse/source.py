"""The source of a run: a table or query, read by keyset pagination in flat memory.

No transaction stays open between two pages. A source is the name of a table, or one query, with
comments as in a ``.sql`` file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from ..exceptions import ConfigurationError, WarehouseError, counted
from .database import SQLITE, Database
from .keyset import ACCEPTED, KeyKind, Shard, kind_of
from .prerequisites import KEYS_AT_ONCE, Prerequisites
from .query import is_query, shape, statement
from .records import NotComputed, Unreadable, UnusableKey, usable_key

EVERYTHING = Shard()

MOST_UNREADABLE = 100
"""Rows in a row that may be unreadable one by one: if there are more, the query itself is wrong."""

NO_TEXT_CODES = frozenset({"22021", "22P05", "UnicodeDecodeError"})
"""SQLSTATE, or class, of errors about values that are no text in some encoding."""


class Source:
    """
    Any table or query with a unique key column.

    A row that appears behind the current page while a run goes on is read, one that appears before
    it is not; a changed row is read as it is when its page comes.

    :param database: where it is.
    :param relation: table name, with a schema if there is a dot, or a ``SELECT`` statement.
    :param key: column that names a row; unique and never NULL.
    :param shard: the keys to read; the others are as if they were not there.
    :param prerequisites: earlier verdicts a row needs; rows without them are as if they were not
        there.
    """

    def __init__(
        self,
        database: Database,
        relation: str,
        key: str,
        shard: Shard = EVERYTHING,
        prerequisites: Prerequisites | None = None,
    ) -> None:
        self.database = database
        self.relation = relation
        self.shard = shard
        self._prerequisites = prerequisites
        # Behind an alias: a bare name in ORDER BY would be that of the key's text in the SELECT.
        self._key = f"faceid_source.{database.dialect.quote(key)}"
        self._key_name = key
        self._from = _from_clause(database, relation)

    @property
    def label(self) -> str:
        """
        Return what names this source in our tables: its connection, then the table or query.

        A query is named by a fingerprint of its text without comments and literals, which may hold a date that
        changes every day, or a person.
        """
        named = self.relation
        if is_query(named):
            named = f"query-{hashlib.sha256(shape(named).encode()).hexdigest()[:8]}"
        return f"{self.database.label}:{named}"

    def inspect(self, columns: Sequence[str], min_rows: int = 1) -> int:
        """
        Return the number of rows, after making sure that they can be read one by one.

        A row without a key is in no shard: only an inspection of the whole source finds it.

        :param columns: columns that will be asked for.
        :param min_rows: fewer rows than these are an error.
        :raises ConfigurationError: the table or a column is missing, there are too few rows, a key
            is NULL or occurs twice, keys are of a type that cannot be named safely, or two of them
            have the same text.
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
        total, keyed, distinct = self._count_keys()
        if keyed < total or distinct < keyed:
            raise ConfigurationError(
                f"Column '{self._key_name}' of the source {self._title} is no key: "
                f"{counted(total - keyed, 'row has', 'rows have')} none and "
                f"{counted(keyed - distinct, 'row repeats', 'rows repeat')} another's. "
                "Nothing was sent; name a unique column or a query that makes one"
            )
        if self._looks_up:
            total = sum(map(len, self.pages([], KEYS_AT_ONCE)))
        if total < min_rows:
            which = f" {self._prerequisites}" if self._prerequisites is not None else ""
            raise ConfigurationError(
                f"The source {self._title} has {counted(total, 'row')}{which}, fewer than "
                f"min_rows={min_rows}. Set min_rows=0 if an empty source is nothing unusual"
            )
        return int(total)

    def pages(self, expressions: Sequence[str], size: int) -> Iterator[list[tuple[Any, ...]]]:
        """
        Read all rows in order of the key.

        :param expressions: quoted columns or SQL expressions to select behind the key.
        :param size: rows per page.
        :return: pages of tuples ``(key, *values)``, keys as text.
        """
        last: list[Any] = []
        while True:
            page = self.page(expressions, size, last)
            if page:
                yield [(key, *values) for key, _, *values in page]
            if len(page) < size:
                return
            last = [page[-1][1]]

    def page(
        self, expressions: Sequence[str], size: int, last: Sequence[Any]
    ) -> list[tuple[Any, ...]]:
        """
        Read one page.

        A row of which the database cannot compute a value has :class:`~.records.NotComputed` in
        place of all of them.

        :param last: position of the key after which to go on, or nothing for the first page.
        :return: tuples ``(key, position, *values)``: the key as text, or an
            :class:`~.records.UnusableKey`.
        :raises ConfigurationError: the page is not behind the one before.
        """
        if not self._looks_up:
            return self._page(expressions, size, last)
        rows: list[tuple[Any, ...]] = []
        while wanted := size - len(rows):
            read = self._page(expressions, wanted, last)
            rows += self._met(read)
            if len(read) < wanted:
                break
            last = [read[-1][1]]
        return rows

    def _page(
        self, expressions: Sequence[str], size: int, last: Sequence[Any]
    ) -> list[tuple[Any, ...]]:
        """Read one page of the rows the database itself selects."""
        try:
            rows = self._select(expressions, last, size)
        except WarehouseError as error:
            if not error.is_about_data:
                raise
            rows = self._row_by_row(expressions, size, last, error)
        if last and rows and (rows[0][1] == last[0] or rows[-1][1] == last[0]):
            raise ConfigurationError(
                f"A page of the source {self._title} is not behind the one before: comparing values "
                f"of column '{self._key_name}' does not move on. Name another unique column, or make "
                "text of it in a SELECT as the source"
            )
        for number, (key, position, *values) in enumerate(rows):
            usable = usable_key(key, position)
            if usable is not key:
                rows[number] = (usable, position, *values)
        return rows

    def row(self, position: Any, columns: Sequence[str]) -> tuple[Any, ...] | None:
        """
        Read some columns of one row; None if there is no such row.

        :param position: of its key, as a page has it.
        """
        quote = self.database.dialect.quote
        where, ends = self._range((), ("=", position), is_met=True)
        try:
            rows = self.database.rows(
                f"SELECT {', '.join(map(quote, columns))} FROM {self._from}{where}", ends
            )
        except WarehouseError as error:
            if not error.is_about_data:
                raise
            rows = self.database.rows(f"SELECT 1 FROM {self._from}{where}", ends)
            return (_stand_in(error),) * len(columns) if rows else None
        return rows[0] if rows else None

    def earlier_keys(self, page: Sequence[tuple[Any, ...]]) -> dict[str, str]:
        """Return the keys of a page that were called otherwise before version 0.2.0, by that name."""
        earlier = self._kind.earlier
        if earlier is None:
            return {}
        names = {earlier(key, position): key for key, position, *_ in page}
        return {name: key for name, key in names.items() if name != key}

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
        if self._looks_up:
            return self._cut_by_pages(last_rows)
        markers = ", ".join([self.database.dialect.marker] * len(last_rows))
        met, values = self._condition()
        named = self._kind.text.format("faceid_key"), self._kind.position.format("faceid_key")
        keys = self.database.rows(
            f"SELECT {', '.join(named)} FROM (SELECT {self._key} AS faceid_key, "
            f"ROW_NUMBER() OVER (ORDER BY {self._key}) AS faceid_row FROM {self._from} "
            f"WHERE {' AND '.join([f'{self._key} IS NOT NULL', *met])}) AS faceid_rows "
            f"WHERE faceid_row IN ({markers}) ORDER BY faceid_row",
            [*values, *last_rows],
        )
        # Where shards meet at a row whose key cannot be used, they are one.
        usable = (row for row in keys if not isinstance(usable_key(*row), UnusableKey))
        return Shard.between(position for _, position in usable)

    def close(self) -> None:
        """Close the connections it reads from."""
        self.database.close()
        if self._prerequisites is not None:
            self._prerequisites.warehouse.close()

    @property
    def _looks_up(self) -> bool:
        """Say whether earlier verdicts are in another database, and are looked up page by page."""
        needed = self._prerequisites
        return needed is not None and needed.warehouse is not self.database

    def _met(self, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Return the rows of a page that meet the prerequisites."""
        if self._prerequisites is None or not rows:
            return rows
        met = self._prerequisites.met_by([row[0] for row in rows])
        return [row for row in rows if row[0] in met]

    def _condition(self) -> tuple[list[str], list[Any]]:
        """Return the SQL conditions by which the database itself selects rows, and their values."""
        if self._prerequisites is None or self._looks_up:
            return [], []
        condition, values = self._prerequisites.condition(self._kind.text.format(self._key))
        if self.database.dialect is SQLITE:  # bytes and fractions have a text, too, and no verdict
            condition += f" AND typeof({self._key}) IN ('integer', 'text')"
        return [condition], values

    def _cut_by_pages(self, last_rows: Sequence[int]) -> list[Shard]:
        """Cut at some row numbers, counted over all pages."""
        ends: list[Any] = []
        last: list[Any] = []
        wanted, seen = iter(last_rows), 0
        number = next(wanted, None)
        while page := self.page([], KEYS_AT_ONCE, last):
            last = [page[-1][1]]
            while number is not None and number <= seen + len(page):
                ends.append(page[number - seen - 1][1])
                number = next(wanted, None)
            seen += len(page)
        return Shard.between(ends)

    @cached_property
    def _kind(self) -> KeyKind:
        """
        Return how keys become text.

        :raises ConfigurationError: their type cannot be named safely.
        """
        dialect, type_ = self.database.dialect, ("", "")
        if dialect.key_type:
            type_ = self.database.rows(dialect.key_type.format(self._key, self._from))[0]
        kind = kind_of(dialect, *type_)
        if kind is None:
            raise self._no_key_of(type_[0])
        return kind

    def _no_key_of(self, type_: str) -> ConfigurationError:
        return ConfigurationError(
            f"Column '{self._key_name}' of the source {self._title} is of type {type_}, and such "
            "values cannot name rows safely: they have no text that is theirs alone in each session "
            f"and driver. Name another unique column ({ACCEPTED}), or make text of it in a SELECT as "
            "the source"
        )

    def _count_keys(self) -> tuple[int, int, int]:
        """Return how many rows there are, how many have a key, and how many of those differ."""
        kind, key = self._kind, self._key  # a type that cannot name rows is refused first
        where, ends = self._range()
        counts = f"COUNT(*), COUNT({key}), COUNT(DISTINCT {key})"
        if self.database.dialect is not SQLITE:
            # Their text is turned back into keys: those that differ have texts that differ.
            total, keyed, distinct = self.database.rows(
                f"SELECT {counts} FROM {self._from}{where}", ends
            )[0]
            return total, keyed, distinct
        kinds = (f"COUNT(CASE typeof({key}) WHEN '{t}' THEN 1 END)" for t in ("integer", "text"))
        total, keyed, distinct, numbers, texts = self.database.rows(
            f"SELECT {counts}, {', '.join(kinds)} FROM {self._from}{where}", ends
        )[0]
        if keyed and not numbers and not texts:
            raise self._no_key_of("REAL or BLOB")
        if numbers and texts:
            also = f"{where} AND" if where else " WHERE"
            (same,) = self.database.rows(
                f"SELECT COUNT(*) - COUNT(DISTINCT {kind.text.format(key)}) FROM {self._from}"
                f"{also} typeof({key}) IN ('integer', 'text')",
                ends,
            )[0]
            distinct = min(distinct, keyed - same)
        return total, keyed, distinct

    def _select(
        self, expressions: Sequence[str], last: Sequence[Any], size: int, until: Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Read rows behind one position and up to another."""
        where, ends = self._range(last, *(("<=", end) for end in until))
        kind = self._kind
        selected = (kind.text.format(self._key), kind.position.format(self._key), *expressions)
        return self.database.rows(
            f"SELECT {', '.join(selected)} FROM {self._from}"
            f"{where} ORDER BY {self._key} LIMIT {int(size)}",
            ends,
        )

    def _row_by_row(
        self, expressions: Sequence[str], size: int, last: Sequence[Any], error: WarehouseError
    ) -> list[tuple[Any, ...]]:
        """
        Read a page that cannot be read as a whole: in halves, down to the rows that are the cause.

        :raises WarehouseError: no row of the first page can be read, or so many in a row cannot that
            they are not the cause.
        """
        keys = self._select([], last, size)
        rows: list[tuple[Any, ...]] = []
        unreadable = 0
        ahead = [keys] if keys else []  # parts still to be read, the next one last
        while ahead:
            part = ahead.pop()
            after = [rows[-1][1]] if rows else last
            try:
                read = self._select(expressions, after, len(part), [part[-1][1]])
                unreadable = 0
            except WarehouseError as caught:
                if not caught.is_about_data:
                    raise
                if len(part) > 1:
                    middle = len(part) // 2
                    ahead += [part[middle:], part[:middle]]
                    continue
                unreadable += 1
                if unreadable > MOST_UNREADABLE:
                    raise error from None
                read = [(*part[0], *[_stand_in(caught)] * len(expressions))]
            rows += read
        if not last and unreadable == len(rows):
            raise error  # of the first rows none: it is not theirs
        return rows

    def _range(
        self, last: Sequence[Any] = (), *conditions: tuple[str, Any], is_met: bool = False
    ) -> tuple[str, list[Any]]:
        """
        Return a WHERE clause for the shard's keys, behind the last one read, and its values.

        :param conditions: more comparisons of the key: sign and position.
        :param is_met: whether its rows are known to meet the prerequisites.
        """
        shard = self.shard
        # A last key of NULL ends the pages: nothing is behind it.
        after = [(">", key) for key in (last or [shard.after]) if last or key is not None]
        until = [("<=", shard.until)] if shard.until is not None else []
        tests, values = [], []
        for sign, position in (*after, *until, *conditions):
            is_raw = isinstance(position, Unreadable)
            marker = self.database.dialect.marker
            if is_raw:
                marker = self.database.dialect.raw_text.format(marker)
            tests.append(f"{self._key} {sign} {self._kind.parameter(marker)}")
            values.append(bytes(position) if is_raw else position)
        if not is_met:
            met, more = self._condition()
            tests += met
            values += more
        where = " AND ".join(tests)
        return (f" WHERE {where}" if where else ""), values

    @property
    def _title(self) -> str:
        return "query" if is_query(self.relation) else f"table '{self.relation}'"


def _from_clause(database: Database, relation: str) -> str:
    dialect = database.dialect
    if is_query(relation):
        return f"({dialect.literal_percent(statement(relation))}\n) AS faceid_source"
    return f"{dialect.quote_table(relation.strip())} AS faceid_source"


def _stand_in(error: WarehouseError) -> Unreadable:
    """Return what stands for a value that cannot be read."""
    return Unreadable() if error.reason in NO_TEXT_CODES else NotComputed()
