"""A single call that is made once, however often its task is tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from ..client.settings import Settings
from ..clock import SYSTEM_CLOCK, utc_text
from ..exceptions import (
    FaceIdError,
    IdentityLimitError,
    StateStoreError,
    UnavailableError,
    UncertainError,
)
from ..service.actions import ACTIONS
from ..service.outcomes import Step
from ..service.verdict import Verdict
from ..state.calls import Claim, Decision, Record, State, call_key
from ..state.ledger import Ledger
from ..state.limits import Use, uses_of


@dataclass(frozen=True)
class Once:
    """
    Within which work a call is made once.

    :param owner: the task instance, the same for every try of it.
    :param campaign: name under which a person is verified once.
    :param row: key of the source row.
    :param retry: whether to call although it may have been charged before without an answer.
    :param reuse_within: for how long the answer of another campaign is good.
    """

    owner: str
    campaign: str
    row: str = ""
    retry: bool = False
    reuse_within: timedelta | None = None


def call_once(
    ledger: Ledger,
    settings: Settings,
    action: str,
    params: Mapping[str, object],
    *,
    once: Once,
    call: Callable[[], Verdict],
) -> Verdict:
    """
    Return the answer to a question, by a call or by the one that was made before.

    :param call: makes the call.
    :raises FaceIdError: there is no answer.
    """
    ledger.begin(SYSTEM_CLOCK.now())
    key = call_key(settings.hmac_key, action, once.campaign, params)
    claim = Claim(key, once.row, identity_uses(settings, action, params), once.retry)
    (ruling,) = ledger.step([], [claim])
    match ruling.decision:
        case Decision.USE if ruling.verdict is not None:
            return ruling.verdict
        case Decision.WAIT:
            raise too_often(settings, action, ruling.not_before)
        case Decision.BUSY:
            raise UnavailableError(
                f"{action}: the same question is on its way in another task; try again"
            )
        case Decision.HOLD:
            raise UncertainError(
                f"{action}: an earlier try was sent without an answer and may have been charged. "
                'Set on_in_doubt="retry" to call again all the same'
            )
    state = State.IN_DOUBT  # whatever ends it unforeseen
    verdict = None
    try:
        verdict = call()
        state = State.FREE if verdict.step is Step.POSTPONE else State.DONE
    except FaceIdError as error:
        if not isinstance(error, UncertainError):
            state = State.FREE
        raise
    finally:
        with suppress(StateStoreError):  # the line stays "sent": in doubt, and never called again
            ledger.step([Record(key, state, verdict)], [])
    return verdict


def identity_uses(settings: Settings, action: str, params: Mapping[str, object]) -> tuple[Use, ...]:
    """Return what a call uses up of the limits per identity; an unlisted Action has none."""
    if action not in ACTIONS:
        return ()
    secret, now = settings.hmac_key, SYSTEM_CLOCK.now()
    return uses_of(ACTIONS[action], settings.limits(action), secret, params, now)


def too_often(settings: Settings, action: str, not_before: float) -> IdentityLimitError:
    """Return the error for a person who was asked about too often."""
    return IdentityLimitError(
        f"{action} through connection '{settings.conn_id}': this person was asked about as often "
        f"as the service allows. Nothing was sent; try again from {utc_text(not_before)}",
        not_before=not_before,
    )
