"""A state store and a warehouse behind pgbouncer in transaction mode: nothing lives in a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import psycopg
import pytest

from airflow_provider_faceid.exceptions import StateStoreError
from airflow_provider_faceid.state.call_table import Claim, Decision
from airflow_provider_faceid.state.identity_limits import Use
from airflow_provider_faceid.state.ledger import Ledger
from airflow_provider_faceid.state.rate_rows import StoredRow
from airflow_provider_faceid.state.store import StateStore
from tests.support.pgbouncer import PgBouncer, pgbouncer

from .conftest import SleepClock

DATABASES = count()
ENOUGH = 8
"""Times a driver sees a statement before it prepares it, and some more."""


@pytest.fixture(scope="module")
def bouncer(postgres: str) -> Iterator[PgBouncer]:
    with pgbouncer(postgres, pool=2) as one:
        yield one


@pytest.fixture
def database(postgres: str) -> str:
    """A database of its own."""
    name = f"bounced_{next(DATABASES)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return name


def work(store: StateStore, owner: str) -> list[Decision]:
    """Claim a few calls one after the other, at a pace."""
    ledger, row = Ledger(store, owner), StoredRow(store, "account")
    ledger.begin(0)
    decisions = []
    for number in range(ENOUGH):
        row.take(1000, 1)
        key = f"{owner}{number}".ljust(40, "0")
        (ruling,) = ledger.step([], [Claim(key, "1", (Use(number, 100, 1e12),))])
        decisions.append(ruling.decision)
    return decisions


def test_many_workers_share_a_store_behind_it(
    bouncer: PgBouncer, database: str, stores: Callable[..., StateStore]
):
    """More of them than it has connections, so that each transaction gets another session."""
    made = [stores(bouncer.url(database)) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(work, made, "abcd"))
    assert found == [[Decision.CALL] * ENOUGH] * 4
    with made[0].transaction() as cursor:
        cursor.execute("SELECT used FROM faceid_identity_uses")
        assert cursor.fetchall() == [(4,)] * ENOUGH
        cursor.execute("SELECT COUNT(*) FROM pg_prepared_statements")
        assert cursor.fetchall() == [(0,)]


def test_a_parameter_it_cannot_keep_is_named_at_once(bouncer: PgBouncer, database: str):
    clock = SleepClock()
    store = StateStore(f"{bouncer.url(database)}?options=-c%20search_path%3Dsecret", clock)
    with pytest.raises(StateStoreError, match=r"parameter 'options'.*ALTER ROLE") as raised:
        work(store, "a")
    assert "secret" not in str(raised.value)
    assert clock.woken == []


def test_a_server_it_has_lost_is_waited_for(
    bouncer: PgBouncer, database: str, postgres: str, stores: Callable[..., StateStore]
):
    store = stores(bouncer.url(database))
    ledger = Ledger(store, "one")
    ledger.begin(0)
    for number in range(3):
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                (database,),
            )
        (ruling,) = ledger.step([], [Claim(f"{number}" * 40, "1")])
        assert ruling.decision is Decision.CALL
