from __future__ import annotations

import asyncio

import pytest

from airflow_provider_faceid.batch.gate import Gate


async def sure() -> None:
    """Nobody has taken over."""


class EveryMoment:
    """A pace that holds nobody back and counts."""

    def __init__(self):
        self.waited = self.slowed = 0

    def wait(self):
        self.waited += 1

    async def wait_async(self):
        await asyncio.sleep(0)
        self.waited += 1

    def slow_down(self):
        self.slowed += 1


def test_a_closed_gate_lets_no_new_call_pass():
    async def scene():
        gate = Gate(pace := EveryMoment(), lambda: True, sure)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(gate.wait_async())
        return pace.waited

    assert asyncio.run(scene()) == 1


def test_retries_of_a_call_that_was_sent_pass():
    halted = False

    async def scene():
        nonlocal halted
        gate = Gate(EveryMoment(), lambda: halted, sure)
        first_sent, go_on = asyncio.Event(), asyncio.Event()

        async def call():
            await gate.wait_async()
            first_sent.set()
            await go_on.wait()
            await gate.wait_async()
            return "answered"

        task = asyncio.create_task(call())
        await first_sent.wait()
        halted = True
        go_on.set()
        late = asyncio.create_task(gate.wait_async())
        return await asyncio.gather(task, late, return_exceptions=True)

    answered, late = asyncio.run(scene())
    assert answered == "answered"
    assert isinstance(late, asyncio.CancelledError)


def test_the_pace_behind_the_gate_is_the_accounts():
    gate = Gate(pace := EveryMoment(), lambda: False, sure)
    gate.wait()
    gate.slow_down()
    assert (pace.waited, pace.slowed) == (1, 1)
