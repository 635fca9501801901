"""Checks that ask the service: a free call, which proves key and endpoint and says what time it is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...api.messages import http_date
from ...clock import NOTEWORTHY_SKEW_SECONDS, SYSTEM_CLOCK, OffsetClock
from ...exceptions import (
    AccountError,
    ConfigurationError,
    CredentialsError,
    FaceIdError,
    NotSentError,
    RequestRefusedError,
    UncertainError,
)
from ..free_call import Proof, prove_key
from .problems import Finding, found
from .subject import NotExaminedError, Subject

REFUSED_SKEW_SECONDS = 300.0
"""Clock skew from which the service refuses a signature (face-id-service section 1)."""
_EXPIRED = "AuthFailure.SignatureExpire"

_ENCRYPTION = frozenset(
    {"FailedOperation.DecryptSystemError", "InvalidParameter.UnsupportEncryptField"}
)
_PROBLEMS: tuple[tuple[type[FaceIdError], str], ...] = (
    (CredentialsError, "key_refused"),
    (AccountError, "account_refused"),
    (NotSentError, "endpoint_unreachable"),
    (RequestRefusedError, "endpoint_wrong"),
    (ConfigurationError, "endpoint_wrong"),  # TLS is refused
    (UncertainError, "endpoint_wrong"),
    (FaceIdError, "service_away"),
)
"""Problem by class of error; the first that fits."""


@dataclass
class Asked:
    """
    What a free call brought.

    :ivar proof: the answer; None if there is none.
    :ivar error: why there is none.
    :ivar ahead_s: seconds the service's clock is ahead of this machine's; None if no answer said.
    """

    proof: Proof | None = None
    error: FaceIdError | None = None
    ahead_s: float | None = None


def ask(subject: Subject) -> Asked:
    """
    Make the free call, once for all checks.

    :raises NotExaminedError: there are no settings to call with.
    """
    settings, hook = subject.settings, subject.hook
    return subject.once("asked", lambda: _ask(settings, hook))


def _ask(settings: Any, hook: Any) -> Asked:
    asked = Asked()

    def take_date(response: Any, *_: Any, **__: Any) -> None:
        moment = http_date(response.headers.get("Date", ""))
        if moment is not None:
            asked.ahead_s = moment - SYSTEM_CLOCK.now()

    with hook.get_conn() as session:
        session.hooks["response"].append(take_date)
        try:
            asked.proof = prove_key(settings, session, OffsetClock())
        except FaceIdError as error:
            asked.error = error
    return asked


def check_service(subject: Subject) -> Iterator[Finding]:
    """Prove key and endpoint by a free call."""
    asked, conn_id = ask(subject), subject.named.faceid
    if asked.proof is not None:
        if not asked.proof.is_free:
            message = asked.proof.sentence(subject.settings.host)
            yield found("endpoint_wrong", message=message, conn_id=conn_id)
        return
    error = asked.error
    if error is None or error.code == _EXPIRED:  # the check of the clock has it
        return
    kinds = (name for kind, name in _PROBLEMS if isinstance(error, kind))
    name = "encryption_wrong" if error.code in _ENCRYPTION else next(kinds)
    yield found(name, message=error, conn_id=conn_id)


def check_clock(subject: Subject) -> Iterator[Finding]:
    """Compare this machine's clock with the service's."""
    asked = ask(subject)
    if asked.ahead_s is None:
        raise NotExaminedError("no answer says what time it is")
    skew = abs(asked.ahead_s)
    if skew >= NOTEWORTHY_SKEW_SECONDS:
        name = "clock_off" if skew >= REFUSED_SKEW_SECONDS else "clock_drifts"
        yield found(name, seconds=round(skew), way="behind" if asked.ahead_s > 0 else "ahead of")
