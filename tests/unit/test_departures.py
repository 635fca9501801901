"""What the tests of the pace judge by: when calls left, and what was held up on the way."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_faceid.state.rate_limiter import LATE_SECONDS
from airflow_provider_faceid.state.rate_rows import MemoryRow
from tests.integration.state.conftest import START, SleepClock
from tests.support.departures import NotedRateLimiter, busiest_second, longest_way, too_fast

QUOTA = 100
IN_TIME = [n / QUOTA for n in range(5 * QUOTA)]
"""Five seconds of calls, each in its slot."""


def held_up(moments, begin, seconds):
    """Return when calls arrive if the machine stands still for a while."""
    return [max(moment, begin + seconds) if moment >= begin else moment for moment in moments]


def test_a_second_is_any_second_not_only_one_of_the_clock():
    assert busiest_second([0.1, 0.9, 1.05, 1.099, 2.049]) == 4


def test_calls_in_time_are_not_too_fast():
    assert too_fast(QUOTA, IN_TIME, IN_TIME) == []


@pytest.mark.parametrize("stall", [0.03, 0.3, 3.0])
def test_calls_that_were_held_up_together_are_not_too_fast(stall):
    arrived = held_up(IN_TIME, 0.9, stall)
    assert busiest_second(arrived) > QUOTA + 1
    assert longest_way(IN_TIME, arrived) == pytest.approx(stall, abs=0.011)
    assert too_fast(QUOTA, IN_TIME, arrived) == []


def test_calls_that_leave_in_a_burst_are_too_fast():
    left = held_up(IN_TIME, 0.9, 0.3)
    assert too_fast(QUOTA, left, left)[0] == "130 calls left in one second"


def test_more_calls_in_a_second_of_the_service_than_were_held_up_are_too_fast():
    arrived = [*IN_TIME[:100], *(moment - 0.005 for moment in IN_TIME[100:])]
    assert too_fast(QUOTA, IN_TIME, arrived) == [
        "101 calls arrived in one second, though none was held up 0.00 s"
    ]


def test_a_call_the_pace_knows_nothing_of_is_found():
    """A call may leave and never arrive, but not the other way round."""
    assert too_fast(QUOTA, IN_TIME, IN_TIME[1:]) == []
    assert too_fast(QUOTA, IN_TIME[1:], IN_TIME) == ["a call arrived that the pace had not let go"]


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
def test_what_is_noted_is_the_moment_by_which_the_pace_let_a_call_go(kind):
    clock, left = SleepClock(), []
    pace = NotedRateLimiter(MemoryRow(clock), 10, clock, note=left.append, now=clock.now)

    def wait() -> None:
        if kind == "asyncio":
            asyncio.run(pace.wait_async())
        else:
            pace.wait()

    wait()
    clock.oversleep = LATE_SECONDS * 0.9
    wait()
    clock.oversleep = LATE_SECONDS * 1.1
    wait()
    began = START + 5000
    assert [moment - began for moment in left] == pytest.approx(
        [0, 0.1 + LATE_SECONDS * 0.9, 0.3], abs=1e-5
    )
