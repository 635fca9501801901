"""The pace: first on a clock of the test's own, at the end for a second of real time."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import threading
import time
from collections.abc import Callable

import pytest

from airflow_provider_faceid.clock import Clock
from airflow_provider_faceid.state.pace import LATE_SECONDS, THROTTLE_PAUSE, LocalPace, shared_pace

START = 1000.0
RATE = 10
INTERVAL = 1 / RATE


class SleepClock(Clock):
    """
    Moves on by sleeping only; each sleep may take longer than it was asked to.

    ``asleep`` lets all coroutines fall asleep, then wakes them in the order of their moments, as an
    event loop does.
    """

    def __init__(self) -> None:
        self.seconds = START
        self.oversleep = 0.0
        self._waking: list[float] = []

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += max(0.0, seconds) + self.oversleep
        self.oversleep = 0.0

    async def asleep(self, seconds: float) -> None:
        wake = self.seconds + max(0.0, seconds)
        self._waking.append(wake)
        for _ in range(10_000):
            await asyncio.sleep(0)
            if wake <= min(self._waking):
                break
        self._waking.remove(wake)
        self.seconds = max(self.seconds, wake) + self.oversleep
        self.oversleep = 0.0


@pytest.fixture
def clock() -> SleepClock:
    return SleepClock()


@pytest.fixture
def pace(clock: SleepClock) -> LocalPace:
    return LocalPace(RATE, clock)


@pytest.fixture(params=["blocking", "asyncio"])
def wait(request, pace) -> Callable[[], None]:
    """Both ways to wait for a slot."""
    return pace.wait if request.param == "blocking" else lambda: asyncio.run(pace.wait_async())


@pytest.fixture
def moments(clock, wait) -> Callable[[int], list[float]]:
    """Take so many slots one after the other; return when each call left, from the start."""

    def take(count: int) -> list[float]:
        left = []
        for _ in range(count):
            wait()
            left.append(round(clock.seconds - START, 6))
        return left

    return take


def test_slots_are_an_interval_apart_from_the_first_on(moments):
    assert moments(5) == [0, 0.1, 0.2, 0.3, 0.4]


def test_slots_nobody_took_are_gone(clock, moments):
    assert moments(2) == [0, 0.1]
    clock.seconds = START + 60
    assert moments(3) == [60, 60.1, 60.2]


def test_a_little_lateness_is_forgiven_and_not_handed_on(clock, moments):
    moments(1)
    clock.oversleep = LATE_SECONDS * 0.9
    late, following = moments(2)
    assert late == pytest.approx(INTERVAL + LATE_SECONDS * 0.9)
    assert following == 2 * INTERVAL


def test_who_oversleeps_loses_the_slot_and_takes_the_next_one(clock, moments):
    moments(1)
    clock.oversleep = LATE_SECONDS * 1.1
    assert moments(1) == [2 * INTERVAL]


def test_slots_are_reserved_in_order(pace, clock):
    assert [pace.reserve() - START for _ in range(3)] == pytest.approx([0, 0.1, 0.2])
    assert clock.seconds == START


def left_together(pace, clock, count):
    """Let so many coroutines wait at the same time; return when each of them left."""
    left = []

    async def one():
        await pace.wait_async()
        left.append(round(clock.seconds - START, 6))

    async def together():
        await asyncio.gather(*(one() for _ in range(count)))

    asyncio.run(together())
    return left


def test_coroutines_leave_one_by_one(pace, clock):
    assert left_together(pace, clock, 8) == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]


@pytest.mark.parametrize("stall", [0.05, 1.0, 30.0])
def test_a_stalled_event_loop_sends_no_burst_when_it_wakes(pace, clock, stall):
    clock.oversleep = stall
    left = left_together(pace, clock, 20)
    assert len(left) == 20
    gaps = [after - before for before, after in itertools.pairwise(left)]
    assert min(gaps) >= INTERVAL - LATE_SECONDS
    assert left[0] >= stall


def test_slowing_down_keeps_everybody_silent(pace, clock, moments):
    moments(2)
    throttled = clock.seconds - START
    pace.slow_down()
    assert moments(3) == pytest.approx(
        [throttled + THROTTLE_PAUSE + n * INTERVAL for n in range(3)]
    )


def test_slowing_down_twice_in_a_moment_is_one_silence(pace, clock, moments):
    pace.slow_down()
    clock.seconds += 0.01
    pace.slow_down()
    assert moments(2) == pytest.approx([0.01 + THROTTLE_PAUSE, 0.01 + THROTTLE_PAUSE + INTERVAL])


def test_slowing_down_holds_for_those_who_wait_already(pace, clock):
    """Twenty wait with slots of two seconds in their hands when the first is throttled."""
    left = []

    async def one(number):
        await pace.wait_async()
        left.append(round(clock.seconds - START, 6))
        if number == 0:
            pace.slow_down()

    async def together():
        await asyncio.gather(*(one(number) for number in range(20)))

    asyncio.run(together())
    assert len(left) == 20
    first, *others = left
    assert first == 0
    assert min(others) >= THROTTLE_PAUSE
    gaps = [after - before for before, after in itertools.pairwise(others)]
    assert min(gaps) == pytest.approx(INTERVAL)


def test_threads_are_given_different_slots():
    clock = SleepClock()
    pace = LocalPace(1000, clock)
    slots: list[float] = []

    def reserve_many():
        slots.extend(pace.reserve() for _ in range(500))

    together(8, reserve_many)
    assert sorted(slots) == pytest.approx([START + n / 1000 for n in range(4000)])


def together(count: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


class TestRealTime:
    """The machine may be busy, so only what must never happen is exact."""

    def test_eight_threads_are_admitted_one_per_slot(self):
        pace, left = LocalPace(200), []

        def work():
            for _ in range(5):
                pace.wait()
                left.append(time.monotonic())

        began = time.monotonic()
        together(8, work)
        assert len(left) == 40
        assert max(left) - began >= 39 / 200 - LATE_SECONDS

    def test_eight_coroutines_at_200_a_second_send_nearly_200_in_a_second(self):
        """A busy machine loses slots, so it has three tries to reach 180; 201 is for every try."""
        counts = []
        while len(counts) < 3 and max(counts, default=0) < 180:
            counts.append(self.sent_in_a_second())
        assert 180 <= max(counts) <= 201

    @staticmethod
    def sent_in_a_second() -> int:
        began, left = time.monotonic(), []
        pace = LocalPace(200)

        async def work():
            while time.monotonic() < began + 1:
                await pace.wait_async()
                left.append(time.monotonic())

        async def run():
            await asyncio.gather(*(work() for _ in range(8)))

        asyncio.run(run())
        return sum(moment < began + 1 for moment in left)


class TestSharedPace:
    KEY = ("https://faceid.example", "an-id", "IdCardVerification", 97.0)

    def test_the_same_account_and_action_share_a_pace(self):
        assert shared_pace(*self.KEY) is shared_pace(*self.KEY)

    @pytest.mark.parametrize(
        ("at", "other"),
        [(0, "https://other.example"), (1, "another"), (2, "ImageRecognitionV2"), (3, 48.5)],
        ids=["endpoint", "key", "action", "rate"],
    )
    def test_anything_else_has_a_pace_of_its_own(self, at, other):
        key = list(self.KEY)
        key[at] = other
        assert shared_pace(*key) is not shared_pace(*self.KEY)

    def test_threads_that_ask_at_once_share_a_pace(self):
        """Made slow, because the race is lost within microseconds."""
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            for _ in range(100):
                url, paces, barrier = str(random.random()), [], threading.Barrier(8)

                def ask(url=url, paces=paces, barrier=barrier):
                    barrier.wait(5)
                    paces.append(shared_pace(url, *self.KEY[1:]))

                together(8, ask)
                assert len(set(map(id, paces))) == 1
        finally:
            sys.setswitchinterval(interval)
