"""Definitions of the numbers of a report: those of the metrics and the views, and a few of its own.

A number has its definition under its own name. What a view or a table defines is taken from there.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..warehouse.tables import CHECKS, RUNS
from ..warehouse.views.charges import CHARGES
from ..warehouse.views.definitions import (
    CODES,
    LATENCY,
    QUARANTINE_REASONS,
    SIMILARITY,
    THRESHOLDS,
    WAITING,
)
from ..warehouse.views.metrics import AMOUNTS, COUNTS, RATES, ROW_COUNTS
from ..warehouse.views.views import View

OWN: Mapping[str, str] = {
    "rows_in": "rows of the source in the run; of several runs, rows known so far",
    "answered_before": "rows whose answer came before the run and is still valid",
    "left": "rows the run did not come to, because it failed, was killed or still runs",
    "answered": "rows with a final answer",
    "match_rate_of_run": "matched / (matched + mismatched), of the answers of the run",
    "requests": "requests of the runs, with retries and refused ones",
    "throttled_share": "throttled / requests",
    "requests_per_second": "requests / seconds",
    "quota_used": "requests / (seconds x calls per second of the Action's quota)",
    "quarantined_share": "quarantined / rows_in",
    "waiting_share": "(postponed + held) / rows_in",
    "seconds": "from the first request to the last answer; of tasks side by side, the longest",
    "avoided_rows": "quarantined + reused + still_valid, summed over the runs: rows that cost no call",
    "unexpected_share": "unexpected / evaluated",
    "stood_out": "numbers of the last runs that stand out against the runs before",
    "postponed_hours": "hours since the oldest postponed row was written; 0 if there is none",
    "held_hours": "hours since the oldest held row was written; 0 if there is none",
}
"""Numbers that no view and no table has, or that mean more here."""


def _of(view: View, *names: str) -> dict[str, str]:
    return {name: view.columns[name].meaning for name in names}


DEFINITIONS: Mapping[str, str] = {
    **OWN,
    **{name: count.meaning for name, count in COUNTS.items()},
    **ROW_COUNTS,
    **{name: rate.meaning for name, rate in RATES.items()},
    **AMOUNTS,
    **_of(CODES, "share"),
    **_of(SIMILARITY, "compared"),
    **_of(THRESHOLDS, "cut_off", "at_or_above", "pass_rate", "matches_lost", "matches_gained"),
    **_of(CHARGES, "price"),
    **_of(LATENCY, *(name for name in LATENCY.columns if name.endswith("_ms"))),
    **_of(QUARANTINE_REASONS, "refusals"),
    **_of(WAITING, "waiting", "due_at", "waiting_since"),
    **{name: RUNS.columns[name].meaning for name in ("reused", "still_valid", "throttled")},
    **{name: CHECKS.columns[name].meaning for name in ("evaluated", "unexpected", "mostly")},
}
"""What each number is, by its name: what is counted, or the quotient with its denominator."""
