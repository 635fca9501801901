"""Whether the service answers; while it does not, one call at a time finds out.

Repeating hundreds of calls against a service that is away multiplies its traffic, and each call
that is sent without an answer may be charged. So after a few calls in a row without an answer the
run pauses, and its calls queue: the first of them probes, the others wait for what it finds. The
very first call of a run is such a probe, so that a wrong key costs one call.
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
"""So many calls without an answer are an outage."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0
"""Seconds between two probes; doubled for each further one."""

UNCERTAIN_SECONDS = 60.0
"""A run gives up so soon if its probes may be charged."""

POLL_SECONDS = 0.05

_TROUBLE = (NotSentError, UnavailableError, UncertainError)


class CircuitBreaker:
    """
    The service as one run sees it.

    :param patience: seconds without an answer after which the run gives up.
    :param halted: says whether the run has halted.
    """

    def __init__(self, patience: float, halted: Callable[[], bool], clock: Clock, log: Log) -> None:
        self._patience, self._halted = patience, halted
        self._clock, self._log = clock, log
        self.answers = False
        self._failures, self._since = 0, 0.0
        self._last: FaceIdError | None = None
        self._pause, self._next = FIRST_PAUSE, 0.0
        self._probe: Attempt | None = None
        self._seat = asyncio.Lock()

    def lets_pass(self, attempt: Attempt) -> bool:
        """Say whether an attempt may call now."""
        return self.answers or self._probe is attempt

    async def turn(self, attempt: Attempt) -> None:
        """
        Wait until an attempt may call: the service answers, or it is its turn to probe.

        :raises OutageError: the run gives up.
        """
        if self.lets_pass(attempt):
            return
        async with self._seat:  # one behind the other
            while not self.answers:
                self._check_patience()
                is_free = self._probe is None or self._probe.ended
                if is_free and self._clock.monotonic() >= self._next:
                    self._probe = attempt
                    return
                await self._clock.asleep(POLL_SECONDS)

    def saw(self, problem: FaceIdError | None, attempt: Attempt) -> None:
        """Take note of how a request of an attempt ended; None for an answer."""
        if problem is None or isinstance(problem, ThrottledError):
            if self._failures >= FAILURES_IN_A_ROW:
                self._log.info("The service answers again")
            self.answers, self._failures, self._pause = True, 0, FIRST_PAUSE
        elif isinstance(problem, SlowUploadError):
            pass  # the network goes on, and the service was not asked
        elif isinstance(problem, _TROUBLE):
            self._saw_trouble(problem, attempt)
        elif not isinstance(problem, FatalError):  # a fatal one ends the run, or is mended
            raise TypeError(type(problem).__name__)

    def _saw_trouble(self, problem: FaceIdError, attempt: Attempt) -> None:
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
        elif not self.answers or self._failures < FAILURES_IN_A_ROW:
            return
        self.answers = False
        pause = self._pause * self._clock.jitter(0.5, 1.5)
        self._next = now + max(pause, min(problem.retry_after, RETRY_AFTER_CAP))

    def _check_patience(self) -> None:
        if self._halted():
            raise OutageError("The run has halted")
        uncertain = isinstance(self._last, UncertainError)
        patience = min(self._patience, UNCERTAIN_SECONDS) if uncertain else self._patience
        waited = self._clock.monotonic() - self._since
        if self._last is not None and waited > patience:
            raise OutageError(
                f"No call was answered for {waited:.0f} s. Last: {self._last}. Run it again later "
                "for the remaining rows"
            )
