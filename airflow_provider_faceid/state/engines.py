"""Engines: connections of the state store to SQLite and PostgreSQL, through SQLAlchemy's pool."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

CACHED_STATEMENTS = 16
"""SQLite's statement cache per connection: statements for many rows take hundreds of kilobytes each."""


def sqlite(url: URL, lock_seconds: float) -> Engine:
    """
    Return the engine of a SQLite file, which is made private.

    :param lock_seconds: for how long a transaction waits for its lock.
    """
    from sqlalchemy import create_engine, event  # noqa: PLC0415 - heavy, and not every process needs it

    options = {
        "timeout": lock_seconds,
        "check_same_thread": False,
        "cached_statements": CACHED_STATEMENTS,
    }
    engine = create_engine(url, connect_args=options)
    _make_private(url.database)

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # BEGIN is explicit, see store.py
        # Fails while another process uses the file, which may be changing the journal mode itself.
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = WAL").close()

    return engine


def _make_private(path: str | None) -> None:
    """Create a new file with mode 0600, which its journal inherits; leave an existing file as it is."""
    with suppress(OSError):  # opening it later reports the error
        os.close(os.open(path or "", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def postgresql(url: URL) -> Engine:
    """Return the engine of a PostgreSQL server, perhaps behind a transaction-pooling pgbouncer."""
    from sqlalchemy import create_engine  # noqa: PLC0415 - as above

    # AUTOCOMMIT, as BEGIN is explicit: the driver's own would cost a round trip. No prepared statements:
    # they live in a server session, and pgbouncer gives the next transaction another session.
    return create_engine(
        url, isolation_level="AUTOCOMMIT", connect_args={"prepare_threshold": None}
    )
