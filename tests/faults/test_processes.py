"""Workers that die, stop, double or tell the wrong time: paid once, nothing lost, the pace held."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from airflow_provider_faceid.clock import utc_seconds
from tests.support.departures import busiest_second
from tests.support.patience import SOON

from .plant import Plant, Worker

pytestmark = pytest.mark.long

IN_FLIGHT = 32
KILLS, MOST_KILLS = 24, 100
"""Kills in every test run, and when the table is made."""
ROWS_A_KILL = 40
STALE = 2.5
"""Longer than a worker trusts what it knew before it was stopped, in seconds."""
QUOTA = 100


class Attempt:
    """
    A run that is to be killed.

    :ivar before: calls the service had seen before it.
    """

    def __init__(self, plant: Plant, rows: int) -> None:
        self.plant, self.before, self._number = plant, plant.seen, plant.latest_try()[0]
        source = f"SELECT * FROM people WHERE id < {rows}"
        self.worker = plant.start(source=source, in_flight=IN_FLIGHT)

    def wait_for(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds, or the run has ended."""
        self.plant.wait_for(lambda: holds() or self.worker.poll() is not None)

    @property
    def on_their_way(self) -> int:
        """Return how many of its calls are on their way, as the ledger says."""
        number, calls = self.plant.latest_try()
        return calls if number > self._number else 0


def at_the_start(attempt: Attempt, chance: random.Random) -> None:
    """Before the first call, mostly."""
    time.sleep(chance.uniform(0, 0.1))


def committed(attempt: Attempt, chance: random.Random) -> None:
    """When calls are written down, and most of them have not left."""
    attempt.wait_for(lambda: attempt.on_their_way > 1)


def in_the_middle(attempt: Attempt, chance: random.Random) -> None:
    """While calls leave and answers come."""
    attempt.wait_for(lambda: attempt.plant.seen > attempt.before)
    time.sleep(chance.uniform(0, 0.3))


def at_the_end(attempt: Attempt, chance: random.Random) -> None:
    """While the last answers are written."""
    attempt.wait_for(lambda: attempt.plant.seen >= attempt.before + ROWS_A_KILL - 1)
    time.sleep(chance.uniform(0, 0.15))


MOMENTS = (in_the_middle, committed, at_the_end, at_the_start)


@pytest.mark.fault(23)
def test_kills_at_random_moments_pay_nobody_twice_and_lose_nothing(plants, thorough, measured):
    """Each try has the rows of the earlier ones and forty more, and is killed at them."""
    wanted = MOST_KILLS if thorough else KILLS
    plant, chance = plants(wanted * ROWS_A_KILL), random.Random(4)
    doubts, kills = [], 0
    for number in range(3 * wanted):
        if kills == wanted:
            break
        attempt = Attempt(plant, min(kills + 1, wanted) * ROWS_A_KILL)
        MOMENTS[number % len(MOMENTS)](attempt, chance)
        if attempt.worker.poll() is None:
            attempt.worker.kill()
            kills += 1
            doubts.append(attempt.on_their_way)
    assert kills == wanted
    assert max(doubts) <= IN_FLIGHT
    assert plant.finish(in_flight=IN_FLIGHT) == 0
    doubtful = [int(key) for key, status in plant.results().items() if status == "held"]
    held, called = len(doubtful), plant.called()
    paid = sum(plant.people[key].id_card in called for key in doubtful) / held
    twice = sum(count > 1 for count in called.values())
    plant.hold(most_in_doubt=kills * IN_FLIGHT, counted=False)
    assert twice == 0
    assert len(called) >= plant.rows - held
    measured(
        f"{kills} kills of {plant.rows:,} rows with {IN_FLIGHT} in flight: {twice} paid twice, "
        f"0 lost; in doubt per kill {held / kills:.0f}, {max(doubts)} at most, {paid:.0%} of them paid"
    )


@pytest.mark.fault(24)
def test_a_worker_that_is_ended_keeps_what_is_in_flight(plants, measured):
    plant = plants(300, latency_ms=(200, 400))
    worker = plant.start()
    assert plant.wait_for(lambda: plant.seen > 100)
    began = time.monotonic()
    worker.send(signal.SIGTERM)
    assert worker.wait() != 0
    seconds, seen = time.monotonic() - began, plant.seen
    assert seen < plant.rows
    assert Counter(plant.results().values()) == {"answered": seen}
    assert seconds < SOON
    assert plant.finish() == 0
    plant.hold()
    measured(f"ended after {seconds:.0f} s, 0 in doubt, a later run did the rest")


@pytest.mark.fault(25)
def test_two_runs_of_one_campaign_at_once_call_for_each_row_once(plants, measured):
    plant = plants(400)
    first, second = plant.start("one"), plant.start("two")
    assert (first.wait(), second.wait()) == (0, 0)
    assert set(plant.results().values()) == {"answered"}
    shares = [n for (n,) in plant.query("SELECT calls FROM faceid_runs ORDER BY run_id")]
    plant.hold()
    assert Counter(plant.called().values()) == {1: plant.rows}
    assert sum(shares) == plant.rows
    measured(f"{plant.rows} rows, {plant.rows} calls")


@pytest.mark.fault(26)
def test_a_stopped_try_that_wakes_beside_its_successor_calls_nobody(plants, measured):
    plant = plants(300)
    zombie = plant.start(in_flight=IN_FLIGHT)
    assert plant.wait_for(lambda: plant.seen > 50)
    zombie.stop(plant.files)
    time.sleep(STALE)
    assert plant.finish(in_flight=IN_FLIGHT) == 0
    finished = plant.seen
    results = plant.results()
    zombie.send(signal.SIGCONT)
    assert zombie.wait() != 0
    assert b"SupersededError" in (plant.folder / "log").read_bytes()
    assert plant.results() == results
    doubtful = {plant.people[int(key)].id_card for key, at in results.items() if at == "held"}
    assert len(doubtful) <= IN_FLIGHT
    # What it was just writing when it was stopped is in doubt already, and may leave.
    late = [call["id_card"] for call in plant.calls()[finished:]]
    assert len(late) <= 3
    assert doubtful.issuperset(late)
    plant.hold(most_in_doubt=IN_FLIGHT, counted=False)
    measured(f"{len(late)} calls and 0 records after it woke, at most {IN_FLIGHT} rows in doubt")


THIRDS = ("id % 3 = 0", "id % 3 = 1", "id % 3 = 2")


def three_workers(
    plant: Plant, parts: Sequence[str] = THIRDS, ahead_s: Sequence[float] = (0, 0, 0)
) -> list[Worker]:
    """Start workers that share the pace, each with its own part of the table."""
    return [
        plant.start(
            f"worker {number}",
            source=f"SELECT * FROM people WHERE {part}",
            rate=0.97 * QUOTA,
            in_flight=100,
            ahead_s=ahead,
        )
        for number, (part, ahead) in enumerate(zip(parts, ahead_s, strict=True))
    ]


@pytest.mark.fault(28)
def test_a_stopped_worker_costs_the_others_no_pace_and_wakes_without_a_burst(
    plants, thorough, measured
):
    """The others are as fast as all were before, where the machine lets them, and do not wait."""
    stopped = 60 if thorough else 6
    rate = 0.97 * QUOTA
    plant = plants(int(rate * (stopped + 6)))
    a_little = f"id < {2 * rate}"
    parts = (a_little, f"id % 2 = 0 AND NOT {a_little}", f"id % 2 = 1 AND NOT {a_little}")
    workers = three_workers(plant, parts)
    assert plant.wait_for(lambda: plant.seen > rate)
    workers[0].stop(plant.files)
    began = time.time()
    time.sleep(stopped)
    ended = time.time()
    workers[0].send(signal.SIGCONT)
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    left = sorted(plant.left())
    meanwhile = [moment for moment in left if began <= moment <= ended]
    before = busiest_second([moment for moment in left if moment < began])
    held = list(plant.results().values()).count("held")
    # Two thirds, if its share were kept for it.
    assert busiest_second(meanwhile) >= 0.8 * min(before, rate)
    assert max(after - before for before, after in pairwise([began, *meanwhile, ended])) < STALE
    plant.hold(quota=QUOTA)
    kept, busiest = len(meanwhile) / stopped / rate, busiest_second(left)
    assert kept >= 0.9 or not thorough  # `make faults` has the machine to itself
    measured(
        f"stopped for {stopped} s: the others kept {kept:.0%}, busiest second {busiest} of {QUOTA}, "
        f"{held} in doubt"
    )


@pytest.mark.fault(29)
def test_workers_whose_clocks_differ_keep_the_pace(plants, postgres_url, measured):
    """On several hosts the state store is PostgreSQL, and its clock is the one that counts."""
    rate = 0.97 * QUOTA
    plant = plants(int(rate * 5), state=postgres_url)
    workers = three_workers(plant, ahead_s=(-5, 0, 5))
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    calls = plant.calls()
    busiest = busiest_second(plant.left())
    moments = sorted(utc_seconds(call["at"]) for call in calls)
    held = len(calls) / (moments[-1] - moments[0]) / rate
    plant.hold(quota=QUOTA)
    measured(f"clocks 5 s apart: {held:.0%} of the pace, busiest second {busiest} of {QUOTA}")
