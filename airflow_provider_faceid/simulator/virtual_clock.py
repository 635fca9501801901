"""The virtual clock: a clock that is ahead of another one, so that tomorrow is one call away.

The simulator has two. The first shows the right time, which can be put forward; clients in the same
process follow when they are given it. The second is ahead of the first, or behind: it is what the
service believes, so it decides about signatures, days and the ``Date`` of answers, by which clients
in other processes can follow.
"""

from __future__ import annotations

from ..clock import SYSTEM_CLOCK, Clock


class VirtualClock(Clock):
    """
    A clock that is ahead of another.

    :param base: the other one. Waits take as long as they take there: putting the clock forward
        wakes nobody.
    """

    def __init__(self, base: Clock = SYSTEM_CLOCK) -> None:
        self.ahead_s = 0.0
        """Seconds; negative if it is behind."""
        self._base = base

    def advance(self, seconds: float) -> None:
        """Put the clock forward."""
        self.ahead_s += seconds

    def now(self) -> float:
        """Return seconds since 1970-01-01 UTC."""
        return self._base.now() + self.ahead_s

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; they go on when the clock is put forward."""
        return self._base.monotonic() + self.ahead_s

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        self._base.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Let other coroutines run for so many seconds."""
        await self._base.asleep(seconds)

    def jitter(self, low: float, high: float) -> float:
        """Return a random number between two bounds."""
        return self._base.jitter(low, high)
