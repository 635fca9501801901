from __future__ import annotations

import asyncio
import time
from datetime import UTC, date, datetime, timedelta

import pytest

from airflow_provider_faceid.clock import (
    BEIJING,
    SYSTEM_CLOCK,
    Clock,
    beijing_date,
    next_beijing_midnight,
    utc_text,
)
from tests.support.patience import SOON


def utc(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()


def test_the_clock_is_that_of_the_machine():
    assert abs(Clock().now() - time.time()) < 1
    assert Clock().monotonic() <= time.monotonic() <= Clock().monotonic() + 1


@pytest.mark.parametrize("seconds", [-1, 0, 0.02])
def test_sleeping_takes_as_long_as_said_and_no_time_for_the_past(seconds):
    began = time.monotonic()
    SYSTEM_CLOCK.sleep(seconds)
    asyncio.run(SYSTEM_CLOCK.asleep(seconds))
    assert 2 * max(0, seconds) <= time.monotonic() - began < SOON


def test_other_coroutines_run_while_one_sleeps():
    ran = []

    async def sleep_and_work():
        async def work():
            ran.append("work")

        sleeping = asyncio.create_task(SYSTEM_CLOCK.asleep(0.01))
        await asyncio.sleep(0)
        await work()
        await sleeping
        ran.append("woken")

    asyncio.run(sleep_and_work())
    assert ran == ["work", "woken"]


def test_chance_stays_within_its_bounds_and_varies():
    drawn = {SYSTEM_CLOCK.jitter(0.5, 1.5) for _ in range(200)}
    assert 0.5 <= min(drawn) < max(drawn) <= 1.5
    assert len(drawn) > 100


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000+00:00"),
        (utc(2026, 11, 21, 23, 59, 59) + 0.5, "2026-11-21T23:59:59.500+00:00"),
        (utc(2026, 6, 1, 4), "2026-06-01T04:00:00.000+00:00"),
    ],
)
def test_a_moment_is_written_in_utc_with_milliseconds(seconds, text):
    assert utc_text(seconds) == text


def test_written_moments_sort_as_they_follow():
    moments = [utc(2026, 1, 1) + 86_400 * 37.123 * step for step in range(50)]
    assert sorted(map(utc_text, moments)) == [utc_text(moment) for moment in moments]


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (utc(2026, 5, 31, 15, 59, 59), date(2026, 5, 31)),
        (utc(2026, 5, 31, 16), date(2026, 6, 1)),
        (utc(2026, 12, 31, 16), date(2027, 1, 1)),
        (utc(2028, 2, 28, 16), date(2028, 2, 29)),
    ],
)
def test_the_service_counts_its_days_in_beijing(moment, day):
    assert beijing_date(moment) == day


@pytest.mark.parametrize(
    "moment",
    [
        utc(2026, 5, 31, 15, 59, 59),
        utc(2026, 5, 31, 16),
        utc(2026, 12, 31, 16),
        utc(2028, 2, 28, 20),
    ],
)
def test_midnight_begins_the_next_day_and_no_later(moment):
    midnight = next_beijing_midnight(moment)
    assert 0 < midnight - moment <= timedelta(days=1).total_seconds()
    assert beijing_date(midnight) == beijing_date(moment) + timedelta(days=1)
    assert beijing_date(midnight - 0.001) == beijing_date(moment)
    assert datetime.fromtimestamp(midnight, BEIJING).time() == datetime.min.time()
