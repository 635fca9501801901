"""Runs as a report sees them: the attempts and shards of a DAG run together, and the runs before it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..clock import beijing_date, utc_seconds
from ..warehouse.names import Names
from ..warehouse.records import RunState
from ..warehouse.views.metrics import ANSWER_PLACES, COUNTS
from .selection import SelectedRows, Selection
from .stand_out import RUNS_BEFORE
from .verdicts import added, groups_of, rate

LAST = ("rows_in", "answered", "quarantined", "postponed", "held")
"""Counts of rows: those of the last attempt of each shard."""

SPENT = ("calls", "charged", "charge_unknown", "throttled", "reused")
"""Counts of calls: those of all attempts."""

AVOIDED = ("quarantined", "reused", "still_valid")
_COLUMNS = (
    *("campaign", "action", "run_id", "map_index", "started_at", "finished_at", "state"),
    *LAST,
    *SPENT,
    *("still_valid", "seconds"),
)


@dataclass
class RunOfDag:
    """
    A DAG run of a campaign and Action: all attempts of all shards.

    :param last: counts of rows, see :data:`LAST`, summed over the shards.
    :param spent: counts of calls, see :data:`SPENT`, summed over shards and attempts.
    :param seconds: of calls; of shards side by side the longest.
    :param has_ended: whether each shard's last attempt wrote its end.
    """

    campaign: str
    action: str
    run_id: str
    started_at: str
    finished_at: str | None = None
    state: str = ""
    last: dict[str, int] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)
    avoided: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    has_ended: bool = True


@dataclass
class RunNumbers:
    """
    The runs a report needs.

    :param here: runs of the selection.
    :param history: of each campaign and Action the last run and those before it, the oldest first.
    :param avoided: rows that cost no call, by campaign and Action, then by what avoided it.
    """

    here: list[RunOfDag]
    history: dict[tuple[str, str], list[dict[str, Any]]]
    avoided: dict[tuple[str, str], dict[str, int]]


def read_runs(
    rows: SelectedRows, names: Names, quotas: Mapping[str, float], smallest: int
) -> RunNumbers:
    """
    Return the runs of a selection, and those before its last one.

    :param quotas: calls per second of the account, by Action.
    :param smallest: the smallest group that is shown.
    """
    planned = f"state NOT IN ('{RunState.PLANNED}', '{RunState.REFUSED}')"
    attempts = rows.table(names.runs, _COLUMNS, planned)
    by_run: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for attempt in sorted(attempts, key=lambda one: one["started_at"]):
        by_run[attempt["campaign"], attempt["action"], attempt["run_id"]].append(attempt)
    runs = sorted((_together(some) for some in by_run.values()), key=lambda run: run.started_at)
    chosen = rows.selection
    here = [run for run in runs if _is_selected(run, chosen)]
    history: dict[tuple[str, str], list[RunOfDag]] = defaultdict(list)
    last = {(run.campaign, run.action): run.started_at for run in here}
    for run in runs:
        key = run.campaign, run.action
        if run.started_at <= last.get(key, ""):
            history[key].append(run)
    shown = {key: some[-RUNS_BEFORE - 1 :] for key, some in sorted(history.items())}
    verdicts = _verdicts(rows, shown)
    return RunNumbers(
        here,
        {
            key: [_line(run, verdicts, quotas.get(key[1]), smallest) for run in some]
            for key, some in shown.items()
        },
        _avoided(here),
    )


def _is_selected(run: RunOfDag, chosen: Selection) -> bool:
    if chosen.run_id is not None:
        return run.run_id == chosen.run_id
    if chosen.days is None:
        return True
    return chosen.days[0] <= beijing_date(utc_seconds(run.started_at)) <= chosen.days[1]


def _together(attempts: Sequence[Mapping[str, Any]]) -> RunOfDag:
    """Return the attempts of a DAG run, in order, as one run."""
    shards: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for attempt in attempts:
        shards[attempt["map_index"]].append(attempt)
    last = [some[-1] for some in shards.values()]
    ends = [one["finished_at"] for one in last]
    ended = [one for one in attempts if one["state"] in (RunState.SUCCESS, RunState.FAILED)]
    states = {one["state"] for one in last}
    order = (RunState.RUNNING, RunState.FAILED, RunState.SUCCESS)
    first = attempts[0]
    return RunOfDag(
        campaign=first["campaign"],
        action=first["action"],
        run_id=first["run_id"],
        started_at=first["started_at"],
        finished_at=max(ends) if all(ends) else None,
        state=next((state.value for state in order if state in states), ""),
        last=added({name: one[name] for name in LAST} for one in last),
        spent=added({name: one[name] for name in SPENT} for one in attempts),
        avoided=added({name: one[name] for name in AVOIDED} for one in ended),
        seconds=max(sum(one["seconds"] or 0.0 for one in some) for some in shards.values()),
        has_ended=all(ends),
    )


def _avoided(runs: Sequence[RunOfDag]) -> dict[tuple[str, str], dict[str, int]]:
    found: dict[tuple[str, str], list[dict[str, int]]] = defaultdict(list)
    for run in runs:
        found[run.campaign, run.action].append(run.avoided)
    return {key: {n: added(some).get(n, 0) for n in AVOIDED} for key, some in found.items()}


def _verdicts(
    rows: SelectedRows, shown: Mapping[tuple[str, str], Sequence[RunOfDag]]
) -> dict[tuple[str, ...], dict[str, int]]:
    """Return the verdicts of each run."""
    if not any(shown.values()):
        return {}
    counted = {name: COUNTS[name].sql for name in ANSWER_PLACES}
    found = rows.group("history", ("campaign", "action", "run_id"), counted, scope="quarantine")
    return {(row["campaign"], row["action"], row["run_id"]): row for row in found}


def _line(
    run: RunOfDag,
    verdicts: Mapping[tuple[str, ...], Mapping[str, int]],
    quota: float | None,
    smallest: int,
) -> dict[str, Any]:
    """Return a run as a line of the history."""
    counts = verdicts.get((run.campaign, run.action, run.run_id), {})
    found = {place: counts.get(place, 0) for place in ANSWER_PLACES}
    groups = groups_of(found, smallest)
    rows_in, calls = run.last.get("rows_in", 0), run.spent.get("calls", 0)
    match = rate("match_rate", found, groups, smallest)
    possible = run.seconds * (quota or 0)
    waiting = run.last.get("postponed", 0) + run.last.get("held", 0)
    return {
        "campaign": run.campaign,
        "action": run.action,
        "run_id": run.run_id,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "state": run.state,
        **{name: run.last.get(name, 0) for name in LAST},
        "requests": calls,
        **{name: run.spent.get(name, 0) for name in SPENT if name != "calls"},
        "seconds": round(run.seconds, 3),
        "requests_per_second": round(calls / run.seconds, 3) if run.seconds else None,
        "quota_used": calls / possible if possible else None,
        "match_rate": match["value"],
        **{bound: match[bound] for bound in ("at_least", "at_most") if bound in match},
        "quarantined_share": run.last.get("quarantined", 0) / rows_in if rows_in else None,
        "waiting_share": waiting / rows_in if rows_in else None,
        "throttled_share": run.spent.get("throttled", 0) / calls if calls else None,
    }
