"""Verdicts in published groups, their rates, and result codes within them; see :mod:`.groups`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..api.actions import code_row
from ..api.codes import BELOW_THRESHOLD, Outcome
from ..warehouse.views.metrics import ANSWER_PLACES, RATES
from .groups import is_shown, pooled

PLACE_OF: Mapping[str, str] = {
    Outcome.MATCH: "matched",
    Outcome.MISMATCH: "mismatched",
    Outcome.FOUND: "found",
    Outcome.NOT_FOUND: "not_found",
    Outcome.REVIEW: "review",
}
"""Place of an answer by its outcome; ``other_answers`` for any other."""

Group = dict[str, Any]


def groups_of(counts: Mapping[str, int], smallest: int) -> list[Group]:
    """
    Return answers by verdict, as they are published.

    :param counts: by place; each of :data:`~..warehouse.metrics.ANSWER_PLACES`.
    :return: ``places`` (several where they are shown together) and ``answers`` of each group.
    """
    places = {place: int(counts.get(place) or 0) for place in ANSWER_PLACES}
    if not is_shown(sum(places.values()), smallest):
        return [{"places": [*places], "answers": None}]
    return [{"places": list(n), "answers": count} for n, count in pooled(places, smallest)]


def rate(name: str, counts: Mapping[str, int], groups: Sequence[Group], smallest: int) -> Group:
    """
    Return a rate of answers: numerator, denominator and quotient.

    Where its numerator, or the rest of its denominator, is a group that is not published, the rate is
    ``at_least`` or ``at_most``, so far as the published groups tell.

    :param name: of :data:`~..warehouse.metrics.RATES`.
    :param counts: answers by place, ``answers`` among them.
    """
    defined = RATES[name]
    part = sum(counts.get(place) or 0 for place in defined.part)
    whole = sum(counts.get(place) or 0 for place in defined.whole)
    found: Group = {"value": None, "part": None, "whole": None}
    names = set(ANSWER_PLACES) if "answers" in defined.whole else set(defined.whole)
    if not whole or not is_shown(whole, smallest):
        return found
    if not _is_union(names, groups, counts):
        return found | _bound(set(defined.part), names - set(defined.part), groups)
    found["whole"] = whole
    if _is_union(set(defined.part), groups, counts):
        return found | {"part": part, "value": part / whole}
    if whole - part < smallest:
        return found | {"at_least": (whole - smallest + 1) / whole}
    if part < smallest:
        return found | {"at_most": (smallest - 1) / whole}
    return found


def _bound(part: set[str], rest: set[str], groups: Iterable[Group]) -> Group:
    """Return how large a rate is at least: the rest is at most all published groups it is in."""
    known = most = 0
    for group in groups:
        if group["answers"] is None:
            return {}
        known += group["answers"] if set(group["places"]) <= part else 0
        most += group["answers"] if rest & set(group["places"]) else 0
    return {"at_least": known / (known + most)} if known else {}


def _is_union(names: set[str], groups: Iterable[Group], counts: Mapping[str, int]) -> bool:
    """Say whether places are whole published groups; empty places make no difference."""
    filled = {name for name in names if counts.get(name)}
    for group in groups:
        here = {place for place in group["places"] if counts.get(place)}
        if here & filled and not (here <= filled and group["answers"] is not None):
            return False
    return True


def added(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sums of counts."""
    sums: dict[str, int] = defaultdict(int)
    for part in parts:
        for name, count in part.items():
            sums[name] += count or 0
    return dict(sums)


def groups_of_sum(parts: Sequence[tuple[Mapping[str, int], list[Group]]]) -> list[Group]:
    """
    Return the published groups of a sum: made of published groups of its parts alone.

    :param parts: counts and groups of each. Places that are together in one part are together.
    """
    together: list[set[str]] = [{place} for place in ANSWER_PLACES]
    for counts, groups in parts:
        for group in groups:
            here = {place for place in group["places"] if counts.get(place)}
            if len(here) > 1 or group["answers"] is None:
                touched = [one for one in together if one & here]
                together = [one for one in together if not one & here]
                together.append(set[str]().union(*touched) if touched else here)
    sums = added(counts for counts, _ in parts)
    hidden = {
        place
        for _, groups in parts
        for group in groups
        if group["answers"] is None
        for place in group["places"]
    }
    ordered = sorted(together, key=lambda one: min(map(ANSWER_PLACES.index, one)))
    return [
        {
            "places": sorted(one, key=ANSWER_PLACES.index),
            "answers": None if one & hidden else sum(sums.get(place, 0) for place in one),
        }
        for one in ordered
    ]


def codes_of(action: str, rows: Sequence[Mapping[str, Any]], smallest: int) -> list[Group]:
    """
    Return the result codes of an Action, within the published groups of their verdicts.

    :param rows: ``code``, ``outcome``, ``description``, ``answers``, ``charged`` and
        ``may_be_charged`` of each.
    :return: one line for each code, or for several codes that are shown together.
    """
    by_place: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (-row["answers"], row["code"] or "")):
        by_place[PLACE_OF.get(row["outcome"], "other_answers")].append(row)
    counts = {place: sum(row["answers"] for row in listed) for place, listed in by_place.items()}
    total = sum(counts.values())
    lines = []
    for group in groups_of(counts, smallest):
        members = [row for place in group["places"] for row in by_place.get(place, [])]
        if not members:
            continue
        sizes = {number: row["answers"] for number, row in enumerate(members)}
        inner = (
            pooled(sizes, smallest)
            if len(group["places"]) == 1 and group["answers"] is not None
            else [(tuple(sizes), group["answers"])]
        )
        for numbers, answers in inner:
            some = [members[number] for number in numbers]
            lines.append(_line(action, some, answers, total))
    return sorted(lines, key=lambda line: (len(line["codes"]) > 1, -(line["answers"] or 0)))


def _line(action: str, rows: Sequence[Mapping[str, Any]], answers: int | None, total: int) -> Group:
    """Return a line of the table of codes."""
    is_shown_ = answers is not None
    line: Group = {
        "codes": [row["code"] or "" for row in rows],
        "answers": answers,
        "share": answers / total if answers is not None else None,
        "charged": sum(row["charged"] for row in rows) if is_shown_ else None,
        "may_be_charged": sum(row["may_be_charged"] for row in rows) if is_shown_ else None,
        **dict.fromkeys(("outcome", "description", "description_zh", "is_charged", "next")),
    }
    if len(rows) == 1:
        (row,) = rows
        known = (
            BELOW_THRESHOLD
            if row["outcome"] == Outcome.REVIEW
            and code_row(action, row["code"]).outcome == Outcome.MATCH
            else code_row(action, row["code"] or "")
        )
        description = row["description"] or known.meaning
        # Another version may have known what this one does not.
        is_ours = bool(known.code) or description == known.meaning
        line |= {
            "outcome": row["outcome"],
            "description": description,
            "description_zh": known.meaning_zh if is_ours else "",
            "is_charged": known.charged.value,
            "next": known.step.value,
        }
    return line
