"""Who called side by side with whom, and how fast: from the moments of calls."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Overlap:
    """
    The time in which several callers were at work, each between its first and its last call.

    :param seconds: how long that was.
    :param calls: calls made in that time, by caller.
    """

    seconds: float
    calls: Counter[Hashable]

    @property
    def rate(self) -> float:
        """Calls per second of all callers together."""
        return self.calls.total() / self.seconds if self.seconds else 0.0

    @property
    def fairness(self) -> float:
        """The smallest share over the largest, 1.0 if all are equal."""
        return min(self.calls.values(), default=0) / max(self.calls.values(), default=1)


def overlap(calls: Iterable[tuple[float, Hashable]], at_least: int) -> Overlap:
    """
    Return the time in which at least so many callers were at work.

    :param calls: moment in seconds and caller of every call.
    """
    moments = defaultdict[Hashable, list[float]](list)
    for moment, caller in calls:
        moments[caller].append(moment)
    spans = [(min(own), max(own)) for own in moments.values()]
    seconds, counted = 0.0, Counter[Hashable]()
    for begin, end in pairwise(sorted({edge for span in spans for edge in span})):
        if sum(first <= begin and end <= last for first, last in spans) >= at_least:
            seconds += end - begin
            for caller, own in moments.items():
                counted[caller] += sum(begin <= moment < end for moment in own)
    return Overlap(seconds, counted)
