"""Arithmetic of the rate limiter: slot reservation (GCRA), AIMD after throttling, priority lane.

Pure functions of one small row, which holds the time of the next free slot. Reserving slots moves it
forward. A throttled answer multiplies the rate by :data:`DECREASE_FACTOR` and inserts a pause; the rate
recovers linearly.

A call with priority takes a slot that begins soon, and every slot reserved behind it moves one interval
later. So there is one schedule, its rate is never exceeded, and what the lane leaves unused is never lost.
The insertions are in the row; holders of slots read them shortly before they use one. The lane has a
GCRA of its own, whose rate is a share of the row's.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

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

LANE_BURST_SECONDS = 1.0
"""Burst tolerance of the lane: calls with priority that leave at once after a silence, as seconds of the
lane's rate."""
LANE_ACTIVE_SECONDS = 60.0
"""Seconds after a call with priority in which the lane is active: holders of slots read the row often."""
FRESH_ACTIVE_SECONDS, FRESH_IDLE_SECONDS = 0.04, 0.2
"""Seconds for which a reading of the row allows slots to be used, while the lane is active and while it
is not. A call with priority takes a slot no sooner, so that each holder has read of it by then."""
COMMIT_SECONDS = 0.01
"""Seconds that the commit of a call with priority may take before holders of slots can read of it."""
ACTIVE_MARGIN_SECONDS = 5.0
"""By how much sooner callers than holders of slots take the lane for inactive, as they read different
moments."""
KEPT_SECONDS = 0.1
"""Seconds after which an insertion is past: whoever still has a slot to use has one behind it."""
MAX_LANE_SECONDS = 3600.0
"""A lane that is taken for longer than this means that the clock was set back."""


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


class Insertion(NamedTuple):
    """
    A slot that a call with priority has taken before slots that were reserved already.

    :param at: its time.
    :param interval: seconds by which later slots moved.
    """

    at: float
    interval: float


@dataclass(frozen=True)
class Lane:
    """
    The priority lane of a row. Times are seconds of the holder's clock.

    :param full_at: when the lane's own rate is used up (the theoretical arrival time of its GCRA).
    :param used_at: time of its last call.
    :param last_at: its last slot.
    :param past: number of insertions that are past and no longer listed.
    :param past_seconds: sum of their intervals.
    :param recent: the other insertions, in ascending order.
    """

    full_at: float = 0.0
    used_at: float = 0.0
    last_at: float = 0.0
    past: int = 0
    past_seconds: float = 0.0
    recent: tuple[Insertion, ...] = field(default=())

    @property
    def count(self) -> int:
        """Return the number of insertions so far."""
        return self.past + len(self.recent)

    @property
    def seconds(self) -> float:
        """Return the sum of their intervals."""
        return self.past_seconds + sum(one.interval for one in self.recent)

    def fresh_seconds(self, now: float) -> float:
        """Return for how long slots may be used after a reading of the row, in seconds."""
        is_active = now <= self.used_at + LANE_ACTIVE_SECONDS
        return FRESH_ACTIVE_SECONDS if is_active else FRESH_IDLE_SECONDS

    def moved(self, at: float, count: int, seconds: float) -> float:
        """
        Return the present time of a slot that was reserved before some of the insertions.

        :param at: its time, no earlier than this reading but for what may be late.
        :param count: the insertions of which that time knows.
        :param seconds: the sum of their intervals.
        """
        if count > self.count:
            return at  # the row was made anew
        if count < self.past:
            at += self.past_seconds - seconds
            count = self.past
        for one in self.recent[count - self.past :]:
            # Slots are a whole interval apart, and half of one is more than any rounding.
            if at > one.at - one.interval / 2:
                at += one.interval
        return at

    def as_text(self) -> str:
        """Return the lane as the column ``lane`` holds it."""
        plain = (self.full_at, self.used_at, self.last_at, self.past, self.past_seconds)
        return json.dumps([*plain, [list(one) for one in self.recent]])

    @classmethod
    def of_text(cls, text: str | None) -> Lane:
        """Parse what :meth:`as_text` wrote; a lane that was never used is NULL."""
        if not text:
            return cls()
        read: list[Any] = json.loads(text)
        full_at, used_at, last_at, past, past_seconds, recent = read
        listed = tuple(Insertion(*one) for one in recent)
        return cls(full_at, used_at, last_at, past, past_seconds, listed)


def factor_now(row: Rate, now: float) -> float:
    """Return the share of the full rate that is allowed now."""
    return min(1.0, row.factor + RECOVERY_PER_SECOND * max(0.0, now - row.factor_at))


def reserve_slots(row: Rate, now: float, rate: float, count: int) -> tuple[Rate, Slots]:
    """
    Reserve the next free slots.

    :param row: the present row.
    :param now: seconds of the holder's clock.
    :param rate: slots per second while nothing is throttled.
    :param count: number of slots.
    :return: the new row, and the slots.
    """
    interval = 1 / (rate * factor_now(row, now))
    start = _next_free(row, now, interval)
    after = replace(row, next_at=start + count * interval, factor_at=min(row.factor_at, now))
    return after, Slots(start, interval, count)


def _next_free(row: Rate, now: float, interval: float) -> float:
    start = max(row.next_at, now)
    if start - now > THROTTLE_PAUSE_SECONDS + MAX_SLOTS_AHEAD * interval:
        return now
    return start


def after_throttling(row: Rate, now: float) -> Rate:
    """Return the row after a throttled answer."""
    if 0 <= now - row.factor_at < DECREASE_INTERVAL_SECONDS:
        return row
    return Rate(
        next_at=max(row.next_at, now + THROTTLE_PAUSE_SECONDS),
        factor=max(MIN_FACTOR, factor_now(row, now) * DECREASE_FACTOR),
        factor_at=now,
    )


def enter_lane(row: Rate, lane: Lane, now: float, rate: float, share: float) -> tuple[Lane, float]:
    """
    Take a turn in the priority lane: its own GCRA, first come, first served.

    :param rate: slots per second of the row while nothing is throttled.
    :param share: share of them that the lane may have, 0-1.
    :return: the new lane, and the time from which its slot may be taken.
    """
    interval = 1 / (rate * share * factor_now(row, now))
    full_at = lane.full_at if lane.full_at - now <= MAX_LANE_SECONDS else now
    opens_at = max(now, full_at - LANE_BURST_SECONDS)
    return replace(lane, full_at=max(full_at, now) + interval), opens_at


def reserve_first(row: Rate, lane: Lane, now: float, rate: float) -> tuple[Rate, Lane, float]:
    """
    Reserve the first slot of which each holder of later slots can know in time.

    :return: the new row, the new lane, and the time of the slot.
    """
    interval = 1 / (rate * factor_now(row, now))
    is_active = now <= lane.used_at + LANE_ACTIVE_SECONDS - ACTIVE_MARGIN_SECONDS
    notice = FRESH_ACTIVE_SECONDS if is_active else FRESH_IDLE_SECONDS
    earliest = now + notice + COMMIT_SECONDS
    if 0 <= now - row.factor_at < THROTTLE_PAUSE_SECONDS:
        earliest = max(earliest, row.factor_at + THROTTLE_PAUSE_SECONDS)
    free = _next_free(row, now, interval)
    # Two calls with priority never share a slot. After a clock that was set back this is no bound.
    if lane.last_at <= free:
        earliest = max(earliest, lane.last_at + interval)
    # Slots that are reserved already end at the free one, an interval apart.
    ahead = max(0, math.floor((free - earliest) / interval + 1e-6))
    at = free - ahead * interval
    after = replace(row, next_at=free + interval, factor_at=min(row.factor_at, now))
    lane = replace(_without_past(lane, now, interval), used_at=now, last_at=at)
    if ahead:
        lane = replace(lane, recent=(*lane.recent, Insertion(at, interval)))
    return after, lane, at


def _without_past(lane: Lane, now: float, interval: float) -> Lane:
    """Sum up the insertions that are past, and those that a clock set back has left in the future."""
    future = now + THROTTLE_PAUSE_SECONDS + MAX_SLOTS_AHEAD * interval
    kept = tuple(one for one in lane.recent if now - KEPT_SECONDS < one.at <= future)
    gone = [one.interval for one in lane.recent if one not in kept]
    if not gone:
        return lane
    return replace(
        lane, past=lane.past + len(gone), past_seconds=lane.past_seconds + sum(gone), recent=kept
    )
