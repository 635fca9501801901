"""SQL dialects, and one database behind a DB-API connection: quoting, sessions, transactions.

Three databases are tested and allowed: SQLite, PostgreSQL, DuckDB. A PostgreSQL session is set up
explicitly, independent of the role, of the connection's Extra and of a pooler. Row data never passes through
Airflow's ``hook.run`` or ``insert_rows``, which log parameters.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from ..clock import SYSTEM_CLOCK, Clock
from ..exceptions import ConfigurationError, FaceIdError, WarehouseError
from .errors import warehouse_error
from .records import Unreadable

T = TypeVar("T")


def configure_session(connection: Any) -> None:
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


BACKOFF_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Exponential backoff before a read, or an idempotent write, is tried again."""


@dataclass(frozen=True)
class Dialect:
    """
    SQL dialect: the differences between the databases, as data.

    :param marker: placeholder of a parameter.
    :param begin: statement that opens a transaction; empty where the driver opens one itself.
    :param on_open: statements for a fresh connection.
    :param on_create: statements for a database we are going to write to.
    :param types: SQL type by column type of :mod:`.tables`.
    :param columns: query for the columns of a table and their types, by its schema (NULL for the
        usual one) and name; no rows if there is no such table.
    :param moment: expression for a timestamp that is written as ISO 8601 text ``{0}``.
    :param as_text: expression for a timestamp ``{0}`` as text.
    :param lock: statement that makes transactions queue that change tables; empty where they do.
    :param length: expression for the length of a column ``{0}`` of text or bytes.
    :param head: expression for the first ``{1}`` characters or bytes of it.
    :param key_type: query for type and kind of type of a column ``{0}`` of a source ``{1}``; empty
        where each value has a type of its own.
    :param raw_text: expression for text whose bytes are a parameter ``{0}``.
    :param exact_text: expression for text ``{0}`` that is compared by its characters, whatever the
        collation of the column it comes from.
    :param probe: end of a correlated subquery that is to be asked row by row through an index.
    """

    name: str
    marker: str
    begin: str
    on_open: tuple[str, ...]
    on_create: tuple[str, ...]
    types: dict[str, str]
    columns: str
    moment: str = "CAST({0} AS TIMESTAMPTZ)"
    as_text: str = "CAST({0} AS VARCHAR)"
    lock: str = ""
    length: str = "LENGTH({0})"
    head: str = "SUBSTR({0}, 1, {1})"
    key_type: str = ""
    raw_text: str = "CAST({0} AS VARCHAR)"
    exact_text: str = "{0}"
    probe: str = ""

    def quote(self, name: str) -> str:
        """Return a column or table name as a quoted identifier, whatever is in it."""
        quoted = '"' + name.replace('"', '""') + '"'
        return self.literal_percent(quoted)

    def quote_table(self, name: str) -> str:
        """Return a table name, with its schema if there is a dot, as quoted identifiers."""
        return ".".join(self.quote(part) for part in name.split("."))

    def literal_percent(self, sql: str) -> str:
        """Return SQL in which a percent sign is itself, also to a driver that formats with it."""
        return sql.replace("%", "%%") if self.marker == "%s" else sql


SQLITE = Dialect(
    name="sqlite",
    marker="?",
    begin="BEGIN IMMEDIATE",
    on_open=("PRAGMA busy_timeout = 30000",),
    on_create=("PRAGMA journal_mode = WAL",),  # readers read while we write; stays with the file
    types={
        "text": "TEXT",
        "integer": "INTEGER",
        "real": "REAL",
        # Its moments are ISO 8601 texts, which sort as they read and its date functions take.
        "timestamp": "TIMESTAMP",
        "date": "DATE",
    },
    columns="SELECT p.name, p.type FROM (SELECT name FROM pragma_database_list "
    "WHERE name = COALESCE(?, 'main')) AS d CROSS JOIN pragma_table_info(?, d.name) AS p",
    moment="{0}",
    as_text="{0}",
)
POSTGRESQL = Dialect(
    name="postgresql",
    marker="%s",
    begin="",
    on_open=(),
    on_create=(),
    types={
        "text": "TEXT",
        "integer": "BIGINT",
        "real": "DOUBLE PRECISION",
        "timestamp": "TIMESTAMPTZ",
        "date": "DATE",
    },
    columns="SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = "
    "to_regclass(COALESCE(quote_ident(%s::text) || '.', '') || quote_ident(%s)) "
    "AND attnum > 0 AND NOT attisdropped",
    lock="SELECT pg_advisory_xact_lock(16436253)",
    # A domain is what it is based on, and may be based on another domain.
    key_type="WITH RECURSIVE base AS (SELECT oid, typtype, typbasetype FROM pg_type WHERE oid = "
    "pg_typeof((SELECT {0} FROM {1} WHERE 1 = 0)) UNION ALL SELECT t.oid, t.typtype, "
    "t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd') "
    "SELECT format_type(oid, NULL), typtype::text FROM base WHERE typtype <> 'd'",
    raw_text="convert_from({0}, getdatabaseencoding())",
    exact_text='({0}) COLLATE "default"',  # that of our tables' columns, whose index is used
    probe=" OFFSET 0",  # else each page is a join with the whole table
)
DUCKDB = Dialect(
    name="duckdb",
    marker="?",
    begin="BEGIN TRANSACTION",
    on_open=(),
    on_create=(),
    types={
        "text": "VARCHAR",
        "integer": "BIGINT",
        "real": "DOUBLE",
        "timestamp": "TIMESTAMPTZ",
        "date": "DATE",
    },
    columns="SELECT column_name, data_type FROM information_schema.columns WHERE table_catalog = "
    "current_catalog() AND table_schema = COALESCE(?, current_schema()) AND table_name = ?",
    # The usual functions take no bytes there. What is neither bytes nor ASCII has no length.
    length="OCTET_LENGTH(TRY_CAST({0} AS BLOB))",
    head="{0}[1:{1}]",
    exact_text="({0}) COLLATE C",
    key_type="SELECT column_type, '' FROM (DESCRIBE SELECT {0} FROM {1})",
)


class Database:
    """
    A database, opened on first use in the thread that uses it.

    :param connect: opens a DB-API connection.
    :param dialect: which of the three it is.
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
        cursor = self._cursor(self._open())
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

        Text that is no text in its encoding comes as :class:`~.records.Unreadable`.

        :raises WarehouseError: the query failed; parameters are not part of the message.
        """
        return self._repeat(lambda: self._read(sql, parameters))

    def holds(self, text: str) -> bool:
        """Say whether the database can hold a text: its encoding may not, nor may it hold NUL."""
        try:
            self.rows(f"SELECT CAST({self.dialect.marker} AS VARCHAR)", [text])
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
        schema, _, table = name.rpartition(".")
        return {column for column, _ in self.rows(self.dialect.columns, [schema or None, table])}

    def columns_in(self, cursor: Any, name: str) -> set[str]:
        """Return the same within a transaction."""
        return set(self.types_in(cursor, name))

    def types_in(self, cursor: Any, name: str) -> dict[str, str]:
        """Return the columns of a table and their types within a transaction."""
        schema, _, table = name.rpartition(".")
        cursor.execute(self.dialect.columns, (schema or None, table))
        return dict(cursor.fetchall())

    def check(self, sql: str, what: str) -> None:
        """
        Run a query that returns no rows, to see whether its tables and columns exist.

        :param what: the thing that is wrong if it fails, for the message.
        :raises ConfigurationError: it fails.
        """
        try:
            self.rows(sql)
        except FaceIdError as error:
            raise ConfigurationError(f"{what} (connection '{self.label}'): {error}") from None

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _read(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        connection = self._open()
        cursor = self._cursor(connection)
        try:
            try:
                cursor.execute(sql, tuple(parameters))
                found = cursor.fetchall()
            except Exception as error:
                if not _is_decoding_error(error, connection):
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
                is_lost = error.is_transient and self.dialect is POSTGRESQL
                if not is_lost or not self._was_open:
                    raise
            self._clock.sleep(pause)
        return attempt()

    def _open(self) -> Any:
        # A PostgreSQL connection the server cut says so; the next use opens another one.
        if self._connection is None or getattr(self._connection, "closed", False):
            try:
                connection = self._connect()
                if self.dialect is SQLITE:
                    connection.isolation_level = None  # transactions are ours to begin
                for statement in self.dialect.on_open:
                    connection.execute(statement).close()
                if self.dialect is POSTGRESQL:
                    configure_session(connection)
                    read_text_leniently(connection)
            except Exception as error:  # noqa: BLE001 - every driver has its own tree of errors
                raise self._error("opening", error) from None
            self._connection, self._was_open = connection, True
        return self._connection

    def _cursor(self, connection: Any) -> Any:
        return connection.cursor(_Cursor) if self.dialect is SQLITE else connection.cursor()

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


def _is_decoding_error(error: Exception, connection: Any) -> bool:
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
