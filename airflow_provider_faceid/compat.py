"""What one of the supported versions of Airflow keeps elsewhere, or does not have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException

# What names the work of a running task: its task instance, its campaign, its DAG run.


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


if TYPE_CHECKING:
    from airflow.sdk import RetryPolicy
    from airflow.sdk.definitions.retry_policy import RetryDecision


def come_back(moment: datetime) -> Exception:
    """
    Return the exception with which a task leaves its slot and starts again later.

    It uses up no try.
    """
    try:
        from airflow.sdk.exceptions import AirflowRescheduleException  # noqa: PLC0415
    except ImportError:  # Airflow 3.1
        from airflow.exceptions import AirflowRescheduleException  # noqa: PLC0415
    error: Exception = AirflowRescheduleException(moment)  # type: ignore[no-untyped-call]
    return error


def is_come_back(error: BaseException) -> bool:
    """Say whether an exception is one of :func:`come_back`, with which a task does not fail."""
    return isinstance(error, type(come_back(datetime.now(UTC))))


def exception_policy(
    rules: Sequence[Mapping[str, Any]], delay_of: Callable[[BaseException], timedelta | None]
) -> RetryPolicy:
    """
    Return a retry policy: rules by exception, the first that fits holds.

    :param rules: parameters of Airflow's ``RetryRule``, the action by name.
    :param delay_of: the delay an exception itself asks for.
    :raises AirflowOptionalProviderFeatureException: Airflow is older than 3.3.
    """
    try:
        from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule  # noqa: PLC0415
    except (ImportError, AttributeError):
        raise AirflowOptionalProviderFeatureException(
            "Retry policies need Airflow 3.3 or newer; leave retry_policy out"
        ) from None

    class FaceIdRetryPolicy(ExceptionRetryPolicy):
        """Rules, and errors that know their own moment."""

        def evaluate(self, exception: BaseException, *args: Any, **kwargs: Any) -> RetryDecision:
            decision = super().evaluate(exception, *args, **kwargs)
            delay = delay_of(exception)
            return decision if delay is None else replace(decision, retry_delay=delay)

    return FaceIdRetryPolicy(
        [RetryRule(**{**rule, "action": RetryAction(rule["action"])}) for rule in rules]
    )
