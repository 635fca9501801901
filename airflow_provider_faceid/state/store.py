"""State store: transactions, retries and connections of the SQL database that all workers share.

SQLite serves workers on one host, PostgreSQL on several, also behind a transaction-pooling pgbouncer.
The first process creates and migrates the tables.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from .. import process as forks
from ..clock import SYSTEM_CLOCK, Clock
from ..exceptions import ConfigurationError, StateStoreError
from ..sqlstate import advice_on, cause, ends_session, is_transient, refused_parameter
from . import engines
from .process_state import ProcessState
from .schema import migrate

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine
    from sqlalchemy.engine.interfaces import DBAPICursor
    from sqlalchemy.pool import PoolProxiedConnection

T = TypeVar("T")

LOCK_SECONDS = 30
"""Seconds for which a transaction waits for a database that is locked or unreachable."""
RECONNECT_SECONDS = 0.5
"""Seconds between two attempts to connect to an unreachable server."""
BACKOFF_BASE, BACKOFF_CAP = 0.02, 1.0
"""Exponential backoff before a transaction that was rolled back is retried, in seconds."""

_BEGIN: dict[tuple[bool, bool], tuple[str, ...]] = {
    # A plain BEGIN of SQLite that reads first and then writes fails at once while others write.
    (True, True): ("PRAGMA synchronous = FULL", "BEGIN IMMEDIATE"),
    (True, False): ("PRAGMA synchronous = NORMAL", "BEGIN IMMEDIATE"),
    # A commit is as durable as the server is configured. The isolation level is explicit: a stricter
    # default of role or database would fail concurrent steps with serialization failures.
    (False, True): ("BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_current_xact_id()::text",),
    (False, False): (
        (
            "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit TO off; "
            "SELECT pg_current_xact_id()::text"
        ),
    ),
}
"""Statements that begin a transaction, by (is SQLite, is durable). Behind a pooler each transaction may
have another session, so settings are local to the transaction."""
_NOW_SQL = "extract(epoch FROM clock_timestamp())::float8"


class Survives(StrEnum):
    """Durability: the failure that a committed step of the ledger survives."""

    POWER_LOSS = "power_loss"
    """Power loss and the crash of a host: each commit waits for the disk (fsync)."""
    PROCESS_KILL = "process_kill"
    """The death of any worker process, but not of the host or the database server."""


class Moment(NamedTuple):
    """
    One moment on two clocks.

    :param now: the database's, in Unix seconds.
    :param here: this process's monotonic clock.
    """

    now: float
    here: float


class _Transaction(NamedTuple):
    """
    An open transaction.

    :param connection: the pooled connection.
    :param cursor: of the driver.
    :param number: PostgreSQL's transaction id; empty with SQLite.
    """

    connection: PoolProxiedConnection
    cursor: DBAPICursor
    number: str

    @property
    def is_lost(self) -> bool:
        """Return whether the driver has found the connection broken."""
        driver: Any = self.connection.driver_connection
        return bool(driver.closed)


class ConnectionLostError(StateStoreError):
    """
    The connection was lost in the middle of a transaction.

    :param message: cause and next step.
    :param number: the transaction id, if the transaction may have been committed; else empty.
    """

    def __init__(self, message: str, number: str = "") -> None:
        super().__init__(message)
        self.number = number


class RolledBackError(StateStoreError):
    """The database rolled a transaction back for a transient reason, such as a deadlock."""


class StateStore:
    """
    A state database. Safe for threads, and for processes forked after it was made.

    :param url: SQLAlchemy URL, ``sqlite:////path`` or ``postgresql+psycopg://...``.
    :param clock: this machine's clock.
    :param survives: durability of a durable transaction once it is committed.
    :raises ConfigurationError: the URL is of another kind of database.
    :ivar process: state that the ledgers of this process share.
    :ivar is_sqlite: whether the database is SQLite, else PostgreSQL.
    :ivar marker: placeholder of parameters in SQL.
    :ivar now_sql: SQL expression of the database's time, see :meth:`moment`.
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
        self.process = ProcessState()
        forks.register_fork_hook(self)
        kind = self._url.get_backend_name()
        if kind not in {"sqlite", "postgresql"}:
            raise ConfigurationError(
                f"The state store must be SQLite or PostgreSQL, not '{kind}'. Check state_conn_id"
            )
        self.is_sqlite = kind == "sqlite"
        self.marker = "?" if self.is_sqlite else "%s"
        self.now_sql = "NULL" if self.is_sqlite else _NOW_SQL

    def after_fork(self, *, is_child: bool) -> None:
        """Replace the lock in a child: a thread of the parent may have held it."""
        if is_child:
            self._lock = threading.Lock()

    def run(self, work: Callable[[DBAPICursor], T], *, durable: bool = False) -> T:
        """
        Run work in one transaction; retry it if the connection is lost or it is rolled back.

        :param work: called with a cursor of the driver. Before it is called again, everything it did
            was rolled back.
        :param durable: as for :meth:`transaction`.
        :return: what ``work`` returned.
        :raises StateStoreError: the database cannot be used.
        """
        return self._run_with_retries(self._engine(), work, durable=durable)

    def read(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        """
        Run one reading statement, in no transaction of ours: one round trip, and no lock.

        :param statement: a ``SELECT``.
        :param values: its parameters.
        :return: its rows.
        :raises StateStoreError: the database cannot be used.
        """

        def read(cursor: DBAPICursor) -> list[tuple[Any, ...]]:
            cursor.execute(statement, values)
            return [tuple(row) for row in cursor.fetchall()]

        engine = self._engine()
        connection: PoolProxiedConnection | None = None
        try:
            connection = engine.raw_connection()
            found = read(connection.cursor())
            connection.close()
        except self._driver_errors:
            if connection is not None:
                connection.invalidate()
            return self.run(read)  # which waits for a database that is away
        return found

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[DBAPICursor]:
        """
        Open a transaction; yield a cursor of the driver.

        SQLAlchemy provides only the pooled connection: its statements cost several times as much.

        :param durable: whether the commit must survive what :class:`Survives` says; the rate limiter,
            for one, need not.
        :raises ConnectionLostError: the connection was lost.
        :raises RolledBackError: the transaction was rolled back for a transient reason.
        :raises StateStoreError: the database cannot be opened, read or written.
        """
        with self._transaction(self._engine(), durable=durable) as cursor:
            yield cursor

    def moment(self, now: float | None) -> Moment:
        """
        Return the database's time, the same for all workers, and the monotonic time.

        SQLite has no server, so its time is that of the host, on which all its users run.

        :param now: value of ``now_sql`` in this transaction, just read; None with SQLite.
        """
        return Moment(self._clock.now() if now is None else now, self._clock.monotonic())

    def maintain(self, statement: str) -> list[Any]:
        """
        Run a statement that no transaction may contain, such as ``VACUUM``; return its rows.

        :raises StateStoreError: it failed.
        """
        try:
            connection = self._engine().raw_connection()
            try:
                cursor = connection.cursor()
                cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []
            finally:
                connection.close()
        except self._driver_errors as error:
            raise StateStoreError(f"{statement} failed ({cause(error)})") from None

    def close(self) -> None:
        """Close this process's connections."""
        with self._lock:
            engine = self._engines.pop(os.getpid(), None)
        if engine is not None:
            engine.dispose()

    def _engine(self) -> Engine:
        """Return this process's engine: connections must not be shared across a fork."""
        with self._lock:
            engine = self._engines.get(os.getpid())
            if engine is None:
                engine = (
                    engines.sqlite(self._url, LOCK_SECONDS)
                    if self.is_sqlite
                    else engines.postgresql(self._url)
                )
                try:
                    self._run_with_retries(engine, self._migrate, durable=True)
                except BaseException:
                    engine.dispose()
                    raise
                self._engines[os.getpid()] = engine
        return engine

    def _migrate(self, cursor: DBAPICursor) -> None:
        migrate(cursor, is_sqlite=self.is_sqlite)

    def _run_with_retries(
        self, engine: Engine, work: Callable[[DBAPICursor], T], *, durable: bool
    ) -> T:
        end, pause = self._clock.monotonic() + LOCK_SECONDS, BACKOFF_BASE
        while True:
            try:
                with self._transaction(engine, durable=durable) as cursor:
                    result = work(cursor)
            except ConnectionLostError as error:
                if self._clock.monotonic() >= end:
                    raise
                if error.number and self._was_committed(engine, error):
                    return result
            except RolledBackError:
                if self._clock.monotonic() >= end:
                    raise
                self._clock.sleep(pause * self._clock.jitter(0.5, 1.5))
                pause = min(BACKOFF_CAP, 2 * pause)
            else:
                return result

    @contextmanager
    def _transaction(self, engine: Engine, *, durable: bool) -> Iterator[DBAPICursor]:
        is_lost, number = False, ""
        try:
            begun = self._begin(engine, durable=durable)
            try:
                yield begun.cursor
                number = begun.number
                begun.cursor.execute("COMMIT")
            except self._driver_errors as error:
                is_lost = bool(begun.number) and (begun.is_lost or ends_session(error))
                if is_lost:
                    begun.connection.invalidate()
                raise
            finally:
                begun.connection.close()  # rolls back what was not committed
        except self._driver_errors as error:
            text = (
                f"The state store {self._place} cannot be used ({cause(error)}). {_advice(error)}; "
                "nothing is sent without it, because ledger and rate limiter are in it"
            )
            if is_lost:
                raise ConnectionLostError(text, number) from None
            raise (RolledBackError if is_transient(error) else StateStoreError)(text) from None

    def _was_committed(self, engine: Engine, lost: ConnectionLostError) -> bool:
        """
        Return whether a transaction was committed whose COMMIT was not acknowledged.

        :param lost: the error that carries its transaction id.
        :raises StateStoreError: the server does not know.
        """
        end = self._clock.monotonic() + LOCK_SECONDS
        status = "in progress"
        while status == "in progress" and self._clock.monotonic() < end:
            with (
                suppress(ConnectionLostError, RolledBackError),
                self._transaction(engine, durable=False) as cursor,
            ):
                cursor.execute("SELECT pg_xact_status(%s::text::xid8)", (lost.number,))
                status = cursor.fetchall()[0][0]
            if status == "in progress":
                self._clock.sleep(RECONNECT_SECONDS)
        if status not in {"committed", "aborted"}:
            raise lost
        return bool(status == "committed")

    def _begin(self, engine: Engine, *, durable: bool) -> _Transaction:
        """Begin a transaction; wait for an unreachable server as for a locked SQLite file."""
        begin = _BEGIN[self.is_sqlite, durable and self._survives is Survives.POWER_LOSS]
        end = self._clock.monotonic() + (0 if self.is_sqlite else LOCK_SECONDS)
        while True:
            connection: PoolProxiedConnection | None = None
            try:
                connection = engine.raw_connection()
                cursor = connection.cursor()
                for statement in begin:
                    cursor.execute(statement)
                number = "" if self.is_sqlite else _last_value(cursor)
            except BaseException as error:
                if connection is not None:
                    connection.invalidate()
                if not isinstance(error, self._driver_errors) or refused_parameter(error):
                    raise
                if self._clock.monotonic() >= end:
                    raise
                engine.dispose()  # a restarted server has dropped all pooled connections
                self._clock.sleep(RECONNECT_SECONDS)
            else:
                return _Transaction(connection, cursor, number)

    @property
    def _place(self) -> str:
        """Return the location of the store; other parts of its URL may hold passwords."""
        if self.is_sqlite:
            return f"{self._url.database}"
        host = self._url.host or self._url.query.get("host", "")
        return f"'{self._url.database}' at {host}:{self._url.port or 5432}"

    @cached_property
    def _driver_errors(self) -> tuple[type[Exception], ...]:
        """Return the error classes of the driver and of SQLAlchemy."""
        from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - as above

        if self.is_sqlite:
            return sqlite3.Error, DBAPIError
        import psycopg  # noqa: PLC0415 - comes with the extra postgres

        return psycopg.Error, DBAPIError


def _advice(error: BaseException) -> str:
    """Return the next step for an error of the database."""
    parameter = refused_parameter(error)
    if parameter:
        return advice_on(parameter)
    if cause(error).endswith("SQLITE_BUSY"):
        return f"Another process has held its write lock for {LOCK_SECONDS:.0f} s: is one stopped?"
    return "Check state_conn_id and the database"


def _last_value(cursor: Any) -> str:
    """Return the single value of the last of several statements."""
    while cursor.nextset():
        pass
    return str(cursor.fetchall()[0][0])
