"""How the keys of a source become text: by the database, the same in each session and in your SQL.

A row is known in our tables by its key as ``CAST(key AS VARCHAR)`` writes it; moments with a time zone
as a session in UTC writes them. Pages go on behind a key's *position*: the key itself where the driver
returns it exactly, else a text that the database turns back into the same key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from .database import DUCKDB, POSTGRESQL, Dialect

Earlier = Callable[[str, Any], str]


@dataclass(frozen=True)
class KeyKind:
    """
    Keys of one type.

    :param text: expression for the text of a key ``{0}``.
    :param position: expression for its position.
    :param type: SQL type a position is cast to; empty if it is the key itself.
    :param earlier: returns what a key of some text and position was called before version 0.2.0; None
        if it is called the same.
    """

    text: str = "CAST({0} AS VARCHAR)"
    position: str = "{0}"
    type: str = ""
    earlier: Earlier | None = None

    def parameter(self, marker: str) -> str:
        """Return the expression for a key whose position is a parameter."""
        return f"CAST({marker} AS {self.type})" if self.type else marker


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
    else:
        return _EXACT
    return replace(_CAST, type=dialect.literal_percent(type_)) if is_enum else known
