"""The state store: one SQL database that all workers of an account share.

SQLite for workers on one host, PostgreSQL for several. It is made and brought up to date by itself,
by whichever process comes first.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from .. import process as forks
from ..clock import SYSTEM_CLOCK, Clock
from ..exceptions import ConfigurationError, StateStoreError
from ..sqlstate import advice_on, cause, ends_session, is_transient, refused_parameter
from .schema import migrate

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine
    from sqlalchemy.engine.interfaces import DBAPICursor
    from sqlalchemy.pool import PoolProxiedConnection

T = TypeVar("T")

LOCK_SECONDS = 30
"""How long a step waits for a database that is locked, or away."""
CACHED_STATEMENTS = 16
"""Of SQLite's prepared statements: those for many rows at once take hundreds of kilobytes each."""
RECONNECT_SECONDS = 0.5
"""Between two attempts to reach a server that is away."""
BACKOFF_BASE, BACKOFF_CAP = 0.02, 1.0
"""Seconds before a transaction that was rolled back is repeated; doubled for each further time."""

_BEGIN: dict[tuple[bool, bool], tuple[str, ...]] = {
    # A plain BEGIN of SQLite that reads first and then writes fails at once while others write.
    (True, True): ("PRAGMA synchronous = FULL", "BEGIN IMMEDIATE"),
    (True, False): ("PRAGMA synchronous = NORMAL", "BEGIN IMMEDIATE"),
    # A commit waits for the disk as the server is configured. The isolation is ours whatever a role's
    # or database's default is: a stricter one would refuse steps that wait for each other.
    (False, True): ("BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_current_xact_id()::text",),
    (False, False): (
        (
            "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit TO off; "
            "SELECT pg_current_xact_id()::text"
        ),
    ),
}
"""How a transaction begins, by (is SQLite, waits for the disk at its end). Behind a pooler the next
one has another session: whatever is set is set for the transaction."""
_NOW_SQL = "extract(epoch FROM clock_timestamp())::float8"


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


class ProcessState:
    """
    What the ledgers of one process share.

    :ivar attempts: those begun, by owner: number, and whether there are keys of earlier versions. A
        forked child goes on with those of its parent.
    :ivar is_shared: whether other processes may go on with them, too.
    :ivar calling: how often each key is being claimed or called for.
    :ivar unwritten: keys of calls that have ended here without being recorded.
    :ivar lock: guards both.
    :ivar joining: held while an attempt is begun.
    """

    def __init__(self) -> None:
        self.attempts: dict[str, tuple[int, bool]] = {}
        self.is_shared = False
        self.after_fork(is_child=True)
        forks.concerns(self)

    def after_fork(self, *, is_child: bool) -> None:
        """Share the attempts that were begun; what a child calls for is its own."""
        self.is_shared = self.is_shared or bool(self.attempts)
        if is_child:
            self.calling: dict[str, int] = {}
            self.unwritten: set[str] = set()
            self.lock, self.joining = threading.Lock(), threading.Lock()

    def begin(self, keys: Iterable[str]) -> None:
        """Take note of keys that will be claimed."""
        with self.lock:
            for key in keys:
                self.calling[key] = self.calling.get(key, 0) + 1

    def end(self, keys: Iterable[str]) -> None:
        """Take note of keys that are not called for, or not any more."""
        with self.lock:
            for key in keys:
                left = self.calling.pop(key, 0) - 1
                if left > 0:
                    self.calling[key] = left


class _Transaction(NamedTuple):
    """A transaction under way; ``number`` is the server's own, and SQLite has none."""

    connection: PoolProxiedConnection
    cursor: DBAPICursor
    number: str

    @property
    def is_lost(self) -> bool:
        """Say whether the driver has found the connection broken."""
        driver: Any = self.connection.driver_connection
        return bool(driver.closed)


class ConnectionLostError(StateStoreError):
    """
    The server has gone away in the middle of a transaction.

    :param number: the transaction's, if it may have been committed all the same.
    """

    def __init__(self, message: str, number: str = "") -> None:
        super().__init__(message)
        self.number = number


class RolledBackError(StateStoreError):
    """The server has rolled a transaction back for a reason that passes, such as a deadlock."""


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
        self.process = ProcessState()
        forks.concerns(self)
        kind = self._url.get_backend_name()
        if kind not in {"sqlite", "postgresql"}:
            raise ConfigurationError(
                f"The state store must be SQLite or PostgreSQL, not '{kind}'. Check state_conn_id"
            )
        self.is_sqlite = kind == "sqlite"
        self.marker = "?" if self.is_sqlite else "%s"
        self.now_sql = "NULL" if self.is_sqlite else _NOW_SQL

    def after_fork(self, *, is_child: bool) -> None:
        """Let a child open the store whatever its parent's threads were doing with it."""
        if is_child:
            self._lock = threading.Lock()

    def run(self, work: Callable[[DBAPICursor], T], *, durable: bool = False) -> T:
        """
        Do some work in one transaction, and again if the server goes away or rolls it back.

        :param work: what to do with a cursor of the driver. When it is called again nothing of what
            it did before is left.
        :param durable: as for :meth:`transaction`.
        :raises StateStoreError: the database cannot be used.
        """
        return self._run_with_retries(self._engine(), work, durable=durable)

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[DBAPICursor]:
        """
        Give a cursor of the driver in a transaction.

        SQLAlchemy lends the connection only: its statements cost several times what ours do.

        :param durable: whether it may not be forgotten: who loses the pace loses nothing.
        :raises LostError: the server has gone away.
        :raises RolledBackError: nothing of it was done; the same may succeed a moment later.
        :raises StateStoreError: the database cannot be opened, read or written.
        """
        with self._transaction(self._engine(), durable=durable) as cursor:
            yield cursor

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
                "nothing is sent without it, because nobody would know the pace"
            )
            if is_lost:
                raise ConnectionLostError(text, number) from None
            raise (RolledBackError if is_transient(error) else StateStoreError)(text) from None

    def _was_committed(self, engine: Engine, lost: ConnectionLostError) -> bool:
        """
        Ask the server what became of a transaction whose end we did not hear of.

        :raises StateStoreError: it does not know.
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
                number = "" if self.is_sqlite else _last_value(cursor)
            except BaseException as error:
                if connection is not None:
                    connection.invalidate()
                if not isinstance(error, self._driver_errors) or refused_parameter(error):
                    raise
                if self._clock.monotonic() >= end:
                    raise
                engine.dispose()  # a server that was restarted knows none of the connections
                self._clock.sleep(RECONNECT_SECONDS)
            else:
                return _Transaction(connection, cursor, number)

    @property
    def _place(self) -> str:
        """Say where the store is, and nothing else of its URL: parameters may hold passwords."""
        if self.is_sqlite:
            return f"{self._url.database}"
        host = self._url.host or self._url.query.get("host", "")
        return f"'{self._url.database}' at {host}:{self._url.port or 5432}"

    @cached_property
    def _driver_errors(self) -> tuple[type[Exception], ...]:
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
        "cached_statements": CACHED_STATEMENTS,
    }
    engine = create_engine(url, connect_args=options)
    _make_private(url.database)

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions are begun by ourselves
        # Refused while others use the file, who may be changing its journal at this moment.
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = WAL").close()

    return engine


def _make_private(path: str | None) -> None:
    """Make a new file for its owner alone; its journal gets the same rights. An old one keeps its own."""
    with suppress(OSError):  # whatever is wrong, opening it says so
        os.close(os.open(path or "", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _postgresql(url: URL) -> Engine:
    from sqlalchemy import create_engine  # noqa: PLC0415 - as above

    # Transactions are begun by ourselves: the driver would begin each in a trip of its own. A prepared
    # statement lives in a session of the server, and pgbouncer gives the next transaction another.
    return create_engine(
        url, isolation_level="AUTOCOMMIT", connect_args={"prepare_threshold": None}
    )


def _advice(error: BaseException) -> str:
    """Say what to look at."""
    parameter = refused_parameter(error)
    if parameter:
        return advice_on(parameter)
    if cause(error).endswith("SQLITE_BUSY"):
        return f"Another process has held its write lock for {LOCK_SECONDS:.0f} s: is one stopped?"
    return "Check state_conn_id and the database"


def _last_value(cursor: Any) -> str:
    """Return the one value of the last of some statements."""
    while cursor.nextset():
        pass
    return str(cursor.fetchall()[0][0])
