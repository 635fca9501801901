"""Airflow compatibility: features that supported versions keep in different places or lack.

Also the names of a task's work: its task instance, its attempt, its DAG run and its campaign.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException

if TYPE_CHECKING:
    from airflow.sdk import Context


def default_campaign(context: Context) -> str:
    """
    Return the campaign of a task that names none: the DAG id.

    It holds no date, so each run calls only for rows that are new, changed or expired.
    """
    return str(_task_instance(context).dag_id)


def dag_run_campaign(context: Context) -> str:
    """Return the campaign of one DAG run, shared by its retries and cleared tasks only."""
    ti = _task_instance(context)
    return f"{ti.dag_id}/{ti.run_id}"


def task_instance(context: Context) -> str:
    """Return the name of a task instance, the same for all attempts: DAG, run, task, map index."""
    ti = _task_instance(context)
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}"


def attempt_id(context: Context) -> str:
    """Return Airflow's id of one attempt of a task instance; empty if it has none."""
    return str(getattr(_task_instance(context), "id", None) or "")


PROGRESS_KEY = "faceid_progress"
"""Of the counts of a run in the task state store, the tab Storage of a task instance."""


def progress_store(context: Context) -> Callable[[dict[str, Any]], None] | None:
    """
    Return what writes counts into Airflow's task state store, while a task runs; None before Airflow 3.3.

    Counts of a task that was cleared stay until its next ones come. They decide nothing.
    """
    store: Any = context.get("task_state_store")
    if store is None:
        return None

    def write(counts: dict[str, Any]) -> None:
        store.set(PROGRESS_KEY, counts)

    return write


def _task_instance(context: Context) -> Any:
    return context["ti"]


if TYPE_CHECKING:
    from airflow.sdk import RetryPolicy
    from airflow.sdk.definitions.retry_policy import RetryDecision


@contextmanager
def connections_of_metadata() -> Iterator[None]:
    """
    Let connections be read from Airflow's metadata database too, as its own commands do.

    Airflow lets only its servers and commands do so; tasks ask the execution API.
    """
    name = "_AIRFLOW_PROCESS_CONTEXT"
    before = os.environ.get(name)
    os.environ[name] = "server"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def conn_id_of(path: Any) -> str:
    """Return the connection of an ``ObjectStoragePath``; empty if it has none."""
    # Airflow 3.1 has it among the options of the store.
    found = getattr(path, "conn_id", None) or path.storage_options.get("conn_id")
    return str(found or "")


SOONEST_RESCHEDULE = timedelta(seconds=30)
"""
A task that runs again before its scheduler has seen its last process end is failed by it: the report
of that end has the same try number, and counts as one of the new process (Airflow 3.3,
``process_executor_events``; seen on a busy machine after 3 seconds).
"""


def reschedule_at(moment: datetime) -> Exception:
    """
    Return the exception that reschedules a task: it frees its slot and starts again later.

    A reschedule does not count as a retry.

    :param moment: when to start again, with a time zone; no sooner than in
        :data:`SOONEST_RESCHEDULE`.
    """
    try:
        from airflow.sdk.exceptions import AirflowRescheduleException  # noqa: PLC0415
    except ImportError:  # Airflow 3.1
        from airflow.exceptions import AirflowRescheduleException  # noqa: PLC0415
    moment = max(moment, datetime.now(UTC) + SOONEST_RESCHEDULE)
    error: Exception = AirflowRescheduleException(moment)  # type: ignore[no-untyped-call]
    return error


def is_reschedule(error: BaseException) -> bool:
    """Return whether an exception is one of :func:`reschedule_at`, which is no failure."""
    return isinstance(error, type(reschedule_at(datetime.now(UTC))))


def exception_policy(
    rules: Sequence[Mapping[str, Any]], delay_of: Callable[[BaseException], timedelta | None]
) -> RetryPolicy:
    """
    Return a retry policy: rules by exception, of which the first match applies.

    :param rules: parameters of Airflow's ``RetryRule``, the action by name.
    :param delay_of: returns the delay that an exception itself demands, None if it demands none.
    :raises AirflowOptionalProviderFeatureException: Airflow is older than 3.3.
    """
    try:
        from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule  # noqa: PLC0415
    except (ImportError, AttributeError):
        raise AirflowOptionalProviderFeatureException(
            "Retry policies need Airflow 3.3 or newer; leave retry_policy out"
        ) from None

    class FaceIdRetryPolicy(ExceptionRetryPolicy):
        """Retry rules, overruled by the delay that an error itself demands."""

        def evaluate(self, exception: BaseException, *args: Any, **kwargs: Any) -> RetryDecision:
            decision = super().evaluate(exception, *args, **kwargs)
            delay = delay_of(exception)
            return decision if delay is None else replace(decision, retry_delay=delay)

    return FaceIdRetryPolicy(
        [RetryRule(**{**rule, "action": RetryAction(rule["action"])}) for rule in rules]
    )
