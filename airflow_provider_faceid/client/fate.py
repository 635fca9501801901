"""What became of a request: never sent, sent without an answer, or answered."""

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
