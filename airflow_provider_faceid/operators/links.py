"""Operator extra links: from a task to its run, and to its report, on the pages under Browse > Face ID.

A link is an XCom of its task: Airflow writes it when the task ends. The operators for a table write theirs
before the first call, too, so that a run can be looked at while it goes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow.providers.common.compat.sdk import BaseOperatorLink, conf

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context


def page_url(page: str, **query: Any) -> str:
    """Return the address of a page below ``[api] base_url``."""
    base = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
    return f"{base}/faceid/{page}?{urlencode({name: str(value) for name, value in query.items()})}"


class FaceIdRunLink(BaseOperatorLink):
    """Link from a task that verifies a table to its run, with its progress."""

    name = "Face ID run"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address of the run's page."""
        return page_url(
            "run",
            conn=getattr(operator, "warehouse_conn_id", None)
            or getattr(operator, "source_conn_id", ""),
            action=getattr(operator, "action", ""),
            **_of_task(ti_key, "dag_id", "run_id", "map_index"),
        )


class FaceIdReportLink(BaseOperatorLink):
    """Link from a task that writes a report to the page that shows it."""

    name = "Face ID report"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address of the report's page."""
        del operator
        return page_url("report", **_of_task(ti_key, "dag_id", "run_id", "task_id", "map_index"))


def push_link(link: BaseOperatorLink, operator: BaseOperator, context: Context) -> None:
    """Write a link before its task ends. It is a convenience: whatever fails stops no task."""
    ti: Any = context["ti"]
    with suppress(Exception):
        ti.xcom_push(key=link.xcom_key, value=link.get_link(operator, ti_key=ti))


def _of_task(ti_key: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(ti_key, name, -1 if name == "map_index" else "") for name in names}
