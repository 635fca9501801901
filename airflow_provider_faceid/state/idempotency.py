"""Idempotency: the paid-once protocol of batches, single operators and the hook.

::

    claim (write-ahead intent) -> decision: any but "call" ends here, without a call
                               -> send -> record the result, and release unused reservations

The protocol is a sans-I/O generator: it yields the next effect (claim, send, record) and is sent its
result. :func:`ask_once` drives it over a blocking call. The batch engine drives it in its event loop,
where claims and records of many rows share one transaction of the ledger (group commit).
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
from .call_table import Claim, Decision, Record, Ruling, State, call_key, earlier_keys
from .identity_limits import Use, uses_of
from .ledger import Ledger

log = logging.getLogger(__name__)


class Settled(NamedTuple):
    """
    The result of the protocol for one claim.

    :param ruling: the ledger's decision.
    :param verdict: the answer of this call or of an earlier one; None if there is none.
    :param unrecorded: the error that kept this call's answer out of the ledger; None if it is recorded.
    """

    ruling: Ruling
    verdict: Verdict | None = None
    unrecorded: Exception | None = None


PaidOnceProtocol = Generator[Claim | Attempt | Record, Ruling | Verdict | None, Settled]


def paid_once(claim: Claim, attempt: Attempt) -> PaidOnceProtocol:
    """
    Answer a question by at most one call, across threads, processes and crashes.

    Yields the claim, and is sent the ruling; then the attempt, and is sent the verdict or thrown the
    error; then a record, which the driver writes.

    :param claim: the claim of the question.
    :param attempt: shows whether anything was sent.
    :return: through ``StopIteration.value``, the result.
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
    except Exception as error:  # noqa: BLE001 - the answer is paid for and must be returned
        return Settled(ruling, verdict, error)
    return Settled(ruling, verdict)


def record_of(claim: Claim, attempt: Attempt, outcome: Verdict | BaseException) -> Record:
    """
    Return the ledger's record of a call that has ended.

    A call that was not sent releases its reservations of the limits per identity. A call that an
    unexpected error interrupted is in doubt if it was sent.

    :param claim: the claim of the call.
    :param attempt: shows whether anything was sent.
    :param outcome: the answer, or the error.
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
    protocol: PaidOnceProtocol, answer: Ruling | Verdict | None, error: BaseException | None
) -> Claim | Attempt | Record | Settled:
    """
    Send the result of an effect to the protocol.

    :param protocol: the generator.
    :param answer: the result of the last effect.
    :param error: its error, thrown in place of the result; None if it succeeded.
    :return: the next effect, or the final result.
    """
    try:
        return protocol.send(answer) if error is None else protocol.throw(error)
    except StopIteration as stop:
        settled: Settled = stop.value
        return settled


def ask_once(ledger: Ledger, claim: Claim, call: Callable[[Attempt], Verdict]) -> Settled:
    """
    Drive the protocol over a blocking call.

    :param ledger: a ledger that has begun or joined an attempt.
    :param claim: the claim of the question.
    :param call: makes the call.
    :return: the result; a failed record is logged and never replaces an answer.
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
            "The result of a call could not be recorded; the call stays in doubt in the ledger: %s",
            error,
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
    answered_since: float = 0.0,
    with_earlier_keys: bool = False,
) -> Claim:
    """
    Return the claim of a call.

    :param settings: hash key and limits of the account.
    :param action: the API Action.
    :param params: its request fields, normalised.
    :param campaign: campaign under which its answer is kept.
    :param row: key of the source row.
    :param now: Unix seconds.
    :param retry: as for :class:`Claim`.
    :param may_call: as for :class:`Claim`.
    :param valid_for: seconds for which an answer is valid; None for ever.
    :param answered_since: Unix second before which an answer is none, whatever ``valid_for``.
    :param with_earlier_keys: whether the ledger has calls under keys of earlier versions.
    """
    secret = settings.hmac_key
    return Claim(
        call_key(secret, action, campaign, params),
        row,
        identity_uses(settings, action, params, now),
        retry,
        may_call,
        answered_since if valid_for is None else max(answered_since, now - valid_for),
        earlier_keys(secret, action, campaign, params) if with_earlier_keys else (),
    )


def identity_uses(
    settings: Settings, action: str, params: Mapping[str, object], now: float
) -> tuple[Use, ...]:
    """Return what a call reserves of the limits per identity; an unlisted Action has none."""
    if action not in ACTIONS:
        return ()
    limits = settings.limits(action)
    return uses_of(ACTIONS[action], limits, settings.hmac_key, params, now)
