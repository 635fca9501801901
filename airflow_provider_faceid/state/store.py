"""The state store: one SQL database that all workers of an account share.

SQLite for workers on one host, PostgreSQL for several. It is made and brought up to date by itself,
by whichever process comes first.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from ..clock import SYSTEM_CLOCK, Clock
from ..exceptions import ConfigurationError, StateStoreError

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine
    from sqlalchemy.engine.interfaces import DBAPICursor
    from sqlalchemy.pool import PoolProxiedConnection

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE faceid_pace (
            name VARCHAR(200) PRIMARY KEY,
            next_at DOUBLE PRECISION NOT NULL,
            factor DOUBLE PRECISION NOT NULL,
            factor_at DOUBLE PRECISION NOT NULL
        )""",
    ),
    (
        """CREATE TABLE faceid_identity_uses (
            counter BIGINT PRIMARY KEY,
            used INTEGER NOT NULL,
            ends DOUBLE PRECISION NOT NULL
        )""",
    ),
    (
        """CREATE TABLE faceid_tries (
            owner VARCHAR(500) PRIMARY KEY,
            number INTEGER NOT NULL,
            seen_at DOUBLE PRECISION NOT NULL
        )""",
        """CREATE TABLE faceid_calls (
            call_key CHAR(40) PRIMARY KEY,
            source_key TEXT NOT NULL,
            owner VARCHAR(500) NOT NULL,
            try_number INTEGER NOT NULL,
            state VARCHAR(10) NOT NULL,
            changed_at DOUBLE PRECISION NOT NULL,
            answer TEXT
        )""",
    ),
    ("ALTER TABLE faceid_tries ADD COLUMN charged INTEGER NOT NULL DEFAULT 0",),
)
"""Statements that lead from one version of the tables to the next; only ever added to."""

LOCK_SECONDS = 30
"""How long a step waits for a database that is locked, or away."""
STATEMENTS_KEPT = 16
"""Of SQLite's prepared statements: those for many rows at once take hundreds of kilobytes each."""
AGAIN_SECONDS = 0.5
"""Between two attempts to reach a server that is away."""

_BEGIN: dict[tuple[bool, bool], tuple[str, ...]] = {
    # A plain BEGIN of SQLite that reads first and then writes fails at once while others write.
    (True, True): ("PRAGMA synchronous = FULL", "BEGIN IMMEDIATE"),
    (True, False): ("PRAGMA synchronous = NORMAL", "BEGIN IMMEDIATE"),
    (False, True): ("BEGIN",),  # a commit waits for the disk as the server is configured
    (False, False): ("BEGIN; SET LOCAL synchronous_commit TO off",),
}
"""How a transaction begins, by (is SQLite, waits for the disk at its end)."""
_CLOCK = "extract(epoch FROM clock_timestamp())::float8"
_ADVISORY_LOCK = 0xFACE1D
"""Number under which processes queue to migrate a PostgreSQL database."""


class Survives(StrEnum):
    """What the ledger of calls outlives."""

    POWER_LOSS = "power_loss"
    """Power loss, and the crash of a host: each step waits for the disk."""
    PROCESS_KILL = "process_kill"
    """The death of any process of ours, but not of the host or the database's server."""


class Moment(NamedTuple):
    """One moment on two clocks: ``now`` of the database, ``here`` of this process (monotonic)."""

    now: float
    here: float


class StateStore:
    """
    A state database. Safe for threads, and for processes forked after it was made.

    :param url: SQLAlchemy URL, ``sqlite:////path`` or ``postgresql+psycopg://...``.
    :param survives: what a durable transaction outlives once it is committed.
    :raises ConfigurationError: another kind of database.
    """

    def __init__(
        self,
        url: str | URL,
        clock: Clock = SYSTEM_CLOCK,
        survives: Survives = Survives.POWER_LOSS,
    ) -> None:
        from sqlalchemy import make_url  # noqa: PLC0415 - heavy, and not every process needs it

        self._url = make_url(url)
        self._clock, self._survives = clock, survives
        self._engines: dict[int, Engine] = {}
        self._lock = threading.Lock()
        kind = self._url.get_backend_name()
        if kind not in {"sqlite", "postgresql"}:
            raise ConfigurationError(
                f"The state store must be SQLite or PostgreSQL, not '{kind}'. Check state_conn_id"
            )
        self.is_sqlite = kind == "sqlite"
        self.marker = "?" if self.is_sqlite else "%s"
        self.now_sql = "NULL" if self.is_sqlite else _CLOCK

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[DBAPICursor]:
        """
        Give a cursor of the driver in a transaction.

        SQLAlchemy lends the connection only: its statements cost several times what ours do.

        :param durable: whether it may not be forgotten: who loses the pace loses nothing.
        :raises StateStoreError: the database cannot be opened, read or written.
        """
        try:
            with _transaction(self._begin(self._engine(), durable=durable)) as cursor:
                yield cursor
        except self._faults as error:
            kind = type(getattr(error, "orig", error)).__name__
            raise StateStoreError(
                f"The state store {self._url.render_as_string()} cannot be used ({kind}). Check "
                "state_conn_id and the database; nothing is sent without it, because nobody would "
                "know the pace"
            ) from None

    def moment(self, now: float | None) -> Moment:
        """
        Return the time all workers agree on: the database's, in seconds since 1970.

        SQLite's is that of its host, where all its users are.

        :param now: what ``now_sql`` gave in this transaction, a moment ago.
        """
        return Moment(self._clock.now() if now is None else now, self._clock.monotonic())

    def close(self) -> None:
        """Close this process's connections."""
        with self._lock:
            engine = self._engines.pop(os.getpid(), None)
        if engine is not None:
            engine.dispose()

    def _engine(self) -> Engine:
        """Return this process's engine: connections do not survive a fork."""
        with self._lock:
            engine = self._engines.get(os.getpid())
            if engine is None:
                engine = _sqlite(self._url) if self.is_sqlite else _postgresql(self._url)
                try:
                    with _transaction(self._begin(engine, durable=True)) as cursor:
                        _migrate(cursor, is_sqlite=self.is_sqlite)
                except BaseException:
                    engine.dispose()
                    raise
                self._engines[os.getpid()] = engine
        return engine

    def _begin(self, engine: Engine, *, durable: bool) -> tuple[PoolProxiedConnection, DBAPICursor]:
        """Begin a transaction; a server that is away is waited for, as a locked file is."""
        begin = _BEGIN[self.is_sqlite, durable and self._survives is Survives.POWER_LOSS]
        end = self._clock.monotonic() + (0 if self.is_sqlite else LOCK_SECONDS)
        while True:
            connection: PoolProxiedConnection | None = None
            try:
                connection = engine.raw_connection()
                cursor = connection.cursor()
                for statement in begin:
                    cursor.execute(statement)
            except BaseException as error:
                if connection is not None:
                    connection.invalidate()
                if not isinstance(error, self._faults) or self._clock.monotonic() >= end:
                    raise
                engine.dispose()  # a server that was restarted knows none of the connections
                self._clock.sleep(AGAIN_SECONDS)
            else:
                return connection, cursor

    @cached_property
    def _faults(self) -> tuple[type[Exception], ...]:
        """Return what the driver raises, and what SQLAlchemy makes of it."""
        from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - as above

        if self.is_sqlite:
            return sqlite3.Error, DBAPIError
        import psycopg  # noqa: PLC0415 - comes with the extra postgres

        return psycopg.Error, DBAPIError


def _sqlite(url: URL) -> Engine:
    from sqlalchemy import create_engine, event  # noqa: PLC0415 - as above

    options = {
        "timeout": LOCK_SECONDS,
        "check_same_thread": False,
        "cached_statements": STATEMENTS_KEPT,
    }
    engine = create_engine(url, connect_args=options)

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions are begun by ourselves
        # Refused while others use the file, who may be changing its journal at this moment.
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = WAL").close()

    return engine


def _postgresql(url: URL) -> Engine:
    from sqlalchemy import create_engine  # noqa: PLC0415 - as above

    # Transactions are begun by ourselves: the driver would begin each in a trip of its own.
    return create_engine(url, isolation_level="AUTOCOMMIT")


@contextmanager
def _transaction(begun: tuple[PoolProxiedConnection, DBAPICursor]) -> Iterator[DBAPICursor]:
    """Commit what is done with the cursor, or nothing of it."""
    connection, cursor = begun
    try:
        yield cursor
        cursor.execute("COMMIT")
    finally:
        connection.close()  # rolls back what was not committed


def _migrate(cursor: DBAPICursor, *, is_sqlite: bool) -> None:
    run = cursor.execute
    if not is_sqlite:
        run(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
    run("CREATE TABLE IF NOT EXISTS faceid_state_version (version INTEGER NOT NULL)")
    run("SELECT COALESCE(MAX(version), 0) FROM faceid_state_version")
    version = cursor.fetchall()[0][0]
    if version > len(MIGRATIONS):
        raise ConfigurationError(
            f"The state store is of version {version}, newer than this provider knows "
            f"({len(MIGRATIONS)}). Bring all workers to the same version"
        )
    for number, statements in enumerate(MIGRATIONS[version:], version + 1):
        for statement in statements:
            run(statement)
        run(f"INSERT INTO faceid_state_version VALUES ({number})")
