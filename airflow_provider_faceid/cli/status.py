"""``status``: quota in use, calls without an answer, running runs with progress, rows that wait."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ._common import OUTPUT, STATE_CONNECTION, TABLES, duration, moment, table
from .definition import DONE, FAILED, Answer, Argument, Command

if TYPE_CHECKING:
    from ..hooks.readers import Warehouse
    from ..warehouse.overview import Run

OWNERS_SHOWN, RUNS_SHOWN = 20, 20
EVERY_ACTION = "*"
_MOMENTS = frozenset({"due_at", "waiting_since"})
_WAITING = ("campaign", "action", "status", "outcome", "waiting", "waiting_since", "due_at")
FACEID = Argument(
    "--faceid-conn-id",
    metavar="ID",
    help="show the account of this Face ID connection alone, and its quotas; all accounts of the state "
    "store if not given",
)
WAREHOUSES = Argument(
    "--warehouse-conn-id",
    action="append",
    metavar="ID",
    help="connection of a result table; may be repeated. Those of [faceid] pages_warehouses if not given",
)


def run(arguments: Namespace) -> Answer:
    """Read state store and warehouses; what cannot be read is a problem beside the rest."""
    from ..exceptions import FaceIdError  # noqa: PLC0415 - keeps Airflow's start cheap
    from ..hooks.state_store import option  # noqa: PLC0415 - the same

    problems: list[str] = []
    account, quotas, conn_id = _account(arguments)
    shown = [_warehouse(one, problems) for one in _warehouses(arguments)]
    runs = [one for _, found in shown for one in found]
    conn_id = arguments.state_conn_id or conn_id or option("state_conn_id")
    state: dict[str, Any] = {"actions": None, "pauses": None, "open_calls": None}
    try:
        state = _state(conn_id, account, runs, quotas)
    except FaceIdError as error:
        problems.append(str(error))
    data = {
        "state_store": conn_id or "default",
        **state,
        "warehouses": [one for one, _ in shown],
        "problems": problems,
    }
    return Answer(data, _text(data), FAILED if problems else DONE, problems)


def _account(arguments: Namespace) -> tuple[str, Mapping[str, int], str]:
    """Return of the Face ID connection, if one is named, account, quotas and state store."""
    if arguments.faceid_conn_id is None:
        return "", {}, ""
    from ..api.actions import ACTIONS  # noqa: PLC0415 - keeps Airflow's start cheap
    from ..hooks.faceid import FaceIdHook  # noqa: PLC0415 - the same
    from ..hooks.state_store import pace_name  # noqa: PLC0415 - the same

    settings = FaceIdHook(arguments.faceid_conn_id).settings
    quotas = {name: settings.quota(name) for name in ACTIONS}
    return pace_name(settings, ""), quotas, settings.state_conn_id


def _warehouses(arguments: Namespace) -> list[Warehouse]:
    from ..hooks.readers import Warehouse, configured  # noqa: PLC0415 - keeps Airflow's start cheap
    from ._common import names_of  # noqa: PLC0415 - the same

    if arguments.warehouse_conn_id is None:
        return configured()
    names = names_of(arguments)
    return [Warehouse(conn_id, names) for conn_id in dict.fromkeys(arguments.warehouse_conn_id)]


def _state(
    conn_id: str, account: str, runs: Iterable[Run], quotas: Mapping[str, int]
) -> dict[str, Any]:
    """
    Return what the state store holds.

    :raises FaceIdError: it cannot be read.
    """
    from ..clock import SYSTEM_CLOCK  # noqa: PLC0415 - keeps Airflow's start cheap
    from ..hooks.readers import state_database  # noqa: PLC0415 - the same
    from ..warehouse.state_overview import (  # noqa: PLC0415 - the same
        quota_in_use,
        read_open_calls,
        read_paces,
        read_pauses,
    )

    base = state_database(conn_id)

    def ours(host: str, named: str) -> bool:
        return f"{host} {named} ".startswith(account)

    pauses = [one for one in read_pauses(base) if ours(one.host, one.account)]
    paces = [one for one in read_paces(base, SYSTEM_CLOCK) if ours(one.host, one.account)]
    paused = {one[:3] for one in pauses}
    lines = [
        {
            "action": pace.action,
            "host": pace.host,
            "account": line["account"],
            "paused": bool({pace[:3], (*pace[:2], EVERY_ACTION)} & paused),
            "calls_per_second": round(line["rate"], 1),
            "quota": quotas.get(pace.action),
            "runs": line["runs"],
            "in_use": line["is_in_use"],
            "pace_percent": round(100 * line["factor"], 1),
            "last_call_at": moment(line["last_at"]),
        }
        for pace, line in zip(paces, quota_in_use(paces, runs), strict=True)
    ]
    calls = read_open_calls(base, SYSTEM_CLOCK)
    return {
        "actions": lines,
        "pauses": [
            one._asdict() | {"account": one.account[:6], "paused_at": moment(one.paused_at)}
            for one in pauses
        ],
        "open_calls": [one._asdict() | {"since": moment(one.since)} for one in calls],
    }


def _warehouse(one: Warehouse, problems: list[str]) -> tuple[dict[str, Any], list[Run]]:
    """Return what a warehouse holds, and its runs; what cannot be read goes to the problems."""
    from ..clock import SYSTEM_CLOCK  # noqa: PLC0415 - keeps Airflow's start cheap
    from ..exceptions import FaceIdError  # noqa: PLC0415 - the same
    from ..hooks.readers import refuse_missing_file  # noqa: PLC0415 - the same
    from ..hooks.warehouses import database  # noqa: PLC0415 - the same
    from ..warehouse.overview import read_runs, read_views  # noqa: PLC0415 - the same

    shown: dict[str, Any] = {"warehouse_conn_id": one.conn_id, "running": [], "waiting": []}
    try:
        base = database(one.conn_id)
        refuse_missing_file(base)
        runs = read_runs(base, one.names, SYSTEM_CLOCK.now()).runs
        views = read_views(base, one.names)
    except FaceIdError as error:
        problems.append(str(error))
        return shown, []
    problems += views.problems.values()
    shown["running"] = [_progress(run) for run in runs if run.is_running][:RUNS_SHOWN]
    shown["waiting"] = [
        {name: moment(value) if name in _MOMENTS else value for name, value in row.items()}
        for row in views.waiting
    ]
    return shown, runs


def _progress(run: Run) -> dict[str, Any]:
    left = run.seconds_left
    return {
        **{name: run[name] for name in ("campaign", "action", "dag_id", "run_id", "map_index")},
        "rows_in": run.rows_in,
        "done": run.done,
        "calls_per_second": run["calls_per_second"],
        "seconds_left": None if left is None else round(left),
        "is_silent": run.is_silent,
        "updated_at": moment(run["updated_at"]),
    }


def _text(data: Mapping[str, Any]) -> str:
    parts = [f"State store: {data['state_store']}"]
    if data["actions"] is None:
        parts.append("It cannot be read")
    else:
        parts.append(table(data["actions"]) or "No Action was called yet")
        parts += [
            f"{'Every Action' if one['action'] == EVERY_ACTION else one['action']} of account "
            f"{one['account']} was paused by {one['paused_by']} at {one['paused_at']}: {one['reason']}"
            for one in data["pauses"]
        ]
        parts += _calls(data["open_calls"])
    for one in data["warehouses"]:
        parts.append(f"\nWarehouse: {one['warehouse_conn_id']}")
        running = [
            {
                **{name: row[name] for name in ("campaign", "action", "dag_id", "run_id")},
                "rows": row["rows_in"],
                "done": row["done"],
                "calls/s": row["calls_per_second"],
                "left": "silent" if row["is_silent"] else duration(row["seconds_left"]),
            }
            for row in one["running"]
        ]
        parts.append(table(running) or "Nothing runs")
        parts.append(table(one["waiting"], _WAITING) or "Nothing waits")
    return "\n".join(parts)


def _calls(calls: Sequence[Mapping[str, Any]]) -> list[str]:
    if not calls:
        return ["\nNo call is without an answer"]
    total = {
        name: sum(one[name] for one in calls) for name in ("in_flight", "left_behind", "in_doubt")
    }
    line = (
        f"\nCalls without an answer: {total['in_flight']:,} in flight, {total['left_behind']:,} left by an "
        f"attempt that is gone, {total['in_doubt']:,} in doubt"
    )
    more = len(calls) - OWNERS_SHOWN
    rest = [f"and {more:,} more task instances: --output json has all"] if more > 0 else []
    return [line, table(calls[:OWNERS_SHOWN]), *rest]


COMMAND = Command(
    name="status",
    help="Show quota in use, calls without an answer, running runs and what waits",
    description="Show of a state store the quota in use and the calls without an answer, and of "
    "warehouses the running runs with their progress and the rows that wait. It changes nothing and "
    "makes no call.",
    run=run,
    arguments=(FACEID, STATE_CONNECTION, WAREHOUSES, *TABLES, OUTPUT),
)
