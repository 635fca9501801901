"""How fast calls may leave, as pure arithmetic on one small row.

The next free slot is a moment. Taking slots moves it; a throttled answer lowers the factor on the
rate and moves it a little further; time raises the factor again. Whoever holds the row, in memory
or in a database, applies these functions to it in one atomic step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

DECREASE = 0.8
"""Factor on the rate per throttled answer, at most once in :data:`CALM_SECONDS`."""
RECOVERY = 0.01
"""Share of the full rate won back per second: from half to all of it in 50 s."""
CALM_SECONDS = 0.5
"""Answers to calls that left before the last decrease say nothing new."""
PAUSE_SECONDS = 0.2
"""Silence after a throttled answer, in which its second may pass."""
LOWEST = 0.02
"""The rate never falls below this share, or it could not find out that it may rise."""

MOST_AHEAD = 1600
"""Next free slot further ahead than so many (200 workers with 8 each): the clock was set back."""


@dataclass(frozen=True)
class Rate:
    """
    The row.

    :param next_at: when the next free slot begins, in seconds of the holder's clock.
    :param factor: share of the full rate at ``factor_at``.
    :param factor_at: when the factor was last lowered.
    """

    next_at: float = 0.0
    factor: float = 1.0
    factor_at: float = 0.0


@dataclass(frozen=True)
class Slots:
    """
    Slots that were taken.

    :param start: when the first begins, in seconds of the holder's clock.
    :param interval: seconds from one to the next.
    :param count: how many.
    """

    start: float
    interval: float
    count: int


def factor_now(row: Rate, now: float) -> float:
    """Return the share of the full rate that is allowed now."""
    return min(1.0, row.factor + RECOVERY * max(0.0, now - row.factor_at))


def take(row: Rate, now: float, rate: float, count: int) -> tuple[Rate, Slots]:
    """
    Take the next free slots.

    :param rate: slots per second when nothing is throttled.
    """
    interval = 1 / (rate * factor_now(row, now))
    start = max(row.next_at, now)
    if start - now > PAUSE_SECONDS + MOST_AHEAD * interval:
        start = now
    after = replace(row, next_at=start + count * interval, factor_at=min(row.factor_at, now))
    return after, Slots(start, interval, count)


def throttle(row: Rate, now: float) -> Rate:
    """Slow down after a throttled answer."""
    if 0 <= now - row.factor_at < CALM_SECONDS:
        return row
    return Rate(
        next_at=max(row.next_at, now + PAUSE_SECONDS),
        factor=max(LOWEST, factor_now(row, now) * DECREASE),
        factor_at=now,
    )
