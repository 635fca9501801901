"""What the processes do that are killed, or write at once: run over a table, write rows, make tables."""

from __future__ import annotations

import logging
import multiprocessing
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import pytest

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.batch.engine import Batch
from airflow_provider_faceid.batch.inputs import Columns
from airflow_provider_faceid.client.settings import Credentials, Settings
from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.simulator.people import ID_CARD
from airflow_provider_faceid.state.ledger import Ledger
from airflow_provider_faceid.state.rate_limiter import SlotRateLimiter
from airflow_provider_faceid.state.rate_rows import MemoryRow
from airflow_provider_faceid.state.store import StateStore
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.records import RunContext
from airflow_provider_faceid.warehouse.results import ResultsRepository
from airflow_provider_faceid.warehouse.sources.source import Source
from airflow_provider_faceid.warehouse.sql.database import (
    MYSQL,
    POSTGRESQL,
    SQLITE,
    Database,
    Dialect,
)
from tests.support.mariadb import MariaDB


@pytest.fixture(scope="session")
def forks() -> Any:
    """What forks processes off one that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


WAYS: dict[str, tuple[Dialect, Callable[[str], Any]]] = {
    SQLITE.name: (SQLITE, sqlite3.connect),
    POSTGRESQL.name: (POSTGRESQL, psycopg.connect),
    MYSQL.name: (MYSQL, MariaDB.open),
}
"""How a process opens a database by its address; DuckDB and chdb let one process write."""


def opened(address: str, kind: str = MYSQL.name) -> Database:
    """Return a connection of this process's own."""
    dialect, connect = WAYS[kind]
    return Database(lambda: connect(address), dialect, "here")


def repository(address: str, kind: str = MYSQL.name, campaign: str = "c") -> ResultsRepository:
    """Return the tables of a campaign."""
    context = RunContext(campaign, ID_CARD, "run", dag_id="dag", source="here:people")
    return ResultsRepository(opened(address, kind), context, SYSTEM_CLOCK)


def run(address: str, url: str, state: str, rate: int) -> None:
    """Run over the table ``people``, as an attempt of one task."""
    settings = Settings(
        credentials=Credentials("simulator-id", "simulator-key"),
        url=url,
        quotas={ID_CARD: rate},
        timeout=10.0,
        outage_patience=2.0,
    )
    Batch(
        action=ACTIONS[ID_CARD],
        source=Source(opened(address), "people", "id"),
        columns=Columns({"IdCard": "id_card", "Name": "name"}),
        store=repository(address),
        settings=settings,
        pace=SlotRateLimiter(MemoryRow(SYSTEM_CLOCK), settings.rate(ID_CARD)),
        ledger=Ledger(StateStore(f"sqlite:///{state}"), "work"),
        clock=SYSTEM_CLOCK,
        log=logging.getLogger("test.databases"),
    ).run()


def write(
    address: str, keys: Sequence[str], outcome: str, size: int, kind: str = MYSQL.name
) -> None:
    """Write held rows, then answers, of some keys, a few at a time, and again what fails for a moment."""
    store = repository(address, kind)
    store.open()
    for start in range(0, len(keys), size):
        rows = [
            {
                **store.buffer.origin(key),
                "source": "here:people",
                "status": status,
                "outcome": outcome,
                "answer_id": f"{outcome} {key}",
            }
            for status in ("held", "answered")
            for key in keys[start : start + size]
        ]
        for part in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
            persist(store, part)
    store.database.close()


def persist(store: ResultsRepository, rows: list[dict[str, object]]) -> None:
    """Write rows as the engine does, with a pause before each repetition."""
    for pause in (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, None):
        try:
            assert store.write(rows, []) == []
        except Exception as error:
            if pause is None or not getattr(error, "is_transient", False):
                raise
            time.sleep(pause)
        else:
            return


def make_tables(address: str) -> None:
    """Make the tables and the views."""
    database = opened(address)
    prepare(database, Names())
    database.close()
