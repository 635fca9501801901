"""The account's pace with a gate behind it, which closes when the run halts or nobody answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from ..client.flow import Attempt, Pace
from .health import Health
from .uploads import Place


class Gate:
    """
    Lets calls pass at the account's pace, and new ones not at all once the run has halted.

    Hundreds of rows may be waiting for their slot when the run stops; none of them is sent. A call
    of which a request was sent goes on, because it may yet be answered: its retries pass.

    :param pace: hands out the slots.
    :param health: says whether the service answers.
    :param halted: says whether the run has halted.
    :param make_sure: raises if nothing may be sent any more.
    """

    def __init__(
        self,
        pace: Pace,
        health: Health,
        halted: Callable[[], bool],
        make_sure: Callable[[], Awaitable[None]],
    ) -> None:
        self.pace = pace
        self._health = health
        self._halted = halted
        self._make_sure = make_sure

    def for_attempt(self, attempt: Attempt, place: Place | None = None) -> Pace:
        """
        Return the pace of one attempt.

        :param place: for its photo.
        """
        return _AttemptPace(self, attempt, place)

    async def wait(self, attempt: Attempt, place: Place | None = None) -> None:
        """
        Wait until the next request of an attempt may leave.

        :param place: for its photo; taken again where an upload has ended before.

        :raises OutageError: the run gives up.
        :raises asyncio.CancelledError: the run has halted, and nothing of this attempt was sent.
        """
        if place is not None:
            await place.take()
        while True:
            await self._health.turn(attempt)
            await self.pace.wait_async()
            await self._make_sure()
            if self._health.lets_pass(attempt):  # it may have become worse meanwhile
                break
        if self._halted() and not attempt.sent:
            raise asyncio.CancelledError


class _AttemptPace(NamedTuple):
    """The pace as one attempt sees it."""

    gate: Gate
    attempt: Attempt
    place: Place | None

    def wait(self) -> None:
        """Block until the next call may leave."""
        self.gate.pace.wait()

    async def wait_async(self) -> None:
        """Wait until the next request may leave, see :meth:`Gate.wait`."""
        await self.gate.wait(self.attempt, self.place)

    def slow_down(self) -> None:
        """Take note of a throttled answer."""
        self.gate.pace.slow_down()
