"""A PostgreSQL session as we rely on it, whatever a role, a connection's Extra or a pooler makes of it."""

from __future__ import annotations

from typing import Any


def settle(connection: Any) -> None:
    """
    Set a fresh connection of psycopg 3 or psycopg2 up; nothing is sent to the server for it.

    - Transactions are READ COMMITTED, and say so when they begin: under a stricter default of the
      role, writers of one table would refuse each other.
    - No statement is prepared: it would live in a session of the server, and behind pgbouncer each
      transaction has another one.
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
