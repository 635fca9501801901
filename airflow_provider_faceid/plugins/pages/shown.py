"""What a reader may see of what was read: runs, campaigns, what waits, quota in use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ...exceptions import FaceIdError
from ...warehouse.overview import Run
from ...warehouse.state_overview import quota_in_use
from .reading import Reader, Seen

LIVE_ON_PAGE, CAMPAIGNS_ON_PAGE = 10, 50
Row = dict[str, Any]


class Shown(NamedTuple):
    """
    What a reader may see of a warehouse.

    :param runs: of readable DAGs, newest first.
    :param live: those that go on, each with its rows by outcome.
    :param campaigns: one for each campaign: its name and its funnel, by Action.
    :param waiting: rows of the view ``faceid_waiting`` of these campaigns; ``reasons`` likewise.
    """

    seen: Seen
    runs: list[Run]
    live: list[tuple[Run, dict[str, int]]]
    campaigns: list[Row]
    waiting: list[Row]
    reasons: list[Row]


def campaigns_of(seen: Seen, may_read: Callable[[str], bool]) -> set[str]:
    """Return the campaigns all of whose DAGs may be read: its numbers are those of all of them."""
    return {name for name, dags in seen.overview.dags.items() if all(map(may_read, dags))}


def show(reader: Reader, seen: Seen, may_read: Callable[[str], bool], *, only: str = "") -> Shown:
    """
    Return what a reader may see of what was read.

    :param may_read: says whether a DAG may be read.
    :param only: the one campaign that is shown; all if not given.
    """
    found, names = seen.overview, campaigns_of(seen, may_read)
    names = names & {only} if only else names
    runs = [one for one in found.runs if may_read(one["dag_id"] or "")]
    runs = [one for one in runs if not only or one["campaign"] == only]
    live = [one for one in runs if one.is_live][:LIVE_ON_PAGE]
    newest = [one["campaign"] for one in runs if one["campaign"] in names]
    listed = list(dict.fromkeys([*newest, *sorted(names)]))[:CAMPAIGNS_ON_PAGE]
    return Shown(
        seen,
        runs,
        [(one, reader.outcomes(seen.warehouse, one)) for one in live],
        [
            {"name": name, "steps": [row for row in found.funnel if row["campaign"] == name]}
            for name in listed
        ],
        [row for row in found.waiting if row["campaign"] in names],
        [row for row in found.reasons if row["campaign"] in names],
    )


def quota(reader: Reader, runs: Iterable[Run]) -> tuple[list[Row], str]:
    """
    Return what is used of each Action's quota, or why that cannot be said.

    :param runs: those the reader may see, whose calls per second are summed up.
    """
    try:
        return quota_in_use(reader.paces(), runs, reader.pauses()), ""
    except FaceIdError as error:
        return [], str(error)
