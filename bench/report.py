"""The report about a million results in SQLite: how long it takes, and how much memory."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from table import show
from warehouses import filled, write_csv

ROWS = 1_000_000
SECONDS, MEGABYTES, BYTES = 20.0, 300, 300_000
NOW = datetime(2026, 11, 30, 4, tzinfo=UTC).timestamp()
TITLES = {"run": "of one campaign's run", "days": "of 90 days"}


def measure(path: str, kind: str) -> None:
    """Make a report in this process, and print what it took."""
    import sqlite3

    from airflow_provider_faceid.api.actions import ACTIONS
    from airflow_provider_faceid.report.numbers import Scope, read_numbers
    from airflow_provider_faceid.report.page import render
    from airflow_provider_faceid.warehouse.names import Names
    from airflow_provider_faceid.warehouse.sql.database import SQLITE, Database

    quotas = {name: action.quota for name, action in ACTIONS.items()}
    about = {"campaign": "spring", "run_id": "run 0"} if kind == "run" else {}
    database = Database(lambda: sqlite3.connect(path), SQLITE, "sqlite")
    began, used = time.perf_counter(), time.process_time()
    numbers = read_numbers(database, Names(), Scope(**about, quotas=quotas), NOW)
    read = time.perf_counter() - began
    page = render(numbers)
    print(
        json.dumps(
            {
                "read": read,
                "seconds": time.perf_counter() - began,
                "cpu": time.process_time() - used,
                "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "bytes": len(page.encode()),
            }
        )
    )


def main(rows: int) -> int:
    """Print a table; return 1 if a report takes more than it may."""
    failed = False
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        write_csv(Path(folder), rows)
        with filled("sqlite", Path(folder)):
            pass
        path = Path(folder) / "warehouse.sqlite"
        for kind, title in TITLES.items():
            done = subprocess.run(  # noqa: S603 - ourselves
                [sys.executable, __file__, "--measure", str(path), kind],
                capture_output=True,
                text=True,
                check=True,
            )
            took = json.loads(done.stdout)
            failed |= took["seconds"] > SECONDS or took["megabytes"] > MEGABYTES
            failed |= took["bytes"] > BYTES
            lines.append(
                (
                    title,
                    f"{took['read']:.1f} s",
                    f"{took['seconds']:.1f} s",
                    f"{took['cpu']:.1f} s",
                    f"{took['megabytes']:.0f} MB",
                    f"{took['bytes'] / 1000:.0f} KB",
                )
            )
    print(f"{rows:,} results on SQLite\n")
    show(("report", "numbers", "whole", "CPU", "memory", "page"), lines)
    print(
        f"{'FAIL' if failed else 'ok'}: at most {SECONDS:g} s, {MEGABYTES} MB, {BYTES // 1000} KB"
    )
    return int(failed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--measure", nargs=2, metavar=("PATH", "KIND"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        measure(*chosen.measure)
        sys.exit(0)
    sys.exit(main(chosen.rows))
