"""Clocks: time, sleeping and jitter; no other module asks the machine for them."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from datetime import UTC, date, datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8), "Beijing")
"""The service counts its days in Beijing time (inferred, face-id-service section 6.3)."""

SECONDS_PER_MINUTE, SECONDS_PER_HOUR, SECONDS_PER_DAY = 60, 3_600, 86_400

NOTEWORTHY_SKEW_SECONDS = 60.0
"""Clock skew from which a warning is logged. Measured skew varies by a few seconds between calls."""

log = logging.getLogger(__name__)


class Clock:
    """The machine's clock. Tests pass one of their own."""

    def now(self) -> float:
        """Return seconds since 1970-01-01 UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start, never going back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        if seconds > 0:
            time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Let other coroutines run for so many seconds."""
        await asyncio.sleep(max(0.0, seconds))

    def jitter(self, low: float, high: float) -> float:
        """Return a random number between two bounds, to keep workers out of step."""
        return random.uniform(low, high)  # noqa: S311 - spreads load, guards nothing


SYSTEM_CLOCK = Clock()


class OffsetClock(Clock):
    """
    A clock that is ahead of another one, or behind it, by a settable number of seconds.

    A client signs requests with one. It corrects the clock skew between this machine and the
    service; all calls of the client share it, so a skew measured by one call serves all. The
    simulator builds its virtual clock on it.

    :param base: the other clock. Sleeps take as long as they take there, whatever the offset.
    :param ahead_s: the offset in seconds; negative if this clock is behind ``base``.
    :ivar ahead_s: the offset; may be assigned at any time.
    """

    def __init__(self, base: Clock = SYSTEM_CLOCK, ahead_s: float = 0.0) -> None:
        self.ahead_s = ahead_s
        self._base = base
        self._warned_s = 0.0

    def measure_skew(self, date: float | None) -> float | None:
        """
        Return by how many seconds a server's clock is ahead of ``base``.

        :param date: the ``Date`` of an answer that has just been received, in Unix seconds; None
            if the answer has none.
        """
        return None if date is None else date - self._base.now()

    def warn_of_skew(self, conn_id: str) -> None:
        """
        Log a warning that this machine's clock is wrong, once for each skew.

        Call it after the service accepted a signature: the offset is right then.

        :param conn_id: the Airflow connection, named in the message.
        """
        if abs(self.ahead_s - self._warned_s) <= NOTEWORTHY_SKEW_SECONDS:
            return
        self._warned_s = self.ahead_s
        if abs(self.ahead_s) > NOTEWORTHY_SKEW_SECONDS:  # it may have been put right meanwhile
            log.warning(
                "Connection '%s': this machine's clock is %s. Calls are signed with the service's "
                "time; correct this machine's clock (NTP)",
                conn_id,
                skew_text(self.ahead_s),
            )

    def now(self) -> float:
        """Return seconds since 1970-01-01 UTC, offset included."""
        return self._base.now() + self.ahead_s

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start, never going back; the offset is left out."""
        return self._base.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        self._base.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Let other coroutines run for so many seconds."""
        await self._base.asleep(seconds)

    def jitter(self, low: float, high: float) -> float:
        """Return a random number between two bounds."""
        return self._base.jitter(low, high)


def skew_text(ahead_s: float) -> str:
    """
    Return this machine's clock skew in words.

    :param ahead_s: seconds the service's clock is ahead of this machine's.
    """
    return f"{abs(ahead_s):.0f} s {'behind' if ahead_s > 0 else 'ahead of'} the service's"


def utc_text(seconds: float) -> str:
    """Write a moment as ISO 8601 UTC text with milliseconds, which sorts as it reads."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def utc_seconds(text: str) -> float:
    """Read what :func:`utc_text` wrote."""
    return datetime.fromisoformat(text).timestamp()


def beijing_date(seconds: float) -> date:
    """Return the service's day of a moment."""
    return datetime.fromtimestamp(seconds, BEIJING).date()


def next_beijing_midnight(seconds: float) -> float:
    """Return when the service's day of a moment ends."""
    tomorrow = beijing_date(seconds) + timedelta(days=1)
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=BEIJING).timestamp()
