"""A million rows through the validation: what Great Expectations and the rules cost a row.

The operator runs in a process of its own. The peer is what no validation can do without, measured in
the same process: to read the table in the same pages.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from million import PATIENCE, ROWS, connections, fill
from table import show

TARGET_SECONDS, TARGET_MB = 15, 300
SLOWEST = 10_000
"""Rows per second below which something has gone wrong."""
IMPORTED_LATE = (
    "airflow.providers.sqlite.hooks.sqlite",
    "great_expectations",
    "airflow_provider_faceid.quality.page",
    "airflow_provider_faceid.quality.validator",
    "airflow_provider_faceid.warehouse.results",
)
"""What the operator imports only when it runs."""


def work(pipe: Connection) -> None:
    """Import everything, read the table alone, run the operator; give what each took."""
    for module in IMPORTED_LATE:
        import_module(module)
    from airflow_provider_faceid.hooks.warehouses import database
    from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
    from airflow_provider_faceid.warehouse.source import Source

    operator = FaceIdValidateOperator(
        task_id="validate", source_conn_id="warehouse", source="applicants"
    )
    task = SimpleNamespace(dag_id="bench", run_id="bench", task_id="validate", map_index=-1)
    source = Source(database("warehouse"), "applicants", "id")
    imports = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began, cpu = time.monotonic(), time.process_time()
    for _ in source.pages(['"id_card"', '"name"'], operator.page_size):
        pass
    reading = time.monotonic() - began, time.process_time() - cpu
    source.database.close()
    began, cpu = time.monotonic(), time.process_time()
    report = operator.execute({"run_id": "bench", "ti": task})
    running = time.monotonic() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pipe.send((reading, running, peak - imports, report))


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description="Many rows through the validation")
    parser.add_argument("--rows", type=int, default=ROWS, help="default %(default)s")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="faceid-bench-") as home:
        folder = Path(home)
        fill(folder / "warehouse.sqlite", rows)
        connections(folder, "http://127.0.0.1:9")
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=work, args=(there,))
        process.start()
        there.close()
        try:
            if not here.poll(PATIENCE + rows / SLOWEST):
                raise SystemExit("The operator takes too long")
            reading, running, growth, report = here.recv()
        finally:
            here.close()
            process.join(PATIENCE)
            process.kill()
    show(("what", "seconds", "CPU us/row", "x reading"), _lines(rows, reading, running))
    print(f"{report['rows']:,} rows, {report['good_rows']:,} good")
    print(f"peak above the imports: {growth:.0f} MB")
    faults = list(_faults(rows, running[1], growth, report))
    for fault in faults:
        print(f"differs: {fault}")
    return 1 if faults else 0


def _lines(rows: int, reading: Any, running: Any) -> list[tuple[str, ...]]:
    return [
        (name, f"{seconds:.1f}", f"{cpu / rows * 1e6:.1f}", f"{cpu / reading[1]:.1f}")
        for name, (seconds, cpu) in {"read the table": reading, "the operator": running}.items()
    ]


def _faults(rows: int, seconds: float, growth: float, report: dict[str, Any]) -> Iterator[str]:
    if (report["rows"], report["good_rows"]) != (rows, rows):
        yield f"{report}"
    if growth > TARGET_MB:
        yield f"the peak is above {TARGET_MB} MB"
    if rows == ROWS and seconds > TARGET_SECONDS:
        yield f"it takes more than {TARGET_SECONDS} s of CPU"


if __name__ == "__main__":
    sys.exit(main())
