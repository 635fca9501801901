"""Single calls that are paid once: within which work, and what each decision means to the caller."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from uuid import uuid4

from airflow.sdk import get_current_context

from ..api.verdict import Verdict
from ..client.call import Attempt
from ..client.settings import Settings
from ..clock import SECONDS_PER_DAY, SYSTEM_CLOCK, Clock, utc_text
from ..compat import attempt_id, dag_run_campaign, task_instance
from ..exceptions import (
    ConfigurationError,
    FaceIdError,
    IdentityLimitError,
    StateStoreError,
    UnavailableError,
    UncertainError,
)
from ..state.call_table import Decision
from ..state.idempotency import Settled, ask_once, claim_of, identity_uses
from ..state.identity_limits import IdentityCounts
from ..state.ledger import Ledger

BUSY_SECONDS = 0.5
"""Between two looks at a question that is on its way elsewhere."""


@dataclass(frozen=True)
class Idempotency:
    """
    Within which work a question is asked once.

    :param owner: the task instance, the same for every attempt of it; the running one if empty.
    :param campaign: book in which the answer is kept, so that a later caller in the same campaign
        is answered from there; the running DAG run if empty.
    :param row: key of the source row.
    :param retry: whether to call although it may have been charged before without an answer.
    :param reuse_within: for how long the answer of another campaign is good.
    :param valid_for: for how long an answer of this campaign is good; for as long as the ledger
        keeps it if not given.
    """

    owner: str = ""
    campaign: str = ""
    row: str = ""
    retry: bool = False
    reuse_within: timedelta | None = None
    valid_for: timedelta | None = None


PER_DAG_RUN = Idempotency()
"""What the hook does unless told otherwise: in a task, a retry is answered from the ledger and the
next DAG run asks anew. Outside of tasks each call is made."""


def within_task(idempotency: Idempotency) -> Idempotency | None:
    """Return the work with owner and campaign of the running task; None if it lacks them."""
    if idempotency.owner and idempotency.campaign:
        return idempotency
    try:
        context = get_current_context()
    except RuntimeError:  # not in a task
        return (
            replace(idempotency, owner=idempotency.owner or _this_process())
            if idempotency.campaign
            else None
        )
    return replace(
        idempotency,
        owner=idempotency.owner or task_instance(context),
        campaign=idempotency.campaign or dag_run_campaign(context),
    )


@cache
def _start_of(pid: int) -> str:
    return f"process {pid} {uuid4()}"


def _this_process() -> str:
    """Return the owner of calls outside of tasks, which no other process shares."""
    return _start_of(os.getpid())


def running_attempt() -> str:
    """Return what names this attempt of the running task, for all its processes; empty outside."""
    try:
        context = get_current_context()
    except RuntimeError:
        return ""
    return attempt_id(context)


def call_once(
    ledger: Ledger,
    settings: Settings,
    action: str,
    params: Mapping[str, object],
    *,
    idempotency: Idempotency,
    call: Callable[[Attempt], Verdict],
    clock: Clock = SYSTEM_CLOCK,
) -> Verdict:
    """
    Return the answer to a question, by a call or by the one that was made before.

    A question that is on its way elsewhere is waited for, as long as a call may take.

    :param call: makes the call.
    :raises ConfigurationError: answers are not kept for as long as they are to be good.
    :raises FaceIdError: there is no answer.
    """
    valid_for = idempotency.valid_for.total_seconds() if idempotency.valid_for else None
    if valid_for is not None and valid_for > ledger.keep:
        raise ConfigurationError(
            f"valid_for of {valid_for / SECONDS_PER_DAY:g} days: answers are kept for "
            f"{ledger.keep / SECONDS_PER_DAY:g} days, see [faceid] keep_answers_days"
        )
    ledger.join(clock.now(), running_attempt())
    claim = claim_of(
        settings,
        action,
        params,
        campaign=idempotency.campaign,
        row=idempotency.row,
        now=clock.now(),
        retry=idempotency.retry,
        valid_for=valid_for,
        with_earlier_keys=ledger.has_earlier_keys,
    )
    end = clock.monotonic() + settings.deadline
    while True:
        settled = ask_once(ledger, claim, call)
        if settled.ruling.decision is not Decision.BUSY or clock.monotonic() >= end:
            break
        clock.sleep(BUSY_SECONDS)
    if settled.verdict is None:
        raise _refusal(settled, settings, action)
    return settled.verdict


def call_paced(
    counts: IdentityCounts,
    settings: Settings,
    action: str,
    params: Mapping[str, object],
    call: Callable[[Attempt], Verdict],
) -> Verdict:
    """
    Make a call that is kept in no ledger, within the limits per identity.

    :raises FaceIdError: there is no answer. What was not sent does not count towards the limits.
    """
    uses, attempt = identity_uses(settings, action, params, SYSTEM_CLOCK.now()), Attempt()
    wait = counts.reserve([uses])[0]
    if wait is not None:
        raise too_often(settings, action, wait)
    try:
        return call(attempt)
    finally:
        if not attempt.sent:
            with suppress(StateStoreError):  # why there is no answer says more
                counts.give_back([uses])


def too_often(settings: Settings, action: str, not_before: float) -> IdentityLimitError:
    """Return the error for a person who was asked about too often."""
    return IdentityLimitError(
        f"{action} through connection '{settings.conn_id}': this person was asked about as often "
        f"as the service allows. Nothing was sent; try again from {utc_text(not_before)}",
        not_before=not_before,
    )


def _refusal(settled: Settled, settings: Settings, action: str) -> FaceIdError:
    match settled.ruling.decision:
        case Decision.WAIT:
            return too_often(settings, action, settled.ruling.not_before)
        case Decision.BUSY:
            return UnavailableError(
                f"{action}: the same question is on its way in another task; try again"
            )
        case _:
            return UncertainError(
                f"{action}: an earlier attempt was sent without an answer and may have been "
                'charged. Set on_in_doubt="retry", or retry=True in Idempotency, to call again all the same'
            )
