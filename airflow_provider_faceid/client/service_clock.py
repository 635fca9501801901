"""The service's clock, as far as is known: this machine's, until the service refuses its time."""

from __future__ import annotations

import logging

from ..clock import SYSTEM_CLOCK, Clock

NOTEWORTHY = 60.0
"""Seconds. What is measured differs by a few from call to call: that is no news."""

log = logging.getLogger(__name__)


class OffsetClock(Clock):
    """
    This machine's clock, corrected by what was measured. Signatures take their time from it.

    It belongs to one client, which shares it among its calls: what one has measured serves all.

    :param machine: this machine's clock.
    :ivar ahead_s: seconds the service's clock is ahead of it; negative if it is behind.
    """

    def __init__(self, machine: Clock = SYSTEM_CLOCK) -> None:
        self.ahead_s = 0.0
        self._machine = machine
        self._told = 0.0

    def measure(self, date: float | None) -> float | None:
        """
        Return how far the service's clock is ahead of this machine's.

        :param date: when an answer that has just come in was written, None if it does not say.
        """
        return None if date is None else date - self._machine.now()

    def tell(self, conn_id: str) -> None:
        """Log once that this machine's clock is wrong; to be called when a time was accepted."""
        if abs(self.ahead_s - self._told) <= NOTEWORTHY:
            return
        self._told = self.ahead_s
        if abs(self.ahead_s) > NOTEWORTHY:  # it may have been put right meanwhile
            log.warning(
                "Connection '%s': this machine's clock is %s. Calls are signed with the service's "
                "time; correct this machine's clock (NTP)",
                conn_id,
                in_words(self.ahead_s),
            )

    def now(self) -> float:
        """Return the service's seconds since 1970-01-01 UTC."""
        return self._machine.now() + self.ahead_s

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start, never going back."""
        return self._machine.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        self._machine.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Let other coroutines run for so many seconds."""
        await self._machine.asleep(seconds)

    def jitter(self, low: float, high: float) -> float:
        """Return a random number between two bounds."""
        return self._machine.jitter(low, high)


def in_words(ahead_s: float) -> str:
    """Return where this machine's clock is, given how far the service's is ahead of it."""
    return f"{abs(ahead_s):.0f} s {'behind' if ahead_s > 0 else 'ahead of'} the service's"
