"""The state store: one SQL database that all workers of an account share.

SQLite for workers on one host, PostgreSQL for several. It is made and brought up to date by itself,
by whichever process comes first.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from sqlite3 import OperationalError
from typing import TYPE_CHECKING, Any, NamedTuple

from ..clock import SYSTEM_CLOCK, Clock
from ..exceptions import ConfigurationError, StateStoreError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE faceid_pace (
            name VARCHAR(200) PRIMARY KEY,
            next_at DOUBLE PRECISION NOT NULL,
            factor DOUBLE PRECISION NOT NULL,
            factor_at DOUBLE PRECISION NOT NULL
        )""",
    ),
)
"""Statements that lead from one version of the tables to the next; only ever added to."""

LOCK_SECONDS = 30
_ADVISORY_LOCK = 0xFACE1D
"""Number under which processes queue to migrate a PostgreSQL database."""


class Moment(NamedTuple):
    """One moment on two clocks: ``now`` of the database, ``here`` of this process (monotonic)."""

    now: float
    here: float


class StateStore:
    """
    A state database. Safe for threads, and for processes forked after it was made.

    :param url: SQLAlchemy URL, ``sqlite:////path`` or ``postgresql+psycopg://...``.
    :raises ConfigurationError: another kind of database.
    """

    def __init__(self, url: str | URL, clock: Clock = SYSTEM_CLOCK) -> None:
        from sqlalchemy import make_url  # noqa: PLC0415 - heavy, and not every process needs it

        self._url = make_url(url)
        self._clock = clock
        self._engines: dict[int, Engine] = {}
        self._lock = threading.Lock()
        kind = self._url.get_backend_name()
        if kind not in {"sqlite", "postgresql"}:
            raise ConfigurationError(
                f"The state store must be SQLite or PostgreSQL, not '{kind}'. Check state_conn_id"
            )
        self.is_sqlite = kind == "sqlite"
        self.marker = "?" if self.is_sqlite else "%s"

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """
        Give a connection in a transaction.

        :raises StateStoreError: the database cannot be opened, read or written.
        """
        from sqlalchemy.exc import DatabaseError  # noqa: PLC0415 - as above

        try:
            with self._engine().begin() as connection:
                yield connection
        except DatabaseError as error:
            raise StateStoreError(
                f"The state store {self._url.render_as_string()} cannot be used "
                f"({type(error.orig).__name__}). Check state_conn_id and the database; nothing is "
                "sent without it, because nobody would know the pace"
            ) from None

    def moment(self, connection: Connection) -> Moment:
        """
        Return the time all workers agree on: the database's, in seconds since 1970.

        SQLite's is that of its host, where all its users are.
        """
        before = self._clock.monotonic()
        if self.is_sqlite:
            return Moment(self._clock.now(), before)
        now = connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())").scalar()
        return Moment(float(now or 0), (before + self._clock.monotonic()) / 2)

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
                    _migrate(engine, is_sqlite=self.is_sqlite)
                except BaseException:
                    engine.dispose()
                    raise
                self._engines[os.getpid()] = engine
        return engine


def _sqlite(url: URL) -> Engine:
    from sqlalchemy import create_engine, event  # noqa: PLC0415 - as above

    engine = create_engine(url, connect_args={"timeout": LOCK_SECONDS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions are begun below
        # Refused while others use the file, who may be changing its journal at this moment.
        with suppress(OperationalError):
            connection.execute("PRAGMA journal_mode = WAL").close()
        connection.execute("PRAGMA synchronous = NORMAL").close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        # A plain BEGIN that reads first and then writes fails at once while another one writes.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgresql(url: URL) -> Engine:
    from sqlalchemy import create_engine  # noqa: PLC0415 - as above

    return create_engine(url, pool_pre_ping=True)


def _migrate(engine: Engine, *, is_sqlite: bool) -> None:
    with engine.begin() as connection:
        run = connection.exec_driver_sql
        if not is_sqlite:
            run(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
        run("CREATE TABLE IF NOT EXISTS faceid_state_version (version INTEGER NOT NULL)")
        version = run("SELECT MAX(version) FROM faceid_state_version").scalar() or 0
        if version > len(MIGRATIONS):
            raise ConfigurationError(
                f"The state store is of version {version}, newer than this provider knows "
                f"({len(MIGRATIONS)}). Bring all workers to the same version"
            )
        for number, statements in enumerate(MIGRATIONS[version:], version + 1):
            for statement in statements:
                run(statement)
            run(f"INSERT INTO faceid_state_version VALUES ({number})")
