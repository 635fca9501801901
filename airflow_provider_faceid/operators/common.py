"""What the operators share: campaign, owner of the work, asset events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk import Context


def default_campaign(context: Context) -> str:
    """
    Return the campaign of a DAG run: DAG id and logical date, or the run id where there is none.

    Retries, clears and reruns of the same logical date are the same campaign.
    """
    dag_run: Any = context["dag_run"]
    return f"{dag_run.dag_id}/{dag_run.logical_date or dag_run.run_id}"


def task_instance(context: Context) -> str:
    """Return what names a task instance for all its tries: DAG, run, task and map index."""
    ti: Any = context["ti"]
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}"


def shall_retry(on_in_doubt: str) -> bool:
    """
    Say whether calls that may have been charged without an answer are made again.

    :param on_in_doubt: the operator's parameter, rendered.
    :raises ConfigurationError: it is neither ``hold`` nor ``retry``.
    """
    if on_in_doubt not in {"hold", "retry"}:
        raise ConfigurationError(f"on_in_doubt={on_in_doubt!r}: it is 'hold' or 'retry'")
    return on_in_doubt == "retry"


def describe_outlets(context: Context, outlets: Iterable[Any], facts: Mapping[str, Any]) -> None:
    """Attach counts to the asset events of a task's outlets; nothing per row."""
    for outlet in outlets:
        context["outlet_events"][outlet].extra = dict(facts)
