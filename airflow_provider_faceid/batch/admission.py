"""Admission control: which rows are in flight, when a call may leave, and when the run stops.

:class:`Admission` combines the rate limiter, the circuit breaker, the stop signal and the fencing
token. :class:`InFlightWindow` is the backpressure on the source. :class:`DelayQueue` keeps rows that
are retried within the run. :class:`StopSignal` ends the run: it was asked to stop, or an error
occurred that every row would meet.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

from ..client.call import Attempt, RateLimiter
from ..clock import Clock
from ..exceptions import UnavailableError
from ..process import safe_message
from .circuit_breaker import CircuitBreaker
from .inputs import Row
from .manifest import Log
from .photos import UploadSlot


class StopSignal:
    """
    Set when a run must call for no further rows, with the reason.

    :param action: name of the API Action, for the log.
    :ivar failure: the first error; raised once the calls in flight have ended.
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
        if not self.is_set():
            self._log.error("%s stops: %s", self._action, safe_message(error))
        if self.failure is None:
            self.failure = error

    def is_set(self) -> bool:
        """Return whether the run is stopping."""
        return self._stopping or self.failure is not None


PATIENCE_SECONDS = 90.0
"""Longest delay in seconds within a run; a row that has to wait longer is left to another run."""

MOST_ROWS = 10_000
"""Rows kept in memory; further ones are left to another run."""


class DelayQueue:
    """Rows by the moment from which they may be called, on the monotonic clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: list[tuple[float, int, Row]] = []
        self._added = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Row, seconds: float) -> bool:
        """Queue a row for some seconds; return False if they are too many, or the queue is full."""
        if seconds > PATIENCE_SECONDS or len(self._rows) >= MOST_ROWS:
            return False
        self._added += 1
        heapq.heappush(self._rows, (self._clock.monotonic() + seconds, self._added, row))
        return True

    def due(self) -> Row | None:
        """Take out a row whose delay is over; None if there is none."""
        if self._rows and self._rows[0][0] <= self._clock.monotonic():
            return heapq.heappop(self._rows)[2]
        return None


class InFlightWindow:
    """
    Backpressure: so many rows are verified at once, and the source is read no faster.

    :param limit: rows in flight at most.
    :param stop_signal: set if a row ends in an error of ours, or is cancelled.
    """

    def __init__(self, limit: int, stop_signal: StopSignal) -> None:
        self._permits = asyncio.Semaphore(limit)
        self._stop_signal = stop_signal
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    async def start(self, verify: Callable[[Row], Coroutine[Any, Any, None]], row: Row) -> None:
        """Start a row as soon as there is room."""
        await self._permits.acquire()
        task = asyncio.create_task(verify(row))
        self._tasks.add(task)
        task.add_done_callback(self._end)

    async def wait(self, seconds: float) -> None:
        """Wait until all rows in flight have ended, or some seconds."""
        await asyncio.wait(self._tasks, timeout=seconds)

    def _end(self, task: asyncio.Task[None]) -> None:
        """Free the room of a row; a run is no success if the row ended in no place."""
        self._tasks.discard(task)
        self._permits.release()
        if self._stop_signal.is_set():
            return
        if task.cancelled():
            self._stop_signal.fail(
                UnavailableError("A row was given up; run it again for the remaining rows")
            )
        elif (error := task.exception()) is not None:
            self._stop_signal.fail(error)


class Admission:
    """
    Admits requests at the account's rate, and no new calls once the run is stopping.

    Hundreds of rows may be waiting for their slot when the run stops; none of them is sent. A call
    of which a request was sent goes on, because it may yet be answered: its retries pass.

    :param pace: rate limiter of the account.
    :param circuit_breaker: knows whether the service answers.
    :param is_stopping: says whether the run is stopping.
    :param check_fence: raises if a newer attempt of the task has taken over (fencing token).
    """

    def __init__(
        self,
        pace: RateLimiter,
        circuit_breaker: CircuitBreaker,
        is_stopping: Callable[[], bool],
        check_fence: Callable[[], Awaitable[None]],
    ) -> None:
        self.pace = pace
        self._circuit_breaker = circuit_breaker
        self._is_stopping = is_stopping
        self._check_fence = check_fence

    def for_attempt(self, attempt: Attempt, slot: UploadSlot | None = None) -> RateLimiter:
        """
        Return the rate limiter of one attempt.

        :param slot: for the upload of its photo.
        """
        return _AttemptRateLimiter(self, attempt, slot)

    async def wait(self, attempt: Attempt, slot: UploadSlot | None = None) -> None:
        """
        Wait until the next request of an attempt may leave.

        :param slot: for its photo; taken again where an upload has ended before.

        :raises OutageError: the run gives up.
        :raises asyncio.CancelledError: the run is stopping, and nothing of this attempt was sent.
        """
        if slot is not None:
            await slot.take()
        while True:
            await self._circuit_breaker.wait_until_allowed(attempt)
            await self.pace.wait_async()
            await self._check_fence()
            if self._circuit_breaker.allows(attempt):  # it may have become worse meanwhile
                break
        if self._is_stopping() and not attempt.sent:
            raise asyncio.CancelledError


class _AttemptRateLimiter(NamedTuple):
    """The rate limiter of one attempt, behind the admission control."""

    admission: Admission
    attempt: Attempt
    slot: UploadSlot | None

    def wait(self) -> None:
        """Block until the next call may leave."""
        self.admission.pace.wait()

    async def wait_async(self) -> None:
        """Wait until the next request may leave, see :meth:`Admission.wait`."""
        await self.admission.wait(self.attempt, self.slot)

    def slow_down(self) -> None:
        """Slow down after a throttled answer."""
        self.admission.pace.slow_down()
