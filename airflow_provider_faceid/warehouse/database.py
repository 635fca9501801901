"""One SQL database behind a DB-API connection: quoting, transactions, upsert.

Three databases are tested and allowed: SQLite, PostgreSQL, DuckDB. Row data never passes through
Airflow's ``hook.run`` or ``insert_rows``, which log parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ..exceptions import ConfigurationError, FaceIdError


@dataclass(frozen=True)
class Dialect:
    """
    What differs between the databases.

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
)


class Database:
    """
    A database, opened on first use in the thread that uses it.

    :param connect: opens a DB-API connection.
    :param dialect: which of the three it is.
    :param label: the Airflow connection, named in error messages.
    """

    def __init__(self, connect: Callable[[], Any], dialect: Dialect, label: str) -> None:
        self._connect = connect
        self._connection: Any = None
        self.dialect = dialect
        self.label = label

    @contextmanager
    def transaction(self, doing: str, *, shows_reason: bool = False) -> Iterator[Any]:
        """
        Give a cursor inside a transaction: committed at the end, rolled back on an error.

        :param doing: what is done, for the message.
        :param shows_reason: whether the database's own words are part of it: only where no values of
            rows are involved.
        :raises FaceIdError: it could not be opened, or a statement failed; values are not part of
            the message.
        """
        cursor = self._open().cursor()
        try:
            if self.dialect.begin:
                cursor.execute(self.dialect.begin)
            yield cursor
            self._end(cursor, "COMMIT")
        except Exception as error:
            with suppress(Exception):  # a lost connection, or a commit that failed, has no more
                self._end(cursor, "ROLLBACK")
            if isinstance(error, FaceIdError):
                raise
            raise self._trouble(doing, error, harmless=shows_reason) from None
        finally:
            cursor.close()

    def prepare_to_write(self) -> None:
        """
        Set the database up for a writer and its readers, if it lets us.

        SQLite refuses to change its journal while others use the file, who may be changing it too.
        """
        for statement in self.dialect.on_create:
            with suppress(FaceIdError):
                self.rows(statement)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """
        Return all rows of a query.

        :raises FaceIdError: the query failed; parameters are not part of the message.
        """
        connection = self._open()
        cursor = connection.cursor()
        try:
            cursor.execute(sql, tuple(parameters))
            return [tuple(row) for row in cursor.fetchall()]
        except Exception as error:  # noqa: BLE001 - every driver has its own tree of errors
            raise self._trouble("reading", error) from None
        finally:
            if not self.dialect.begin:
                with suppress(Exception):  # a lost connection has nothing open
                    connection.rollback()  # nothing stays open between two pages
            cursor.close()

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
        :raises ConfigurationError: it fails; no data was involved, so the reason is given.
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

    def _open(self) -> Any:
        # A PostgreSQL connection the server cut says so; the next use opens another one.
        if self._connection is None or getattr(self._connection, "closed", False):
            try:
                connection = self._connect()
                if self.dialect is SQLITE:
                    connection.isolation_level = None  # transactions are ours to begin
                for statement in self.dialect.on_open:
                    connection.execute(statement).close()
            except Exception as error:  # noqa: BLE001 - every driver has its own tree of errors
                raise self._trouble("opening", error, harmless=True) from None
            self._connection = connection
        return self._connection

    def _end(self, cursor: Any, word: str) -> None:
        if not self.dialect.begin:
            (self._connection.commit if word == "COMMIT" else self._connection.rollback)()
        elif word == "COMMIT" or self.dialect is not SQLITE or self._connection.in_transaction:
            cursor.execute(word)

    def _trouble(self, doing: str, error: Exception, *, harmless: bool = False) -> FaceIdError:
        shown = harmless or _is_about_schema(error)
        first_line = str(error).strip().splitlines()[:1] if shown else []
        reason = ": ".join([type(error).__name__, *first_line])
        return FaceIdError(f"{doing} through connection '{self.label}' failed: {reason}")


def _is_about_schema(error: Exception) -> bool:
    """Say whether an error speaks of tables and columns; others may quote values."""
    text = str(error).lower()
    return any(
        mark in text
        for mark in (
            "no such",
            "not exist",
            "syntax error",
            "not found",
            "not have",
            "unable to open",
        )
    )
