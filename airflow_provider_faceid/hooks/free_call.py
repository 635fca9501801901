"""Connection test: one free call that proves key and signature, for the Test button and the doctor.

Its ID number is malformed. The service refuses that with ``-2`` at no charge, once it has accepted key and
signature (API page 1061/79049).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ..api.verdict import Verdict
from ..client.call import Attempt
from ..client.credentials.refresh import StaticCredentials, new_signing_credentials
from ..client.settings import Settings, encrypt_of
from ..client.transport_sync import call
from ..clock import SYSTEM_CLOCK, OffsetClock
from ..state.rate_limiter import SlotRateLimiter
from ..state.rate_rows import MemoryRow

if TYPE_CHECKING:
    from requests import Session

TEST_TIMEOUT = 8.0
"""Seconds for the Test button, which runs inside the api-server."""

_ACTION, _DIGIT, _NAME = "IdCardVerification", "1", "test"


class Proof(NamedTuple):
    """
    The answer to a free call.

    :param verdict: of the service.
    :param key: what was proved, in words: where the key came from.
    """

    verdict: Verdict
    key: str

    @property
    def is_free(self) -> bool:
        """Return whether the service itself answered at no charge; a gateway's 413 has no RequestId."""
        return self.verdict.charged is False and bool(self.verdict.request_id)

    def sentence(self, host: str) -> str:
        """Return what the answer says about the connection, for its user."""
        verdict = self.verdict
        if self.is_free:
            return (
                f"{self.key} and signature are accepted by {host} "
                f"(free call, code {verdict.code}, RequestId {verdict.request_id})"
            )
        return (
            f"{host} answered with the unexpected code {verdict.code or '(none)'} "
            f"(RequestId {verdict.request_id})"
        )


def prove_key(
    settings: Settings,
    session: Session,
    clock: OffsetClock,
    *,
    digits: int = 1,
    attempt: Attempt | None = None,
) -> Proof:
    """
    Make one free call; the key is fetched anew for it.

    :param session: sends the request.
    :param clock: signs it, and is corrected if the service refuses its time.
    :param digits: length of the malformed ID number; a long one takes as long as a photo of that size.
    :param attempt: shows whether anything was sent.
    :raises FaceIdError: there is no answer; the type says what to do next.
    """
    settings = replace(
        settings,
        max_attempts=1,
        throttle_patience=0,
        timeout=TEST_TIMEOUT,
        deadline=TEST_TIMEOUT,
    )
    keys = new_signing_credentials(settings.credentials)
    verdict = call(
        _ACTION,
        {"IdCard": _DIGIT * digits, "Name": _NAME},
        session=session,
        settings=settings,
        # The state store need not be in reach of the Test button: one call does no harm.
        pace=SlotRateLimiter(MemoryRow(SYSTEM_CLOCK), settings.rate(_ACTION)),
        clock=clock,
        keys=keys,
        encrypt=encrypt_of(settings),
        attempt=attempt,
    )
    is_own = isinstance(keys, StaticCredentials)
    return Proof(verdict, "SecretId, SecretKey" if is_own else f"The key from {keys.name}")
