"""Idempotency: the paid-once protocol, for batches, single operators and the hook alike.

::

    claim the question -> decision: anything but "call" ends here, without a call
                       -> send -> record what became of it, and give back what was not used

The protocol is a generator without I/O: it yields what should happen next (claim, send, record) and
is sent the result. :func:`ask_once` drives it over a blocking call; the batch engine drives it in its
event loop, where the claims and records of many rows share one step of the ledger.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping
from typing import NamedTuple

from ..api.actions import ACTIONS
from ..api.codes import Step
from ..api.verdict import Verdict
from ..client.call import Attempt
from ..client.settings import Settings
from ..exceptions import FaceIdError, UncertainError
from .identity_limits import Use, uses_of
from .ledger import Ledger
from .ledger_types import Claim, Decision, Record, Ruling, State, call_key, earlier_keys

log = logging.getLogger(__name__)


class Settled(NamedTuple):
    """
    What came of a claim.

    :param ruling: what the ledger decided.
    :param verdict: the answer, of a call just made or of one made before; None if there is none.
    :param unrecorded: why the answer of a call just made is not in the ledger; None if it is.
    """

    ruling: Ruling
    verdict: Verdict | None = None
    unrecorded: Exception | None = None


Protocol = Generator[Claim | Attempt | Record, Ruling | Verdict | None, Settled]


def paid_once(claim: Claim, attempt: Attempt) -> Protocol:
    """
    Answer a question by one call at most, across threads, processes and crashes.

    Yields the claim, to be sent the ruling; the attempt, to be sent the verdict or thrown why there
    is none; a record, to be written.

    :param attempt: of the call, if there is one; it carries whether anything was sent.
    :return: through ``StopIteration.value``, what came of it.
    :raises BaseException: the call's own error, after it was recorded.
    """
    ruling = yield claim
    if not isinstance(ruling, Ruling):
        raise TypeError("the driver of a claim answers it with a ruling")
    if ruling.decision is not Decision.CALL:
        return Settled(ruling, ruling.verdict if ruling.decision is Decision.USE else None)
    try:
        verdict = yield attempt
    except BaseException as error:
        yield record_of(claim, attempt, error)
        raise
    if not isinstance(verdict, Verdict):
        raise TypeError("the driver of an attempt answers it with a verdict")
    try:
        yield record_of(claim, attempt, verdict)
    except Exception as error:  # noqa: BLE001 - the answer is in hand, and nothing takes it away
        return Settled(ruling, verdict, error)
    return Settled(ruling, verdict)


def record_of(claim: Claim, attempt: Attempt, outcome: Verdict | BaseException) -> Record:
    """
    Return the ledger's record of a call that has ended.

    What was not sent gives back what the claim reserved of the limits per identity. A call that
    something unforeseen interrupted is in doubt if it was sent.

    :param outcome: the answer, or why there is none.
    """
    unused = () if attempt.sent else claim.uses
    if isinstance(outcome, Verdict):
        state = State.FREE if outcome.step is Step.POSTPONE else State.DONE
        return Record(claim.key, state, outcome, gateway_refusals=outcome.gateway_refusals)
    refusals = 0
    if isinstance(outcome, FaceIdError):
        is_in_doubt, refusals = isinstance(outcome, UncertainError), outcome.gateway_refusals
    else:
        is_in_doubt = attempt.sent
    state = State.IN_DOUBT if is_in_doubt else State.FREE
    return Record(claim.key, state, unused=unused, gateway_refusals=refusals)


def resume(
    protocol: Protocol, answer: Ruling | Verdict | None, error: BaseException | None
) -> Claim | Attempt | Record | Settled:
    """
    Answer the protocol's last step.

    :param answer: what came of it.
    :param error: why nothing did.
    :return: the next step, or what came of it all.
    """
    try:
        return protocol.send(answer) if error is None else protocol.throw(error)
    except StopIteration as stop:
        settled: Settled = stop.value
        return settled


def ask_once(ledger: Ledger, claim: Claim, call: Callable[[Attempt], Verdict]) -> Settled:
    """
    Drive the protocol over a blocking call.

    :param ledger: one that has begun or joined an attempt.
    :param call: makes the call.
    :return: what came of it; a failed record is logged and never replaces an answer.
    :raises FaceIdError: there is no answer.
    """
    protocol = paid_once(claim, Attempt())
    step: Claim | Attempt | Record | Settled = next(protocol)
    while not isinstance(step, Settled):
        answer: Ruling | Verdict | None = None
        error: BaseException | None = None
        try:
            match step:
                case Claim():
                    (answer,) = ledger.step([], [step])
                case Attempt():
                    answer = call(step)
                case Record():
                    _record(ledger, step)
        except BaseException as caught:  # noqa: BLE001 - the protocol records and raises it
            error = caught
        step = resume(protocol, answer, error)
    return step


def _record(ledger: Ledger, record: Record) -> None:
    try:
        ledger.step([record], [])
    except Exception as error:
        log.warning(
            "What became of a call is not in the ledger, where it stays in doubt: %s", error
        )
        if record.verdict is not None:
            raise  # the protocol keeps the answer


def claim_of(
    settings: Settings,
    action: str,
    params: Mapping[str, object],
    *,
    campaign: str,
    row: str,
    now: float,
    retry: bool = False,
    may_call: bool = True,
    valid_for: float | None = None,
    with_earlier_keys: bool = False,
) -> Claim:
    """
    Return the claim of a call.

    :param params: its request fields, normalised.
    :param campaign: book in which its answer is kept.
    :param row: key of the source row.
    :param now: Unix seconds.
    :param retry: as for :class:`Claim`, and ``may_call`` as well.
    :param valid_for: seconds for which an answer is good; None for ever.
    :param with_earlier_keys: whether the ledger has calls under keys of earlier versions.
    """
    secret = settings.hmac_key
    return Claim(
        call_key(secret, action, campaign, params),
        row,
        identity_uses(settings, action, params, now),
        retry,
        may_call,
        0.0 if valid_for is None else now - valid_for,
        earlier_keys(secret, action, campaign, params) if with_earlier_keys else (),
    )


def identity_uses(
    settings: Settings, action: str, params: Mapping[str, object], now: float
) -> tuple[Use, ...]:
    """Return what a call uses up of the limits per identity; an unlisted Action has none."""
    if action not in ACTIONS:
        return ()
    limits = settings.limits(action)
    return uses_of(ACTIONS[action], limits, settings.hmac_key, params, now)
