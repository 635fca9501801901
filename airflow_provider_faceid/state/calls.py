"""What is said to the ledger and by it: calls, claims, rulings, records."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from ..exceptions import StateStoreError
from ..service.envelope import Pieces
from ..service.outcomes import Outcome, Step
from ..service.verdict import Verdict
from .limits import Use, purpose_key

QUESTION_DIGITS, CAMPAIGN_DIGITS = 24, 16
"""Parts of a call's key, in hexadecimal digits."""

_PURPOSE = b"faceid call ledger"
_KEPT = tuple(
    field.name for field in fields(Verdict) if field.name not in {"fields", "description"}
)
"""Parts of a verdict but for those that may hold what the service said about a person."""


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
    """

    key: str
    row: str
    uses: tuple[Use, ...] = ()
    retry: bool = False


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
    """

    key: str
    state: State
    verdict: Verdict | None = None
    unused: tuple[Use, ...] = ()

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
    :param is_current: whether no later try of its work has begun.
    :param seen_at: when its worker was last heard of, in Unix seconds.
    :param changed_at: when it came to its state.
    """

    row: str
    state: State
    answer: str | None
    owner: str
    is_current: bool
    seen_at: float
    changed_at: float


def call_key(secret: str, action: str, campaign: str, params: Mapping[str, object]) -> str:
    """
    Return the key of a call: first the question, who is asked about what; then the campaign.

    :param secret: the connection's key of hashes, without which nobody finds the person.
    :param params: the request fields, normalised; a photo is told by its hash.
    """
    parts = [action]
    for name, value in params.items():
        parts += [name, _hash(value) if isinstance(value, bytes | Pieces) else str(value)]
    question = "".join(f"{len(part)}:{part}" for part in parts)
    key = purpose_key(secret, _PURPOSE)
    return _digest(key, question)[:QUESTION_DIGITS] + _digest(key, campaign)[:CAMPAIGN_DIGITS]


def question_of(call_key: str) -> str:
    """Return the part of a key that is the same in every campaign."""
    return call_key[:QUESTION_DIGITS]


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


def _digest(key: bytes, text: str) -> str:
    # A value that is no Unicode text is the service's to refuse.
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex()


def _hash(photo: bytes | Pieces) -> str:
    digest = hashlib.sha256()
    for piece in (photo,) if isinstance(photo, bytes) else photo:
        digest.update(piece)
    return digest.hexdigest()
