from __future__ import annotations

import asyncio
import time

import pytest

from airflow_provider_faceid.clock import beijing_date
from airflow_provider_faceid.simulator.account.account import VirtualClock


def test_tomorrow_is_one_call(clock):
    virtual = VirtualClock(clock)
    today = beijing_date(virtual.now())
    virtual.advance(86_400)
    assert (beijing_date(virtual.now()) - today).days == 1
    assert virtual.now() == clock.now() + 86_400


def test_steps_add_up_and_its_base_runs_on(clock):
    virtual = VirtualClock(clock)
    start = virtual.now()
    virtual.advance(60)
    virtual.advance(30)
    clock.seconds += 10
    assert virtual.now() - start == 100


def test_the_monotonic_clock_goes_along():
    virtual = VirtualClock()
    before = virtual.monotonic()
    virtual.advance(3600)
    assert virtual.monotonic() - before == pytest.approx(3600, abs=1)


def test_a_clock_may_be_ahead_of_one_that_is_ahead(clock):
    right = VirtualClock(clock)
    wrong = VirtualClock(right)
    wrong.ahead_s = -600
    right.advance(86_400)
    assert wrong.now() == clock.now() + 86_400 - 600


def test_waits_are_those_of_its_base(clock):
    virtual = VirtualClock(clock)
    asyncio.run(virtual.asleep(5))
    assert virtual.now() == clock.now()
    start = time.monotonic()
    VirtualClock().sleep(0.02)
    assert time.monotonic() - start >= 0.02
    assert 1 <= virtual.jitter(1, 2) <= 2
