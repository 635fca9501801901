"""Time, sleeping and chance: the only module that asks the machine for them."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, date, datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8), "Beijing")
"""The service counts its days in Beijing time (inferred, face-id-service section 6.3)."""


SECONDS_PER_MINUTE, SECONDS_PER_HOUR, SECONDS_PER_DAY = 60, 3_600, 86_400


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
