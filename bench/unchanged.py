"""A million rows of which none is due: what a daily run costs that has nothing to ask.

The operator runs in a process of its own, beside no service at all: the plan finds nothing, so nobody
is called. The peer is what no run can do without, measured in the same process: to read the table in
pages.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sqlite3
import sys
import tempfile
import time
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from million import ACTION, IMPORTED_LATE, PATIENCE, ROWS, connections, fill
from table import show

TARGET_SECONDS, TARGET_MB = 30, 100
CAMPAIGN, SECRET = "bench", "simulator-key"
PAGE = 500
SLOWEST = 10_000
"""Rows per second below which something has gone wrong."""


def answer(warehouse: Path) -> None:
    """Write into our tables that everybody was answered, as a run would have."""
    from airflow_provider_faceid.api.actions import ACTIONS
    from airflow_provider_faceid.api.pseudonyms import row_hasher
    from airflow_provider_faceid.warehouse.migrations import prepare
    from airflow_provider_faceid.warehouse.names import Names
    from airflow_provider_faceid.warehouse.sql.database import SQLITE, Database

    database = Database(lambda: sqlite3.connect(warehouse), SQLITE, "here")
    prepare(database, Names())
    database.close()
    hash_row = row_hasher(SECRET, ACTIONS[ACTION], ["IdCard", "Name"])
    with sqlite3.connect(warehouse) as connection:
        people = connection.execute("SELECT id, id_card, name FROM applicants")
        connection.executemany(
            "INSERT INTO faceid_results (campaign, action, source_key, row_hash, status, outcome, "
            "answered_at) VALUES (?, ?, ?, ?, 'answered', 'match', '2026-11-28T00:00:00.000+00:00')",
            ((CAMPAIGN, ACTION, str(key), hash_row(row, None)) for key, *row in people),
        )
    connection.close()


def work(pipe: Connection) -> None:
    """Import everything, read the table alone, run the operator; give what each took."""
    for module in IMPORTED_LATE:
        import_module(module)
    from airflow_provider_faceid.hooks.warehouses import database
    from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
    from airflow_provider_faceid.warehouse.sources.source import Source

    operator = IdCardVerificationBatchOperator(
        task_id="verify", source_conn_id="warehouse", source="applicants", campaign=CAMPAIGN
    )
    task = SimpleNamespace(dag_id="bench", run_id="bench", task_id="verify", map_index=-1)
    source = Source(database("warehouse"), "applicants", "id")
    imports = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began, cpu = time.monotonic(), time.process_time()
    for _ in source.pages(['"id_card"', '"name"'], PAGE):
        pass
    reading = time.monotonic() - began, time.process_time() - cpu
    source.database.close()
    began, cpu = time.monotonic(), time.process_time()
    manifest = operator.execute({"run_id": "bench", "ti": task})
    running = time.monotonic() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pipe.send((reading, running, peak - imports, manifest))


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description="Many rows of which none is due")
    parser.add_argument("--rows", type=int, default=ROWS, help="default %(default)s")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="faceid-bench-") as home:
        folder = Path(home)
        fill(folder / "warehouse.sqlite", rows)
        answer(folder / "warehouse.sqlite")
        connections(folder, "http://127.0.0.1:9")
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=work, args=(there,))
        process.start()
        there.close()
        try:
            if not here.poll(PATIENCE + rows / SLOWEST):
                raise SystemExit("The operator takes too long")
            reading, running, growth, manifest = here.recv()
        finally:
            here.close()
            process.join(PATIENCE)
            process.kill()
    show(("what", "seconds", "CPU us/row", "x reading"), _lines(rows, reading, running))
    print(f"{rows:,} rows, {manifest['still_valid']:,} still valid, {manifest['calls']} calls")
    print(f"peak above the imports: {growth:.0f} MB")
    faults = list(_faults(rows, running[0], growth, manifest))
    for fault in faults:
        print(f"differs: {fault}")
    return 1 if faults else 0


def _lines(rows: int, reading: Any, running: Any) -> list[tuple[str, ...]]:
    return [
        (name, f"{seconds:.1f}", f"{cpu / rows * 1e6:.1f}", f"{cpu / reading[1]:.1f}")
        for name, (seconds, cpu) in {"read the table": reading, "the operator": running}.items()
    ]


def _faults(rows: int, seconds: float, growth: float, manifest: dict[str, Any]) -> Any:
    if (manifest["still_valid"], manifest["calls"]) != (rows, 0):
        yield f"{manifest}"
    if growth > TARGET_MB:
        yield f"the peak is above {TARGET_MB} MB"
    if rows == ROWS and seconds > TARGET_SECONDS:
        yield f"it takes more than {TARGET_SECONDS} s"


if __name__ == "__main__":
    sys.exit(main())
