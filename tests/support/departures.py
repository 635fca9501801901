"""When calls left, by the pace's own reading of the clock, held against when the service saw them.

On a busy machine a call that left in time may arrive late, and a late one beside those behind it. So
the pace is judged by the moments it let calls go; what arrived together is judged by the service's
own fixed seconds, less what the machine held up between the two, which is measured.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from airflow_provider_faceid.state.rate_limiter import LATE_SECONDS, SlotRateLimiter

SAME_MOMENT = 0.01
"""Seconds by which the readings of two clocks for one moment may differ: both were rounded."""


class NotedRateLimiter(SlotRateLimiter):
    """
    A pace that notes when it let each call go.

    :param note: takes the moment, in seconds since 1970.
    :param now: the time of the service.
    """

    def __init__(
        self,
        *pace: Any,
        note: Callable[[float], object],
        now: Callable[[], float] = time.time,
        **settings: Any,
    ) -> None:
        super().__init__(*pace, **settings)
        self._note, self._now = note, now
        self._here = threading.local()  # whoever waits, in a thread or in an event loop

    def wait(self) -> None:
        super().wait()
        self._left()

    async def wait_async(self) -> None:
        await super().wait_async()
        self._left()

    def _left(self) -> None:
        self._note(self._now() - (self._clock.monotonic() - self._here.read))

    def _is_expired(self, slot: float) -> bool:
        self._here.read = self._clock.monotonic()
        return self._here.read - slot > LATE_SECONDS


def busiest_second(moments: Sequence[float]) -> int:
    """Return the most moments in any stretch of one second, wherever it begins."""
    ordered = sorted(round(moment * 1000) for moment in moments)
    return max(
        (index + 1 - bisect_left(ordered, moment - 999) for index, moment in enumerate(ordered)),
        default=0,
    )


def longest_way(left: Sequence[float], arrived: Sequence[float]) -> float:
    """
    Return how long a call was on its way at least, if each arrival is one of the calls that left.

    :return: seconds; infinity if a call arrived that had not left.
    """
    free, longest = sorted(left), 0.0
    for moment in sorted(arrived, reverse=True):
        place = bisect_right(free, moment + SAME_MOMENT)
        if not place:
            return float("inf")
        longest = max(longest, moment - free.pop(place - 1))
    return longest


def too_fast(quota: int, left: Sequence[float], arrived: Sequence[float]) -> list[str]:
    """
    Return what is wrong with the pace, in words; an empty list if nothing is.

    :param quota: calls the service takes in a second.
    :param left: when the pace let calls go.
    :param arrived: when the service saw them.
    """
    wrong = []
    if (most := busiest_second(left)) > quota + 1:
        wrong.append(f"{most} calls left in one second")
    way = longest_way(left, arrived)
    if way == float("inf"):
        return [*wrong, "a call arrived that the pace had not let go"]
    most = max(Counter(map(int, arrived)).values(), default=0)
    if most > quota + int(quota * way):
        wrong.append(f"{most} calls arrived in one second, though none was held up {way:.2f} s")
    return wrong
