"""The pace: slots of 1/rate seconds, handed out in order, that go by if nobody is there.

A caller reserves the next slot in one atomic step and sleeps until it begins. A slot is a moment,
not a licence: who wakes up too late for it has lost it and takes the next one, so neither a stalled
event loop nor a stopped process ever sends a burst.
"""

from __future__ import annotations

import threading

from ..clock import SYSTEM_CLOCK, Clock

LATE_SECONDS = 0.015
"""
How late a slot may be used. The service counts in seconds of its own clock; with 3 % of the quota
to spare, calls may bunch by 30 ms before one second holds too many, and the network takes its part.
"""

THROTTLE_PAUSE = 1.0
"""Seconds of silence after a throttled answer: the service's window has passed by then."""


class LocalPace:
    """
    The pace of one process, for threads and coroutines alike.

    :param rate: slots per second.
    """

    def __init__(self, rate: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._interval = 1 / rate
        self._clock = clock
        self._lock = threading.Lock()
        self._next = self._quiet_until = clock.monotonic()

    def reserve(self) -> float:
        """Take the next free slot and return the moment it begins, on the monotonic clock."""
        with self._lock:
            slot = max(self._next, self._clock.monotonic())
            self._next = slot + self._interval
            return slot

    def wait(self) -> None:
        """Block until the next call may leave."""
        while True:
            slot = self.reserve()
            self._clock.sleep(slot - self._clock.monotonic())
            if self._is_current(slot):
                return

    async def wait_async(self) -> None:
        """Wait until the next call may leave."""
        while True:
            slot = self.reserve()
            await self._clock.asleep(slot - self._clock.monotonic())
            if self._is_current(slot):
                return

    def slow_down(self) -> None:
        """Keep everybody silent for a moment, once per throttled second."""
        with self._lock:
            self._quiet_until = self._clock.monotonic() + THROTTLE_PAUSE
            self._next = max(self._next, self._quiet_until)

    def _is_current(self, slot: float) -> bool:
        """Say whether a slot may be used: not too late, nor taken before a silence that covers it."""
        return slot >= self._quiet_until and self._clock.monotonic() - slot <= LATE_SECONDS


_shared: dict[tuple[str, str, str, float], LocalPace] = {}
_sharing = threading.Lock()


def shared_pace(url: str, secret_id: str, action: str, rate: float) -> LocalPace:
    """Return the one pace all hooks of this process share for an account and an Action."""
    with _sharing:  # threads that ask at once must not make one each
        return _shared.setdefault((url, secret_id, action, rate), LocalPace(rate))
