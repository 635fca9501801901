"""Places where people and verdicts are kept: an Airflow connection, and a way to look into it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from airflow_provider_faceid.warehouse.sql.database import DUCKDB, MYSQL, POSTGRESQL, SQLITE
from airflow_provider_faceid.warehouse.sql.identifiers import name_of
from tests.integration.warehouse.conftest import Home
from tests.support.mariadb import PASSWORD, USER, MariaDB

if TYPE_CHECKING:
    import pytest

NUMBERS = count()
FILES = ("csv", "parquet")


class Place:
    """
    A database, or a folder of files, behind a connection.

    :param home: the database; of files one in memory.
    :param schema: where its tables are; empty for the usual place.
    :param folder: where its files are.
    """

    def __init__(
        self, conn_id: str, home: Home, schema: str = "", folder: Path | None = None
    ) -> None:
        self.conn_id, self.home, self._schema, self._folder = conn_id, home, schema, folder

    def name(self, table: str) -> str:
        """Return the name of a table as a user writes it."""
        return name_of([self._schema, table] if self._schema else [table])

    def fill(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
        """Make a table of text, or files of it, and return the source."""
        quote, marker = self.home.dialect.quote, self.home.dialect.marker
        into = self.home.dialect.quote_table(self.name(table))
        typed = ", ".join(f"{quote(column)} VARCHAR(40)" for column in columns)
        database = self.home.open()
        with database.transaction("preparing a test") as cursor:
            cursor.execute(f"CREATE TABLE {into} ({typed})")
            cursor.executemany(
                f"INSERT INTO {into} VALUES ({', '.join([marker] * len(columns))})", rows
            )
            if self._folder is not None:
                kind = self._folder.name
                for part in (0, 1):
                    some = f"(FROM (SELECT *, row_number() OVER () AS n FROM {into}) WHERE n % 2 = {part})"
                    some = some.replace("(FROM", "(SELECT * EXCLUDE (n) FROM", 1)
                    cursor.execute(f"COPY {some} TO '{self._folder / f'{part}.{kind}'}'")
        database.close()
        return (
            f"{self._folder}/*.{self._folder.name}"
            if self._folder is not None
            else self.name(table)
        )

    def query(self, table: str, columns: str, condition: str = "1 = 1") -> list[tuple[Any, ...]]:
        """Return columns of a table's rows."""
        name = self.home.dialect.quote_table(self.name(table))
        database = self.home.open()
        found = database.rows(f"SELECT {columns} FROM {name} WHERE {condition}")
        database.close()
        return found


def place(
    kind: str, conn_id: str, request: pytest.FixtureRequest, folder: Path, *, usual: bool = False
) -> Place:
    """
    Make a place of a kind, and its connection in the environment.

    :param usual: whether tables are where a name alone finds them, also on PostgreSQL.
    """
    patch = request.getfixturevalue("monkeypatch")
    schema, files, number = "", None, next(NUMBERS)
    match kind:
        case "sqlite":
            path = str(folder / f"{conn_id}.sqlite")
            fields, home = (
                {"conn_type": "sqlite", "host": path},
                Home(SQLITE, path, sqlite3.connect),
            )
        case "duckdb":
            path = str(folder / f"{conn_id}.duckdb")
            fields, home = {"conn_type": "duckdb", "host": path}, Home(DUCKDB, path, duckdb.connect)
        case "postgresql":
            uri, schema = request.getfixturevalue("postgres"), "" if usual else f"Kyc {number}.x"
            with psycopg.connect(uri, autocommit=True) as connection:
                made = f"DATABASE place_{number}" if usual else f'SCHEMA "{schema}"'
                connection.execute(f"CREATE {made}")
            uri = make_conninfo(uri, dbname=f"place_{number}") if usual else uri
            known = conninfo_to_dict(uri)
            fields = {
                "conn_type": "postgres",
                "host": known.get("host"),
                "login": known.get("user"),
                "password": known.get("password"),
                "schema": known.get("dbname"),
                "port": int(known["port"]) if known.get("port") else None,
            }
            home = Home(POSTGRESQL, uri, psycopg.connect)
        case "mariadb":
            server: MariaDB = request.getfixturevalue("mariadb")
            name = f"place_{number}"
            server.run(f"CREATE DATABASE {name}")
            fields = {
                "conn_type": "mysql",
                "host": "127.0.0.1",
                "port": server.port,
                "login": USER,
                "password": PASSWORD,
                "schema": name,
            }
            home = Home(MYSQL, server.address(name), server.open)
        case _:
            files = folder / kind
            files.mkdir()
            path = str(folder / f"{conn_id}.duckdb")
            fields, home = {"conn_type": "duckdb"}, Home(DUCKDB, path, duckdb.connect)
    patch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))
    request.addfinalizer(home.close)
    return Place(conn_id, home, schema, files)
