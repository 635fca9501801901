"""The virtual clock: an offset clock that can be advanced, so that tomorrow is one call away.

The simulator has two. The first shows the right time and can be advanced; clients in the same
process follow it when they are given it. The second is ahead of the first, or behind: it is the time
the service believes, so it decides about signatures, days and the ``Date`` of answers, by which
clients in other processes can follow.
"""

from __future__ import annotations

from ..clock import OffsetClock


class VirtualClock(OffsetClock):
    """
    An offset clock whose monotonic time advances with it. Advancing it ends no sleep early.

    :param base: the other clock.
    :param ahead_s: seconds this clock is ahead of it; negative if it is behind.
    """

    def advance(self, seconds: float) -> None:
        """Advance the clock by so many seconds."""
        self.ahead_s += seconds

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start, offset included."""
        return self._base.monotonic() + self.ahead_s
