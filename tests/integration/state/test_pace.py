"""The pace over every place a rate can be kept: the same promises, whoever waits and how."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable

import pytest

from airflow_provider_faceid.state.rate import DECREASE_FACTOR, THROTTLE_PAUSE_SECONDS, Slots
from airflow_provider_faceid.state.rate_limiter import BLOCK_SLOTS, LATE_SECONDS, SlotRateLimiter
from tests.support.patience import PATIENCE, SOON

from .conftest import START, Place, SleepClock

RATE = 10
INTERVAL = 1 / RATE
FAST = 100
"""A rate at which a step takes eight slots."""


@pytest.fixture
def pace(place: Place, clock: SleepClock) -> SlotRateLimiter:
    return place.pace(RATE, clock)


@pytest.fixture(params=["blocking", "asyncio"])
def moments(request, clock) -> Callable[[SlotRateLimiter, int], list[float]]:
    """Take so many slots one after the other; return when each call left, from the start."""

    async def take_async(pace: SlotRateLimiter, count: int) -> list[float]:
        left = []
        for _ in range(count):
            await pace.wait_async()
            left.append(round(clock.seconds - START, 6))
        return left

    def take(pace: SlotRateLimiter, count: int) -> list[float]:
        if request.param == "asyncio":
            return asyncio.run(take_async(pace, count))
        left = []
        for _ in range(count):
            pace.wait()
            left.append(round(clock.seconds - START, 6))
        return left

    return take


@pytest.fixture(params=["threads", "coroutines"])
def together(request) -> Callable[[SlotRateLimiter, int, int], None]:
    """Let so many wait at the same time, each so many times."""

    def threads(pace: SlotRateLimiter, workers: int, times: int) -> None:
        def work() -> None:
            for _ in range(times):
                pace.wait()

        started = [threading.Thread(target=work) for _ in range(workers)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in started)

    def coroutines(pace: SlotRateLimiter, workers: int, times: int) -> None:
        async def work() -> None:
            for _ in range(times):
                await pace.wait_async()

        async def run() -> None:
            await asyncio.wait_for(asyncio.gather(*(work() for _ in range(workers))), 10)

        asyncio.run(run())

    return {"threads": threads, "coroutines": coroutines}[request.param]


def gaps(left: list[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(left)]


def test_slots_are_an_interval_apart_from_the_first_on(pace, moments):
    assert moments(pace, 5) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4], abs=1e-5)


def test_slots_nobody_took_are_gone(pace, clock, moments):
    moments(pace, 2)
    clock.seconds = START + 60
    assert moments(pace, 3) == pytest.approx([60, 60.1, 60.2], abs=1e-5)


def test_a_little_lateness_is_forgiven_and_not_handed_on(pace, clock, moments):
    moments(pace, 1)
    clock.oversleep = LATE_SECONDS * 0.9
    late, following = moments(pace, 2)
    assert late == pytest.approx(INTERVAL + LATE_SECONDS * 0.9, abs=1e-5)
    assert following == pytest.approx(2 * INTERVAL, abs=1e-5)


def test_who_oversleeps_loses_the_slot_and_takes_the_next_one(pace, clock, moments):
    moments(pace, 1)
    clock.oversleep = LATE_SECONDS * 1.1
    assert moments(pace, 1) == pytest.approx([2 * INTERVAL], abs=1e-5)


@pytest.mark.parametrize("stall", [0.05, 10.0])
def test_a_stall_is_followed_by_no_burst(place, clock, moments, stall):
    pace = place.pace(FAST, clock)
    moments(pace, 3)
    clock.oversleep = stall
    left = moments(pace, 30)
    assert left[0] >= stall
    for first, last in itertools.combinations(range(len(left)), 2):
        assert left[last] - left[first] >= (last - first) / FAST - LATE_SECONDS


def test_slowing_down_gives_up_the_slots_in_hand(place, clock, moments):
    pace = place.pace(FAST, clock)
    moments(pace, 9)  # of 1, 2, 4 and 8
    block_ends = 15 / FAST
    said = clock.seconds - START
    pace.slow_down()
    first, *others = moments(pace, 20)
    assert first == pytest.approx(max(block_ends, said + THROTTLE_PAUSE_SECONDS), abs=1e-5)
    slower = 1 / (FAST * DECREASE_FACTOR)
    assert all(0.95 * slower < gap < 1.05 * slower for gap in gaps([first, *others]))


def test_slowing_down_twice_in_a_moment_is_once(pace, clock, moments):
    pace.slow_down()
    clock.seconds += 0.01
    pace.slow_down()
    first, second = moments(pace, 2)
    assert first == pytest.approx(THROTTLE_PAUSE_SECONDS, abs=1e-5)
    assert second - first == pytest.approx(INTERVAL / DECREASE_FACTOR, rel=0.01)


def test_slowing_down_holds_for_everybody_on_the_row(place, clock, moments):
    one, other = place.pace(RATE, clock), place.pace(RATE, clock)
    one.slow_down()
    assert moments(other, 1) == pytest.approx([THROTTLE_PAUSE_SECONDS], abs=1e-5)


def test_eight_at_once_get_exactly_the_slots_in_order(place, clock, together):
    together(place.pace(FAST, clock), 8, 5)
    assert clock.woken == pytest.approx([n / FAST for n in range(40)], abs=1e-5)


def test_three_on_one_row_share_it_and_leave_no_slot(place, clock):
    """Each lives on a time of its own; the one furthest behind goes next."""
    paces = [place.pace(FAST, clock) for _ in range(3)]
    times, counts = [START] * 3, [0] * 3
    while min(times) < START + 8:
        mine = times.index(min(times))
        clock.seconds = times[mine]
        paces[mine].wait()
        times[mine] = clock.seconds
        counts[mine] += 1
    assert sum(counts) == pytest.approx(8 * FAST, abs=3 * BLOCK_SLOTS)
    assert min(counts) / max(counts) >= 0.9


def blocks(pace: SlotRateLimiter) -> list[int]:
    """Note how many slots each step takes from now on."""
    noted, take = [], pace._row.take

    def noting(rate: float, count: int) -> Slots:
        noted.append(count)
        return take(rate, count)

    pace._row.take = noting
    return noted


def test_who_comes_back_at_once_takes_more_in_a_step(place, clock, moments):
    pace = place.pace(FAST, clock)
    taken = blocks(pace)
    moments(pace, 1 + 2 + 4 + 8 + 8)
    assert taken == [1, 2, 4, 8, 8]


def test_who_comes_now_and_then_takes_one_slot_and_wastes_none(place, clock, moments):
    pace = place.pace(FAST, clock)
    taken = blocks(pace)
    for _ in range(4):
        moments(pace, 1)
        clock.seconds += 2 / FAST + LATE_SECONDS
    assert taken == [1, 1, 1, 1]


def test_at_a_low_rate_a_step_takes_less_than_half_a_second(place, clock, moments):
    pace = place.pace(5, clock)
    taken = blocks(pace)
    moments(pace, 1 + 2 + 2)
    assert taken == [1, 2, 2]


def test_another_account_has_slots_of_its_own(place, clock):
    starts = [place.row(clock, name).take(RATE, 5).start for name in ("one", "other", "one")]
    assert starts == pytest.approx([START, START, START + 5 * INTERVAL])


def test_a_cancelled_coroutine_leaves_the_gate_usable(pace, clock):
    async def run() -> list[float]:
        await pace.wait_async()
        clock.held = True
        first, second = (asyncio.create_task(pace.wait_async()) for _ in range(2))
        async with asyncio.timeout(5):
            while not clock.is_asleep:  # noqa: ASYNC110 - as above, in the clock
                await asyncio.sleep(0.001)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        clock.held = False
        await asyncio.wait_for(second, 5)
        await asyncio.wait_for(pace.wait_async(), 5)
        return clock.woken

    assert asyncio.run(run()) == pytest.approx([0, 2 * INTERVAL, 3 * INTERVAL], abs=1e-5)


def test_no_database_is_asked_in_the_event_loop(place, clock, monkeypatch):
    """Not even when a stall has made all slots in hand worthless."""
    pace, asked = place.pace(FAST, clock), []
    take = pace._row.take

    def watched(rate, count):
        asked.append(threading.current_thread())
        return take(rate, count)

    monkeypatch.setattr(pace._row, "take", watched)

    async def run() -> None:
        await pace.wait_async()
        clock.seconds += 60
        await pace.wait_async()

    asyncio.run(run())
    assert len(asked) == 2
    if not pace._row.is_local:
        assert threading.main_thread() not in asked


def test_one_pace_serves_one_event_loop_after_the_other(pace, clock):
    for _ in range(3):
        asyncio.run(pace.wait_async())
    pace.wait()
    assert clock.woken == pytest.approx([0, 0.1, 0.2, 0.3], abs=1e-5)


def test_on_the_machines_clock_slots_are_held_as_well(place, together):
    """The machine may be busy, so only what must never happen is exact."""
    pace = place.pace(200)
    began = time.monotonic()
    together(pace, 8, 5)
    assert 39 / 200 - LATE_SECONDS <= time.monotonic() - began < SOON
