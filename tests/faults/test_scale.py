"""A table far larger than what is held in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from .plant import Plant, Worker

pytestmark = pytest.mark.long

MOST_MB = 300
LIFTED = 100_000
"""Calls per second: as many as the machine can make."""


def memory_mb(worker: Worker, field: str = "VmRSS") -> float:
    """Return what a worker holds, its imports included."""
    for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"no {field}")


def grown(plant: Plant, worker: Worker, rows: int) -> float:
    """Return what it holds when so many calls are made."""
    assert plant.wait_for(lambda: plant.seen >= rows, 300)
    return memory_mb(worker)


@pytest.mark.fault(38)
def test_memory_does_not_grow_with_the_table(plants, thorough, measured):
    """A million rows take a quarter of an hour: `make bench`."""
    rows = 30_000 if thorough else 8_000
    plant = plants(rows, latency_ms=(0, 0))
    worker = plant.start(rate=LIFTED, in_flight=200)
    early, late = (grown(plant, worker, rows * tenth // 10) for tenth in (3, 9))
    most = memory_mb(worker, "VmHWM")
    assert worker.wait() == 0
    assert most < MOST_MB
    assert late - early < 30
    assert plant.seen == rows
    plant.hold()
    measured(
        f"{rows:,} rows: {most:.0f} MB with all imports, {max(0, late - early):.0f} MB more at the "
        "end; a million: see [the benchmarks](benchmarks.md#a-million-rows)"
    )
