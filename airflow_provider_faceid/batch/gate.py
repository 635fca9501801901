"""The account's pace with a gate behind it, which closes when the run halts or nobody answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from weakref import WeakSet

from ..client.flow import Pace
from .health import Health


class Gate:
    """
    Lets calls pass at the account's pace, and new ones not at all once the run has halted.

    Hundreds of rows may be waiting for their moment when the run stops; none of them is sent. A
    call that was sent before goes on, because it may yet be answered: its retries pass.

    :param pace: hands out the moments.
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
        self._pace = pace
        self._health = health
        self._halted = halted
        self._make_sure = make_sure
        self._sent: WeakSet[asyncio.Task[object]] = WeakSet()

    def wait(self) -> None:
        """Block until the next call may leave."""
        self._pace.wait()

    async def wait_async(self) -> None:
        """
        Wait until the next call may leave.

        :raises OutageError: the run gives up.
        :raises asyncio.CancelledError: the run has halted, and this task has not sent anything.
        """
        while True:
            await self._health.turn()
            await self._pace.wait_async()
            await self._make_sure()
            if self._health.lets_pass:  # it may have become worse meanwhile
                break
        task = asyncio.current_task()
        if task is None or task in self._sent:
            return
        if self._halted():
            raise asyncio.CancelledError
        self._sent.add(task)

    def has_sent(self) -> bool:
        """Say whether the current task has been let through."""
        return asyncio.current_task() in self._sent

    def slow_down(self) -> None:
        """Take note of a throttled answer."""
        self._pace.slow_down()
