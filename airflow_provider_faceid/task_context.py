"""What names the work of a running task: its task instance, its campaign, its DAG run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context


def default_campaign(context: Context) -> str:
    """
    Return the campaign of a task that names none: the DAG id.

    No date is in it, so that each run asks only about who is new, changed or expired.
    """
    return str(_task_instance(context).dag_id)


def dag_run_campaign(context: Context) -> str:
    """Return the campaign of one DAG run: its retries and cleared tasks share it, no other run."""
    ti = _task_instance(context)
    return f"{ti.dag_id}/{ti.run_id}"


def task_instance(context: Context) -> str:
    """Return what names a task instance for all its attempts: DAG, run, task and map index."""
    ti = _task_instance(context)
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}"


def attempt_id(context: Context) -> str:
    """Return what names one attempt of a task instance: Airflow gives each an id of its own."""
    return str(getattr(_task_instance(context), "id", None) or "")


def _task_instance(context: Context) -> Any:
    return context["ti"]
