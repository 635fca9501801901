"""SQL by which rows are really gone: anonymise, delete, and rewrite files, for each database.

A deleted row stays in the file: in free pages of SQLite, as a dead tuple of PostgreSQL, in a row group of
DuckDB, in InnoDB's pages. Files are rewritten to be rid of it; ClickHouse rewrites the parts it is in when
it deletes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...exceptions import FaceIdError, WarehouseError
from ..sql.database import CLICKHOUSE, DUCKDB, MYSQL, POSTGRESQL, SQLITE, Database, Dialect
from ..sql.identifiers import bare, beside
from ..sql.upsert import anonymise_statement

LOCK_SECONDS = 5
"""Seconds for which rewriting a table of PostgreSQL waits for those who use it."""
_DUCKDB_FILLS = 8
"""How often free blocks of a DuckDB file are filled at most, until none is free."""
_DUCKDB_METADATA_FILLS = 2
"""How often metadata is written over: a checkpoint frees what was in use until then."""
_FILLER = "faceid_erasure_filler"
_DUCKDB_REUSE = "experimental_metadata_reuse"
"""Setting by which metadata of tables that did not change stays where it is, since DuckDB 1.4."""


@dataclass(frozen=True)
class ErasureSql:
    """
    What differs between the databases.

    :param random: expression for a random text, another one for each row.
    :param empty: expression for no value of a column ``{0}``.
    :param stored: end of a query that reads all versions of rows, also those marked as deleted.
    :param delete: statement that deletes rows of a table ``{0}`` where ``{1}``.
    :param before: statements that begin a transaction of erasure.
    :param lock: statements of a transaction that shows whether a table ``{0}`` can be rewritten at once.
    :param rewrite: statements outside of a transaction that rewrite a table ``{0}``.
    :param finish: the same, once after all tables; the first column of their rows is 0 if they could.
    :param file_of: query for the file of a table, which is another one once it was rewritten.
    :param remains: what of a deleted row remains beside the tables, for people.
    """

    random: str
    empty: str = "NULL"
    stored: str = ""
    delete: str = "DELETE FROM {0} WHERE {1}"
    before: tuple[str, ...] = ()
    lock: tuple[str, ...] = ()
    rewrite: tuple[str, ...] = ()
    finish: tuple[str, ...] = ()
    file_of: str = ""
    remains: str = ""


ERASURE_SQL: Mapping[str, ErasureSql] = {
    SQLITE.name: ErasureSql(
        "LOWER(HEX(RANDOMBLOB(16)))",
        before=("PRAGMA secure_delete = ON",),
        finish=("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"),
        remains="copies and backups of the file",
    ),
    POSTGRESQL.name: ErasureSql(
        "CAST(gen_random_uuid() AS TEXT)",
        lock=(
            f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'",
            "LOCK TABLE {0} IN ACCESS EXCLUSIVE MODE",
        ),
        rewrite=("VACUUM (FULL, ANALYZE) {0}",),  # pg_statistic keeps values
        file_of="SELECT pg_relation_filepath(CAST(CAST(%s AS TEXT) AS REGCLASS))",
        remains="write-ahead log and its archive, replicas until they have replayed it, earlier rows of "
        "pg_statistic until autovacuum has been there, backups, and the server's log if it logs statements",
    ),
    DUCKDB.name: ErasureSql("CAST(uuid() AS VARCHAR)", remains="copies and backups of the file"),
    MYSQL.name: ErasureSql(
        "CAST(UUID() AS CHAR)",
        rewrite=("OPTIMIZE TABLE {0}",),
        remains="undo, redo and binary log, replicas until they have replayed it, backups, the general "
        "log if it is on, and histograms until ANALYZE TABLE has replaced them",
    ),
    CLICKHOUSE.name: ErasureSql(
        "toString(generateUUIDv4())",
        empty="defaultValueOfArgumentType({0})",
        stored=" SETTINGS final = 0",
        delete="ALTER TABLE {0} DELETE WHERE {1} SETTINGS mutations_sync = 2",
        rewrite=("OPTIMIZE TABLE {0} FINAL",),  # older versions of rows that stay
        remains="parts that were replaced, which the server removes old_parts_lifetime (8 minutes) "
        "later, its query_log, and backups",
    ),
}
"""By name of the dialect."""


def sql_of(dialect: Dialect) -> ErasureSql:
    """Return what a database needs."""
    return ERASURE_SQL[dialect.name]


def anonymise(
    dialect: Dialect, name: str, columns: Iterable[str], kept: Mapping[str, str], where: str
) -> str:
    """
    Return a statement that leaves of rows some columns under a random key, and nothing else.

    :param name: of the table.
    :param columns: all its columns, those a user added too.
    :param kept: the expression of each column that stays; its own name leaves it as it is.
    :param where: SQL condition of the rows.
    """
    own = sql_of(dialect)
    setting = {
        column: kept.get(column, own.empty.format(dialect.quote(column)))
        for column in columns
        if kept.get(column) != column and column not in dialect.more_columns
    }
    return anonymise_statement(dialect, name, setting, where)


def rewrite(database: Database, tables: Sequence[str]) -> list[str]:
    """
    Rewrite the files of some tables, so that the bytes of deleted rows are gone too.

    Tables are locked meanwhile. What cannot be rewritten is left as it is.

    :param tables: names of tables that are there.
    :return: what was not rewritten and why, with the statement that does it; empty if all was.
    """
    dialect, own = database.dialect, sql_of(database.dialect)
    problems = []
    for table in tables:
        quoted = dialect.quote_table(table)
        statements = [statement.format(quoted) for statement in own.rewrite]
        if dialect is not DUCKDB and not statements:
            continue
        try:
            if dialect is DUCKDB:
                _copy_in_duckdb(database, table)
            elif not _rewrite(database, quoted, statements):
                problems.append(
                    f"Table '{table}' was not rewritten, which only its owner may do: "
                    f"{'; '.join(statements)}"
                )
        except FaceIdError as error:
            problems.append(
                f"Table '{table}' was not rewritten: {error}. Later: {'; '.join(statements)}"
            )
    try:
        if dialect is DUCKDB:
            _fill_free_blocks(database)
        for statement in own.finish:
            found = database.maintain(statement)
            if found and found[0][0]:
                problems.append(f"Another process uses the database. Later: {statement}")
    except FaceIdError as error:
        problems.append(f"The file was not rewritten: {error}. Later: {'; '.join(own.finish)}")
    return problems


def _rewrite(database: Database, quoted: str, statements: Iterable[str]) -> bool:
    """Rewrite a table; return whether it was, as far as the database says so."""
    own = sql_of(database.dialect)
    with database.transaction(f"locking table {quoted}") as cursor:
        for statement in own.lock:
            cursor.execute(statement.format(quoted))
    files = [_file_of(database, quoted)]
    for statement in statements:
        database.maintain(statement)
    files.append(_file_of(database, quoted))
    return not own.file_of or files[0] != files[1]


def _file_of(database: Database, quoted: str) -> str:
    query = sql_of(database.dialect).file_of
    plain = quoted.replace("%%", "%")  # a value, not a statement
    return str(database.rows(query, [plain])[0][0]) if query else ""


def _copy_in_duckdb(database: Database, table: str) -> None:
    """
    Let a copy take the place of a table, because its row groups keep what is deleted in them.

    Columns, keys, defaults and indexes are those of the table, as DuckDB itself writes them.
    """
    dialect = database.dialect
    schema = "(database_name, schema_name) = (current_database(), current_schema())"
    parts = dialect.parts(table)
    if len(parts) > 1:
        schema = f"schema_name = '{parts[-2].replace(chr(39), chr(39) * 2)}'"
    quoted, aside = dialect.quote_table(table), beside(table, f"{bare(table)}_erased")
    with database.transaction(f"rewriting table '{table}'") as cursor:
        cursor.execute(
            f"SELECT sql FROM duckdb_indexes() WHERE {schema} AND table_name = ? AND NOT is_primary",
            [bare(table)],
        )
        indexes = [sql for (sql,) in cursor.fetchall() if sql]
        cursor.execute(
            f"SELECT sql, schema_name FROM duckdb_tables() WHERE {schema} AND table_name = ?",
            [bare(table)],
        )
        ((made, _),) = cursor.fetchall()
        columns = made[made.index("(") :]
        cursor.execute(f"CREATE TABLE {dialect.quote_table(aside)} {columns}")
        cursor.execute(f"INSERT INTO {dialect.quote_table(aside)} SELECT * FROM {quoted}")
        cursor.execute(f"DROP TABLE {quoted}")
        cursor.execute(
            f"ALTER TABLE {dialect.quote_table(aside)} RENAME TO {dialect.quote(bare(table))}"
        )
        for index in indexes:
            cursor.execute(index)


def _fill_free_blocks(database: Database) -> None:
    """
    Write over what a DuckDB file keeps beside its tables: free blocks, and metadata of earlier versions.

    Metadata has statistics: up to 12 characters of the smallest and of the largest value of a column, and so
    a whole key. It is written anew for all tables, then over what it took before, by the text of a view.

    :raises WarehouseError: blocks are free that could not be filled.
    """
    reuse = database.rows(f"SELECT value FROM duckdb_settings() WHERE name = '{_DUCKDB_REUSE}'")
    try:
        _drop_fillers(database)
        if reuse:
            database.maintain(f"SET GLOBAL {_DUCKDB_REUSE} = false")
        database.maintain("CHECKPOINT")
        for number in range(_DUCKDB_METADATA_FILLS):
            _fill_metadata(database, number)
        _drop_fillers(database)
        database.maintain("CHECKPOINT")
        for number in range(_DUCKDB_FILLS):
            size = database.maintain("PRAGMA database_size")[0]
            block, free = int(size[2]), int(size[5])
            if not free and number:
                return
            # Of 16 random bytes for each value nothing can be compressed.
            values = (free + 1) * block // 16
            database.maintain(
                f"CREATE TABLE {_FILLER}_{number} AS SELECT uuid() AS filler FROM range({values})"
            )
            database.maintain("CHECKPOINT")
        raise WarehouseError("free blocks of the file could not be filled")
    finally:
        _drop_fillers(database)
        if reuse:
            database.maintain(f"SET GLOBAL {_DUCKDB_REUSE} = {reuse[0][0]}")
        database.maintain("CHECKPOINT")


def _fill_metadata(database: Database, number: int) -> None:
    parts = database.maintain("SELECT total_blocks, free_blocks FROM pragma_metadata_info()")
    block = int(database.maintain("PRAGMA database_size")[0][2])
    # The text goes into the parts that are free, and into as many new ones as one block has.
    size = sum((free + total) * block // total for total, free in parts if total)
    database.maintain(f"CREATE VIEW {_FILLER}_view_{number} AS SELECT '{'0' * size}' AS filler")
    database.maintain("CHECKPOINT")


def _drop_fillers(database: Database) -> None:
    """Drop what blocks are filled with, also that of a process that was killed."""
    for number in range(_DUCKDB_FILLS):
        database.maintain(f"DROP TABLE IF EXISTS {_FILLER}_{number}")
    for number in range(_DUCKDB_METADATA_FILLS):
        database.maintain(f"DROP VIEW IF EXISTS {_FILLER}_view_{number}")
