"""SQL dialects: the differences between SQLite, PostgreSQL, DuckDB, MySQL, MariaDB and ClickHouse, as data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...exceptions import ConfigurationError
from .identifiers import name_of, parts_of
from .sessions import (
    configure_clickhouse,
    configure_mysql,
    configure_nothing,
    configure_postgresql,
    configure_sqlite,
    counted_rows,
    fetched_count,
    limit_clickhouse,
    limit_nothing,
    limit_postgresql,
    limit_sqlite,
)


@dataclass(frozen=True)
class Dialect:
    """
    SQL dialect of one database.

    :param marker: placeholder of a parameter.
    :param begin: statement that opens a transaction; empty where the driver opens one itself.
    :param on_open: statements for a fresh connection.
    :param on_create: statements for a database we are going to write to.
    :param types: SQL type by column type of :mod:`..tables`.
    :param columns: query for the columns of a table and their types, by the parts of its name (NULL
        for each that is not given); no rows if there is no such table.
    :param configure: configures the session of a fresh connection of a driver, and returns the
        connection to use.
    :param upsert: way of writing rows whose key may be there: ``on_conflict``,
        ``on_duplicate_key`` or ``insert_replacing``, see :mod:`.upsert`.
    :param bulk: way of handing many rows to a statement: ``executemany``, ``lists`` (one parameter
        for each column), ``rows`` (one for each value) or ``json`` (one for all of them).
    :param rows_at_once: rows in one statement that inserts ``rows`` or ``json``.
    :param quote_mark: stands before and behind a name.
    :param name_parts: parts of a table's name at most: catalog, schema, table.
    :param reads_files: whether it reads CSV and Parquet files.
    :param is_lost: query that returns a row where what is written is lost with the connection.
    :param has_row_values: whether it finds ``(a, b) > (1, 2)`` through an index, each of them compared
        in the column's own order.
    :param concatenation: stands between texts that are put together; empty where it is ``CONCAT``.
    :param has_escapes_in_names: whether a backslash in a name has to be doubled.
    :param has_arrays: whether rows can be made of parameters that are lists.
    :param lookup: expression for the value in a list ``{2}`` at the place that ``{0}`` has in a list
        ``{1}``; empty where rows are looked up.
    :param keeps_renamed: whether a row whose key is changed stays beside the new one.
    :param is_source: whether tables are read by key there, not written to only.
    :param is_server: whether a lost connection may be opened again.
    :param has_transactional_ddl: whether a transaction that makes or changes tables can be rolled back.
    :param has_version_1: whether version 1 of our tables was written there.
    :param has_backslash_escapes: whether a backslash in a text, a text in double quotes, a name in
        backticks and a comment behind ``#`` are what they are in MySQL.
    :param key_types: SQL type of a column of a key, where it is none of ``types``.
    :param nullable: type of a column that may be NULL, from its type ``{0}``.
    :param more_columns: columns that each table of ours has besides, with their types.
    :param table_options: stands behind the columns of a table that is made.
    :param create: begins the statement that makes a table.
    :param add_column: begins the part of a statement that adds a column.
    :param current: relation of one row for each key of a table ``{0}``.
    :param rights: statements that change nothing in a table ``{0}`` and take the rights to write.
    :param moment: expression for a timestamp that is written as ISO 8601 text ``{0}``.
    :param is_moment_cast: whether such a text as a parameter needs that expression.
    :param as_text: expression for a timestamp ``{0}`` as text.
    :param to_text: expression for any value ``{0}`` as text.
    :param lock: statement that makes transactions queue that change tables; empty where they do.
    :param unlock: ends that, where the end of the transaction does not.
    :param length: expression for the length of a column ``{0}`` of text or bytes.
    :param head: expression for the first ``{1}`` characters or bytes of it.
    :param key_type: query for type and kind of type of a column ``{0}`` of a source ``{1}``; empty
        where each value has a type of its own, or where the driver says it.
    :param raw_text: expression for text whose bytes are a parameter ``{0}``.
    :param exact_text: expression for text ``{0}`` that is compared by its characters, whatever the
        collation of the column it comes from.
    :param probe: end of a correlated subquery that is to be asked row by row through an index.
    :param whole_number: type to which a sum of counts is cast.
    :param floor: expression for the whole number below a number ``{0}`` from 0.
    :param service_day: expression for the service's day (Beijing) of a timestamp ``{0}``.
    :param newest_by: how a view of rows finds the newest of several: ``keys`` (keys alone are sorted, the
        row is joined), ``rows`` (a column store, whose sort takes what is asked for) or ``lookup`` (each
        row looks the others of its key up through the index).
    :param limit: makes a connection that is only read from read-only, and limits its queries to some
        seconds.
    :param begin_reading: statements that do the same, and begin a read-only transaction; ``{0}`` is the
        limit in whole seconds, ``{1}`` in milliseconds.
    :param has_readers: whether others may read while a task writes, and a task write while others read.
    :param changed_rows: returns how many rows the last UPDATE of a cursor has changed; None where an
        UPDATE cannot depend on what is there when it is carried out (compare and set).
    :param now: expression for this moment, comparable with a timestamp.
    :param replace_view: statements that make a view ``{0}`` of a query ``{1}``, or replace it.
    """

    name: str
    marker: str
    begin: str
    on_open: tuple[str, ...]
    on_create: tuple[str, ...]
    types: dict[str, str]
    columns: str
    configure: Callable[[Any], Any] = configure_nothing
    upsert: str = "on_conflict"
    bulk: str = "executemany"
    rows_at_once: int = 200
    quote_mark: str = '"'
    has_escapes_in_names: bool = False
    name_parts: int = 2
    reads_files: bool = False
    is_lost: str = ""
    has_row_values: bool = False
    concatenation: str = " || "
    has_arrays: bool = False
    lookup: str = ""
    keeps_renamed: bool = False
    is_source: bool = True
    is_server: bool = False
    has_transactional_ddl: bool = True
    has_version_1: bool = True
    has_backslash_escapes: bool = False
    key_types: Mapping[str, str] = field(default_factory=dict)
    nullable: str = "{0}"
    more_columns: Mapping[str, str] = field(default_factory=dict)
    table_options: str = ""
    create: str = "CREATE TABLE"
    add_column: str = "ADD COLUMN"
    current: str = "{0}"
    rights: tuple[str, ...] = (
        "INSERT INTO {0} SELECT * FROM {0} WHERE 1 = 0",
        "UPDATE {0} SET updated_at = updated_at WHERE 1 = 0",
        "DELETE FROM {0} WHERE 1 = 0",
    )
    moment: str = "CAST({0} AS TIMESTAMPTZ)"
    is_moment_cast: bool = False
    as_text: str = "CAST({0} AS VARCHAR)"
    to_text: str = "CAST({0} AS VARCHAR)"
    lock: str = ""
    unlock: str = ""
    length: str = "LENGTH({0})"
    head: str = "SUBSTR({0}, 1, {1})"
    key_type: str = ""
    raw_text: str = "CAST({0} AS VARCHAR)"
    exact_text: str = "{0}"
    probe: str = ""
    whole_number: str = "BIGINT"
    floor: str = "FLOOR({0})"
    service_day: str = "CAST({0} AT TIME ZONE 'Asia/Shanghai' AS DATE)"
    newest_by: str = "keys"
    limit: Callable[[Any, float], None] = limit_nothing
    begin_reading: tuple[str, ...] = ()
    has_readers: bool = True
    changed_rows: Callable[[Any], int] | None = counted_rows
    now: str = "CURRENT_TIMESTAMP"
    replace_view: tuple[str, ...] = ("CREATE OR REPLACE VIEW {0} AS {1}",)

    def quote(self, name: str) -> str:
        """Return a column or table name as a quoted identifier, whatever is in it."""
        mark = self.quote_mark
        if self.has_escapes_in_names:
            name = name.replace("\\", "\\\\")
        return self.literal_percent(f"{mark}{name.replace(mark, mark * 2)}{mark}")

    def quote_table(self, name: str) -> str:
        """
        Return a table name as quoted identifiers.

        :param name: as users write it, see :mod:`.identifiers`.
        :raises ConfigurationError: it is none, or has more parts than the database knows.
        """
        return ".".join(map(self.quote, self.parts(name)))

    def parts(self, name: str) -> tuple[str, ...]:
        """Return the parts of a table name, the last one the table's; errors as above."""
        parts = parts_of(name)
        if len(parts) > self.name_parts:
            raise ConfigurationError(
                f"The name {name} has {len(parts)} parts, and one of {self.name} has "
                f"{self.name_parts} at most. If a dot belongs to the name, write "
                f"{name_of([name])}"
            )
        return parts

    def concat(self, texts: Sequence[str]) -> str:
        """Return the expression for several texts put together."""
        if not self.concatenation:
            return f"CONCAT({', '.join(texts)})"
        return f"({self.concatenation.join(texts)})"

    def literal_percent(self, sql: str) -> str:
        """Return SQL in which a percent sign is itself, also to a driver that formats with it."""
        return sql.replace("%", "%%") if self.marker == "%s" else sql

    def column_type(self, column: str, type_: str, *, is_key: bool) -> str:
        """
        Return the SQL type of a column.

        :param column: its name.
        :param type_: column type of :mod:`..tables`.
        """
        declared = self.types[type_]
        if not is_key:
            return self.nullable.format(declared)
        return self.key_types.get(column, declared) if type_ == "text" else declared

    def longest(self, column: str) -> int | None:
        """Return how many characters a column of a key holds; None for any number."""
        found = re.match(r"VARCHAR\((\d+)\)", self.key_types.get(column, ""))
        return int(found[1]) if found else None

    def parameter(self, type_: str) -> str:
        """Return the expression for a parameter that becomes a value of a column type."""
        is_cast = self.is_moment_cast and type_ == "timestamp"
        return self.moment.format(self.marker) if is_cast else self.marker


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
    configure=configure_sqlite,
    has_row_values=True,
    is_lost="SELECT 1 FROM pragma_database_list WHERE name = 'main' AND file = ''",
    moment="{0}",
    as_text="{0}",
    whole_number="INTEGER",
    floor="CAST({0} AS INTEGER)",
    service_day="DATE({0}, '+8 hours')",
    newest_by="lookup",
    now="STRFTIME('%Y-%m-%dT%H:%M:%f+00:00', 'now')",
    limit=limit_sqlite,
    begin_reading=("PRAGMA query_only = ON", "PRAGMA busy_timeout = 2000", "BEGIN"),
    replace_view=("DROP VIEW IF EXISTS {0}", "CREATE VIEW {0} AS {1}"),
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
    "to_regclass(CONCAT(quote_ident(%s::text) || '.', quote_ident(%s::text) || '.', quote_ident(%s))) "
    "AND attnum > 0 AND NOT attisdropped",
    configure=configure_postgresql,
    name_parts=3,
    has_row_values=True,
    has_arrays=True,
    is_server=True,
    lock="SELECT pg_advisory_xact_lock(16436253)",
    # A domain is what it is based on, and may be based on another domain.
    key_type="WITH RECURSIVE base AS (SELECT oid, typtype, typbasetype FROM pg_type WHERE oid = "
    "pg_typeof((SELECT {0} FROM {1} WHERE 1 = 0)) UNION ALL SELECT t.oid, t.typtype, "
    "t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd') "
    "SELECT format_type(oid, NULL), typtype::text FROM base WHERE typtype <> 'd'",
    raw_text="convert_from({0}, getdatabaseencoding())",
    exact_text='({0}) COLLATE "default"',  # that of our tables' columns, whose index is used
    limit=limit_postgresql,
    begin_reading=("SET LOCAL statement_timeout = {1}",),
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
    # Of two parts the first one is a schema or an attached database. Case makes no difference. The view
    # information_schema.columns takes twice as long.
    columns="SELECT column_name, data_type FROM (SELECT lower($1) AS a, lower($2) AS b) AS named, "
    "duckdb_columns() WHERE lower(table_name) = lower($3) AND CASE "
    "WHEN a IS NOT NULL THEN lower(database_name) = a AND lower(schema_name) = b "
    "WHEN b IS NULL THEN database_name = current_catalog() AND schema_name = current_schema() "
    "ELSE (database_name = current_catalog() AND lower(schema_name) = b) "
    "OR (lower(database_name) = b AND schema_name = 'main') END",
    name_parts=3,
    reads_files=True,
    is_lost="SELECT 1 FROM duckdb_databases() WHERE database_name = current_database() "
    "AND path IS NULL AND type = 'duckdb'",
    bulk="lists",  # executemany takes 4 ms a row there
    has_arrays=True,
    # The usual functions take no bytes there. What is neither bytes nor ASCII has no length.
    length="OCTET_LENGTH(TRY_CAST({0} AS BLOB))",
    head="{0}[1:{1}]",
    exact_text="({0}) COLLATE C",
    key_type="SELECT column_type, '' FROM (DESCRIBE SELECT {0} FROM {1})",
    # A cast of a timestamp with a time zone needs an extension; Beijing has no summer time.
    service_day="CAST(make_timestamp(epoch_us({0}) + 28800000000) AS DATE)",
    has_readers=False,  # one process opens the file
    changed_rows=fetched_count,
    newest_by="rows",
)

# Compares all characters, blanks at the end too. Each server reads its own of the two comments.
_EXACT = "/*M! utf8mb4_nopad_bin *//*!80017 utf8mb4_0900_bin */"
_ASCII = "CHARACTER SET ascii COLLATE ascii_bin"
_LOCK_NAME = "CONCAT('faceid ', MD5(COALESCE(DATABASE(), '')))"

MYSQL = Dialect(
    name="mysql",
    marker="%s",
    begin="",  # autocommit is off
    on_open=(),
    on_create=(),
    types={
        "text": "TEXT",
        "integer": "BIGINT",
        "real": "DOUBLE",
        "timestamp": "DATETIME(3)",  # in UTC; a TIMESTAMP ends in 2038
        "date": "DATE",
    },
    # Names have characters of the basic plane only.
    columns="SELECT column_name, column_type FROM information_schema.columns WHERE table_schema = "
    "COALESCE(CONVERT(%s USING utf8mb3), DATABASE()) AND table_name = CONVERT(%s USING utf8mb3)",
    configure=configure_mysql,
    upsert="on_duplicate_key",
    bulk="rows",
    quote_mark="`",
    concatenation="",
    is_server=True,
    has_transactional_ddl=False,
    has_version_1=False,
    has_backslash_escapes=True,
    # A key has 3,072 bytes at most, of which a character takes four: 800 + 64 + 2,000 + 200; that of the
    # checks 800 + 64 + 1,000 + 1,000.
    key_types={
        "campaign": "VARCHAR(200)",
        "action": f"VARCHAR(64) {_ASCII}",
        "source_key": "VARCHAR(500)",
        "answer_id": f"VARCHAR(200) {_ASCII}",
        "code": f"VARCHAR(200) {_ASCII}",
        "rule": f"VARCHAR(200) {_ASCII}",
        "run_id": "VARCHAR(250)",
        "table_name": "VARCHAR(64)",
        "task_id": "VARCHAR(250)",
        "review_id": f"VARCHAR(64) {_ASCII}",
        "receipt_id": f"VARCHAR(64) {_ASCII}",
    },
    table_options="ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 "
    f"COLLATE = {_EXACT}",
    # MariaDB takes no offset; ours are all of UTC, and another one would be an error.
    moment="CAST(REPLACE(REPLACE({0}, 'Z', ''), '+00:00', '') AS DATETIME(3))",
    is_moment_cast=True,
    as_text="CAST({0} AS CHAR)",
    to_text="CAST({0} AS CHAR)",
    lock=f"SELECT GET_LOCK({_LOCK_NAME}, 600)",
    unlock=f"SELECT RELEASE_LOCK({_LOCK_NAME})",
    length="CHAR_LENGTH({0})",
    raw_text="CONVERT({0} USING utf8mb4)",
    whole_number="SIGNED",
    service_day="CAST({0} + INTERVAL 8 HOUR AS DATE)",
    now="UTC_TIMESTAMP(3)",
    begin_reading=(
        "SET SESSION TRANSACTION READ ONLY",
        "SET SESSION /*M! max_statement_time = {0} *//*!80017 max_execution_time = {1} */",
    ),
    exact_text=f"CONVERT({{0}} USING utf8mb4) COLLATE {_EXACT}",
)

VERSION_COLUMN, DELETED_COLUMN = "faceid_version", "faceid_deleted"

CLICKHOUSE = Dialect(
    name="clickhouse",
    marker="%s",
    begin="",  # it has no transactions
    on_open=(),
    on_create=(),
    types={
        "text": "String",
        "integer": "Int64",
        "real": "Float64",
        "timestamp": "DateTime64(3, 'UTC')",
        "date": "Date32",
    },
    columns="SELECT name, type FROM system.columns "
    "WHERE database = COALESCE(%s, currentDatabase()) AND table = %s",
    configure=configure_clickhouse,
    upsert="insert_replacing",
    bulk="json",
    rows_at_once=5000,
    has_escapes_in_names=True,
    lookup="transform({0}, {1}, {2}, '')",
    keeps_renamed=True,
    is_source=False,
    is_server=True,
    has_transactional_ddl=False,
    has_version_1=False,
    nullable="Nullable({0})",
    more_columns={VERSION_COLUMN: "UInt64", DELETED_COLUMN: "UInt8"},
    # Of the rows with one key the newest version counts; none if that one is deleted.
    table_options=f"ENGINE = ReplacingMergeTree({VERSION_COLUMN}, {DELETED_COLUMN})",
    create="CREATE TABLE IF NOT EXISTS",
    add_column="ADD COLUMN IF NOT EXISTS",
    current="(SELECT * FROM {0} FINAL)",
    rights=("INSERT INTO {0} SELECT * FROM {0} WHERE 1 = 0",),
    moment="parseDateTime64BestEffort({0}, 3, 'UTC')",
    is_moment_cast=True,
    as_text="toString({0})",
    to_text="toString({0})",
    whole_number="Nullable(Int64)",
    service_day="toDate32({0}, 'Asia/Shanghai')",
    changed_rows=None,
    now="now64(3, 'UTC')",
    limit=limit_clickhouse,
    newest_by="rows",
)
