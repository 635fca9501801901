"""A PostgreSQL warehouse as other people set it up: behind pgbouncer, with a stricter isolation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import psycopg
import psycopg2
import psycopg2.extras
import pytest
from sqlalchemy import make_url

from airflow_provider_faceid.exceptions import FaceIdError
from airflow_provider_faceid.hooks import warehouses
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql import database
from airflow_provider_faceid.warehouse.sql.database import POSTGRESQL, Database
from airflow_provider_faceid.warehouse.tables import RESULTS, insert
from tests.support.patience import once
from tests.support.pgbouncer import PgBouncer, pgbouncer

from .conftest import upsert

NUMBERS = count()
WRITERS, ROUNDS, ROWS = 4, 8, 20


@pytest.fixture(scope="module")
def bouncer(postgres: str) -> Iterator[PgBouncer]:
    with pgbouncer(postgres, pool=2) as one:
        yield one


@pytest.fixture
def strict(postgres: str) -> str:
    """A database whose transactions are serializable unless they say otherwise."""
    name = f"strict_{next(NUMBERS)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        connection.execute(
            f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"
        )
    return name


Open = Callable[[], Database]


@pytest.fixture(params=["psycopg", "psycopg2", "Airflow's hook"])
def warehouse(
    request: pytest.FixtureRequest,
    bouncer: PgBouncer,
    strict: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Open]:
    """A way to open the same warehouse again and again, by each driver, always behind pgbouncer."""
    address = bouncer.url(strict, "postgresql")
    parts = make_url(address)
    connection = {
        "conn_type": "postgres",
        "host": parts.host,
        "port": parts.port,
        "login": parts.username,
        "schema": parts.database,
        "extra": {"cursor": "dictcursor", "application_name": "of-the-extra"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_BOUNCED", json.dumps(connection))
    opened: list[Database] = []

    def connect() -> Any:
        if request.param == "psycopg":
            return psycopg.connect(address)
        return psycopg2.connect(address, cursor_factory=psycopg2.extras.RealDictCursor)

    def open_one() -> Database:
        by_hook = request.param == "Airflow's hook"
        one = warehouses.database("bounced") if by_hook else Database(connect, POSTGRESQL, "here")
        opened.append(one)
        return one

    yield open_one
    for one in opened:
        one.close()


def rows(writer: int) -> list[dict[str, Any]]:
    """Return result rows of the same keys for all writers, in an order of its own for each."""
    numbers = range(ROWS) if writer % 2 else reversed(range(ROWS))
    return [
        {"campaign": "c", "action": "a", "source_key": str(number), "attempts": writer}
        for number in numbers
    ]


def test_writers_of_the_same_rows_pass_a_pooler_and_a_strict_isolation(warehouse: Open):
    """More of them than there are sessions, and each often enough for a driver to prepare."""
    made = [warehouse() for _ in range(WRITERS)]
    prepare(made[0], Names())

    def write(number: int) -> int:
        for _ in range(ROUNDS):
            upsert(made[number], RESULTS, RESULTS.name, rows(number))
            made[number].rows("SELECT source_key FROM faceid_results WHERE attempts = %s", [number])
        return number

    with ThreadPoolExecutor(WRITERS) as threads:
        assert list(threads.map(write, range(WRITERS))) == list(range(WRITERS))
    found = made[0].rows("SELECT COUNT(*), COUNT(DISTINCT attempts) FROM faceid_results")
    assert found == [(ROWS, 1)]


def test_a_transaction_says_its_isolation_and_rows_are_tuples(warehouse: Open):
    one = warehouse()
    with one.transaction("asking") as cursor:
        cursor.execute("SHOW transaction_isolation")
        assert cursor.fetchall() == [("read committed",)]
    assert one.rows("SHOW transaction_isolation") == [("read committed",)]
    assert one.rows("SELECT 1 AS a, 'b' AS b") == [(1, "b")]
    assert one.rows("SELECT COUNT(*) FROM pg_prepared_statements") == [(0,)]


def test_a_parameter_a_pooler_cannot_keep_is_named(bouncer: PgBouncer, strict: str):
    address = f"{bouncer.url(strict, 'postgresql')}?options=-c%20search_path%3Dhere"
    one = Database(lambda: psycopg.connect(address), POSTGRESQL, "here")
    with pytest.raises(FaceIdError, match=r"refuses the parameter 'options': .*ALTER ROLE"):
        one.rows("SELECT 1")


@pytest.mark.parametrize("setting", ["statement_timeout", "lock_timeout"])
def test_a_write_that_waits_longer_than_its_role_may_is_repeated(
    warehouse: Open, postgres: str, strict: str, setting: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(database, "BACKOFF_SECONDS", (0.05,) * 200)
    prepare(warehouse(), Names())
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {strict} SET {setting} = 100")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (strict,)
        )
    one, failed = warehouse(), []
    with psycopg.connect(postgres, dbname=strict) as other:
        other.execute("LOCK TABLE faceid_results")

        def work(cursor: Any) -> None:
            failed.append(1)
            insert(cursor, one, RESULTS, RESULTS.name, rows(0))

        with once(lambda: len(failed) > 1, other.rollback):
            one.run("writing", work)
    assert one.rows("SELECT COUNT(*) FROM faceid_results") == [(ROWS,)]
