"""Keys for keyset pagination: as text made by the database, and as ranges (shards) for tasks.

A row is known in our tables by its key as ``CAST(key AS VARCHAR)`` writes it, the same in each
session and in a user's own SQL; moments with a time zone as a session in UTC writes them. Pages go
on behind a key's *position*: the key itself where the driver returns it exactly, else a text that
the database turns back into the same key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from ...exceptions import ConfigurationError
from ..sql.dialects import DUCKDB, MYSQL, POSTGRESQL, Dialect

Earlier = Callable[[str, Any], str]


@dataclass(frozen=True)
class KeyKind:
    """
    Keys of one type.

    :param text: expression for the text of a key ``{0}``.
    :param position: expression for its position.
    :param type: SQL type a position is cast to; empty if it is the key itself. ``{scale}`` in it is
        the number of digits behind the point of the position.
    :param earlier: returns what a key of some text and position was called before version 0.2.0; None
        if it is called the same.
    """

    text: str = "CAST({0} AS VARCHAR)"
    position: str = "{0}"
    type: str = ""
    earlier: Earlier | None = None

    def parameter(self, marker: str, position: Any) -> str:
        """Return the expression for a key whose position is a parameter."""
        scale = len(str(position).partition(".")[2]) if "{scale}" in self.type else 0
        type_ = self.type.replace("{scale}", str(scale))
        return f"CAST({marker} AS {type_})" if type_ else marker


def _quietly(earlier: Earlier) -> Earlier:
    """Leave a text alone that Python has no value for, such as an infinite moment."""

    def convert(text: str, position: Any) -> str:
        try:
            return earlier(text, position)
        except (ArithmeticError, ValueError):
            return text

    return convert


def _moment(_: str, position: str) -> str:
    return str(datetime.fromisoformat(position))


_EXACT = KeyKind()
_CAST = KeyKind(position=_EXACT.text)
_BOOLEAN = replace(_CAST, type="BOOLEAN", earlier=lambda text, _: text.capitalize())
_NUMBER = replace(_CAST, type="NUMERIC", earlier=_quietly(lambda text, _: str(Decimal(text))))
_TIME = replace(_CAST, type="TIME", earlier=_quietly(lambda text, _: str(time.fromisoformat(text))))

# In JSON a moment has one form, whatever a session's DateStyle.
_JSON = "TRIM(BOTH '\"' FROM CAST(to_json({0}) AS VARCHAR))"
_JSON_UTC = _JSON.replace("{0}", "{0} AT TIME ZONE 'UTC'")
_IN_UTC = "CASE WHEN isfinite({{0}}) THEN {utc} || '+00' ELSE CAST({{0}} AS VARCHAR) END"

_POSTGRESQL: dict[str, KeyKind] = {
    **dict.fromkeys(
        ("smallint", "integer", "bigint", "text", "character varying", "name", "citext"), _EXACT
    ),
    # The driver returns it with its blanks, as it was called before.
    "character": KeyKind(type="BPCHAR", earlier=lambda _, position: str(position)),
    "boolean": _BOOLEAN,
    "numeric": _NUMBER,
    "uuid": replace(_CAST, type="UUID"),
    "date": KeyKind(_JSON, _JSON, "DATE"),
    "time without time zone": _TIME,
    "timestamp without time zone": KeyKind(
        f"REPLACE({_JSON}, 'T', ' ')", _JSON, "TIMESTAMP", _quietly(_moment)
    ),
    "timestamp with time zone": KeyKind(
        _IN_UTC.format(utc=f"REPLACE({_JSON_UTC}, 'T', ' ')"),
        _JSON,
        "TIMESTAMPTZ",
        _quietly(_moment),
    ),
}
_DUCKDB: dict[str, KeyKind] = {
    **dict.fromkeys(
        (
            "TINYINT",
            "SMALLINT",
            "INTEGER",
            "BIGINT",
            "UTINYINT",
            "USMALLINT",
            "UINTEGER",
            "VARCHAR",
        ),
        _EXACT,
    ),
    **{name: replace(_CAST, type=name) for name in ("UBIGINT", "HUGEINT", "UHUGEINT", "UUID")},
    "BOOLEAN": _BOOLEAN,
    "DATE": replace(_CAST, type="DATE"),
    "TIME": _TIME,
    **{
        name: replace(_CAST, type=name, earlier=_quietly(_moment))
        for name in ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")
    },
    "TIMESTAMP WITH TIME ZONE": KeyKind(
        _IN_UTC.format(utc="CAST({0} AT TIME ZONE 'UTC' AS VARCHAR)"),
        _EXACT.text,
        "TIMESTAMPTZ",
        _quietly(_moment),
    ),
}
_CHAR = KeyKind("CAST({0} AS CHAR)")
_CHAR_CAST = replace(_CHAR, position=_CHAR.text)
_MYSQL: dict[str, KeyKind] = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT", "TEXT", "NULL"), _CHAR),
    # Compared with a text it would be a DOUBLE. A decimal has 65 digits at most.
    "DECIMAL": replace(_CHAR_CAST, type="DECIMAL(65, {scale})"),
    # Its order is that of its members, and so are comparisons with a number.
    "ENUM": replace(_CHAR, position="({0} + 0)", type="UNSIGNED"),
    **{
        name: replace(_CHAR_CAST, type=type_)
        for name, type_ in (
            ("DATE", "DATE"),
            ("TIME", "TIME(6)"),
            ("DATETIME", "DATETIME(6)"),
            ("TIMESTAMP", "DATETIME(6)"),  # sessions are in UTC
        )
    },
}
ACCEPTED = "whole and decimal numbers, text, uuid, boolean, date, time, timestamp and enum"
"""Types of keys in words."""


def kind_of(dialect: Dialect, type_: str, kind: str = "") -> KeyKind | None:
    """
    Return how keys of a type become text; None if there is no safe way.

    A fraction is rounded on its way, bytes and lists have no one text, the text of an interval or of
    money depends on the session.

    :param type_: as the database names it.
    :param kind: ``e`` for an enum of PostgreSQL.
    """
    if dialect is POSTGRESQL:
        is_enum = kind == "e"
        known = _POSTGRESQL.get(type_.rpartition(".")[2] if type_.endswith("citext") else type_)
    elif dialect is DUCKDB:
        is_enum = type_.startswith("ENUM(")
        known = _DUCKDB.get(type_)
        if type_.startswith("DECIMAL("):
            known = replace(_NUMBER, type=type_)
    elif dialect is MYSQL:
        return _MYSQL.get(type_)
    else:
        return _EXACT
    return replace(_CAST, type=dialect.literal_percent(type_)) if is_enum else known


AS_TEXT: dict[str, tuple[type, Callable[[str], Any]]] = {
    "date": (date, date.fromisoformat),
    "datetime": (datetime, datetime.fromisoformat),
    "decimal": (Decimal, Decimal),
    "float": (float, float),
    "uuid": (UUID, UUID),
}
"""Keys that travel as ``{kind: text}``, with how to read the text back. Numbers and text travel as
they are. Airflow's own way with these differs by version and loses digits and time zones."""


@dataclass(frozen=True, repr=False)
class Shard:
    """
    The keys behind one and up to another, which belongs to it; the repr shows none.

    :param after: position of the last key of the shard before, or None if there is none.
    :param until: the last key, or None: then rows that are added behind the end belong to it too.
    """

    after: Any = None
    until: Any = None

    @classmethod
    def between(cls, keys: Iterable[Any]) -> list[Shard]:
        """Return the shards that meet at some keys: together they cover every key once."""
        return [cls(*ends) for ends in pairwise((None, *keys, None))]

    @classmethod
    def from_json(cls, ends: Mapping[str, Any]) -> Shard:
        """
        Read what :meth:`as_json` wrote.

        :raises ConfigurationError: it is something else; the message shows no values.
        """
        try:
            return cls(_read(ends["after"]), _read(ends["until"]))
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
            raise ConfigurationError(
                "A shard has the keys 'after' and 'until', as FaceIdShardsOperator returns them"
            ) from None

    def as_json(self) -> dict[str, Any]:
        """
        Return the shard in numbers and text, as an XCom can hold it.

        :raises ConfigurationError: the keys are of a type that cannot be written down.
        """
        return {"after": _write(self.after), "until": _write(self.until)}


def _write(key: Any) -> Any:
    if key is None or type(key) in {int, str}:
        return key
    if type(key) is tuple:  # of a composite key
        return list(map(_write, key))
    for kind, (type_, _) in AS_TEXT.items():
        if type(key) is type_:  # a datetime is also a date
            return {kind: str(key)}
    raise ConfigurationError(
        f"A source cannot be cut by keys of type {type(key).__name__}: whole numbers, text and "
        f"{', '.join(AS_TEXT)} can. Name another unique column, or leave the shards out"
    )


def _read(written: Any) -> Any:
    if isinstance(written, list):
        return tuple(map(_read, written))
    if not isinstance(written, Mapping):
        return written
    ((kind, text),) = written.items()
    return AS_TEXT[kind][1](text)
