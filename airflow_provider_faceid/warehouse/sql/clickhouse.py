"""ClickHouse: its client (clickhouse-connect) as a DB-API connection, and what each error code is about.

Values are written into statements here: what the client itself binds goes by patterns, which a name
with braces or percent signs would meet.

Codes: ``errorCodeToName`` of ClickHouse 26.9. Messages quote the statement, in which our values are, so
that only messages of some codes are shown, and these up to where the quotation begins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

_BY_CLASS: dict[str, dict[int, str]] = {
    "statement": {
        16: "NO_SUCH_COLUMN_IN_TABLE",
        36: "BAD_ARGUMENTS",
        42: "NUMBER_OF_ARGUMENTS_DOESNT_MATCH",
        43: "ILLEGAL_TYPE_OF_ARGUMENT",
        44: "ILLEGAL_COLUMN",
        46: "UNKNOWN_FUNCTION",
        47: "UNKNOWN_IDENTIFIER",
        48: "NOT_IMPLEMENTED",
        50: "UNKNOWN_TYPE",
        57: "TABLE_ALREADY_EXISTS",
        60: "UNKNOWN_TABLE",
        62: "SYNTAX_ERROR",
        81: "UNKNOWN_DATABASE",
        115: "UNKNOWN_SETTING",
        164: "READONLY",
        184: "ILLEGAL_AGGREGATION",
        192: "UNKNOWN_USER",
        193: "WRONG_PASSWORD",
        194: "REQUIRED_PASSWORD",
        215: "NOT_AN_AGGREGATE",
        243: "NOT_ENOUGH_SPACE",
        291: "DATABASE_ACCESS_DENIED",
        344: "SUPPORT_IS_DISABLED",
        386: "NO_COMMON_TYPE",
        446: "FUNCTION_NOT_ALLOWED",
        452: "SETTING_CONSTRAINT_VIOLATION",
        472: "READONLY_SETTING",
        497: "ACCESS_DENIED",
        511: "UNKNOWN_ROLE",
        516: "AUTHENTICATION_FAILED",
    },
    "connection": {
        159: "TIMEOUT_EXCEEDED",
        198: "DNS_ERROR",
        202: "TOO_MANY_SIMULTANEOUS_QUERIES",
        203: "NO_FREE_CONNECTION",
        209: "SOCKET_TIMEOUT",
        210: "NETWORK_ERROR",
        216: "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING",
        225: "NO_ZOOKEEPER",
        236: "ABORTED",
        241: "MEMORY_LIMIT_EXCEEDED",
        242: "TABLE_IS_READ_ONLY",
        252: "TOO_MANY_PARTS",
        254: "NO_ACTIVE_REPLICAS",
        279: "ALL_CONNECTION_TRIES_FAILED",
        285: "TOO_FEW_LIVE_REPLICAS",
        319: "UNKNOWN_STATUS_OF_INSERT",
        373: "SESSION_IS_LOCKED",
        394: "QUERY_WAS_CANCELLED",
        439: "CANNOT_SCHEDULE_TASK",
        473: "DEADLOCK_AVOIDED",
        999: "KEEPER_EXCEPTION",
    },
    "data": {
        6: "CANNOT_PARSE_TEXT",
        26: "CANNOT_PARSE_QUOTED_STRING",
        27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
        38: "CANNOT_PARSE_DATE",
        41: "CANNOT_PARSE_DATETIME",
        53: "TYPE_MISMATCH",
        69: "ARGUMENT_OUT_OF_BOUND",
        70: "CANNOT_CONVERT_TYPE",
        72: "CANNOT_PARSE_NUMBER",
        117: "INCORRECT_DATA",
        131: "TOO_LARGE_STRING_SIZE",
        229: "QUERY_IS_TOO_LARGE",
        321: "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE",
        349: "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN",
        407: "DECIMAL_OVERFLOW",
        469: "VIOLATED_CONSTRAINT",
    },
}
CLASS: dict[int, str] = {code: about for about, codes in _BY_CLASS.items() for code in codes}
"""Class of an error (``errors.About``) by its code."""
NAMES: dict[int, str] = {code: name for codes in _BY_CLASS.values() for code, name in codes.items()}
"""ClickHouse's name of a code."""

SHOWN = frozenset({16, 47, 57, 60, 81, 115, 164, 192, 452, 472, 497, 511, 516})
"""Codes whose messages name tables, columns, rights, users and settings before any quotation."""
_QUOTATION = re.compile(
    r"\.? (?:in scope|Maybe you meant|While|\(line) .*", re.IGNORECASE | re.DOTALL
)

_NO_RIGHT = (
    "let the connection's user do it: our tables need SELECT, INSERT, CREATE TABLE, ALTER ADD COLUMN, "
    "CREATE VIEW and DROP VIEW"
)
_NO_NAME = "correct the name, or the Schema of the connection, which is its database"
_NO_LOGIN = "correct login and password of the connection"
_NO_SERVER = "check host, port and secure of the connection, and that the server runs"

ADVICE: dict[int, str] = {
    16: _NO_NAME,
    47: _NO_NAME,
    60: _NO_NAME,
    81: _NO_NAME,
    164: "let the user write and change settings: its profile is read only",
    192: _NO_LOGIN,
    193: _NO_LOGIN,
    194: _NO_LOGIN,
    241: "give the server, or the user, more memory",
    242: "see why the server's table is read only; it may have lost its Keeper",
    252: "let fewer tasks write at once, until the server has merged what was written",
    291: _NO_RIGHT,
    452: "let the user change the setting",
    497: _NO_RIGHT,
    516: _NO_LOGIN,
}
"""Next step by code."""

CLIENT = "clickhouse_connect"
"""Package of the client."""


def code_of(error: Any) -> int:
    """Return the code of an error; 0 if the server has given none."""
    code = getattr(error, "code", None)
    return code if isinstance(code, int) else 0


def class_of(error: Exception) -> str:
    """Return the class of a client's error, a value of ``errors.About``."""
    code = code_of(error)
    if not code:
        return "connection" if "OperationalError" in type(error).__name__ else "other"
    return CLASS.get(code, "other")


def advice_on(error: Exception) -> str:
    """Return the next step after an error; empty if there is none."""
    code = code_of(error)
    if not code and class_of(error) == "connection":
        return _NO_SERVER
    return ADVICE.get(code, "")


def message_of(error: Exception) -> str:
    """Return the part of a message that is shown: the code's name, and what was not found or allowed."""
    code = code_of(error)
    if code not in SHOWN:
        return NAMES.get(code, "")
    _, _, text = str(error).partition("DB::Exception: ")
    shown = _QUOTATION.sub("", text.splitlines()[0] if text else "").removesuffix(
        f"({NAMES[code]})"
    )
    return ": ".join(filter(None, (NAMES[code], shown.strip(" .:"))))


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
