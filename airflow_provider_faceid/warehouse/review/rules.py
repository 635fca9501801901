"""Review rules: which results a person has to look at, why, how urgently, and what the threshold says.

Pure functions of a result row. A row is entered under the first reason that fits it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from ...api.codes import Outcome
from ...api.verdict import DEFAULT_THRESHOLD
from ...exceptions import ConfigurationError
from ..records import Status

HIGHEST_PRIORITY, LOWEST_PRIORITY = 1, 9
BAND = (60.0, 80.0)
"""Similarities of which a face is looked at: 10 points on each side of the service's threshold."""
FIRST_ANSWER = "in_doubt"
"""Begins the ``answer_id`` of a case about a row without an answer."""
_ID_DIGITS = 32


class Reason(StrEnum):
    """Why a result is reviewed; the first one that fits holds."""

    SUSPECTED_FAKE = "suspected_fake"
    """The photo does not seem to show a live person."""
    POOR_REGISTERED_PHOTO = "poor_registered_photo"
    """The registered photo is of poor quality."""
    MISMATCH_AFTER_MATCH = "mismatch_after_match"
    """An earlier answer to the row was a match."""
    LOW_SIMILARITY = "low_similarity"
    """The similarity is within the band."""
    IN_DOUBT = "in_doubt"
    """It was sent without an answer, and may be charged."""


class ReviewStatus(StrEnum):
    """State of a case."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    """It is assigned, or one of two people has decided."""
    RESOLVED = "resolved"


class ReviewDecision(StrEnum):
    """What a reviewer says of a case."""

    APPROVE = "approve"
    REJECT = "reject"
    RECHECK = "recheck"
    """The service shall be asked again, which is charged again."""
    ESCALATE = "escalate"
    """Somebody else shall decide, first of all. It resolves nothing."""


class ReviewEvent(StrEnum):
    """Event in the log of a case."""

    CREATED = "created"
    ASSIGNED = "assigned"
    DECIDED = "decided"
    SECONDED = "seconded"
    DISAGREED = "disagreed"
    ESCALATED = "escalated"


class Urgency(NamedTuple):
    """
    Defaults of a reason.

    :param codes: result codes that bring a row under it; none if codes do not.
    :param priority: from 1 (first) to 9.
    :param due_hours: hours within which a case shall be decided.
    """

    codes: tuple[str, ...]
    priority: int
    due_hours: float


URGENCY: Mapping[Reason, Urgency] = {
    Reason.SUSPECTED_FAKE: Urgency(("FailedOperation.LifePhotoDetectFake",), 1, 4.0),
    Reason.POOR_REGISTERED_PHOTO: Urgency(("FailedOperation.IdPhotoPoorQuality",), 5, 48.0),
    Reason.MISMATCH_AFTER_MATCH: Urgency((), 2, 8.0),
    Reason.LOW_SIMILARITY: Urgency((), 3, 24.0),
    Reason.IN_DOUBT: Urgency((), 4, 24.0),
}
"""Codes, priority and due time by reason."""


class Candidate(NamedTuple):
    """
    A result row, as far as the rules look at it.

    :param has_matched: whether an earlier answer to the row was a match.
    :param is_accepted: whether its code is the Action's own for a success, whatever the threshold.
    """

    source_key: str
    status: str
    outcome: str
    code: str
    similarity: float | None
    question_hash: str
    request_id: str
    answered_at: str | None
    has_matched: bool
    is_accepted: bool


@dataclass(frozen=True)
class ReviewRules:
    """
    Which results enter the queue, and how.

    :param reasons: those that are on.
    :param similarity_band: lowest and highest similarity, 0-100, that is looked at; both included.
    :param threshold: similarity from which a face is accepted, 0-100: that of the connection.
    :param priority: from 1 (first) to 9, for all reasons or by reason.
    :param due_hours: hours until a case is overdue, for all reasons or by reason.
    :param four_eyes: reasons whose cases take two people who decide the same.
    :raises ConfigurationError: one of them is not as it should be.
    """

    reasons: frozenset[Reason] = frozenset(Reason)
    similarity_band: tuple[float, float] = BAND
    threshold: float = DEFAULT_THRESHOLD
    priority: Mapping[Reason, int] = field(default_factory=dict)
    due_hours: Mapping[Reason, float] = field(default_factory=dict)
    four_eyes: frozenset[Reason] = frozenset()

    def __post_init__(self) -> None:
        low, high = self.similarity_band
        if not 0 <= low <= high <= 100:  # noqa: PLR2004 - per cent
            raise ConfigurationError(
                f"similarity_band is the lowest and the highest similarity, 0-100, not {low:g}-{high:g}"
            )
        if not all(HIGHEST_PRIORITY <= one <= LOWEST_PRIORITY for one in self.priority.values()):
            raise ConfigurationError(
                f"A priority is from {HIGHEST_PRIORITY} (first) to {LOWEST_PRIORITY}"
            )
        if not all(hours > 0 for hours in self.due_hours.values()):
            raise ConfigurationError("due_hours is more than 0")

    def reason_of(self, row: Candidate) -> Reason | None:
        """Return why a row is reviewed, None if it is not."""
        return next((one for one in Reason if one in self.reasons and self._fits(one, row)), None)

    def _fits(self, reason: Reason, row: Candidate) -> bool:
        if reason is Reason.IN_DOUBT:
            return row.status == Status.HELD
        if row.status != Status.ANSWERED:
            return False
        low, high = self.similarity_band
        match reason:
            case Reason.LOW_SIMILARITY:
                return row.similarity is not None and low <= row.similarity <= high
            case Reason.MISMATCH_AFTER_MATCH:
                return row.outcome == Outcome.MISMATCH and row.has_matched
            case _:
                return row.code in URGENCY[reason].codes

    def priority_of(self, reason: Reason) -> int:
        """Return the priority of cases of a reason, from 1 (first) to 9."""
        return self.priority.get(reason, URGENCY[reason].priority)

    def due_seconds(self, reason: Reason) -> float:
        """Return after how many seconds a case of a reason is overdue."""
        return 3600 * self.due_hours.get(reason, URGENCY[reason].due_hours)

    def suggested(self, row: Candidate) -> ReviewDecision | None:
        """
        Return what the threshold says of a row; None if it says nothing.

        The similarity of two faces the service has compared is held against the threshold. Without
        one, a match or mismatch of the service counts.
        """
        if row.status != Status.ANSWERED:
            return None
        if row.similarity is not None and (row.is_accepted or row.outcome == Outcome.MISMATCH):
            is_enough = row.similarity >= self.threshold
            return ReviewDecision.APPROVE if is_enough else ReviewDecision.REJECT
        return {
            Outcome.MATCH.value: ReviewDecision.APPROVE,
            Outcome.FOUND.value: ReviewDecision.APPROVE,
            Outcome.MISMATCH.value: ReviewDecision.REJECT,
        }.get(row.outcome)


def review_id(campaign: str, action: str, source_key: str, answer_id: str) -> str:
    """Return the id of a case: a hash of its key, the same each time."""
    text = f"{campaign}\0{action}\0{source_key}\0{answer_id}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_ID_DIGITS]
