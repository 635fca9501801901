"""One run over a table in a process of its own: url, warehouse, state store, owner, in flight."""

from __future__ import annotations

import logging
import sqlite3
import sys

from airflow_provider_faceid.batch.engine import Batch
from airflow_provider_faceid.batch.inputs import Columns
from airflow_provider_faceid.batch.store import Store, Work
from airflow_provider_faceid.client.settings import Credentials, Settings
from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.service.actions import ACTIONS
from airflow_provider_faceid.state.ledger import Ledger
from airflow_provider_faceid.state.pace import SlotPace
from airflow_provider_faceid.state.rows import StoredRow
from airflow_provider_faceid.state.store import StateStore
from airflow_provider_faceid.warehouse.database import SQLITE, Database
from airflow_provider_faceid.warehouse.source import Source

ACTION, RATE = "IdCardVerification", 400


def main(url: str, warehouse: str, state: str, owner: str, in_flight: str) -> None:
    """Verify the table ``people``."""
    settings = Settings(Credentials("simulator-id", "simulator-key"), url=url)
    store = StateStore(f"sqlite:///{state}")

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(warehouse, timeout=30)

    def database() -> Database:
        return Database(connect, SQLITE, "here")

    logging.basicConfig(level=logging.INFO)
    Batch(
        action=ACTIONS[ACTION],
        source=Source(database(), "people", "id"),
        columns=Columns({"IdCard": "id_card", "Name": "name"}),
        store=Store(database(), Work("campaign", ACTION, owner), SYSTEM_CLOCK),
        settings=settings,
        pace=SlotPace(StoredRow(store, "account"), RATE),
        ledger=Ledger(store, owner),
        max_in_flight=int(in_flight),
        clock=SYSTEM_CLOCK,
        log=logging.getLogger("worker"),
    ).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
