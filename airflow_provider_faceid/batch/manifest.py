"""The manifest of a run: its counts, its progress lines in the log, and its summary in sentences.

The counts add up to the rows of the source; they go to XCom and into the run table.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from ..api.verdict import Verdict
from ..clock import Clock, utc_text
from ..exceptions import counted
from .plan import Plan

EVERY_SECONDS = 5.0


class Log(Protocol):
    """The part of a logger that is used; Airflow's is of a type of its own."""

    def info(self, msg: str, /, *args: object) -> object:
        """Write a line."""

    def warning(self, msg: str, /, *args: object) -> object:
        """Write a warning."""

    def error(self, msg: str, /, *args: object) -> object:
        """Write an error."""


class Progress:
    """
    Writes progress lines.

    :param title: what is going on, at the start of every line.
    """

    def __init__(self, title: str, log: Log, clock: Clock) -> None:
        self._title = title
        self._log = log
        self._clock = clock
        self._last = clock.monotonic()
        self._said = ""

    def tick(
        self, manifest: Manifest, note: str = "", *, final: bool = False, has_ended: bool = False
    ) -> None:
        """
        Write a line if it is time for one, or if it is the last.

        :param note: what else there is to say.
        :param has_ended: whether no further call is made; true of the last line anyway.
        """
        now = self._clock.monotonic()
        if not final and now - self._last < EVERY_SECONDS:
            return
        self._last = now
        text = line(manifest, has_ended=final or has_ended) + (note and f"; {note}")
        if text != self._said:  # the last one may have come a moment ago
            self._said = text
            self._log.info("%s: %s", self._title, text)

    def note(self, text: str, *numbers: int) -> None:
        """Write a line of other words, if it is time for one."""
        now = self._clock.monotonic()
        if now - self._last >= EVERY_SECONDS:
            self._last = now
            self._log.info(f"%s: {text}", self._title, *numbers)


def line(manifest: Manifest, *, has_ended: bool = False) -> str:
    """
    Return a progress line; the time left assumes one call for each row that is left.

    :param has_ended: whether the run makes no further call, so that no time is left.
    """
    rate = manifest.calls_per_second
    left = manifest.rows_in - manifest.done
    if not left:
        eta = "done"
    elif has_ended:
        eta = f"ended with {counted(left, 'row')} left"
    else:
        eta = f"{left / rate:.0f} s left" if rate else "waiting"
    counts = dict(sorted(manifest.outcomes.items()))
    counts |= {"quarantined": manifest.quarantined.total()}
    counts |= {"postponed": manifest.postponed, "held": manifest.held}
    listed = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    unknown = manifest.charge_unknown
    perhaps = f" and {unknown} that may be" if unknown else ""
    return (
        f"{manifest.done}/{manifest.rows_in} rows, {rate:.1f} calls/s, {eta}; "
        f"{counted(manifest.calls, 'call')}, {manifest.charged} charged{perhaps}; "
        f"{listed or 'nothing yet'}"
    )


@dataclass
class Manifest:
    """
    Counts of one run: rows by outcome, calls, and charges.

    Every row is in exactly one of ``outcomes`` (answered), ``quarantined``, ``postponed`` and
    ``held``. ``already`` counts those that were settled before this run, ``reused`` those that
    the ledger answered in it without a call of their own.

    :param plan: what the run was about to do before its first call.
    :param rows_in: rows of the source.
    :param outcomes: answered rows by outcome, those of earlier runs included.
    :param quarantined: rows by rule; a row that breaks several counts under its first.
    :param warned: rows answered in this run that break an input rule which only warns, by rule.
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
    :param retries: requests after the first one of the same call.
    :param waited_ms: milliseconds that answered calls waited for the pace, and for their retries.
    :param paused_ms: milliseconds that the run waited because its Action was paused for all workers.
    :param settled: rows of this run alone, by outcome or place: ``quarantined``, ``postponed``, ``held``.
    """

    plan: Plan = field(default_factory=Plan)
    rows_in: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    warned: Counter[str] = field(default_factory=Counter)
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
    retries: int = 0
    waited_ms: int = 0
    paused_ms: int = 0
    settled: Counter[str] = field(default_factory=Counter)

    def add_verdict(self, verdict: Verdict) -> None:
        """Count the requests and the money of one answer."""
        self.add_requests(verdict.attempts, verdict.throttled, verdict.gateway_refusals)
        self.waited_ms += verdict.waited_ms
        self.charged += verdict.charged is True
        self.charge_unknown += verdict.charged is None

    def add_requests(self, calls: int, throttled: int, charge_unknown: int = 0) -> None:
        """Count requests; some of them may be billed."""
        self.calls += calls
        self.retries += max(0, calls - 1)
        self.throttled += throttled
        self.charge_unknown += charge_unknown

    def add_postponed(self, not_before: float) -> None:
        """Count a row that waits for a moment."""
        self.postponed += 1
        self.not_before = min(not_before, self.not_before or not_before)

    def reset_outcomes(self) -> None:
        """Reset the counts of rows; calls and charges are kept."""
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
            "warned_by_rule": dict(self.warned),
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


class Tables(NamedTuple):
    """
    Where a run has written.

    :param campaign: book in which its verdicts are kept.
    :param connection: of the tables.
    """

    campaign: str
    connection: str
    results: str
    quarantine: str


def summary(manifest: Manifest, tables: Tables) -> list[str]:
    """
    Return the summary of a finished or failed run as sentences, without full stops.

    :param manifest: its counts, which add up to the rows of the source.
    """
    counts = (
        f"{manifest.answered:,} of {counted(manifest.rows_in, 'row')} answered, "
        f"{counted(manifest.calls, 'call')} and {counted(manifest.charged, 'charge')} in this run"
    )
    if not manifest.rows_in:
        counts = "the source has no rows"
    return [
        f"Campaign '{tables.campaign}': {counts}",
        f"verdicts are in table '{tables.results}' of connection '{tables.connection}'",
        *_waiting(manifest, tables),
    ]


def _waiting(manifest: Manifest, tables: Tables) -> list[str]:
    """Return what each kind of row that has no answer is waiting for."""
    quarantined, due = manifest.quarantined.total(), manifest.rows_in - manifest.done
    warned = manifest.warned.total()
    said = {
        f"{counted(quarantined, 'row is', 'rows are')} in quarantine until mended: "
        f"see rule and key in table '{tables.quarantine}'": quarantined,
        f"{counted(manifest.postponed, 'row is', 'rows are')} postponed: the next run asks again "
        f"from {utc_text(manifest.not_before or 0.0)} on": manifest.postponed,
        f"{counted(manifest.held, 'row is', 'rows are')} held, maybe charged: look "
        f"{'it' if manifest.held == 1 else 'them'} up in the bill, then use "
        "FaceIdReleaseOperator": manifest.held,
        f"{counted(due, 'row is', 'rows are')} left to the next run": due,
        f"{counted(warned, 'row breaks', 'rows break')} a rule that only warns, and "
        f"{'was' if warned == 1 else 'were'} asked about: {', '.join(manifest.warned)}": warned,
    }
    return [text for text, count in said.items() if count > 0]
