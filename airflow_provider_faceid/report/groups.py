"""Small groups: counts below a limit are pooled, so that neither they nor differences show them.

A breakdown is published as a coarser one: small groups are put together, and with the smallest of the
others, until each published count is 0 or at least the limit. Sums stay what they are, and no
subtraction within a breakdown, or from its total, gives a smaller group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

SMALLEST = 10
"""The smallest group whose count is shown, unless a report says otherwise."""

Name = TypeVar("Name")


def is_shown(count: int, smallest: int) -> bool:
    """Say whether a count may be shown: it is 0 or no small group."""
    return count == 0 or count >= smallest


def pooled(counts: Mapping[Name, int], smallest: int) -> list[tuple[tuple[Name, ...], int]]:
    """
    Return a breakdown in which each count is 0 or no small group; the sum is the same.

    :param counts: by group.
    :param smallest: the smallest group that is shown.
    :return: names and count of each published group, in the order of their first names. A breakdown
        whose sum is a small group is one group with the count that it has: its total is hidden where
        it is shown.
    """
    pool = [name for name, count in counts.items() if not is_shown(count, smallest)]
    others = sorted((n for n in counts if n not in pool and counts[n]), key=lambda n: counts[n])
    total = sum(counts[name] for name in pool)
    # One small group alone would be the total less the others.
    while pool and total < smallest and others:
        pool.append(others.pop(0))
        total += counts[pool[-1]]
    first = next((name for name in counts if name in pool), None)
    listed: list[tuple[tuple[Name, ...], int]] = []
    for name, count in counts.items():
        if name not in pool:
            listed.append(((name,), count))
        elif name == first:
            listed.append((tuple(n for n in counts if n in pool), total))
    return listed


def merged(
    counts: Sequence[int], smallest: int, width: int = 1, start: int = 0
) -> list[tuple[int, int]]:
    """
    Return neighbours put together until each sum is 0 or no small group.

    :param counts: of neighbours, such as bins or days.
    :param width: how many neighbours are together at least.
    :param start: index at which a group of ``width`` begins.
    :return: first index and the one behind the last, of each group. What is left at the end joins the
        group before it.
    """
    groups: list[tuple[int, int]] = []
    begin, total = 0, 0
    for index, count in enumerate(counts):
        total += count
        if (index + 1 - start) % width == 0 and is_shown(total, smallest):
            groups.append((begin, index + 1))
            begin, total = index + 1, 0
    if begin < len(counts):
        if is_shown(total, smallest):
            return [*groups, (begin, len(counts))]
        # Back over empty groups to one with somebody in it.
        while groups and total < smallest:
            begin = groups.pop()[0]
            total = sum(counts[begin:])
        groups.append((begin, len(counts)))
    return groups


def coarse_table(
    rows: Sequence[Mapping[str, int]], columns: Sequence[str], smallest: int
) -> list[tuple[str, ...]]:
    """
    Return columns put together until each cell of the whole table is 0 or no small group.

    The same columns are together in all rows: a sum over the rows, published elsewhere, does not take
    one of them apart in a row.

    :param rows: counts by column; each row's sum is 0 or no small group.
    :return: names of each published column.
    """
    groups: list[tuple[str, ...]] = [(name,) for name in columns]

    def cell(row: Mapping[str, int], group: tuple[str, ...]) -> int:
        return sum(row[name] for name in group)

    def total(group: tuple[str, ...]) -> int:
        return sum(cell(row, group) for row in rows)

    while len(groups) > 1:
        small = [g for g in groups if any(not is_shown(cell(r, g), smallest) for r in rows)]
        if not small:
            break
        one = min(small, key=total)
        filled = [g for g in groups if g != one and total(g)] or [g for g in groups if g != one]
        other = min(filled, key=total)
        together = {*one, *other}
        merged_group = tuple(name for name in columns if name in together)
        at = min(groups.index(one), groups.index(other))
        groups = [g for g in groups if g not in (one, other)]
        groups.insert(at, merged_group)
    return groups


def compatible(
    candidates: Sequence[int], counts_at: Callable[[int], Sequence[int]], smallest: int
) -> list[int]:
    """
    Return the cut-offs that may stand side by side.

    :param candidates: cut-offs, the most wanted first.
    :param counts_at: returns the counts that are shown for a cut-off. Between two cut-offs, and between
        a cut-off and the ends, each may differ by 0 or by no small group.
    :return: those that are shown, in order.
    """
    lowest, highest = min(candidates) - 1, max(candidates) + 1
    shown: list[int] = []
    for candidate in candidates:
        tried = sorted([*shown, candidate])
        if all(
            is_shown(abs(a - b), smallest)
            for low, high in pairwise([lowest, *tried, highest])
            for a, b in zip(counts_at(low), counts_at(high), strict=True)
        ):
            shown = tried
    return shown
