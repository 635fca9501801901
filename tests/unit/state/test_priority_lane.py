"""The priority lane beside batches, in virtual time: who waits how long, and that no second holds too many."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median, quantiles

import pytest

from airflow_provider_faceid.state.rate import (
    FRESH_IDLE_SECONDS,
    KEPT_SECONDS,
    LANE_ACTIVE_SECONDS,
    LANE_BURST_SECONDS,
    THROTTLE_PAUSE_SECONDS,
    Insertion,
    Lane,
    Rate,
    after_throttling,
    reserve_first,
    reserve_slots,
)
from airflow_provider_faceid.state.rate_limiter import SlotRateLimiter
from airflow_provider_faceid.state.rate_rows import MemoryRow
from tests.faults.virtual_time import LoopClock, run

SHARE = 0.2
BEGIN, END = 100.0, 160.0
"""Seconds that are looked at; the lane was last used at 0, so that it is not active at the beginning."""
NOW = 1_000_000.0


@dataclass
class Seen:
    """
    What left when.

    :param batches: moments by batch worker.
    :param waits: seconds that each call with priority waited.
    """

    batches: list[list[float]] = field(default_factory=list)
    priority: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    @property
    def every(self) -> list[float]:
        """Return all moments in order."""
        return sorted([*self.priority, *(moment for one in self.batches for moment in one)])


def busiest(moments: list[float]) -> int:
    """Return the most moments in any second, wherever it begins."""
    begin, most = 0, 0
    for end, moment in enumerate(moments):
        while moments[begin] <= moment - 1 + 1e-6:
            begin += 1
        most = max(most, end + 1 - begin)
    return most


Customers = Callable[["Office"], Awaitable[None]]


class Office:
    """
    Batch workers on one row, and customers who come to the lane.

    :param rate: slots per second.
    :param workers: number of batch workers, each with a rate limiter of its own.
    """

    def __init__(self, rate: float, workers: int) -> None:
        self.rate, self.workers, self.seen = rate, workers, Seen()
        self.clock = LoopClock()
        self.chance = random.Random(7)

    def open(self, customers: Customers) -> Seen:
        """Let all of them work until the end."""

        async def day() -> None:
            self.row = MemoryRow(self.clock)
            await asyncio.sleep(BEGIN)
            self.seen.batches = [[] for _ in range(self.workers)]
            batches = [asyncio.create_task(self._batch(one)) for one in self.seen.batches]
            await asyncio.sleep(1)
            await customers(self)
            await asyncio.gather(*batches)

        run(day())
        return self.seen

    async def _batch(self, moments: list[float]) -> None:
        pace = SlotRateLimiter(self.row, self.rate, self.clock, SHARE)
        while self.clock.now() < END:
            await pace.wait_async()
            moments.append(self.clock.now())

    async def serve(self) -> None:
        """Serve one customer, in a process of its own."""
        lane = SlotRateLimiter(self.row, self.rate, self.clock, SHARE).priority()
        came = self.clock.now()
        await lane.wait_async()
        self.seen.priority.append(self.clock.now())
        self.seen.waits.append(self.clock.now() - came)


async def now_and_then(office: Office) -> None:
    """Come at random moments, half as often as the lane allows, sometimes two at once."""
    coming = []
    while office.clock.now() < END - 1:
        together = range(office.chance.choice((1, 1, 1, 2)))
        coming += [asyncio.create_task(office.serve()) for _ in together]
        await asyncio.sleep(office.chance.expovariate(office.rate * SHARE * 0.4))
    await asyncio.gather(*coming)


async def always(office: Office) -> None:
    """Want more than the lane allows, all the time."""

    async def one_after_the_other() -> None:
        while office.clock.now() < END:
            await office.serve()

    await asyncio.gather(*(one_after_the_other() for _ in range(30)))


@pytest.fixture(
    params=[(97.0, 1), (97.0, 8), (19.4, 1), (19.4, 8)], ids=lambda one: f"{one[0]}x{one[1]}"
)
def office(request) -> Office:
    return Office(*request.param)


@pytest.mark.parametrize("customers", [now_and_then, always])
def test_no_second_holds_more_calls_than_without_a_lane(office, customers):
    seen = office.open(customers)
    assert len(seen.priority) > 20
    assert busiest(seen.every) <= int(office.rate) + 1
    assert min(late - early for early, late in pairwise(seen.every)) > 0.99 / office.rate


@pytest.mark.parametrize("customers", [now_and_then, always])
def test_what_the_lane_leaves_is_used_by_batches(office, customers):
    seen = office.open(customers)
    whole = [moment for moment in seen.every if BEGIN + 2 <= moment < END - 1]
    assert len(whole) / (END - BEGIN - 3) == pytest.approx(office.rate, rel=0.01)


def test_a_customer_waits_a_moment_whatever_batches_have_reserved(office):
    waits = office.open(now_and_then).waits
    assert median(waits) <= 0.1
    assert quantiles(waits, n=20)[-1] <= 0.3


def test_the_first_customer_of_the_day_waits_hardly_longer(office):
    async def one(office: Office) -> None:
        await office.serve()

    (wait,) = office.open(one).waits
    assert wait <= FRESH_IDLE_SECONDS + 1 / office.rate + 0.02


def test_the_share_is_the_lanes_ceiling_when_both_want(office):
    seen = office.open(always)
    seconds = END - BEGIN - 1
    most = office.rate * SHARE * (seconds + LANE_BURST_SECONDS) + 2
    left = sum(moment < END for moment in seen.priority)
    assert 0.97 * office.rate * SHARE * seconds <= left <= most


@pytest.mark.parametrize("customers", [now_and_then, always])
def test_batches_have_equal_shares_of_the_rest(customers):
    seen = Office(97.0, 8).open(customers)
    counts = [len(moments) for moments in seen.batches]
    assert min(counts) / max(counts) >= 0.9


def test_without_a_lane_priority_is_the_ordinary_limiter():
    pace = SlotRateLimiter(MemoryRow(LoopClock()), 10, LoopClock(), 0)
    assert pace.priority() is pace


class TestArithmetic:
    """One step of the lane."""

    def test_a_free_row_gives_a_slot_at_once(self):
        row, lane, at = reserve_first(Rate(), Lane(), NOW, 10)
        assert (at, row.next_at, lane.count) == (NOW, NOW + 0.1, 0)

    def test_a_slot_is_taken_before_those_that_are_reserved(self):
        row, slots = reserve_slots(Rate(), NOW, 10, 8)
        after, lane, at = reserve_first(row, Lane(used_at=NOW), NOW, 10)
        assert at == pytest.approx(NOW + 0.1)
        assert after.next_at == pytest.approx(row.next_at + 0.1)
        times = [slots.start + n * slots.interval for n in range(slots.count)]
        moved = [lane.moved(time, 0, 0.0) for time in times]
        assert moved == pytest.approx([NOW, *(time + 0.1 for time in times[1:])])

    def test_two_in_one_moment_have_slots_of_their_own(self):
        row, _ = reserve_slots(Rate(), NOW, 10, 8)
        row, lane, first = reserve_first(row, Lane(used_at=NOW), NOW, 10)
        row, lane, second = reserve_first(row, lane, NOW, 10)
        assert second - first == pytest.approx(0.1)
        assert lane.moved(NOW + 0.1, 0, 0.0) == pytest.approx(NOW + 0.3)

    def test_a_holder_who_has_missed_insertions_moves_by_all_of_them(self):
        row, lane = reserve_slots(Rate(), NOW, 10, 80)[0], Lane(used_at=NOW)
        for second in range(4):
            row, lane, _ = reserve_first(row, lane, NOW + second, 10)
        assert lane.past == 3
        assert lane.moved(NOW + 7, 0, 0.0) == pytest.approx(NOW + 7.4)

    def test_whoever_knows_of_all_insertions_stays(self):
        row, _ = reserve_slots(Rate(), NOW, 10, 8)
        _, lane, _ = reserve_first(row, Lane(used_at=NOW), NOW, 10)
        assert lane.moved(NOW + 5, lane.count, lane.seconds) == NOW + 5

    def test_a_pause_after_a_throttled_answer_holds_for_the_lane(self):
        row = after_throttling(reserve_slots(Rate(), NOW, 10, 8)[0], NOW)
        _, _, at = reserve_first(row, Lane(used_at=NOW), NOW, 10)
        assert at >= NOW + THROTTLE_PAUSE_SECONDS

    def test_a_clock_set_back_leaves_nobody_waiting(self):
        row, _ = reserve_slots(Rate(), NOW, 10, 8)
        row, lane, _ = reserve_first(row, Lane(used_at=NOW), NOW, 10)
        back = NOW - 3600
        _, lane, at = reserve_first(row, lane, back, 10)
        assert back <= at <= back + FRESH_IDLE_SECONDS + 0.2
        assert lane.recent == ()

    def test_it_is_active_for_a_while_after_a_call(self):
        lane = Lane(used_at=NOW)
        assert lane.fresh_seconds(NOW + LANE_ACTIVE_SECONDS - 1) < FRESH_IDLE_SECONDS
        assert lane.fresh_seconds(NOW + LANE_ACTIVE_SECONDS + 1) == FRESH_IDLE_SECONDS

    def test_it_is_read_as_it_was_written(self):
        lane = Lane(1.5, NOW, NOW + 0.1, 3, 0.3, (Insertion(NOW + KEPT_SECONDS, 0.1),))
        assert Lane.of_text(lane.as_text()) == lane
        assert Lane.of_text(None) == Lane()
