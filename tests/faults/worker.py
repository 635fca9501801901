"""One run over a table, in a process of its own."""

from __future__ import annotations

import logging
import os
import resource
import signal
import sqlite3
from pathlib import Path
from typing import Any

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.batch.engine import Batch
from airflow_provider_faceid.batch.inputs import Columns
from airflow_provider_faceid.client.settings import Credentials, Settings
from airflow_provider_faceid.clock import SYSTEM_CLOCK, OffsetClock
from airflow_provider_faceid.state import store as state_store
from airflow_provider_faceid.state.ledger import Ledger
from airflow_provider_faceid.state.rate_rows import StoredRow
from airflow_provider_faceid.state.store import StateStore
from airflow_provider_faceid.warehouse.records import RunContext
from airflow_provider_faceid.warehouse.results import ResultsRepository
from airflow_provider_faceid.warehouse.sources.source import Source
from airflow_provider_faceid.warehouse.sql.database import SQLITE, Database
from tests.support.departures import NotedRateLimiter

ACTION = "IdCardVerification"


def main(
    *,
    url: str,
    warehouse: str,
    state: str,
    owner: str,
    rate: float,
    in_flight: int = 32,
    source: str = "people",
    campaign: str = "campaign",
    ahead_s: float = 0.0,
    dies_loading: bool = False,
    largest_file: int = 0,
    lock_seconds: float = 0,
    left: str = os.devnull,
) -> None:
    """
    Verify a table.

    :param source: the table, or a query for a part of it.
    :param ahead_s: how wrong this worker's clock is.
    :param dies_loading: whether it is killed when half of its answers are in the warehouse.
    :param largest_file: bytes a file may have, as on a full disk; 0 for any size.
    :param lock_seconds: how long to wait for the state store; 0 for as long as usual.
    :param left: file for the moments at which the pace lets calls go.
    """
    logging.basicConfig(level=logging.INFO)
    if largest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    if lock_seconds:
        state_store.LOCK_SECONDS = lock_seconds
    clock = OffsetClock(SYSTEM_CLOCK, ahead_s)
    store = StateStore(state, clock)

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(warehouse, timeout=30)

    def database() -> Database:
        return Database(connect, SQLITE, "here")

    tables = ResultsRepository(database(), RunContext(campaign, ACTION, owner), clock)
    if dies_loading:
        tables.write = dying_in(tables.write)
    file = Path(left).open("a", buffering=1, encoding="ascii")  # noqa: SIM115 - while it lives
    batch = Batch(
        action=ACTIONS[ACTION],
        source=Source(database(), source, "id"),
        columns=Columns({"IdCard": "id_card", "Name": "name"}),
        store=tables,
        settings=Settings(Credentials("simulator-id", "simulator-key"), url=url),
        pace=NotedRateLimiter(
            StoredRow(store, "account"), rate, clock, note=lambda moment: file.write(f"{moment}\n")
        ),
        ledger=Ledger(store, owner),
        max_in_flight=in_flight,
        clock=clock,
        log=logging.getLogger("worker"),
    )
    signal.signal(signal.SIGTERM, lambda *_: batch.stop())
    batch.run()


def dying_in(write: Any) -> Any:
    """Return a write that ends this process when half of what it is given is written."""

    def half(answers: list[Any], bad: list[Any]) -> None:
        write(answers[: len(answers) // 2], bad)
        if len(answers) > 1:
            os.kill(os.getpid(), signal.SIGKILL)

    return half
