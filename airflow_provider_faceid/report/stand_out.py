"""What stands out in a run against the runs before it: robust statistics, said by name and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

RUNS_BEFORE = 14
"""Runs with which one is compared."""

AT_LEAST = 5
"""Runs without which there is no comparison."""

TIMES = 3.0
"""Robust standard deviations (1.4826 x median absolute deviation) from the median that stand out."""

ROBUST = 1.4826


class Watched(NamedTuple):
    """
    A number of a run that is compared.

    :param name: of the number.
    :param unit: ``share`` (0-1) or ``number``.
    :param least: the smallest difference from the median that is worth a sentence: absolute of a share,
        a part of the median of a number.
    """

    name: str
    unit: str
    least: float


WATCHED = (
    Watched("match_rate", "share", 0.01),
    Watched("quarantined_share", "share", 0.005),
    Watched("waiting_share", "share", 0.005),
    Watched("throttled_share", "share", 0.01),
    Watched("quota_used", "share", 0.05),
    Watched("rows_in", "number", 0.2),
)


def stand_out(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """
    Return the numbers of the last run that stand out against those before it.

    A number stands out if it is outside all of the runs before, and further from their median than
    three robust standard deviations and than a difference worth a sentence.

    :param runs: the same campaign and Action, the oldest first; None where a number is not known.
    :return: ``number``, ``value``, ``median``, ``lowest``, ``highest`` and ``runs`` of each.
    """
    found = []
    for watched in WATCHED:
        *before, last = [run.get(watched.name) for run in runs] or [None]
        known = [value for value in before if value is not None]
        if last is None or len(known) < AT_LEAST:
            continue
        middle = median(known)
        spread = ROBUST * median(abs(value - middle) for value in known)
        least = watched.least if watched.unit == "share" else watched.least * abs(middle)
        is_outside = not min(known) <= last <= max(known)
        if is_outside and abs(last - middle) > max(TIMES * spread, least):
            found.append(
                {
                    "number": watched.name,
                    "value": last,
                    "median": middle,
                    "lowest": min(known),
                    "highest": max(known),
                    "runs": len(known),
                }
            )
    return found
