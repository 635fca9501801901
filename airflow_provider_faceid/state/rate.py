"""Rate arithmetic: slot reservation (GCRA) with an adaptive rate, as pure functions of one small row.

The row holds the time of the next free slot. Reserving slots moves it forward. A throttled answer
multiplies the rate by :data:`DECREASE_FACTOR` and inserts a pause; the rate recovers linearly
(AIMD). The holder of the row, memory or a database, applies these functions in one atomic step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

DECREASE_FACTOR = 0.8
"""Multiplicative decrease of the rate per throttled answer, once in :data:`DECREASE_INTERVAL_SECONDS`."""
RECOVERY_PER_SECOND = 0.01
"""Linear recovery: share of the full rate per second; from half of the rate to all of it in 50 s."""
DECREASE_INTERVAL_SECONDS = 0.5
"""Throttled answers within this time belong to calls sent before the last decrease and are ignored."""
THROTTLE_PAUSE_SECONDS = 0.2
"""Seconds without slots after a throttled answer, in which the service's second may pass."""
MIN_FACTOR = 0.02
"""The rate never falls below this share: some calls must probe whether it may rise."""

MAX_SLOTS_AHEAD = 1600
"""A next free slot more than this many slots ahead (200 workers with 8 each) means that the clock was
set back."""


@dataclass(frozen=True)
class Rate:
    """
    The row of a rate limiter.

    :param next_at: time of the next free slot, in seconds of the holder's clock.
    :param factor: share of the full rate at ``factor_at``.
    :param factor_at: time of the last decrease.
    """

    next_at: float = 0.0
    factor: float = 1.0
    factor_at: float = 0.0


@dataclass(frozen=True)
class Slots:
    """
    Reserved slots.

    :param start: time of the first slot, in seconds of the holder's clock.
    :param interval: seconds from one slot to the next.
    :param count: number of slots.
    """

    start: float
    interval: float
    count: int


def factor_now(row: Rate, now: float) -> float:
    """Return the share of the full rate that is allowed now."""
    return min(1.0, row.factor + RECOVERY_PER_SECOND * max(0.0, now - row.factor_at))


def take(row: Rate, now: float, rate: float, count: int) -> tuple[Rate, Slots]:
    """
    Reserve the next free slots.

    :param row: the present row.
    :param now: seconds of the holder's clock.
    :param rate: slots per second while nothing is throttled.
    :param count: number of slots.
    :return: the new row, and the slots.
    """
    interval = 1 / (rate * factor_now(row, now))
    start = max(row.next_at, now)
    if start - now > THROTTLE_PAUSE_SECONDS + MAX_SLOTS_AHEAD * interval:
        start = now
    after = replace(row, next_at=start + count * interval, factor_at=min(row.factor_at, now))
    return after, Slots(start, interval, count)


def throttle(row: Rate, now: float) -> Rate:
    """Return the row after a throttled answer."""
    if 0 <= now - row.factor_at < DECREASE_INTERVAL_SECONDS:
        return row
    return Rate(
        next_at=max(row.next_at, now + THROTTLE_PAUSE_SECONDS),
        factor=max(MIN_FACTOR, factor_now(row, now) * DECREASE_FACTOR),
        factor_at=now,
    )
