"""What became of a request: never sent, sent without an answer, or answered.

The text of a transport's own error is never passed on: it may hold the request.
"""

from __future__ import annotations

from enum import StrEnum

from ..exceptions import (
    ConfigurationError,
    FaceIdError,
    NotSentError,
    SlowUploadError,
    UncertainError,
)
from ..service.outcomes import Outcome


class Fate(StrEnum):
    """How far a request got."""

    NOT_SENT = "not_sent"
    """It certainly never reached the service."""
    NO_ANSWER = "no_answer"
    """It was sent, and nobody knows whether it was processed."""
    ANSWERED = "answered"


_FATES: dict[type[FaceIdError], tuple[Fate, Outcome]] = {
    NotSentError: (Fate.NOT_SENT, Outcome.UNAVAILABLE),
    SlowUploadError: (Fate.NOT_SENT, Outcome.UNAVAILABLE),
    ConfigurationError: (Fate.NOT_SENT, Outcome.REFUSED),
    UncertainError: (Fate.NO_ANSWER, Outcome.UNCERTAIN),
}


def fate_of_error(error: FaceIdError) -> tuple[Fate, Outcome]:
    """Return the fate and outcome of a request that ended in an error; in doubt it was sent."""
    return _FATES.get(type(error), (Fate.NO_ANSWER, Outcome.UNCERTAIN))


def kind_of(error: Exception) -> str:
    """Return what kind an error of requests is, or the one of urllib3 inside it."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return type(error if cause is None else cause).__name__


def never_sent(action: str, detail: str) -> NotSentError:
    """Return the error for a request that did not leave this machine."""
    return NotSentError(
        f"{action}: the Endpoint cannot be reached ({detail}). Check the connection's Endpoint, "
        "DNS, firewall and proxy; nothing was sent"
    )


def tls_refused(action: str, detail: str) -> ConfigurationError:
    """Return the error for an endpoint whose certificate is not trusted."""
    return ConfigurationError(
        f"{action}: the Endpoint's TLS certificate or handshake is refused ({detail}). Check the "
        "connection's Endpoint, or the certificates this machine trusts; nothing was sent"
    )


def no_address(action: str, detail: str) -> ConfigurationError:
    """Return the error for an endpoint that is no address at all."""
    return ConfigurationError(
        f"{action}: the connection's Endpoint, or its proxy, is no address ({detail})"
    )


def no_answer(action: str, detail: str) -> UncertainError:
    """Return the error for a request that was sent and not answered."""
    return UncertainError(
        f"{action}: no complete answer ({detail}). The call may have been processed"
    )
