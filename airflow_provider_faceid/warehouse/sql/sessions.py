"""Sessions of drivers: configured explicitly, whatever role, Extra, pooler or server say by default."""

from __future__ import annotations

import math
import sqlite3
from typing import Any

from ...clock import SYSTEM_CLOCK
from ..records import Unreadable


def configure_nothing(connection: Any) -> Any:
    """Return a connection as it is."""
    return connection


def configure_sqlite(connection: Any) -> Any:
    """Let us begin transactions, not the driver."""
    connection.isolation_level = None
    return connection


def configure_mysql(connection: Any) -> Any:
    """Return a session of ours, whichever client it is."""
    from .mysql import MySQLConnection  # noqa: PLC0415 - its clients come with the extra

    return MySQLConnection(connection)


def configure_clickhouse(client: Any) -> Any:
    """Return a client of clickhouse-connect as a DB-API connection, with a session of ours."""
    from .clickhouse import ClickHouseConnection  # noqa: PLC0415 - kept out of other databases

    return ClickHouseConnection(client)


def configure_postgresql(connection: Any) -> Any:
    """
    Configure a fresh session of psycopg 3 or psycopg2, without a request to the server.

    - Transactions set READ COMMITTED explicitly when they begin: under a stricter default of the
      role, concurrent writers of one table would fail with serialization errors.
    - No statement is prepared: it would live in one server session, and behind pgbouncer in
      transaction mode each transaction has another one.
    - Rows are tuples: the Extra of Airflow's connection may ask for dictionaries.
    """
    if hasattr(connection, "prepare_threshold"):
        from psycopg import IsolationLevel  # noqa: PLC0415 - comes with the extra postgres
        from psycopg.rows import tuple_row  # noqa: PLC0415 - the same

        connection.prepare_threshold = None
        connection.isolation_level = IsolationLevel.READ_COMMITTED
        connection.row_factory = tuple_row
    else:  # psycopg2, which prepares nothing
        connection.isolation_level = "READ COMMITTED"
        connection.cursor_factory = None
    read_text_leniently(connection)
    return connection


def limit_nothing(connection: Any, seconds: float) -> None:
    """Leave a connection that is read from as it is: statements say what there is to say."""


def limit_sqlite(connection: Any, seconds: float) -> None:
    """Let queries of SQLite, which has no time limit of its own, end after some seconds."""
    end = SYSTEM_CLOCK.monotonic() + seconds
    connection.set_progress_handler(lambda: SYSTEM_CLOCK.monotonic() > end, 10_000)


def limit_postgresql(connection: Any, seconds: float) -> None:  # noqa: ARG001 - see Dialect.limit
    """Let the driver begin read-only transactions; a setting of the session would outlive it in a pooler."""
    if hasattr(connection, "prepare_threshold"):
        connection.read_only = True
    else:  # psycopg2
        connection.readonly = True


def limit_clickhouse(connection: Any, seconds: float) -> None:
    """Let each query end after some seconds, and change nothing."""
    connection.client.set_client_setting("max_execution_time", math.ceil(seconds))
    connection.client.set_client_setting("readonly", 2)  # 1 would refuse settings, too


def is_decoding_error(error: Exception, connection: Any) -> bool:
    """
    Say whether a driver could not decode the text of a row, and can return the bytes instead.

    SQLite itself has no code for it, and psycopg2 cannot return the bytes.
    """
    if isinstance(error, sqlite3.OperationalError):
        return getattr(error, "sqlite_errorcode", None) is None
    return isinstance(error, UnicodeDecodeError) and hasattr(connection, "adapters")


def lenient(raw: bytes) -> str | Unreadable:
    """Return text, or bytes that are none."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return Unreadable(raw)


def read_all_text(connection: Any, sql: str, parameters: tuple[Any, ...]) -> list[Any]:
    """Read rows of which a driver cannot read some text."""
    if isinstance(connection, sqlite3.Connection):
        connection.text_factory = lenient
        try:
            return connection.execute(sql, parameters).fetchall()
        finally:
            connection.text_factory = str
    cursor = connection.cursor()
    try:
        _load_leniently(cursor, connection.info.encoding)
        return list(cursor.execute(sql, parameters).fetchall())
    finally:
        cursor.close()


def read_text_leniently(connection: Any) -> None:
    """Let psycopg read text of a database that has no encoding (SQL_ASCII), which it leaves as bytes."""
    info = getattr(connection, "info", None)
    if getattr(info, "encoding", "") == "ascii" and hasattr(connection, "adapters"):
        _load_leniently(connection, "utf-8")


def _load_leniently(context: Any, encoding: str) -> None:
    from psycopg.adapt import Loader  # noqa: PLC0415 - comes with the extra postgres

    class LenientLoader(Loader):
        """Reads text, or bytes that are none."""

        def load(self, data: Any) -> str | Unreadable:
            raw = bytes(data)
            try:
                return raw.decode(encoding)
            except UnicodeDecodeError:
                return Unreadable(raw)

    for type_ in ("text", "varchar", "bpchar", "name"):
        context.adapters.register_loader(type_, LenientLoader)


def counted_rows(cursor: Any) -> int:
    """Return how many rows the last statement of a cursor has changed, as its driver counts them."""
    return int(cursor.rowcount)


def fetched_count(cursor: Any) -> int:
    """Return the same of DuckDB, which returns it as a row."""
    return int(cursor.fetchone()[0])
