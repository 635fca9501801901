"""Reports that the pages show: found by the XCom of their links, read below ``[faceid] report_roots``.

A report task pushes where its file is. Nobody names a path in an address: an address names a task, and
Airflow says whether its reader may see what that task handed on.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select

from ...exceptions import ConfigurationError
from ...hooks.state_store import option
from ...operators.links import FaceIdReportLink

LOOKED_AT = 50
MOST_BYTES = 2_000_000
"""Of a file that is shown; a report has at most 300 KB."""


class Report(NamedTuple):
    """A task that wrote a report, and when, in Unix seconds."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    written_at: float


def latest(may_read: Callable[[str], bool], most: int = 3) -> list[Report]:
    """
    Return the newest reports of readable DAGs, the newest first.

    :param may_read: says whether a DAG may be read.
    :param most: how many.
    """
    columns = (XComModel.dag_id, XComModel.run_id, XComModel.task_id, XComModel.map_index)
    newest = (
        select(*columns, XComModel.timestamp)
        .where(XComModel.key == FaceIdReportLink().xcom_key)
        .order_by(XComModel.timestamp.desc())
        .limit(LOOKED_AT)
    )
    with create_session() as session:
        rows = session.execute(newest).all()
    found = (Report(*row[:4], row[4].timestamp()) for row in rows if may_read(row[0]))
    return list(islice((one for one in found if path_of(one)), most))  # a failed task wrote none


def path_of(report: Report) -> str:
    """Return where a task said its report is; empty if it said nothing."""
    wanted = select(XComModel).where(
        XComModel.dag_id == report.dag_id,
        XComModel.run_id == report.run_id,
        XComModel.task_id == report.task_id,
        XComModel.map_index == report.map_index,
        XComModel.key == "return_value",
    )
    with create_session() as session:
        row = session.scalars(wanted).first()
        value: Any = None if row is None else XComModel.deserialize_value(row)
    return str(value.get("path") or "") if isinstance(value, dict) else ""


def read(path: str) -> bytes:
    """
    Return the file of a report.

    :raises ConfigurationError: it is in no folder of ``[faceid] report_roots``, or too long.
    :raises OSError: it cannot be read.
    """
    from airflow.sdk import ObjectStoragePath  # noqa: PLC0415 - not every page needs it

    roots = [root.strip() for root in option("report_roots").split(",") if root.strip()]
    if not any(_is_below(path, root) for root in roots):
        raise ConfigurationError(
            "The report is not below a folder or URL of [faceid] report_roots, which says from where the "
            "api-server may show reports"
        )
    place: Any = ObjectStoragePath(path)
    with place.open("rb") as file:
        content: bytes = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ConfigurationError(f"The report has more than {MOST_BYTES:,} bytes")
    return content


def _is_below(path: str, root: str) -> bool:
    """Return whether a path is below a root, both as URLs, whatever dots and links it has."""
    (kind, place, parts), (of_root, at_root, folder) = map(_parts, (path, root))
    is_there = (kind, place) == (of_root, at_root) and ".." not in parts
    return is_there and parts[: len(folder)] == folder and len(parts) > len(folder)


def _parts(url: str) -> tuple[str, str, list[str]]:
    """Return scheme, host and folders of a URL; those of a file of this host without its links."""
    split = urlsplit(url)
    kind, path = split.scheme or "file", split.path
    path = str(Path(path).resolve()) if kind == "file" else path
    return kind, split.netloc, path.rstrip("/").split("/")
