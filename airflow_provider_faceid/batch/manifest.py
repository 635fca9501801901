"""The counts of one run, which add up to the rows that came in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ..clock import utc_text
from ..service.verdict import Verdict
from .plan import Plan


@dataclass
class Manifest:
    """
    What became of every row, and what it cost.

    Every row is in exactly one of ``outcomes`` (answered), ``quarantined``, ``postponed`` and
    ``held``. ``already`` tells how many of them were settled before this run, ``reused`` how many
    were answered in it without a call of their own: by the ledger.

    :param plan: what the run was about to do before its first call.
    :param rows_in: rows of the source.
    :param outcomes: answered rows by outcome, those of earlier runs included.
    :param quarantined: rows by rule; a row that breaks several counts under its first.
    :param postponed: rows that wait for another day, or for the service.
    :param not_before: when the first postponed row may be called again, in Unix seconds.
    :param held: rows sent without an answer; they may have been charged.
    :param calls: requests made in this run, refused ones included.
    :param charged: calls of this run that are billed.
    :param charge_unknown: requests of this run that may be billed besides: those without an answer,
        answers of which no page says, and what a gateway refused by its own word. The bill is never
        above ``charged`` and this together.
    :param throttled: requests refused as too fast; none of them is billed.
    :param seconds: from the first request to the last answer.
    """

    plan: Plan = field(default_factory=Plan)
    rows_in: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    postponed: int = 0
    not_before: float | None = None
    held: int = 0
    already: int = 0
    reused: int = 0
    calls: int = 0
    charged: int = 0
    charge_unknown: int = 0
    throttled: int = 0
    seconds: float = 0.0

    def add_verdict(self, verdict: Verdict) -> None:
        """Count the requests and the money of one answer."""
        self.add_requests(verdict.attempts, verdict.throttled, verdict.gateway_refusals)
        self.charged += verdict.charged is True
        self.charge_unknown += verdict.charged is None

    def add_requests(self, calls: int, throttled: int, charge_unknown: int = 0) -> None:
        """Count requests; some of them may be billed."""
        self.calls += calls
        self.throttled += throttled
        self.charge_unknown += charge_unknown

    def add_postponed(self, not_before: float) -> None:
        """Count a row that waits for a moment."""
        self.postponed += 1
        self.not_before = min(not_before, self.not_before or not_before)

    def forget_places(self) -> None:
        """Begin to count places anew; what the rows cost is kept."""
        self.outcomes.clear()
        self.quarantined.clear()
        self.postponed = self.held = self.already = 0
        self.not_before = None

    @property
    def answered(self) -> int:
        """Rows with a final answer."""
        return self.outcomes.total()

    @property
    def done(self) -> int:
        """Rows that are in one of the four places."""
        return self.answered + self.quarantined.total() + self.postponed + self.held

    @property
    def calls_per_second(self) -> float:
        """Requests per second, from the first to the last."""
        return self.calls / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the manifest as it goes to XCom: counts only, nothing per row."""
        return {
            **self.plan.as_dict(),
            "rows_in": self.rows_in,
            "answered": self.answered,
            "outcomes": dict(self.outcomes),
            "quarantined": self.quarantined.total(),
            "quarantined_by_rule": dict(self.quarantined),
            "postponed": self.postponed,
            "not_before": None if self.not_before is None else utc_text(self.not_before),
            "held": self.held,
            "already": self.already,
            "reused": self.reused,
            "calls": self.calls,
            "charged": self.charged,
            "charge_unknown": self.charge_unknown,
            "throttled": self.throttled,
            "seconds": round(self.seconds, 3),
            "calls_per_second": round(self.calls_per_second, 2),
        }
