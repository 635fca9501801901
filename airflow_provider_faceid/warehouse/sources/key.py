"""The key of a source: one column, or a composite key of several, for keyset pagination.

The SQL that selects, orders and compares keys. A row's key in our tables is the database's own text of
the column; of several columns it is those texts in one, see :mod:`.composite`. Its position, behind
which pages go on, is that of the column, or a tuple with one for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ...exceptions import ConfigurationError
from ..records import MAX_KEY, Unreadable, UnusableKey, usable_key
from ..sql.database import SQLITE
from . import composite
from .keyset import ACCEPTED, KeyKind, kind_of
from .relation import Relation

STRICTLY = {"<=": "<", ">=": ">"}
"""The sign with which the columns before the last one are compared."""


class SourceKey:
    """
    The columns that name a row of a source.

    :param relation: what it reads from.
    :param columns: their names, one or several.
    """

    def __init__(self, relation: Relation, columns: Sequence[str]) -> None:
        if not columns or len(set(columns)) < len(columns):
            raise ConfigurationError("key_column names one column, or several different ones")
        self._relation, self._database = relation, relation.database
        self.names = tuple(columns)
        self.columns = tuple(map(relation.column, columns))

    @property
    def shown(self) -> str:
        """Return how it is called in messages."""
        quoted = " and ".join(f"'{name}'" for name in self.names)
        return f"the set of columns {quoted}" if self.is_composite else f"column {quoted}"

    @property
    def is_composite(self) -> bool:
        """Say whether it is of several columns."""
        return len(self.names) > 1

    @cached_property
    def kinds(self) -> tuple[KeyKind, ...]:
        """
        Return how the keys become text, by column.

        :raises ConfigurationError: their type cannot be named safely.
        """
        return tuple(map(self._kind_of, self.names, self.columns))

    @property
    def order(self) -> str:
        """Return what rows are ordered by."""
        return ", ".join(self.columns)

    @property
    def is_there(self) -> str:
        """Return the condition that a row has a key."""
        return " AND ".join(f"{column} IS NOT NULL" for column in self.columns)

    def text(self) -> str:
        """Return the expression for a row's key as our tables have it."""
        texts = [k.text.format(c) for k, c in zip(self.kinds, self.columns, strict=True)]
        if not self.is_composite:
            return texts[0]
        return composite.expression(self._database.dialect, texts)

    def selected(self, columns: Sequence[str] | None = None) -> list[str]:
        """
        Return the expressions of which :meth:`of_row` makes a row's key and position.

        :param columns: expressions of the key's columns, if they have other names in the query.
        """
        pairs = zip(self.kinds, columns or self.columns, strict=True)
        return [one.format(c) for kind, c in pairs for one in (kind.text, kind.position)]

    def of_row(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return a row that begins with key and position in place of what :meth:`selected` selects."""
        if not self.is_composite:
            return row
        end = 2 * len(self.names)
        texts, positions = row[:end:2], row[1:end:2]
        return (_composite_key(texts, positions), positions, *row[end:])

    def compared(self, sign: str, position: Any) -> tuple[str, list[Any]]:
        """
        Return the condition that compares a row's key with a position, and its values.

        :param sign: ``>``, ``<=`` or ``=``.
        """
        if not self.is_composite:
            marker, value = self._parameter(self.kinds[0], position)
            return f"{self.columns[0]} {sign} {marker}", [value]
        if not isinstance(position, tuple | list) or len(position) != len(self.names):
            raise ConfigurationError(
                f"A key of the source {self._relation.title} is a list of {len(self.names)} values, "
                f"one for each of {', '.join(self.names)}"
            )
        pairs = [self._parameter(*pair) for pair in zip(self.kinds, position, strict=True)]
        markers, values = [m for m, _ in pairs], [v for _, v in pairs]
        if self._database.dialect.has_row_values:
            return f"({self.order}) {sign} ({', '.join(markers)})", values
        if sign == "=":
            return " AND ".join(map("{} = {}".format, self.columns, markers)), values
        tests: list[str] = []
        needed: list[Any] = []
        for number, column in enumerate(self.columns):
            is_last = number == len(self.columns) - 1
            last = f"{column} {sign if is_last else STRICTLY.get(sign, sign)} {markers[number]}"
            same = map("{} = {}".format, self.columns[:number], markers)
            tests.append(" AND ".join([*same, last]))
            needed += values[: number + 1]
        return f"({' OR '.join(tests)})", needed

    def has_one_text(self) -> str:
        """Return the condition of SQLite that each part of a key is of a type with one text."""
        return " AND ".join(f"typeof({column}) IN ('integer', 'text')" for column in self.columns)

    def count(self, where: str, values: Sequence[Any]) -> tuple[int, int, int]:
        """
        Return how many rows there are, how many have a key, and how many of those differ.

        :param where: WHERE clause.
        :raises ConfigurationError: keys are of a type that cannot be named safely.
        """
        _ = self.kinds  # a type that cannot name rows is refused first
        if self.is_composite:
            return self._count_composite(where, values)
        key, source = self.columns[0], f"{self._relation.sql}{where}"
        counts = f"COUNT(*), COUNT({key}), COUNT(DISTINCT {key})"
        if self._database.dialect is not SQLITE:
            # Their text is turned back into keys: those that differ have texts that differ.
            total, keyed, distinct = self._rows(f"SELECT {counts} FROM {source}", values)[0]
            return total, keyed, distinct
        kinds = (f"COUNT(CASE typeof({key}) WHEN '{t}' THEN 1 END)" for t in ("integer", "text"))
        total, keyed, distinct, numbers, texts = self._rows(
            f"SELECT {counts}, {', '.join(kinds)} FROM {source}", values
        )[0]
        if keyed and not numbers and not texts:
            raise self._no_key_of(self.names[0], "REAL or BLOB")
        if numbers and texts:
            distinct = min(distinct, keyed - self._same_texts(where, values))
        return total, keyed, distinct

    def _count_composite(self, where: str, values: Sequence[Any]) -> tuple[int, int, int]:
        named = [f"{c} AS faceid_key{n}" for n, c in enumerate(self.columns)]
        there = " AND ".join(f"faceid_key{n} IS NOT NULL" for n, _ in enumerate(named))
        total, keyed, distinct = self._rows(
            f"SELECT SUM(faceid_rows), SUM(CASE WHEN {there} THEN faceid_rows ELSE 0 END), "
            f"COUNT(CASE WHEN {there} THEN 1 END) FROM (SELECT {', '.join(named)}, "
            f"COUNT(*) AS faceid_rows FROM {self._relation.sql}{where} GROUP BY {self.order}"
            ") AS faceid_keys",
            values,
        )[0]
        total, keyed, distinct = int(total or 0), int(keyed or 0), int(distinct)
        if self._database.dialect is not SQLITE:
            return total, keyed, distinct
        also = f"{where} AND" if where else " WHERE"
        ((usable,),) = self._rows(
            f"SELECT COUNT(*) FROM {self._relation.sql}{also} {self.has_one_text()}", values
        )
        if keyed and not usable:
            raise self._no_key_of(self.names[0], "REAL or BLOB")
        return total, keyed, min(distinct, keyed - self._same_texts(where, values))

    def _same_texts(self, where: str, values: Sequence[Any]) -> int:
        """Return how many keys of SQLite have the text of another, such as 1 and '1'."""
        also = f"{where} AND" if where else " WHERE"
        texts = self.selected()[::2]
        ((same,),) = self._rows(
            "SELECT COALESCE(SUM(faceid_rows - 1), 0) FROM (SELECT COUNT(*) AS faceid_rows FROM "
            f"{self._relation.sql}{also} {self.has_one_text()} GROUP BY {', '.join(texts)})",
            values,
        )
        return int(same)

    def _parameter(self, kind: KeyKind, position: Any) -> tuple[str, Any]:
        """Return the expression for a position that is a parameter, and its value."""
        dialect = self._database.dialect
        if isinstance(position, Unreadable):
            return kind.parameter(dialect.raw_text.format(dialect.marker), position), bytes(
                position
            )
        return kind.parameter(dialect.marker, position), position

    def _kind_of(self, name: str, column: str) -> KeyKind:
        type_ = self._database.key_type(column, self._relation.sql)
        kind = kind_of(self._database.dialect, *type_)
        if kind is None:
            raise self._no_key_of(name, type_[0])
        return kind

    def _no_key_of(self, name: str, type_: str) -> ConfigurationError:
        return ConfigurationError(
            f"Column '{name}' of the source {self._relation.title} is of type {type_}, and such "
            "values cannot name rows safely: they have no text that is theirs alone in each session "
            f"and driver. Name another unique column ({ACCEPTED}), or make text of it in a SELECT as "
            "the source"
        )

    def _rows(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        return self._database.rows(sql, values)


def _composite_key(texts: Sequence[Any], positions: Sequence[Any]) -> str:
    """Return the text of a composite key, or the name of one that cannot be used."""
    for text, position in zip(texts, positions, strict=True):
        part = usable_key(text, position)
        if isinstance(part, UnusableKey):
            # As Latin-1 each byte is a character: different keys, of whatever bytes, have two names.
            raw = (_bytes(*pair).decode("latin-1") for pair in zip(texts, positions, strict=True))
            return UnusableKey.named(composite.encode(raw).encode("latin-1"), part.rule)
    key = composite.encode(texts)
    return UnusableKey.named(key, "key_length") if len(key) > MAX_KEY else key


def _bytes(text: Any, position: Any) -> bytes:
    """Return what tells an unusable part from others."""
    whole = position if isinstance(position, bytes) else text
    return bytes(whole) if isinstance(whole, bytes) else str(whole).encode("utf-8", "surrogatepass")
