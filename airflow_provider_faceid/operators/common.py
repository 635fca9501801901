"""What the operators share: campaign, errors as Airflow knows them, asset events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from ..exceptions import FatalError, QuarantineError, UncertainError

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


@contextmanager
def airflow_errors() -> Iterator[None]:
    """
    Let Airflow retry what a retry can mend, and fail at once for the rest.

    A call that may have been charged is not repeated by Airflow's own retries.
    """
    try:
        yield
    except (FatalError, QuarantineError, UncertainError) as error:
        raise AirflowFailException(str(error)) from error


def describe_outlets(context: Context, outlets: Iterable[Any], facts: Mapping[str, Any]) -> None:
    """Attach counts to the asset events of a task's outlets; nothing per row."""
    for outlet in outlets:
        context["outlet_events"][outlet].extra = dict(facts)
