"""Admission control: when a call may leave, when a row is called later, and when the run stops.

:class:`Admission` combines the rate limiter, the circuit breaker, the stop signal and the fencing
token. :class:`DelayQueue` keeps rows that are retried within the run. :class:`StopSignal` ends the
run: it was asked to stop, or an error occurred that every row would meet.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from ..client.call import Attempt, RateLimiter
from ..clock import Clock
from ..process import told
from .circuit_breaker import CircuitBreaker
from .inputs import Row
from .manifest import Log
from .photos import UploadSlot


class StopSignal:
    """
    Why a run calls for no further rows.

    :param action: name of the API Action, for the log.
    :ivar failure: what failed first; raised once the answers that are on their way are in.
    """

    def __init__(self, action: str, log: Log) -> None:
        self.failure: BaseException | None = None
        self._action, self._log = action, log
        self._stopping = False

    def stop(self) -> None:
        """Call for no further rows. Safe from a signal handler."""
        self._stopping = True

    def fail(self, error: BaseException) -> None:
        """Call for no further rows because of an error."""
        if not self.is_on:
            self._log.error("%s stops: %s", self._action, told(error))
        if self.failure is None:
            self.failure = error

    @property
    def is_on(self) -> bool:
        """Say whether the run has halted."""
        return self._stopping or self.failure is not None


PATIENCE_SECONDS = 90.0
"""How long a run waits for a row; what has to wait longer is left to another run."""

MOST_ROWS = 10_000
"""Rows kept in memory; further ones are left to another run."""


class DelayQueue:
    """Rows by the moment from which they may go, on the monotonic clock, which never goes back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: list[tuple[float, int, Row]] = []
        self._added = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Row, seconds: float) -> bool:
        """Keep a row that may go in so many seconds, if they are few; say whether it is kept."""
        if seconds > PATIENCE_SECONDS or len(self._rows) >= MOST_ROWS:
            return False
        self._added += 1
        heapq.heappush(self._rows, (self._clock.monotonic() + seconds, self._added, row))
        return True

    def due(self) -> Row | None:
        """Take out a row whose moment has come, None if there is none."""
        if self._rows and self._rows[0][0] <= self._clock.monotonic():
            return heapq.heappop(self._rows)[2]
        return None


class Admission:
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
        pace: RateLimiter,
        health: CircuitBreaker,
        halted: Callable[[], bool],
        check_fence: Callable[[], Awaitable[None]],
    ) -> None:
        self.pace = pace
        self._health = health
        self._halted = halted
        self._make_sure = check_fence

    def for_attempt(self, attempt: Attempt, place: UploadSlot | None = None) -> RateLimiter:
        """
        Return the pace of one attempt.

        :param place: for its photo.
        """
        return _AttemptRateLimiter(self, attempt, place)

    async def wait(self, attempt: Attempt, place: UploadSlot | None = None) -> None:
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


class _AttemptRateLimiter(NamedTuple):
    """The pace as one attempt sees it."""

    gate: Admission
    attempt: Attempt
    place: UploadSlot | None

    def wait(self) -> None:
        """Block until the next call may leave."""
        self.gate.pace.wait()

    async def wait_async(self) -> None:
        """Wait until the next request may leave, see :meth:`Admission.wait`."""
        await self.gate.wait(self.attempt, self.place)

    def slow_down(self) -> None:
        """Take note of a throttled answer."""
        self.gate.pace.slow_down()
