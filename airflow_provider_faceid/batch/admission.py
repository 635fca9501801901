"""Admission control and circuit breaker: when a call may leave, which rows are in flight, when a run ends.

:class:`Admission` combines the rate limiter, the circuit breaker, the stop signal and the fencing
token. :class:`InFlightWindow` is the backpressure on the source. :class:`DelayQueue` keeps rows that
are retried within the run. :class:`StopSignal` ends the run: it was asked to stop, or an error
occurred that every row would meet.

:class:`CircuitBreaker` pauses the calls of a run while the service does not answer. Repeating hundreds of
calls against a service that is away multiplies its traffic, and each call that is sent without an
answer may be charged. So after a few calls in a row without an answer the breaker opens and calls queue.
It is half-open then: one call at a time probes, with exponential backoff between two probes, and the
first answer closes it. The very first call of a run is such a probe, so that a wrong key costs one call.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

from ..client.call import Attempt, RateLimiter
from ..client.retry import RETRY_AFTER_CAP
from ..clock import Clock
from ..exceptions import (
    FaceIdError,
    FatalError,
    NotSentError,
    OutageError,
    SlowUploadError,
    ThrottledError,
    UnavailableError,
    UncertainError,
)
from ..process import safe_message
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


FAILURES_IN_A_ROW = 5
"""Calls without an answer, one after the other, that open the breaker."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0
"""Exponential backoff: seconds between two probes, doubled for each further one."""

UNCERTAIN_SECONDS = 60.0
"""Seconds after which a run gives up if its probes may be charged."""

POLL_SECONDS = 0.05

_FAILURES = (NotSentError, UnavailableError, UncertainError)


class CircuitBreaker:
    """
    State of the service as one run observes it.

    :param patience: seconds without an answer after which the run gives up.
    :ivar is_closed: whether calls pass; if not, one of them probes.
    :param is_stopping: says whether the run is stopping.
    """

    def __init__(
        self, patience: float, is_stopping: Callable[[], bool], clock: Clock, log: Log
    ) -> None:
        self._patience, self._is_stopping = patience, is_stopping
        self._clock, self._log = clock, log
        self.is_closed = False
        self._failures, self._since = 0, 0.0
        self._last: FaceIdError | None = None
        self._pause, self._next = FIRST_PAUSE, 0.0
        self._probe: Attempt | None = None
        self._queue = asyncio.Lock()

    def allows(self, attempt: Attempt) -> bool:
        """Return whether an attempt may call now."""
        return self.is_closed or self._probe is attempt

    async def wait_until_allowed(self, attempt: Attempt) -> None:
        """
        Wait until an attempt may call: the breaker is closed, or the attempt is the probe.

        :raises OutageError: the run gives up.
        """
        if self.allows(attempt):
            return
        async with self._queue:  # first come, first served
            while not self.is_closed:
                self._check_patience()
                is_free = self._probe is None or self._probe.ended
                if is_free and self._clock.monotonic() >= self._next:
                    self._probe = attempt
                    return
                await self._clock.asleep(POLL_SECONDS)

    def observe(self, problem: FaceIdError | None, attempt: Attempt) -> None:
        """Update the state by how a request of an attempt ended; None for an answer."""
        if problem is None or isinstance(problem, ThrottledError):
            if self._failures >= FAILURES_IN_A_ROW:
                self._log.info("The service answers again")
            self.is_closed, self._failures, self._pause = True, 0, FIRST_PAUSE
        elif isinstance(problem, SlowUploadError):
            pass  # the network goes on, and the service was not asked
        elif isinstance(problem, _FAILURES):
            self._observe_failure(problem, attempt)
        elif not isinstance(problem, FatalError):  # a fatal one ends the run, or is mended
            raise TypeError(type(problem).__name__)

    def _observe_failure(self, problem: FaceIdError, attempt: Attempt) -> None:
        now = self._clock.monotonic()
        self._last, self._failures = problem, self._failures + 1
        if self._failures == 1:
            self._since = now
        if self._failures == FAILURES_IN_A_ROW:
            self._log.warning(
                "%s calls in a row got no answer; pausing until one does. Last: %s",
                self._failures,
                problem,
            )
        if self._probe is attempt:
            self._probe = None
            self._pause = min(LONGEST_PAUSE, 2 * self._pause)
        elif not self.is_closed or self._failures < FAILURES_IN_A_ROW:
            return
        self.is_closed = False
        pause = self._pause * self._clock.jitter(0.5, 1.5)
        self._next = now + max(pause, min(problem.retry_after, RETRY_AFTER_CAP))

    def _check_patience(self) -> None:
        if self._is_stopping():
            raise OutageError("The run is stopping")
        uncertain = isinstance(self._last, UncertainError)
        patience = min(self._patience, UNCERTAIN_SECONDS) if uncertain else self._patience
        waited = self._clock.monotonic() - self._since
        if self._last is not None and waited > patience:
            raise OutageError(
                f"No call was answered for {waited:.0f} s. Last: {self._last}. Run it again later "
                "for the remaining rows"
            )


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
        :raises PausedError: the Action is paused for all workers.
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

    def check(self) -> None:
        """Ask whether calls may leave at all."""
        self.admission.pace.check()

    def slow_down(self) -> None:
        """Slow down after a throttled answer."""
        self.admission.pace.slow_down()
