"""What Airflow is to do about each of our errors: fail at once, retry, or come back later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.providers.common.compat.sdk import AirflowFailException

from ..clock import SYSTEM_CLOCK
from ..compat import exception_policy, reschedule_at
from ..exceptions import (
    DeferError,
    FaceIdError,
    FatalError,
    InternalError,
    OutageError,
    QuarantineError,
    RetryError,
    UncertainError,
    WarehouseError,
)

if TYPE_CHECKING:
    from airflow.sdk import RetryPolicy


class Reaction(StrEnum):
    """What a task does after an error."""

    FAIL = "fail"
    """It fails, whatever tries are left."""
    RETRY = "retry"
    """It is retried if tries are left."""
    RESCHEDULE = "reschedule"
    """It gives its slot back and starts again at the error's moment; no try is used up."""


class Recovery(NamedTuple):
    """
    One kind of error.

    :param delay: seconds to wait before the retry, where a :func:`retry_policy` is used.
    """

    error: type[FaceIdError]
    reaction: Reaction
    reason: str
    delay: float | None = None


RECOVERIES = (
    Recovery(FatalError, Reaction.FAIL, "a person has to change something first"),
    Recovery(QuarantineError, Reaction.FAIL, "the input has to be mended first"),
    Recovery(UncertainError, Reaction.FAIL, "it may have been charged: nothing repeats it unasked"),
    Recovery(DeferError, Reaction.RESCHEDULE, "the person may be asked about from then on"),
    Recovery(
        OutageError, Reaction.RETRY, "the service, or what gives its keys, was away for long", 600.0
    ),
    Recovery(RetryError, Reaction.RETRY, "nothing was charged", 60.0),
    Recovery(WarehouseError, Reaction.RETRY, "what was answered is kept", 60.0),
    Recovery(InternalError, Reaction.RETRY, "what was answered is kept, the rest is asked", 60.0),
)
"""The first row that fits an error holds."""


@contextmanager
def airflow_errors() -> Iterator[None]:
    """
    Raise what lets Airflow react as the table says.

    A call that may have been charged is not repeated by Airflow's own retries.
    """
    try:
        yield
    except FaceIdError as error:
        reaction = next((r.reaction for r in RECOVERIES if isinstance(error, r.error)), None)
        if reaction is Reaction.FAIL:
            raise AirflowFailException(str(error)) from error
        if isinstance(error, DeferError):
            raise reschedule_at(datetime.fromtimestamp(error.not_before, UTC)) from error
        raise


def retry_policy() -> RetryPolicy:
    """
    Return a retry policy for tasks that use the hook: ``@task(retries=5, retry_policy=...)``.

    It follows the same table, and lets a task come back no sooner than a person may be asked about
    again. Our own operators need none: they raise what Airflow understands. With one, their retries
    wait as long as the table says in place of ``retry_delay``.

    :raises AirflowOptionalProviderFeatureException: Airflow is older than 3.3.
    """
    rules: list[dict[str, Any]] = [
        {
            "exception": recovery.error,
            "action": "fail" if recovery.reaction is Reaction.FAIL else "retry",
            "retry_delay": timedelta(seconds=recovery.delay) if recovery.delay else None,
            "reason": recovery.reason,
        }
        for recovery in RECOVERIES
    ]
    return exception_policy(rules, delay_of)


def delay_of(error: BaseException) -> timedelta | None:
    """Return how long an error itself says to wait, None if it does not."""
    if not isinstance(error, DeferError):
        return None
    return timedelta(seconds=max(0.0, error.not_before - SYSTEM_CLOCK.now()))
