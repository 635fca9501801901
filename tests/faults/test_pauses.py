"""What a person decides while workers call: a pause of all of them, and single calls before the table's."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from statistics import median

import pytest
import requests

from airflow_provider_faceid.client.settings import Credentials, Settings
from airflow_provider_faceid.client.transport_sync import call
from airflow_provider_faceid.clock import SYSTEM_CLOCK, OffsetClock, utc_seconds
from airflow_provider_faceid.simulator.people import People
from airflow_provider_faceid.state.pauses import EVERY_ACTION, Pauses
from airflow_provider_faceid.state.rate_limiter import SlotRateLimiter
from airflow_provider_faceid.state.rate_rows import StoredRow
from airflow_provider_faceid.state.store import StateStore
from tests.support.departures import busiest_second, too_fast
from tests.support.patience import SOON

from .plant import ACTION, Plant

pytestmark = pytest.mark.long

QUOTA = 100
RATE = 0.97 * QUOTA
NAME, ACCOUNT = "account", ""
"""Name of the workers' row of the rate limiter, which is of no host and account."""
WITHIN = 2.0
"""Seconds in which workers stop, and go on."""
PAUSED = 6.0
THIRDS = ("id % 3 = 0", "id % 3 = 1", "id % 3 = 2")


def workers(plant: Plant) -> list:
    """Start three workers that share the pace, each with its third of the table."""
    return [
        plant.start(
            f"worker {number}",
            source=f"SELECT * FROM people WHERE {part}",
            rate=RATE,
            in_flight=100,
        )
        for number, part in enumerate(THIRDS)
    ]


def arrivals(plant: Plant) -> list[float]:
    """Return when calls reached the service, in Unix seconds."""
    return [utc_seconds(call["at"]) for call in plant.calls()]


def claimed(store: StateStore) -> int:
    """Return how many calls are claimed and have no result."""
    ((count,),) = store.read("SELECT COUNT(*) FROM faceid_calls WHERE state = 'sent'", ())
    return count


@pytest.mark.fault(63)
def test_a_pause_stops_every_worker_and_loses_no_row(plants, measured):
    plant = plants(int(RATE * 10))
    store = StateStore(plant.state)
    pauses = Pauses(store, ACCOUNT)
    started = workers(plant)
    assert plant.wait_for(lambda: plant.seen > 2 * RATE)
    pauses.pause(EVERY_ACTION, by="somebody", reason="maintenance")
    paused_at = time.time()
    time.sleep(PAUSED)
    assert plant.wait_for(lambda: claimed(store) == 0)
    started[0].kill()
    seen, last = plant.seen, max(arrivals(plant))
    assert seen < plant.rows
    assert last < paused_at + WITHIN
    pauses.resume(EVERY_ACTION, by="somebody")
    resumed_at = time.time()
    store.close()
    assert plant.wait_for(lambda: plant.seen > seen)
    first = min(moment for moment in arrivals(plant) if moment > resumed_at)
    assert first < resumed_at + WITHIN
    assert [worker.wait() for worker in started[1:]] == [0, 0]
    finished = plant.finish("worker 0", source=f"SELECT * FROM people WHERE {THIRDS[0]}", rate=RATE)
    assert finished == 0
    assert Counter(plant.results().values()) == {"answered": plant.rows}
    assert Counter(plant.called().values()) == {1: plant.rows}
    plant.hold(counted=False)  # by the manifests; one of them died with its worker
    stopped = max(0.0, last - paused_at)
    measured(
        f"3 workers at {RATE:.0f} calls/s: the last call {stopped:.1f} s after the pause, the first "
        f"{first - resumed_at:.1f} s after its end; a worker killed meanwhile: {plant.rows} rows, "
        f"{plant.seen} calls, 0 in doubt"
    )


def customers(plant: Plant, people: list, waits: list[float], done: threading.Event) -> None:
    """Ask about people one after the other, at random moments, with priority."""
    store, chance = StateStore(plant.state), random.Random(5)
    limiter = SlotRateLimiter(StoredRow(store, NAME), RATE)

    class Noted:
        """The lane, which notes how long a call waited and when it left."""

        def wait(self) -> None:
            came = time.monotonic()
            limiter.priority().wait()
            waits.append(time.monotonic() - came)
            with (plant.folder / "left").open("a", encoding="ascii") as left:
                left.write(f"{time.time()}\n")

        async def wait_async(self) -> None:
            raise AssertionError("a single check waits in its thread")

        def check(self) -> None:
            limiter.check()

        def slow_down(self) -> None:
            limiter.slow_down()

    settings = Settings(Credentials("simulator-id", "simulator-key"), url=plant.server.url)
    with requests.Session() as session:
        for person in people:
            if done.is_set():
                break
            call(
                ACTION,
                {"IdCard": person.id_card, "Name": person.name},
                session=session,
                settings=settings,
                pace=Noted(),
                clock=OffsetClock(SYSTEM_CLOCK),
            )
            time.sleep(chance.uniform(0, 0.3))
    store.close()


@pytest.mark.fault(64)
def test_calls_with_priority_leave_before_those_of_the_table_and_none_is_too_many(plants, measured):
    plant = plants(int(RATE * 12))
    waits: list[float] = []
    done = threading.Event()
    # People of another city, so that each is called for once all the same.
    others = [person for person in People(1000, seed=99).listed if not person.persona]
    started = workers(plant)
    assert plant.wait_for(lambda: plant.seen > RATE)
    serving = threading.Thread(target=customers, args=(plant, others, waits, done))
    serving.start()
    codes = [worker.wait() for worker in started]
    done.set()
    serving.join(SOON)
    assert codes == [0, 0, 0]
    assert len(waits) > 10
    left, arrived = plant.left(), arrivals(plant)
    assert not too_fast(QUOTA, left, arrived)
    called = plant.called()
    assert {called[person.id_card] for person in plant.people} == {1}
    assert Counter(plant.results().values()) == {"answered": plant.rows}
    plant.hold(counted=False)  # the manifests do not know of the customers
    measured(
        f"{len(waits)} calls with priority beside 3 workers at {RATE:.0f} calls/s: waited "
        f"{1000 * median(waits):.0f} ms at the median for their slot, busiest second "
        f"{busiest_second(left)} of {QUOTA}"
    )
