"""What is said to the ledger and by it: calls, claims, rulings, records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from ..api.codes import Outcome, Step
from ..api.pseudonyms import (
    HASH_DIGITS,
    campaign_hash,
    identifying_values,
    question_hash,
    question_hashes_of_version_1,
)
from ..api.verdict import Verdict
from ..exceptions import StateStoreError
from .identity_limits import Use

CAMPAIGN_DIGITS = 16
"""Digits of a call's key behind those of its question."""

_KEPT = tuple(
    field.name
    for field in fields(Verdict)
    if field.name not in {"fields", "description", "gateway_refusals"}
)
"""Parts of a verdict but for those that may hold what the service said about a person, and what is
counted by the run that made the call."""


class State(StrEnum):
    """Where a call stands."""

    SENT = "sent"
    """It may be on its way."""
    DONE = "done"
    """It is answered."""
    FREE = "free"
    """It was certainly not charged and may be made."""
    IN_DOUBT = "in_doubt"
    """It was sent, and nobody knows whether it was answered."""


class Decision(StrEnum):
    """What to do about a claim."""

    CALL = "call"
    """It is ours: make the call."""
    USE = "use"
    """It was made before: use the answer."""
    BUSY = "busy"
    """It is on its way, in this run or another."""
    WAIT = "wait"
    """The person was asked about too often."""
    HOLD = "hold"
    """It may have been charged without an answer."""
    STOP = "stop"
    """The budget does not allow it, unless a call that is on its way turns out to be free."""


@dataclass(frozen=True)
class Claim:
    """
    A wish to call.

    :param key: of the call, see :func:`call_key`.
    :param row: key of the source row.
    :param uses: what it uses up of the limits per identity.
    :param retry: whether to call although it may have been charged before.
    :param may_call: whether to call for a question the ledger does not know. A held row may not: it
        was asked about, wherever the ledger's line is now.
    :param answered_since: Unix second before which an answer is too old and is asked for anew.
    :param earlier_keys: keys that earlier versions had for this call.
    """

    key: str
    row: str
    uses: tuple[Use, ...] = ()
    retry: bool = False
    may_call: bool = True
    answered_since: float = 0.0
    earlier_keys: tuple[str, ...] = ()

    @property
    def question_hash(self) -> str:
        """Return the part of the key that is the same in every campaign."""
        return question_of(self.key)


@dataclass(frozen=True)
class Ruling:
    """
    The answer to a claim.

    :param not_before: for ``WAIT``, the Unix second to wait for.
    :param verdict: for ``USE``, the answer; not charged if another row's call brought it.
    :param answered_at: for ``USE``, the Unix second of the answer.
    """

    decision: Decision
    not_before: float = 0.0
    verdict: Verdict | None = None
    answered_at: float = 0.0


@dataclass(frozen=True)
class Record:
    """
    What became of a call.

    :param verdict: for ``DONE``, the answer.
    :param unused: what it did not use up of the limits per identity, because it was not sent.
    :param gateway_refusals: requests of it that a gateway refused and that may be charged besides.
    """

    key: str
    state: State
    verdict: Verdict | None = None
    unused: tuple[Use, ...] = ()
    gateway_refusals: int = 0

    @property
    def is_free(self) -> bool:
        """Say whether the call certainly costs nothing."""
        return self.state is State.FREE or (
            self.verdict is not None and self.verdict.charged is False
        )


@dataclass(frozen=True)
class Call:
    """
    A line of the ledger.

    :param row: key of the source row.
    :param answer: what :func:`write_answer` wrote.
    :param attempt: number of the attempt that claimed it.
    :param is_current: whether no later try of its work has begun.
    :param seen_at: when its worker was last heard of, in Unix seconds; 0 if that is forgotten.
    :param changed_at: when it came to its state.
    """

    row: str
    state: State
    answer: str | None
    owner: str
    attempt: int
    is_current: bool
    seen_at: float
    changed_at: float


def call_key(secret: str, action: str, campaign: str, params: Mapping[str, object]) -> str:
    """
    Return the key of a call: first the question, who is asked about what; then the campaign.

    :param secret: the connection's hash key; without it no hash leads to a person.
    :param params: the request fields, see :func:`~..service.pseudonyms.identifying_values`.
    """
    question = question_hash(secret, action, identifying_values(action, params))
    return _in_campaign(question, secret, campaign)


def earlier_keys(
    secret: str, action: str, campaign: str, params: Mapping[str, object]
) -> tuple[str, ...]:
    """Return the keys earlier versions had for a call, for answers that are kept under them."""
    return tuple(
        _in_campaign(question, secret, campaign)
        for question in question_hashes_of_version_1(secret, action, params)
    )


def _in_campaign(question: str, secret: str, campaign: str) -> str:
    return question + campaign_hash(secret, campaign)[:CAMPAIGN_DIGITS]


def question_of(call_key: str) -> str:
    """Return the part of a key that is the same in every campaign."""
    return call_key[:HASH_DIGITS]


def write_answer(verdict: Verdict) -> str:
    """Write what is kept of an answer."""
    return json.dumps({name: getattr(verdict, name) for name in _KEPT})


def read_answer(answer: str | None, *, own: bool) -> Verdict:
    """
    Read what :func:`write_answer` wrote.

    :param own: whether the row's own call brought it; otherwise the row is not charged.
    :raises StateStoreError: it is corrupt.
    """
    try:
        kept: dict[str, Any] = json.loads(answer or "")
        if not own:
            kept |= {"charged": False, "attempts": 0, "throttled": 0}
        kept |= {"outcome": Outcome(kept["outcome"]), "step": Step(kept["step"])}
        return Verdict(**kept, description="")
    except (KeyError, TypeError, ValueError):
        raise StateStoreError(
            "An answer in the ledger of the state store cannot be read. Restore the store from a "
            "copy; nothing is sent without it, because nobody would know what was paid"
        ) from None
