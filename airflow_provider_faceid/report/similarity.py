"""Histogram of similarities and the what-if of other thresholds, without small groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from .groups import compatible, is_shown, merged

STEP = 5
"""Distance of the cut-offs that are shown before others."""

COUNTED = ("at_or_above", "matches_lost", "matches_gained")


def similarity_of(
    bins: Sequence[Mapping[str, Any]],
    cut_offs: Sequence[Mapping[str, Any]],
    threshold: float,
    smallest: int,
) -> list[dict[str, Any]]:
    """
    Return histogram and cut-offs by campaign and Action.

    :param bins: rows of the view ``similarity``.
    :param cut_offs: rows of the view ``thresholds``.
    :param threshold: from which a face is accepted today.
    :param smallest: the smallest group that is shown. Neighbouring bins are together until they are
        none; a cut-off is left out where the faces between it and the next one are one.
    """
    by_key: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in sorted(bins, key=lambda row: row["similarity_from"]):
        by_key[row["campaign"], row["action"]].append(row)
    found = []
    for (campaign, action), listed in sorted(by_key.items()):
        counts = [row["compared"] for row in listed]
        if not is_shown(sum(counts), smallest):
            continue
        groups = merged(counts, smallest)
        cuts = {
            row["cut_off"]: row
            for row in cut_offs
            if (row["campaign"], row["action"]) == (campaign, action)
        }
        found.append(
            {
                "campaign": campaign,
                "action": action,
                "threshold": threshold,
                "compared": sum(counts),
                "bins": [
                    {
                        "similarity_from": listed[begin]["similarity_from"],
                        "similarity_to": listed[end - 1]["similarity_to"],
                        "compared": sum(counts[begin:end]),
                    }
                    for begin, end in groups
                ],
                "cut_offs": [_cut_off(cuts[cut]) for cut in _shown(cuts, threshold, smallest)],
            }
        )
    return found


def _cut_off(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("cut_off", *COUNTED, "pass_rate")}


def _shown(cuts: Mapping[int, Mapping[str, Any]], threshold: float, smallest: int) -> list[int]:
    """Return the cut-offs that may stand side by side, the threshold and multiples of five first."""
    if not cuts:
        return []
    wanted = sorted(cuts, key=lambda cut: (cut != round(threshold), cut % STEP != 0, cut))
    (compared,) = {row["compared"] for row in cuts.values()}

    def counts_at(cut: int) -> Sequence[int]:
        if cut in cuts:
            return [cuts[cut][name] for name in COUNTED]
        # Below all cut-offs everybody is accepted; above them nobody.
        if cut < min(cuts):
            return [compared, 0, cuts[min(cuts)]["matches_gained"]]
        return [0, cuts[max(cuts)]["matches_lost"], 0]

    return compatible(wanted, counts_at, smallest)
