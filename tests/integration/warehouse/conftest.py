"""The databases: two files and one or two servers, fresh for every test."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

import duckdb
import psycopg
import pytest

from airflow_provider_faceid.clock import utc_text
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql.database import (
    CLICKHOUSE,
    DUCKDB,
    MYSQL,
    POSTGRESQL,
    SQLITE,
    Database,
    Dialect,
)
from airflow_provider_faceid.warehouse.sql.upsert import delete_statement, update_statement
from airflow_provider_faceid.warehouse.tables import (
    QUARANTINE,
    RESULTS,
    RUNS,
    Table,
    delete,
    insert,
)
from tests.support.homes import HOMES
from tests.support.loader import forks

__all__ = ["forks"]

SCHEMAS = count()
KINDS = {RESULTS.name: "results", QUARANTINE.name: "quarantine", RUNS.name: "runs"}


def create(database: Database, table: Table, name: str) -> None:
    """Make our tables, one of them under another name."""
    prepare(database, Names(**{KINDS[table.name]: name}))


def upsert(database: Database, table: Table, name: str, rows: Sequence[dict[str, Any]]) -> None:
    """Insert or replace rows in a transaction of their own."""
    with database.transaction(f"writing table '{name}'") as cursor:
        insert(cursor, database, table, name, rows)


def remove(database: Database, name: str, condition: str, parameters: Sequence[Any]) -> None:
    """Delete rows in a transaction of their own."""
    with database.transaction(f"cleaning table '{name}'") as cursor:
        delete(cursor, database, name, condition, parameters)


class Home:
    """
    The database of one test.

    :param address: what another process needs to open it: a file, or a connection string.
    :param stays_open: whether a connection stays between statements: DuckDB takes longer to open a file
        than a test does with it. No other process, and no other configuration, can open it meanwhile.
    """

    def __init__(
        self,
        dialect: Dialect,
        address: str,
        connect: Callable[[str], Any],
        *,
        stays_open: bool = False,
    ) -> None:
        self.dialect, self.address, self._connect = dialect, address, connect
        self._stays_open = stays_open
        self._opened: list[Database] = []
        self._kept: Any = None

    def open(self) -> Database:
        """Return one more connection; all of them are closed when the test ends."""
        self._opened.append(Database(lambda: self._connect(self.address), self.dialect, "here"))
        return self._opened[-1]

    def _reopen(self) -> Database:
        """Return a connection for a statement or two."""
        if self._stays_open and self._kept is None:
            self._kept = self._connect(self.address)
        return self.open()

    def run(self, sql: str, rows: Sequence[Sequence[Any]] = ((),)) -> None:
        """Run a statement once per row of parameters, each marked by ``?``."""
        database = self._reopen()
        with database.transaction("preparing a test") as cursor:
            for row in rows:
                cursor.execute(self._text(sql), tuple(row))
        database.close()

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Make a table whose first column is a number and whose others are text."""
        quote, database = self.dialect.quote, self._reopen()
        typed = [f"{quote(c)} {'TEXT' if n else 'INTEGER'}" for n, c in enumerate(columns)]
        markers = ", ".join([self.dialect.marker] * len(columns))
        with database.transaction("preparing a test") as cursor:
            cursor.execute(f"CREATE TABLE {quote(name)} ({', '.join(typed)})", ())
            cursor.executemany(f"INSERT INTO {quote(name)} VALUES ({markers})", rows)
        database.close()

    def change(self, name: str, where: str, **values: str) -> None:
        """Change columns of rows of a table of ours; values are SQL."""
        database = self._reopen()
        with database.transaction("preparing a test") as cursor:
            cursor.execute(update_statement(self.dialect, name, values, where), ())
        database.close()

    def delete(self, name: str, where: str) -> None:
        """Delete rows of a table of ours."""
        database = self._reopen()
        with database.transaction("preparing a test") as cursor:
            cursor.execute(delete_statement(self.dialect, name, where), ())
        database.close()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query, moments and dates as SQLite has them: as text."""
        database = self._reopen()
        found = database.rows(self._text(sql))
        database.close()
        return [tuple(as_text(value, self.dialect) for value in row) for row in found]

    def close(self) -> None:
        """Close whatever is open."""
        for database in self._opened:
            database.close()
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _text(self, sql: str) -> str:
        return self.dialect.literal_percent(sql).replace("?", self.dialect.marker)


def as_text(value: Any, dialect: Dialect = SQLITE) -> Any:
    """Return a moment or date as text, anything else as it is. Moments of ours without a zone are in UTC."""
    if isinstance(value, datetime):
        if dialect in (MYSQL, CLICKHOUSE):
            value = value.replace(tzinfo=UTC)
        return utc_text(value.timestamp()) if value.tzinfo else value.isoformat()
    return value.isoformat() if isinstance(value, date) else value


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest, tmp_path) -> Iterator[Home]:
    """Each of the databases in turn."""
    match request.param:
        case "sqlite":
            one = Home(SQLITE, str(tmp_path / "here.sqlite"), sqlite3.connect)
        case "duckdb":
            path = str(tmp_path / "here.duckdb")
            one = Home(DUCKDB, path, duckdb.connect, stays_open=True)
        case "clickhouse":
            engine, name = request.getfixturevalue("clickhouse"), f"test_{next(SCHEMAS)}"
            engine.run(f"CREATE DATABASE {name}")
            one = Home(CLICKHOUSE, name, engine.open)
        case "mariadb":
            server, name = request.getfixturevalue("mariadb"), f"test_{next(SCHEMAS)}"
            # Columns that compare characters, as those of the other databases do.
            server.run(f"CREATE DATABASE {name} COLLATE utf8mb4_nopad_bin")
            one = Home(MYSQL, server.address(name), server.open)
        case _:
            uri, schema = request.getfixturevalue("postgres"), f"test_{next(SCHEMAS)}"
            with psycopg.connect(uri, autocommit=True) as connection:
                connection.execute(f"CREATE SCHEMA {schema}")
            address = psycopg.conninfo.make_conninfo(uri, options=f"-c search_path={schema}")
            one = Home(POSTGRESQL, address, psycopg.connect)
    yield one
    one.close()
