"""The plan of a run: which rows are due and why, what they can cost, and whether it may begin.

A row is due when it has no final answer in the campaign, or asks something else than before, or its
answer has expired, or its postponement is over, or it was released. All others are left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

from ..api.codes import Outcome
from ..api.pseudonyms import is_current, is_same_row
from ..exceptions import PlanRefusedError, counted
from ..warehouse.records import PreviousRun, QuarantineEntry, Stage, Status, StoredResult

MAX_CHANGED = 0.2
"""Default share of answered rows that may ask something else."""
RUNS_COMPARED = 20
"""Earlier runs of a campaign that are compared with one: source and hash key."""


class Reason(StrEnum):
    """Why a row is due."""

    NEW = "new"
    """It was never asked about in this campaign."""
    CHANGED = "changed"
    """It asks something else than before."""
    EXPIRED = "expired"
    """Its answer is older than ``valid_for``."""
    POSTPONED = "postponed"
    """Its postponement is over."""
    RELEASED = "released"
    """It was held and a person released it, or a reviewer wants its answer checked again."""
    MENDED = "mended"
    """It was refused before and differs now; a photo without a version may differ."""
    HELD = "held"
    """It may have been charged without an answer: the ledger is asked, at no cost unless the policy
    is to call again."""


class Disposition(StrEnum):
    """State of a row that is left alone."""

    ANSWERED = "answered"
    QUARANTINED = "quarantined"
    POSTPONED = "postponed"
    HELD = "held"


class RowDecision(NamedTuple):
    """
    What a run does about a row: ``reason`` if it is due, else ``place``.

    :param detail: of a place: the outcome, or the quarantine rule.
    :param not_before: of a postponed row, in Unix seconds.
    :param was_answered: whether it has an answer and asks something else now.
    :param is_outdated: whether its result row is about another question and has to go.
    :param answered_since: Unix second before which an answer is no answer to what a reviewer asked again.
    :param is_adopted: whether its answer stays, and its row hash has to be written anew: it is of
        version 1, or of another version column.
    """

    reason: Reason | None = None
    place: Disposition | None = None
    detail: str = ""
    not_before: float = 0.0
    was_answered: bool = False
    is_outdated: bool = False
    is_adopted: bool = False
    answered_since: float = 0.0


@dataclass(frozen=True)
class Policy:
    """
    What decides, besides the row, whether it is due.

    :param now: Unix seconds.
    :param valid_for: seconds for which an answer is good; None for ever.
    :param compares_photos: whether a new photo shows in the row's hash.
    """

    now: float
    valid_for: float | None = None
    compares_photos: bool = True


def decide_row(
    row_hash: str | None,
    known: StoredResult | None,
    refusals: Sequence[QuarantineEntry],
    policy: Policy,
    id_card_hash: Callable[[], str | None],
) -> RowDecision:
    """
    Decide what to do about a row, from its hash and what earlier runs wrote.

    :param row_hash: of the row as it is now; None if it cannot be asked about.
    :param known: what the result table knows of it.
    :param refusals: what the quarantine table knows of it.
    :param id_card_hash: returns the hash of its ID number, by which rows of version 1 are compared.
    """
    invalid = next((r.rule for r in refusals if r.stage == Stage.VALIDATE), None)
    if known is None:
        if invalid is not None:
            return RowDecision(place=Disposition.QUARANTINED, detail=invalid)
        return _of_refused(row_hash, refusals, policy)
    if known.row_hash is None or not is_current(known.row_hash):
        same = known.id_card_hash is None or known.id_card_hash == id_card_hash()
    else:
        same = is_same_row(known.row_hash, row_hash)
    if same:
        decision = _of_same(known, policy)
    else:
        is_answered, since = known.status == Status.ANSWERED, _recheck_of(known)
        decision = RowDecision(Reason.CHANGED, was_answered=is_answered, answered_since=since)
    if decision.place is Disposition.ANSWERED:
        return decision if known.row_hash == row_hash else decision._replace(is_adopted=True)
    if invalid is not None and decision.reason is not Reason.HELD:
        return decision._replace(
            reason=None, place=Disposition.QUARANTINED, detail=invalid, is_outdated=True
        )
    return decision


def _of_same(known: StoredResult, policy: Policy) -> RowDecision:
    """Return what to do about a row that asks what it asked before."""
    if known.status == Status.ANSWERED:
        return _of_answered(known, policy)
    if known.status == Status.HELD:
        return RowDecision(Reason.HELD)
    if known.outcome == Outcome.UNCERTAIN:
        return RowDecision(Reason.RELEASED)
    if known.not_before > policy.now:
        return RowDecision(
            place=Disposition.POSTPONED, detail=known.outcome, not_before=known.not_before
        )
    return RowDecision(Reason.POSTPONED)


def _of_answered(known: StoredResult, policy: Policy) -> RowDecision:
    """Return what to do about a row that has an answer to what it asks."""
    if recheck := _recheck_of(known):
        return RowDecision(Reason.RELEASED, answered_since=recheck)
    since = policy.now - policy.valid_for if policy.valid_for is not None else 0.0
    return _answered(known.outcome) if known.answered_at >= since else RowDecision(Reason.EXPIRED)


def _recheck_of(known: StoredResult) -> float:
    """Return when a reviewer wanted an answer checked again, in Unix seconds; 0 without such a wish."""
    return known.not_before if known.not_before > known.answered_at > 0 else 0.0


@cache
def _answered(outcome: str) -> RowDecision:
    """Return the decision of most rows, one object for each outcome."""
    return RowDecision(place=Disposition.ANSWERED, detail=outcome)


def _of_refused(
    row_hash: str | None, refusals: Sequence[QuarantineEntry], policy: Policy
) -> RowDecision:
    """Return what to do about a row without a result, that may have been refused before."""
    by_service = next((r for r in refusals if r.stage == Stage.SERVICE), None)
    if by_service is not None and policy.compares_photos and by_service.row_hash == row_hash:
        return RowDecision(place=Disposition.QUARANTINED, detail=by_service.rule)
    return RowDecision(Reason.MENDED if refusals else Reason.NEW)


@dataclass
class Plan:
    """
    Plan of a run, before its first call.

    :param due: rows that will be asked about, by reason; held ones only if they are called again.
    :param still_valid: answered rows that are left alone.
    :param answered_before: rows that have an answer, those that changed included.
    :param changed: how many of these ask something else now.
    :param offered: held rows the ledger is asked about, at no cost.
    :param outdated: rows whose lines in our tables have to be written anew without a call, such as
        those whose input breaks a rule now.
    :param seconds: how long the calls take at the account's pace.
    """

    due: Counter[str] = field(default_factory=Counter)
    still_valid: int = 0
    answered_before: int = 0
    changed: int = 0
    offered: int = 0
    outdated: int = 0
    seconds: float = 0.0

    @property
    def calls(self) -> int:
        """Return how many calls there are at most, each of which may be charged."""
        return self.due.total()

    @property
    def has_work(self) -> bool:
        """Say whether any row has to be looked at again."""
        return bool(self.calls or self.offered or self.outdated)

    def as_dict(self) -> dict[str, Any]:
        """Return the plan in columns of the run table."""
        due = {f"due_{reason}": self.due[reason] for reason in Reason}
        return {
            **due,
            "still_valid": self.still_valid,
            "planned_calls": self.calls,
            "planned_seconds": round(self.seconds, 1),
        }

    def line(self) -> str:
        """Return the plan as a log line."""
        due = ", ".join(f"{count} {reason}" for reason, count in sorted(self.due.items()) if count)
        left = f"{self.still_valid} still valid"
        if self.offered:
            left += f", {self.offered} held"
        cost = "nothing to call"
        if self.calls:
            cost = f"at most {counted(self.calls, 'call')} and {counted(self.calls, 'charge')}"
            cost += f", about {self.seconds:.0f} s"
        return f"{self.calls} due ({due or 'none'}), {left}; {cost}"


@dataclass(frozen=True)
class CampaignHistory:
    """
    Earlier runs of a campaign, compared with the run that is to begin.

    :param campaign: book in which verdicts are kept.
    :param source: where the rows are.
    :param hash_key_id: identifies the hash key of this run.
    :param last_runs: of the campaign, the latest first.
    """

    campaign: str
    source: str
    hash_key_id: str
    last_runs: Sequence[PreviousRun] = ()

    @property
    def has_other_key(self) -> bool:
        """Say whether people were hashed with another key in the last run."""
        return bool(self.last_runs) and self.last_runs[0].hash_key_id != self.hash_key_id

    @property
    def other_source(self) -> str:
        """Return the source of the last run if it was another one, else nothing."""
        last = self.last_runs[0].source if self.last_runs else None
        return last if last is not None and last != self.source else ""

    @property
    def alternates(self) -> bool:
        """Say whether this source and another one are verified in turn."""
        return bool(self.other_source) and any(run.source == self.source for run in self.last_runs)

    def warnings(self) -> list[str]:
        """Return warnings for the user before the first call."""
        found = []
        if self.has_other_key:
            found.append(
                f"Campaign '{self.campaign}': people are hashed with another key than in its last "
                "run, so none of its rows can be recognised and the ledger knows none of its "
                "answers. Set the connection's hash_secret to the key of the last run (the old "
                "SecretKey if it was empty)"
            )
        if self.other_source:
            found.append(
                f"Campaign '{self.campaign}' was verified from {self.other_source} before, and now "
                f"from {self.source}. If both are in use, give each a campaign of its own: their "
                "keys name other people"
            )
        return found

    def check(self, plan: Plan, max_changed: float) -> None:
        """
        Decide whether a plan may be carried out.

        :param max_changed: share of answered rows, 0-1, that may ask something else. One row alone
            may always, unless it is 0: the smallest reload swaps two.
        :raises PlanRefusedError: it may not; nothing was sent.
        """
        allowed = int(plan.answered_before * max_changed)
        if max_changed > 0:
            allowed = max(1, allowed)
        if self.alternates and max_changed < 1:
            allowed = 0
        if plan.changed > allowed:
            raise PlanRefusedError(
                f"{plan.changed} of {plan.answered_before} answered rows of campaign "
                f"'{self.campaign}' ask something else than before; max_changed={max_changed:g} "
                f"allows {allowed}. Nothing was sent. {self._cause()}"
            )

    def _cause(self) -> str:
        if self.has_other_key:
            return (
                "The hash key is another one than in the last run: set hash_secret of the connection "
                "to the earlier key, or max_changed=1 to pay for everybody again"
            )
        if self.alternates:
            return (
                f"The campaign is used for {self.other_source} in turn with this source: name "
                "another campaign"
            )
        return (
            "Was the table reloaded with other keys? If the changes are real, set max_changed higher "
            "for this run; if the keys name other people now, name another campaign"
        )
