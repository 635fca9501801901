"""ClickHouse client (clickhouse-connect) as a DB-API connection, with settings and literals of ours.

Values are written into statements here: what the client itself binds goes by patterns, which a name
with braces or percent signs would meet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

SETTINGS = {
    # One row for each key, whatever is merged yet.
    "final": "1",
    "join_use_nulls": "0",
    "union_default_mode": "DISTINCT",
    "cast_keep_nullable": "1",
    "date_time_input_format": "best_effort",
    # An insert that returns is in the table, also if the same rows were written before.
    "async_insert": "0",
    "insert_deduplicate": "0",
    "wait_end_of_query": "1",
    # A page of keys, or of rows, is one statement.
    "max_query_size": str(256 * 1024 * 1024),
}
"""Settings that make a session ours, whatever profile of the user and Extra of the connection say."""

_RETURNS_ROWS = re.compile(r"[\s(]*(?:SELECT|WITH|SHOW|DESCRIBE|EXPLAIN)\b", re.IGNORECASE)


class ClickHouseConnection:
    """
    A client with a session of ours. Each statement is committed when it returns.

    :param client: of clickhouse-connect.
    """

    closed = False
    """The client speaks HTTP: there is no session to lose."""

    def __init__(self, client: Any) -> None:
        self.client = client
        client.query_limit = 0
        for name, value in SETTINGS.items():
            client.set_client_setting(name, value)

    def cursor(self) -> ClickHouseCursor:
        """Return a cursor whose rows are fetched at once."""
        return ClickHouseCursor(self.client)

    def commit(self) -> None:
        """Do nothing: there are no transactions."""

    def rollback(self) -> None:
        """Do nothing: there are no transactions."""

    def close(self) -> None:
        """Close the client."""
        self.client.close()


class ClickHouseCursor:
    """A cursor; see :class:`ClickHouseConnection`."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._rows: list[tuple[Any, ...]] = []

    def execute(self, sql: str, parameters: Sequence[Any] | None = None) -> ClickHouseCursor:
        """
        Run a statement.

        :param parameters: values for ``%s``; a percent sign is doubled then. None if it has none.
        """
        text = sql if parameters is None else sql % tuple(map(literal, parameters))
        if _RETURNS_ROWS.match(text):
            self._rows = [tuple(row) for row in self._client.query(text).result_rows]
        else:
            self._client.command(text)
            self._rows = []
        return self

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each row."""
        for row in rows:
            self.execute(sql, row)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows."""
        return self._rows

    def close(self) -> None:
        """Forget the rows."""
        self._rows = []


def literal(value: Any) -> str:
    """
    Return a value as ClickHouse writes it.

    :raises TypeError: there is no such literal.
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    if isinstance(value, datetime | date):
        return f"'{value.isoformat()}'"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(literal, value))}]"
    raise TypeError(f"ClickHouse is given no {type(value).__name__}")
