"""A million rows through the batch operator: whether memory stays flat, and how fast it is.

The operator runs in a process of its own, the simulator in another; the machine's two are all they
need. Memory is what the kernel says of the process, above what it was with everything imported.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib import import_module
from itertools import islice
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from table import show

from airflow_provider_faceid.api.id_card import check_character
from airflow_provider_faceid.simulator import KEY, Process, simulator
from airflow_provider_faceid.simulator import people as names

ACTION = "IdCardVerification"
ROWS = 1_000_000
MAX_QUOTA = 10_000
"""The highest a connection takes: more than one process can use."""
SHARES = (0.1, 0.5, 1.0)
"""Of the rows, when memory is printed."""
TARGET_MB = 300
FLAT_MB = 20
"""Growth from the first print to the last that may come from Python's own memory management."""
LOOK_EVERY = 1.0
PATIENCE = 60.0
"""Seconds for what should take a few."""
SLOWEST = 500
"""Rows per second below which something has gone wrong."""

AREA = "710000"
"""An area none of the simulator's people comes from: all of ours are strangers to it."""
FIRST_BIRTH = date(1950, 1, 1)
BORN_IN_A_DAY = 999
IMPORTED_LATE = (
    "airflow.providers.sqlite.hooks.sqlite",
    "airflow_provider_faceid.batch.engine",
    "airflow_provider_faceid.hooks.faceid",
    "sqlalchemy.dialects.sqlite",
)
"""What the operator imports only when it runs."""

HEAD = ("rows done", "operator MB above imports", "simulator MB", "rows/s")


def strangers() -> Iterator[tuple[int, str, str]]:
    """Yield valid identities without end: key, ID number, name."""
    chance = random.Random(7)  # noqa: S311 - fiction, not secrets
    key, born = 0, FIRST_BIRTH
    while True:
        day = AREA + born.isoformat().replace("-", "")
        for number in range(1, BORN_IN_A_DAY + 1):
            head = f"{day}{number:03}"
            key += 1
            yield key, head + check_character(list(map(int, head))), names.invent_name(chance)
        born += timedelta(days=1)


def fill(warehouse: Path, rows: int) -> None:
    """Make the source table."""
    connection = sqlite3.connect(warehouse)
    connection.execute("CREATE TABLE applicants (id INTEGER PRIMARY KEY, id_card TEXT, name TEXT)")
    connection.executemany("INSERT INTO applicants VALUES (?, ?, ?)", islice(strangers(), rows))
    connection.commit()
    connection.close()


def work(pipe: Connection) -> None:
    """Import everything, say so, run the operator when told, give its manifest, end when told."""
    for module in IMPORTED_LATE:
        import_module(module)
    from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator

    operator = IdCardVerificationBatchOperator(
        task_id="verify", source_conn_id="warehouse", source="applicants", campaign="bench"
    )
    pipe.send("ready")
    pipe.recv()
    task = SimpleNamespace(
        dag_id="bench", run_id="bench", task_id="verify", map_index=-1, try_number=1
    )
    pipe.send(operator.execute({"run_id": "bench", "ti": task}))
    with suppress(EOFError):  # whoever watches has seen enough
        pipe.recv()


@dataclass
class Watch:
    """
    Watches the operator's process and the simulator's.

    :ivar manifest: the operator's, once it is through.
    :ivar growth: megabytes above the imports at each look.
    """

    service: Process
    worker: BaseProcess
    pipe: Connection
    rows: int
    manifest: dict[str, Any] = field(default_factory=dict)
    growth: list[float] = field(default_factory=list)

    def run(self) -> Iterator[tuple[str, ...]]:
        """Run the operator; yield rows of the table as it gets on, and the peak at the end."""
        imports = self._memory()
        started = time.monotonic()
        self.pipe.send("go")
        for share in SHARES:
            done = self._wait_for(share, started + PATIENCE + self.rows / SLOWEST)
            rate = done / (time.monotonic() - started)
            self.growth.append(self._memory() - imports)
            yield self._row(f"{done:,}", self.growth[-1], f"{rate:,.0f}")
        self.growth.append(self._memory("VmHWM") - imports)
        yield self._row("peak", self.growth[-1], "", "VmHWM")

    def _wait_for(self, share: float, end: float) -> int:
        """Wait until the service saw a share of the rows, or the operator is through."""
        while not self.manifest and time.monotonic() < end:
            if self.pipe.poll(LOOK_EVERY):
                self.manifest = self._receive()
            done = int(self.service.ask("pace").get(ACTION, {}).get("calls", 0))
            if share * self.rows <= done < self.rows:
                return done
        if not self.manifest:
            raise SystemExit("The operator takes too long")
        return self.rows

    def _receive(self) -> dict[str, Any]:
        try:
            return dict(self.pipe.recv())
        except EOFError:
            raise SystemExit("The operator has failed") from None

    def _memory(self, what: str = "VmRSS") -> float:
        return memory_mb(self.worker.pid, what)

    def _row(self, done: str, growth: float, rate: str, what: str = "VmRSS") -> tuple[str, ...]:
        return (done, f"{growth:.0f}", f"{memory_mb(self.service.pid, what):.0f}", rate)

    def faults(self) -> Iterator[str]:
        """Say what is not as it should be."""
        saw = self.service.ask("pace")[ACTION]["calls"]
        billed = self.service.ask("bill")[ACTION]
        if not self.rows == saw == self.manifest["calls"] == self.manifest["answered"]:
            yield f"{self.rows} rows, {saw} calls: {self.manifest}"
        if self.manifest["charged"] != billed:
            yield f"{self.manifest['charged']} counted as charged, {billed} billed"
        first, *_, last, peak = self.growth
        if peak > TARGET_MB:
            yield f"the peak is above {TARGET_MB} MB"
        if last - first > FLAT_MB:
            yield f"memory grew by {last - first:.0f} MB on the way"


def memory_mb(pid: int | None, what: str) -> float:
    """Return what the kernel says of a process's memory: ``VmRSS`` now, ``VmHWM`` at its peak."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"The process {pid} has ended")


def connections(
    folder: Path, url: str, warehouse: dict[str, str] | None = None, quota: int = MAX_QUOTA
) -> None:
    """Set the connections of processes to come."""
    fields_of = {
        "warehouse": warehouse or {"conn_type": "sqlite", "host": str(folder / "warehouse.sqlite")},
        "faceid_default": {
            "conn_type": "faceid",
            "host": url,
            **KEY,
            "extra": {"id_card_verification_quota": quota},
        },
    }
    os.environ["AIRFLOW_HOME"] = str(folder)
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"  # its progress would cut the table
    for name, fields in fields_of.items():
        os.environ[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(fields)


@contextmanager
def worker(
    folder: Path, url: str, warehouse: dict[str, str] | None = None
) -> Iterator[tuple[BaseProcess, Connection]]:
    """Start the operator's process, give it with its pipe once all is imported, stop it."""
    connections(folder, url, warehouse)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=work, args=(there,))
    process.start()
    there.close()  # so that this end notices when the process is gone
    try:
        if not here.poll(PATIENCE):
            raise SystemExit("The operator's process does not start")
        here.recv()
        yield process, here
    finally:
        here.close()
        process.join(PATIENCE)
        process.kill()


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description="Many rows through the batch operator")
    parser.add_argument("--rows", type=int, default=ROWS, help="default %(default)s")
    rows = parser.parse_args().rows
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faceid-bench-")))
        fill(folder / "warehouse.sqlite", rows)
        options = ("--quota", f"{ACTION}=0", "--no-identity-limits")
        service = stack.enter_context(simulator(*options))
        watch = Watch(service, *stack.enter_context(worker(folder, service.url)), rows)
        show(HEAD, watch.run())
        manifest = watch.manifest
        print(f"{rows:,} rows in {manifest['seconds']:.0f} s: {manifest['outcomes']}")
        faults = list(watch.faults())
    for fault in faults:
        print(f"differs: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
