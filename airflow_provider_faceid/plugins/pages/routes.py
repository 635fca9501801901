"""Routes of the pages: overview, run, campaign, report. Each asks for a login, and for rights on its DAG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from ...exceptions import FaceIdError
from ...hooks.readers import Warehouse, configured
from ...warehouse.overview import KEYS_SHOWN
from . import reports
from .reading import Reader
from .rights import LOGGED_IN, Rights, campaigns_of, quota, rights, show
from .view import REPORT_SECURITY, SECURITY, message, page

RUNS_ON_PAGE, TRIES_ON_PAGE = 20, 5
NOT_FOUND, UNAVAILABLE = 404, 503

router = APIRouter(dependencies=[LOGGED_IN], default_response_class=HTMLResponse)


def reader_of(request: Request) -> Reader:
    """Return the application's reader."""
    reader: Reader = request.app.state.reader
    return reader


@dataclass(frozen=True)
class Task:
    """The task instance an address names."""

    dag_id: str
    run_id: str
    map_index: int = -1


Of = Annotated[Rights, Depends(rights)]
Reading = Annotated[Reader, Depends(reader_of)]
TaskOf = Annotated[Task, Depends()]


@router.get("/")
def overview(of: Of, reader: Reading) -> Response:
    """Show all warehouses: what runs, quota, campaigns, what waits, reports."""
    shown = [show(reader, reader.seen(one), of.may_read) for one in configured()]
    lines, problem = quota(reader, [run for one in shown for run in one.runs])
    return page(
        "overview.html",
        warehouses=shown,
        quota=lines,
        quota_problem=problem,
        reports=reports.latest(of.may_read_keys),
        is_live=any(one.live for one in shown),
        runs_on_page=RUNS_ON_PAGE,
    )


@router.get("/run")
def run(of: Of, reader: Reading, task: TaskOf, conn: str, action: str = "") -> Response:
    """Show the tries of a task that verifies a table, with the progress of the one that runs."""
    if not of.may_read(task.dag_id):
        return unknown_page()
    warehouse = named(conn)
    if warehouse is None:
        return message(
            "This warehouse is not shown",
            f"The run keeps its tables behind connection '{conn}', which is not among [faceid] "
            "pages_warehouses in the configuration of this api-server",
            NOT_FOUND,
        )
    seen = reader.seen(warehouse, with_views=False)
    wanted = vars(task) | ({"action": action} if action else {})
    tries = [one for one in seen.overview.runs if all(one[name] == wanted[name] for name in wanted)]
    return page(
        "run.html",
        seen=seen,
        wanted=task,
        tries=[(one, reader.outcomes(warehouse, one)) for one in tries[:TRIES_ON_PAGE]],
        may_see=campaigns_of(seen, of.may_read),
        is_live=any(one.is_live for one in tries) or not tries,
    )


@router.get("/campaign")
def campaign(of: Of, reader: Reading, conn: str, name: str) -> Response:
    """Show a campaign: funnel, what waits and why, keys as far as the reader may read them."""
    warehouse = named(conn)
    if warehouse is None:
        return unknown_page()
    seen = reader.seen(warehouse)
    if seen.problem:
        return message("The warehouse cannot be read", seen.problem, UNAVAILABLE)
    if name not in campaigns_of(seen, of.may_read):
        return unknown_page()
    dags = seen.overview.dags[name]
    readable = frozenset(dag_id for dag_id in dags if of.may_read_keys(dag_id))
    shown = show(reader, seen, of.may_read, only=name)
    refused, waiting = reader.keys(warehouse, name, readable)
    return page(
        "campaign.html",
        one=shown,
        name=name,
        dags=sorted(dags),
        may_read_keys=bool(readable),
        refused_keys=refused[:KEYS_SHOWN],
        waiting_keys=waiting[:KEYS_SHOWN],
        more=max(len(refused), len(waiting)) > KEYS_SHOWN,
        most=KEYS_SHOWN,
        is_live=bool(shown.live),
    )


@router.get("/report")
def report(of: Of, task: TaskOf, task_id: str, *, bare: bool = False) -> Response:
    """
    Show the report a task wrote, in a frame below a line that says whose it is.

    :param bare: whether to return the report alone, for that frame.
    """
    if not of.may_read_keys(task.dag_id):
        return unknown_page()
    wanted = reports.Report(task.dag_id, task.run_id, task_id, task.map_index, 0.0)
    path = reports.path_of(wanted)
    if path.startswith(("http://", "https://")):
        return RedirectResponse(path, headers=SECURITY)
    problem = "This task has not said where its report is; it may not have ended"
    content = b""
    if path:
        content, problem = _read(path)
    if problem:
        return message("The report cannot be shown here", problem, NOT_FOUND)
    if bare:
        return HTMLResponse(content, headers=REPORT_SECURITY)
    return page("report.html", report=wanted, path=path, is_live=False)


def _read(path: str) -> tuple[bytes, str]:
    """Return the content of a report, or why it cannot be read."""
    try:
        return reports.read(path), ""
    except OSError as error:
        cause = error.strerror or type(error).__name__
        return b"", f"{path}: {cause}. The api-server must reach it"
    except FaceIdError as error:
        return b"", f"{path}: {error}"


def named(conn: str) -> Warehouse | None:
    """Return the warehouse of the configuration behind a connection; None if it is not among them."""
    return next((one for one in configured() if one.conn_id == conn), None)


def unknown_page() -> Response:
    """Return the same for what is not there and for what the reader may not see."""
    text = "There is nothing of that name, or Airflow does not let you read its DAG"
    return message("Nothing to see here", text, NOT_FOUND)
