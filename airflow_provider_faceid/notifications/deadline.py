"""Deadline callback: tells that a DAG run has missed its deadline, and how far its verification has come.

Airflow's triggerer runs it, for a ``DeadlineAlert`` of a DAG::

    AsyncCallback(tell_missed_deadline, kwargs={"warehouse_conn_id": "faceid_warehouse"})
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from ..exceptions import counted
from ..process import safe_message

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

READ_SECONDS = 10.0
"""For which the warehouse is asked."""
COLUMNS = (
    *("action", "map_index", "started_at", "state", "rows_in"),
    *("answered", "quarantined", "postponed", "held", "charged"),
)


class Progress(NamedTuple):
    """Counts of a run's table tasks, the latest attempt of each."""

    tasks: int
    running: int
    rows_in: int
    done: int
    charged: int


async def tell_missed_deadline(
    *,
    context: Context,
    warehouse_conn_id: str | None = None,
    run_table: str = "faceid_runs",
    notifier: str | None = None,
    notifier_kwargs: Mapping[str, Any] | None = None,
) -> str:
    """
    Log a warning that a DAG run has missed its deadline, and hand it to a notifier.

    It says the run, the deadline, and the rows and charges so far from the table of runs; no person and
    no key. Where the table cannot be read, it says so in place of the counts.

    :param context: as Airflow gives it: ``dag_run`` and ``deadline``.
    :param warehouse_conn_id: connection of the table of runs; no counts are told if not given.
    :param run_table: the table of runs.
    :param notifier: import path of a notifier such as
        ``airflow.providers.smtp.notifications.smtp.SmtpNotifier``, or of a function of the context. It
        finds ``faceid.title`` and ``faceid.text`` in its templates. Only the log is written if not given.
    :param notifier_kwargs: parameters of the notifier.
    :return: the text.
    """
    from asgiref.sync import sync_to_async  # noqa: PLC0415 - the triggerer has it

    about: Any = context
    run, due = about["dag_run"], about["deadline"]["deadline_time"]
    dag_id, run_id = str(run["dag_id"]), str(run["dag_run_id"])
    title = f"DAG {dag_id} missed its deadline"
    text = f"Run '{run_id}' of DAG '{dag_id}' was to end by {due}, and is {_state(run)}"
    if warehouse_conn_id is not None:
        # In a thread that may ask Airflow for the connection, as a task does.
        text += f"; {await sync_to_async(_told)(warehouse_conn_id, run_table, dag_id, run_id)}"
    log.warning("%s", text)
    if notifier is not None:
        send = _made(notifier, notifier_kwargs or {})
        handed = {**about, "faceid": {"title": title, "text": text}}
        await (send if inspect.iscoroutinefunction(send) else sync_to_async(send))(handed)
    return text


def _state(run: Mapping[str, Any]) -> str:
    state: Any = run.get("state")
    return str(getattr(state, "value", state) or "not finished")


def _told(conn_id: str, table: str, dag_id: str, run_id: str) -> str:
    """Return how far a run has come, in words."""
    try:
        rows = _read(conn_id, table, dag_id, run_id)
    except Exception as error:  # noqa: BLE001 - that the deadline was missed is told anyway
        return f"table '{table}' of connection '{conn_id}' cannot be read: {safe_message(error)}"
    if not rows:
        return "no table was begun to be verified"
    progress = progress_of(rows)
    return (
        f"{progress.done:,} of {counted(progress.rows_in, 'row')} are settled, "
        f"{counted(progress.charged, 'call')} charged; {progress.running} of "
        f"{counted(progress.tasks, 'task')} still running"
    )


def _read(conn_id: str, table: str, dag_id: str, run_id: str) -> list[dict[str, Any]]:
    from ..hooks.warehouses import database  # noqa: PLC0415 - read by the triggerer only

    warehouse = database(conn_id)
    dialect = warehouse.dialect
    named = ", ".join(map(dialect.quote, COLUMNS))
    sql = (
        f"SELECT {named} FROM {dialect.current.format(dialect.quote_table(table))} "  # noqa: S608 - names are quoted
        f"WHERE dag_id = {dialect.marker} AND run_id = {dialect.marker} AND state <> 'planned'"
    )
    try:
        if not warehouse.columns(table):
            return []
        with warehouse.reading(READ_SECONDS) as read:
            return [dict(zip(COLUMNS, row, strict=True)) for row in read(sql, [dag_id, run_id])]
    finally:
        warehouse.close()


def progress_of(rows: Sequence[Mapping[str, Any]]) -> Progress:
    """
    Sum up the latest attempt of each task.

    :param rows: of the table of runs.
    """
    latest: dict[tuple[str, int], Mapping[str, Any]] = {}
    for row in sorted(rows, key=lambda row: str(row["started_at"])):
        latest[row["action"], row["map_index"]] = row
    found = list(latest.values())

    def total(*names: str) -> int:
        return sum(int(row[name] or 0) for row in found for name in names)

    return Progress(
        tasks=len(found),
        running=sum(row["state"] == "running" for row in found),
        rows_in=total("rows_in"),
        done=total("answered", "quarantined", "postponed", "held"),
        charged=sum(int(row["charged"] or 0) for row in rows),
    )


def _made(path: str, parameters: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Return the notifier behind an import path: an object of a class, or the function itself."""
    module, _, name = path.rpartition(".")
    found: Any = getattr(import_module(module), name)
    made: Any = found(**parameters) if inspect.isclass(found) else found
    notify: Callable[[Any], Any] = made
    return notify
