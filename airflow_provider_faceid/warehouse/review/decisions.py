"""Decisions on a case of the review queue: who may decide, four eyes, escalation. Pure functions.

A case is changed as a whole or not at all: each function returns the change, or raises why there is none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from ...clock import utc_text
from ...exceptions import ClosedReviewError, ConfigurationError, NotAReviewerError, ReviewError
from .rules import HIGHEST_PRIORITY, ReviewDecision, ReviewEvent, ReviewStatus

MAX_NOTE, MAX_NAME = 500, 200
"""Characters of a note, and of the name of a reviewer."""
_NUMBER_OF_SOMEBODY = re.compile(r"(?:\d[ .-]?){8,}")


class Case(NamedTuple):
    """
    A case of the review queue.

    Moments are Unix seconds, 0 for none. No column holds a name, a number or a photo.

    :param review_id: a hash of the case's key.
    :param source_key: key of the row in the source, by which a reviewer opens it in their own system.
    :param outcome: the service's verdict in one word.
    :param suggested: what the threshold says: ``approve``, ``reject`` or None.
    :param four_eyes: 1 if two people have to decide the same.
    :param version: changes so far.
    """

    campaign: str
    action: str
    source_key: str
    answer_id: str
    review_id: str
    reason: str
    outcome: str
    code: str
    similarity: float | None
    answered_at: float
    suggested: str | None
    priority: int
    created_at: float
    due_at: float
    four_eyes: int
    assigned_to: str | None
    status: str
    decision: str | None
    decided_by: str | None
    decided_at: float
    second_by: str | None
    second_at: float
    seconds_open: int | None
    note: str | None
    version: int
    dag_id: str
    run_id: str

    @property
    def awaits_second(self) -> bool:
        """Whether one of two people has decided."""
        is_decided = self.decision not in {None, ReviewDecision.ESCALATE}
        return bool(self.four_eyes) and self.status == ReviewStatus.IN_PROGRESS and is_decided

    @property
    def is_resolved(self) -> bool:
        """Whether it is closed."""
        return self.status == ReviewStatus.RESOLVED


class Change(NamedTuple):
    """
    A change of a case.

    :param event: what the log calls it.
    :param values: new values by column.
    :param actor: who did it; empty if nobody did, but a time limit.
    :param decision: what was decided; None if nothing was.
    :param note: what the reviewer wrote; None for nothing.
    """

    event: ReviewEvent
    values: Mapping[str, Any]
    actor: str
    decision: ReviewDecision | None = None
    note: str | None = None


def decide(
    case: Case,
    decision: str,
    by: str,
    at: float,
    *,
    note: str = "",
    reviewers: Collection[str] | None = None,
) -> Change:
    """
    Return what a decision changes.

    Where four eyes are asked, the first decision leaves the case in progress, and the same one of
    another person resolves it. If the second person decides otherwise, the case is escalated. An
    escalated case is open, unassigned and first of all.

    :param decision: ``approve``, ``reject``, ``recheck`` or ``escalate``.
    :param by: who decides; empty if nobody has answered in time, which can only escalate.
    :param at: the moment, in Unix seconds.
    :param note: what the reviewer writes; no people.
    :param reviewers: who may decide; None for everybody.
    :raises ClosedReviewError: the case is resolved.
    :raises NotAReviewerError: this person may not decide it.
    :raises ConfigurationError: the decision or the note is none.
    """
    wanted, text = _decision(decision), checked_note(note)
    _check_open(case)
    _check_reviewer(case, wanted, by, reviewers)
    moment = utc_text(at)
    first = {"decision": wanted.value, "decided_by": by or None, "decided_at": moment, "note": text}
    if wanted is ReviewDecision.ESCALATE:
        return Change(ReviewEvent.ESCALATED, {**first, **_ESCALATED}, by, wanted, text)
    resolved = {
        "status": ReviewStatus.RESOLVED.value,
        "seconds_open": max(0, round(at - case.created_at)),
    }
    if not case.four_eyes:
        return Change(ReviewEvent.DECIDED, {**first, **resolved}, by, wanted, text)
    if not case.awaits_second:
        waiting = {"status": ReviewStatus.IN_PROGRESS.value, "assigned_to": None}
        return Change(ReviewEvent.DECIDED, {**first, **waiting}, by, wanted, text)
    if wanted == case.decision:
        second = {"second_by": by, "second_at": moment, "note": text or case.note}
        return Change(ReviewEvent.SECONDED, {**second, **resolved}, by, wanted, text)
    disagreed = {**first, "decision": ReviewDecision.ESCALATE.value, **_ESCALATED}
    return Change(ReviewEvent.DISAGREED, disagreed, by, wanted, text)


_ESCALATED: Mapping[str, Any] = {
    "status": ReviewStatus.OPEN.value,
    "priority": HIGHEST_PRIORITY,
    "assigned_to": None,
}


def assign(case: Case, to: str, by: str) -> Change:
    """
    Return what an assignment changes.

    :param to: who shall decide; empty to take the assignment back.
    :param by: who assigns.
    :raises ClosedReviewError: the case is resolved.
    :raises NotAReviewerError: that person has decided already, and four eyes are asked.
    :raises ConfigurationError: a name is too long.
    """
    _check_open(case)
    for name in (to, by):
        _check_name(name)
    if to and case.awaits_second and to == case.decided_by:
        raise NotAReviewerError(
            f"Case {case.review_id} takes a second person: '{to}' has decided already"
        )
    is_in_progress = bool(to) or case.awaits_second
    status = ReviewStatus.IN_PROGRESS if is_in_progress else ReviewStatus.OPEN
    values = {"assigned_to": to or None, "status": status.value}
    return Change(ReviewEvent.ASSIGNED, values, by)


def checked_note(note: str) -> str | None:
    """
    Return a note as it is kept, None for an empty one.

    :raises ConfigurationError: it is too long, or has a number that may be a person's.
    """
    text = unicodedata.normalize("NFKC", note).strip()
    if len(text) > MAX_NOTE:
        raise ConfigurationError(f"A note has at most {MAX_NOTE} characters")
    if _NUMBER_OF_SOMEBODY.search(text):
        raise ConfigurationError(
            "A note holds no people: this one has a number of eight digits or more, as ID cards, phones "
            "and bank cards have. Leave it out; the case names its row by key"
        )
    return text or None


def _decision(text: str) -> ReviewDecision:
    try:
        return ReviewDecision(text)
    except ValueError:
        known = ", ".join(ReviewDecision)
        raise ConfigurationError(f"A decision is one of {known}") from None


def _check_open(case: Case) -> None:
    if case.is_resolved:
        by = " and ".join(f"'{name}'" for name in (case.decided_by, case.second_by) if name)
        moment = utc_text(case.second_at or case.decided_at)
        raise ClosedReviewError(
            f"Case {case.review_id} was resolved by {by} at {moment}: {case.decision}. Nothing was changed"
        )


def _check_name(name: str) -> None:
    if len(name) > MAX_NAME:
        raise ConfigurationError(f"The name of a reviewer has at most {MAX_NAME} characters")


def _check_reviewer(
    case: Case, decision: ReviewDecision, by: str, reviewers: Collection[str] | None
) -> None:
    about = f"Case {case.review_id}"
    _check_name(by)
    if not by:
        if decision is ReviewDecision.ESCALATE:
            return
        raise NotAReviewerError(
            f"{about}: nobody has answered, and a time limit can only escalate. Nothing was changed"
        )
    if reviewers is not None and by not in reviewers:
        raise NotAReviewerError(f"{about}: '{by}' is not among the reviewers. Nothing was changed")
    if case.assigned_to and by != case.assigned_to:
        raise NotAReviewerError(
            f"{about} is assigned to '{case.assigned_to}', not to '{by}'. Nothing was changed"
        )
    is_second = case.awaits_second and decision is not ReviewDecision.ESCALATE
    if is_second and by == case.decided_by:
        raise NotAReviewerError(
            f"{about} takes a second person: '{by}' has decided already. Nothing was changed"
        )


def case_of(names: Collection[str], row: tuple[Any, ...], seconds: Any) -> Case:
    """
    Return a case from a row of the table.

    :param names: columns of the row.
    :param seconds: turns a moment of the database into Unix seconds.
    """
    values = dict(zip(names, row, strict=True))
    for name in MOMENTS:
        values[name] = seconds(values[name])
    return Case(**{name: values[name] for name in Case._fields})


MOMENTS = ("answered_at", "created_at", "due_at", "decided_at", "second_at")


def unknown_case(review_id: str) -> ReviewError:
    """Return the error about a case that is not there."""
    return ReviewError(
        f"There is no case {review_id[:MAX_NAME]!r} in the review queue. It may have been entered in "
        "another warehouse, or forgotten with its person"
    )
