"""How fast a run is, and how much memory it takes."""

from __future__ import annotations

import os
import threading
import time

import pytest

from airflow_provider_faceid.clock import utc_seconds
from airflow_provider_faceid.simulator import simulator
from airflow_provider_faceid.simulator.people import FACE, ID_CARD, People
from tests.support.departures import busiest_second, too_fast
from tests.support.patience import in_some_try

pytestmark = [pytest.mark.long, pytest.mark.source]

MANY = 10_000
MAX_GROWTH_MB = 45
"""28 MB are taken however many rows there are; the rest would be 1.7 kB a row."""


@pytest.mark.parametrize(("action", "seconds"), [(ID_CARD, 3), (FACE, 4)])
def test_the_quota_is_used_and_never_exceeded(sqlite_bench, action, seconds):
    bench = sqlite_bench
    quota = {ID_CARD: 100, FACE: 20}[action]
    bench.server.account.windows.quotas[action] = quota
    people = bench.ordinary[: quota * seconds]
    photos = {person: bench.photo(person) for person in set(people)}
    bench.fill([(key, p.id_card, p.name, photos[p]) for key, p in enumerate(people)], "BLOB")

    def used(number: int) -> bool:
        manifest = bench.run(action, campaign=str(number), settings={"quotas": {}})
        assert manifest["answered"] == manifest["calls"] - manifest["throttled"] == len(people)
        arrived = [utc_seconds(call["at"]) for call in bench.calls()]
        assert too_fast(quota, bench.left, arrived) == []
        return busiest_second(bench.left) >= 0.97 * 0.97 * quota

    assert in_some_try(used)


@pytest.fixture
def process():
    """A simulator in a process of its own, without limits; gives its address."""
    options = ("--latency-ms", "0", "--quota", f"{ID_CARD}=0", "--no-identity-limits")
    with simulator("--people", str(MANY), *options) as running:
        yield running.url


def resident_mb():
    """Return the memory this process holds now."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 - no file in the usual sense
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_memory_stays_flat_over_many_rows(sqlite_bench, process, capsys):
    bench = sqlite_bench
    bench.url = process
    people = [person for person in People(MANY).listed if not person.persona]
    bench.fill_with(people)
    batch = bench.batch(settings={"quotas": {ID_CARD: 10_000}})
    before, peak, done = resident_mb(), [0.0], threading.Event()

    def watch():
        while not done.wait(0.05):
            peak[0] = max(peak[0], resident_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.monotonic()
    try:
        manifest = batch.run()
    finally:
        done.set()
        watcher.join()
    seconds, growth = time.monotonic() - started, peak[0] - before
    with capsys.disabled():
        print(f"\n  {len(people)} rows, {len(people) / seconds:.0f} rows/s, +{growth:.0f} MB")  # noqa: T201 - a measurement is to be seen
    assert manifest.outcomes == {"match": len(people)}
    assert growth < MAX_GROWTH_MB
