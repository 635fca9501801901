"""Circuit breaker: pauses the calls of a run while the service does not answer.

Repeating hundreds of calls against a service that is away multiplies its traffic, and each call
that is sent without an answer may be charged. So after a few calls in a row without an answer the
breaker opens and calls queue. It is half-open then: one call at a time probes, with exponential
backoff between two probes, and the first answer closes it. The very first call of a run is such a
probe, so that a wrong key costs one call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..client.call import Attempt
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
from .manifest import Log

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
