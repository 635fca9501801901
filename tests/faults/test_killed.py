"""Workers that die, stop or meet another one: paid once, nothing lost."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter

from .conftest import ROWS, Plant

IN_FLIGHT = 32
MOST_KILLS = 30


def test_kills_at_random_points_pay_nothing_twice_and_lose_nothing(plant: Plant, capsys):
    """Every kill leaves at most what was in flight in doubt; the next try does the rest."""
    chance, kills = random.Random(4), 0
    while kills < MOST_KILLS:
        process = plant.start("task", IN_FLIGHT)
        before = plant.calls().total()
        while process.poll() is None and plant.calls().total() == before:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.25))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        if kills % 10 == 0:
            assert max(plant.calls().values()) == 1
    assert plant.finish("task") == 0
    results, calls = plant.results(), plant.calls()
    held = Counter(results.values())["held"]
    with capsys.disabled():
        print(f"\n  {kills} kills, {held} rows in doubt, {max(calls.values())} call a row at most")  # noqa: T201 - a measurement is to be seen
    assert kills >= 5
    assert len(results) == ROWS
    assert set(results.values()) == {"answered", "held"}
    assert max(calls.values()) == 1
    assert held <= kills * IN_FLIGHT
    assert len(calls) >= ROWS - held
    assert plant.server.account.ledger.bill["IdCardVerification"] == calls.total()
    assert plant.finish("task") == 0
    assert plant.calls() == calls


def test_two_runs_of_one_campaign_at_once_call_for_each_row_once(plant: Plant):
    first, second = plant.start("one"), plant.start("two")
    assert (first.wait(120), second.wait(120)) == (0, 0)
    assert set(plant.results().values()) == {"answered"}
    assert len(plant.results()) == ROWS
    assert Counter(plant.calls().values()) == {1: ROWS}


def test_a_stopped_try_that_wakes_beside_its_successor_calls_nobody(plant: Plant):
    zombie = plant.start("task", IN_FLIGHT)
    end = time.monotonic() + 60
    while plant.calls().total() < 50 and time.monotonic() < end:
        time.sleep(0.01)
    zombie.send_signal(signal.SIGSTOP)
    time.sleep(2.5)  # longer than a worker trusts what it knew before
    assert plant.finish("task") == 0
    finished = plant.calls()
    zombie.send_signal(signal.SIGCONT)
    assert zombie.wait(60) != 0
    assert plant.calls() == finished
    assert max(finished.values()) == 1
    assert len(plant.results()) == ROWS
    assert Counter(plant.results().values())["held"] <= IN_FLIGHT
