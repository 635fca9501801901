from __future__ import annotations

import asyncio
import logging

import pytest

from airflow_provider_faceid.batch.admission import Admission, CircuitBreaker
from airflow_provider_faceid.client.call import Attempt
from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.exceptions import UnavailableError

LOG = logging.getLogger("test")


async def sure() -> None:
    """Nobody has taken over."""


def answering() -> CircuitBreaker:
    """A service that has answered."""
    health = CircuitBreaker(60.0, lambda: False, SYSTEM_CLOCK, LOG)
    health.is_closed = True
    return health


class EveryMoment:
    """A pace that holds nobody back and counts."""

    def __init__(self):
        self.waited = self.slowed = 0

    def wait(self):
        self.waited += 1

    async def wait_async(self):
        await asyncio.sleep(0)
        self.waited += 1

    def check(self):
        """It is never paused."""

    def slow_down(self):
        self.slowed += 1


def test_a_closed_gate_lets_no_new_call_pass():
    async def scene():
        gate = Admission(pace := EveryMoment(), answering(), lambda: True, sure)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(gate.wait(Attempt()))
        return pace.waited

    assert asyncio.run(scene()) == 1


def test_retries_of_a_call_that_was_sent_pass():
    is_stopping = False

    async def scene():
        nonlocal is_stopping
        gate = Admission(EveryMoment(), answering(), lambda: is_stopping, sure)
        first_sent, go_on = asyncio.Event(), asyncio.Event()

        async def call():
            attempt = Attempt()
            await gate.wait(attempt)
            attempt.sending = True
            first_sent.set()
            await go_on.wait()
            await asyncio.create_task(gate.wait(attempt))  # whichever task asks
            return "answered"

        task = asyncio.create_task(call())
        await first_sent.wait()
        is_stopping = True
        go_on.set()
        late = asyncio.create_task(gate.wait(Attempt()))
        return await asyncio.gather(task, late, return_exceptions=True)

    answered, late = asyncio.run(scene())
    assert answered == "answered"
    assert isinstance(late, asyncio.CancelledError)


def test_the_pace_behind_the_gate_is_the_accounts():
    gate = Admission(pace := EveryMoment(), answering(), lambda: False, sure)
    mine = gate.for_attempt(Attempt())
    mine.wait()
    mine.slow_down()
    assert (pace.waited, pace.slowed) == (1, 1)


def test_a_service_that_falls_ill_while_a_call_waits_for_its_slot_holds_it_back():
    health = answering()

    class IllMeanwhile(EveryMoment):
        async def wait_async(self):
            await super().wait_async()
            if self.waited == 1:
                for _ in range(5):
                    health.observe(UnavailableError("away"), Attempt())

    async def scene():
        gate = Admission(pace := IllMeanwhile(), health, lambda: False, sure)
        waiting = asyncio.create_task(gate.wait(Attempt()))
        await asyncio.sleep(0.02)
        held_back = not waiting.done()
        health.observe(None, Attempt())
        await waiting
        return held_back, pace.waited

    assert asyncio.run(scene()) == (True, 2)
