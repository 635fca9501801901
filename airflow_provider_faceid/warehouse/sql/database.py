"""One database behind a DB-API connection: opened on first use, transactions, errors, lost servers.

What differs between the databases is in their :class:`~.dialects.Dialect`. Row data never passes
through Airflow's ``hook.run`` or ``insert_rows``, which log parameters.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from ...clock import SYSTEM_CLOCK, Clock
from ...exceptions import ConfigurationError, FaceIdError, WarehouseError
from .dialects import CLICKHOUSE, DUCKDB, MYSQL, POSTGRESQL, SQLITE, Dialect
from .errors import warehouse_error
from .sessions import is_decoding_error, read_all_text

__all__ = [
    "BACKOFF_SECONDS",
    "CLICKHOUSE",
    "DUCKDB",
    "MYSQL",
    "POSTGRESQL",
    "SQLITE",
    "Database",
    "Dialect",
]

T = TypeVar("T")


BACKOFF_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Exponential backoff before a read, or an idempotent write, is tried again."""


class Database:
    """
    A database, opened on first use in the thread that uses it.

    :param connect: opens a DB-API connection.
    :param dialect: which kind of database it is.
    :param label: the Airflow connection, named in error messages.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        dialect: Dialect,
        label: str,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._connect = connect
        self._connection: Any = None
        self._was_open = False
        self._clock = clock
        self.dialect = dialect
        self.label = label

    @contextmanager
    def transaction(self, doing: str) -> Iterator[Any]:
        """
        Give a cursor inside a transaction: committed at the end, rolled back on an error.

        :param doing: what is done, for the message.
        :raises WarehouseError: it could not be opened, or a statement failed; values are not part of
            the message.
        """
        cursor = self._cursor(self._open(), doing)
        try:
            if self.dialect.begin:
                cursor.execute(self.dialect.begin)
            yield cursor
            self._end(cursor, "COMMIT")
        except Exception as error:
            statement = getattr(cursor, "statement", "")
            with suppress(Exception):  # a lost connection, or a commit that failed, has no more
                self._end(cursor, "ROLLBACK")
            if isinstance(error, FaceIdError):
                raise
            raise self._error(doing, error, statement) from None
        finally:
            with suppress(Exception):
                cursor.close()

    def run(self, doing: str, work: Callable[[Any], T]) -> T:
        """
        Do some work in a transaction, and again if the server goes away meanwhile.

        :param work: uses a cursor; it must be idempotent.
        :raises WarehouseError: as for :meth:`transaction`.
        """

        def attempt() -> T:
            with self.transaction(doing) as cursor:
                return work(cursor)

        return self._repeat(attempt)

    def maintain(self, statement: str) -> list[tuple[Any, ...]]:
        """
        Run a statement that no transaction may contain, such as ``VACUUM``; return its rows.

        :raises WarehouseError: it failed.
        """
        connection = self._open()
        is_switched = self.dialect is POSTGRESQL
        try:
            if is_switched:
                connection.rollback()
                connection.autocommit = True
            cursor = self._cursor(connection, "rewriting files")
            cursor.execute(statement)
            if getattr(cursor, "description", ()) is None:  # a statement without rows
                return []
            return [tuple(row) for row in cursor.fetchall()]
        except Exception as error:  # noqa: BLE001 - every driver has its own tree of errors
            raise self._error("rewriting files", error) from None
        finally:
            if is_switched:
                connection.autocommit = False

    @contextmanager
    def changing_tables(self, cursor: Any) -> Iterator[None]:
        """Let transactions that change tables queue, also those of other processes."""
        if self.dialect.lock:
            cursor.execute(self.dialect.lock)
        try:
            yield
        finally:
            if self.dialect.unlock:  # else the end of the transaction ends it
                with suppress(Exception):  # a lost session holds no lock
                    cursor.execute(self.dialect.unlock)

    def prepare_to_write(self) -> None:
        """
        Set the database up for a writer and its readers, if it lets us.

        SQLite refuses to change its journal mode while another connection uses the file.
        """
        for statement in self.dialect.on_create:
            with suppress(FaceIdError):
                self._read(statement, ())

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """
        Return all rows of a query; it is asked again if the server goes away meanwhile.

        Text that is no text in its encoding comes as :class:`~..records.Unreadable`.

        :raises WarehouseError: the query failed; parameters are not part of the message.
        """
        return self._repeat(lambda: self._read(sql, parameters))

    @contextmanager
    def reading(self, seconds: float) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
        """
        Give a function that returns all rows of a query, in a read-only transaction.

        It writes nothing and waits for no writer. A query that fails is not asked again.

        :param seconds: limit of each query; of SQLite, of all of them together.
        :raises WarehouseError: the database cannot be opened, or a query fails or takes longer.
        """
        connection = self._open()
        cursor = self._cursor(connection, "reading")

        def ask(sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
            try:
                cursor.execute(sql, tuple(parameters))
                return [tuple(row) for row in cursor.fetchall()]
            except Exception as error:  # noqa: BLE001 - every driver has its own tree of errors
                raise self._error("reading", error, sql) from None

        try:
            try:
                self.dialect.limit(connection, seconds)
                for statement in self.dialect.begin_reading:
                    text = statement.format(math.ceil(seconds), math.ceil(seconds * 1000))
                    cursor.execute(text, ())
            except Exception as error:  # noqa: BLE001 - as above
                raise self._error("reading", error) from None
            yield ask
        finally:
            with suppress(Exception):  # a lost connection has nothing open
                connection.rollback()
            with suppress(Exception):
                cursor.close()
            self.close()

    def holds(self, text: str) -> bool:
        """Say whether the database can hold a text: its encoding may not, nor may it hold NUL."""
        try:
            self.rows(f"SELECT {self.dialect.to_text.format(self.dialect.marker)}", [text])
        except WarehouseError as error:
            if not error.is_about_data:
                raise
            return False
        return True

    def columns(self, name: str) -> set[str]:
        """
        Return the columns of a table, none if it is not there.

        :param name: its name, with a schema if there is a dot.
        """
        return {column for column, _ in self.rows(self.dialect.columns, self._parts(name))}

    def columns_in(self, cursor: Any, name: str) -> set[str]:
        """Return the same within a transaction."""
        return set(self.types_in(cursor, name))

    def types_in(self, cursor: Any, name: str) -> dict[str, str]:
        """Return the columns of a table and their types within a transaction."""
        cursor.execute(self.dialect.columns, self._parts(name))
        return dict(cursor.fetchall())

    def key_type(self, column: str, relation: str) -> tuple[str, str]:
        """
        Return type and kind of type of a key column; empty where each value has a type of its own.

        :param column: quoted, behind its alias.
        :param relation: FROM clause.
        :raises WarehouseError: the query failed.
        """
        if self.dialect.key_type:
            type_, kind = self.rows(self.dialect.key_type.format(column, relation))[0]
            return type_, kind
        if self.dialect is not MYSQL:
            return "", ""
        from .mysql import column_type  # noqa: PLC0415 - its clients come with the extra

        connection = self._open()
        try:
            return column_type(connection, column, relation), ""
        except Exception as error:  # noqa: BLE001 - every driver has its own tree of errors
            raise self._error("reading", error) from None

    def check(self, sql: str, what: str, advice: str = "") -> None:
        """
        Run a query that returns no rows, to see whether its tables and columns exist.

        :param what: the thing that is wrong if it fails, for the message.
        :param advice: stands at the end of the message.
        :raises ConfigurationError: it fails.
        """
        try:
            self.rows(sql)
        except FaceIdError as error:
            raise ConfigurationError(
                f"{what} (connection '{self.label}'): {error}{advice}"
            ) from None

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _parts(self, name: str) -> tuple[str | None, ...]:
        """Return the parts of a table's name, NULL for those that are not given."""
        parts = self.dialect.parts(name)
        return (*[None] * (self.dialect.name_parts - len(parts)), *parts)

    def _read(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        connection = self._open()
        cursor = self._cursor(connection, "reading")
        try:
            try:
                cursor.execute(sql, tuple(parameters))
                found = cursor.fetchall()
            except Exception as error:
                if not is_decoding_error(error, connection):
                    raise
                found = read_all_text(connection, sql, tuple(parameters))
            return [tuple(row) for row in found]
        except Exception as error:  # noqa: BLE001 - every driver has its own tree of errors
            raise self._error("reading", error, sql) from None
        finally:
            if not self.dialect.begin:
                with suppress(Exception):  # a lost connection has nothing open
                    connection.rollback()  # nothing stays open between two pages
            with suppress(Exception):
                cursor.close()

    def _repeat(self, attempt: Callable[[], T]) -> T:
        """Retry with exponential backoff while the server is away; the first connection is not retried."""
        for pause in BACKOFF_SECONDS:
            try:
                return attempt()
            except WarehouseError as error:
                is_lost = error.is_transient and self.dialect.is_server
                if not is_lost or not self._was_open:
                    raise
            self._clock.sleep(pause)
        return attempt()

    def _open(self) -> Any:
        # A connection the server cut says so; the next use opens another one.
        if self._connection is None or getattr(self._connection, "closed", False):
            try:
                connection = self.dialect.configure(self._connect())
                for statement in self.dialect.on_open:
                    connection.execute(statement).close()
            except FaceIdError:
                raise
            except Exception as error:  # noqa: BLE001 - every driver has its own tree of errors
                raise self._error("opening", error) from None
            self._connection, self._was_open = connection, True
        return self._connection

    def _cursor(self, connection: Any, doing: str) -> Any:
        if self.dialect is SQLITE:
            return connection.cursor(_Cursor)
        try:
            return connection.cursor()
        except Exception as error:  # noqa: BLE001 - some drivers notice a lost connection here
            raise self._error(doing, error) from None

    def _end(self, cursor: Any, word: str) -> None:
        if not self.dialect.begin:
            (self._connection.commit if word == "COMMIT" else self._connection.rollback)()
        elif word == "COMMIT" or self.dialect is not SQLITE or self._connection.in_transaction:
            cursor.execute(word)

    def _error(self, doing: str, error: Exception, statement: str = "") -> WarehouseError:
        return warehouse_error(doing, self.label, error, lambda: self._is_wrong(statement))

    def _is_wrong(self, statement: str) -> bool:
        """Say whether SQLite cannot even prepare a statement, which reads no row."""
        try:
            self._connection.execute(f"EXPLAIN {statement}").close()
        except sqlite3.ProgrammingError:  # it was prepared, and lacks its parameters
            return False
        except sqlite3.Error as error:
            return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_ERROR
        return False


class _Cursor(sqlite3.Cursor):
    """A cursor that remembers its last statement."""

    statement = ""

    def execute(self, sql: str, parameters: Any = ()) -> _Cursor:
        self.statement = sql
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any) -> _Cursor:
        self.statement = sql
        return super().executemany(sql, parameters)
