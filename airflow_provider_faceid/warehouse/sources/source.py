"""The source of a run: a table, query or files, read by keyset pagination in flat memory.

No transaction stays open between two pages. A source is the name of a table; or one query, with
comments as in a ``.sql`` file; or files, see :mod:`.files`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ...exceptions import ConfigurationError, WarehouseError, counted
from ..records import NotComputed, Unreadable, UnusableKey, usable_key
from ..sql.database import SQLITE, Database
from .key import SourceKey
from .keyset import Shard
from .prerequisites import KEYS_AT_ONCE, Prerequisites
from .relation import Relation

EVERYTHING = Shard()

MOST_UNREADABLE = 100
"""Rows in a row that may be unreadable one by one: if there are more, the query itself is wrong."""

NO_TEXT_CODES = frozenset({"22021", "22P05", "MYSQL_1300", "UnicodeDecodeError"})
"""SQLSTATE, code or class of errors about values that are no text in some encoding."""


class Source:
    """
    Any table, query or files with a unique key column, or several that are unique together.

    A row that appears behind the current page while a run goes on is read, one that appears before
    it is not; a changed row is read as it is when its page comes.

    :param database: where it is.
    :param relation: see :class:`~.relation.Relation`.
    :param key: column that names a row, unique and never NULL; or several columns.
    :param shard: the keys to read; the others are as if they were not there.
    :param prerequisites: earlier verdicts a row needs; rows without them are as if they were not
        there.
    """

    def __init__(
        self,
        database: Database,
        relation: str,
        key: str | Sequence[str],
        shard: Shard = EVERYTHING,
        prerequisites: Prerequisites | None = None,
    ) -> None:
        self.database = database
        self.shard = shard
        self._prerequisites = prerequisites
        self._relation = Relation(database, relation)
        self._key = SourceKey(self._relation, [key] if isinstance(key, str) else key)
        self._from = self._relation.sql
        self._ahead = _ReadAhead()

    @property
    def label(self) -> str:
        """Return what names this source in our tables."""
        return self._relation.label

    def inspect(self, columns: Sequence[str], min_rows: int = 1, texts: Sequence[str] = ()) -> int:
        """
        Return the number of rows, after making sure that they can be read one by one.

        A row without a key is in no shard: only an inspection of the whole source finds it.

        :param columns: columns that will be asked for.
        :param min_rows: fewer rows than these are an error.
        :param texts: columns whose values are text, such as ID numbers.
        :raises ConfigurationError: the table or a column is missing, there are too few rows, a key
            is NULL or occurs twice, keys are of a type that cannot be named safely, or two of them
            have the same text.
        """
        title = self._relation.title
        self._relation.check(self._key.names, columns, texts)
        total, keyed, distinct = self._key.count(*self._range())
        if keyed < total or distinct < keyed:
            shown = self._key.shown
            raise ConfigurationError(
                f"{shown[0].upper()}{shown[1:]} of the source {title} is no key: "
                f"{counted(total - keyed, 'row has', 'rows have')} none and "
                f"{counted(keyed - distinct, 'row repeats', 'rows repeat')} another's. "
                "Nothing was sent; name a unique column or a query that makes one"
            )
        if self._looks_up:
            total = sum(map(len, self.pages([], KEYS_AT_ONCE)))
        if total < min_rows:
            which = f" {self._prerequisites}" if self._prerequisites is not None else ""
            raise ConfigurationError(
                f"The source {title} has {counted(total, 'row')}{which}, fewer than "
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

        A row of which the database cannot compute a value has :class:`~..records.NotComputed` in
        place of all of them.

        :param last: position of the key after which to go on, or nothing for the first page.
        :return: tuples ``(key, position, *values)``: the key as text, or an
            :class:`~..records.UnusableKey`.
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
        if self._relation.reads_files:
            return self._ahead.page(self._read, expressions, size, last)
        return self._read(expressions, size, last)

    def _read(
        self, expressions: Sequence[str], size: int, last: Sequence[Any]
    ) -> list[tuple[Any, ...]]:
        """Read rows, those that cannot be read one by one."""
        try:
            rows = self._select(expressions, last, size)
        except WarehouseError as error:
            if not error.is_about_data:
                raise
            rows = self._row_by_row(expressions, size, last, error)
        if last and rows and (rows[0][1] == last[0] or rows[-1][1] == last[0]):
            raise ConfigurationError(
                f"A page of the source {self._relation.title} is not behind the one before: comparing "
                f"values of {self._key.shown} does not move on. Name another unique column, or "
                "make text of it in a SELECT as the source"
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
        earlier = self._key.kinds[0].earlier
        if earlier is None or self._key.is_composite:
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
        key = self._key
        names = [f"faceid_key{number}" for number, _ in enumerate(key.columns)]
        columns = map("{} AS {}".format, key.columns, names)
        keys = self.database.rows(
            f"SELECT {', '.join(key.selected(names))} FROM (SELECT {', '.join(columns)}, "
            f"ROW_NUMBER() OVER (ORDER BY {key.order}) AS faceid_row FROM {self._from} "
            f"WHERE {' AND '.join([key.is_there, *met])}) AS faceid_rows "
            f"WHERE faceid_row IN ({markers}) ORDER BY faceid_row",
            [*values, *last_rows],
        )
        # Where shards meet at a row whose key cannot be used, they are one.
        found = map(key.of_row, keys)
        usable = (row for row in found if not isinstance(usable_key(*row), UnusableKey))
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
        condition, values = self._prerequisites.condition(self._key.text())
        if self.database.dialect is SQLITE:  # bytes and fractions have a text, too, and no verdict
            condition += f" AND {self._key.has_one_text()}"
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

    def _select(
        self, expressions: Sequence[str], last: Sequence[Any], size: int, until: Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Read rows behind one position and up to another."""
        where, ends = self._range(last, *(("<=", end) for end in until))
        key = self._key
        if key.is_composite:  # a row that lost a part meanwhile would end the pages
            where = f"{where} AND {key.is_there}" if where else f" WHERE {key.is_there}"
        rows = self.database.rows(
            f"SELECT {', '.join([*key.selected(), *expressions])} FROM {self._from}"
            f"{where} ORDER BY {key.order} LIMIT {int(size)}",
            ends,
        )
        return list(map(key.of_row, rows)) if key.is_composite else rows

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
            test, more = self._key.compared(sign, position)
            tests.append(test)
            values += more
        if not is_met:
            met, more = self._condition()
            tests += met
            values += more
        where = " AND ".join(tests)
        return (f" WHERE {where}" if where else ""), values


READ_AHEAD = 50_000
"""Rows of files that are read at once: each read reads the files from their beginning."""


class _ReadAhead:
    """Pages that are cut out of a larger one."""

    def __init__(self) -> None:
        self._asked: tuple[Any, ...] = ()
        self._rows: list[tuple[Any, ...]] = []
        self._is_end = False

    def page(
        self,
        read: Callable[[Sequence[str], int, Sequence[Any]], list[tuple[Any, ...]]],
        expressions: Sequence[str],
        size: int,
        last: Sequence[Any],
    ) -> list[tuple[Any, ...]]:
        """Return a page as :meth:`Source.page` does, out of the rows ahead if it goes on with them."""
        asked = (tuple(expressions), *last)
        if not last or asked != self._asked or (len(self._rows) < size and not self._is_end):
            wanted = max(size, READ_AHEAD)
            self._rows = read(expressions, wanted, last)
            self._is_end = len(self._rows) < wanted
        page, self._rows = self._rows[:size], self._rows[size:]
        self._asked = (tuple(expressions), page[-1][1]) if page else ()
        return page


def _stand_in(error: WarehouseError) -> Unreadable:
    """Return what stands for a value that cannot be read."""
    return Unreadable() if error.reason in NO_TEXT_CODES else NotComputed()
