"""Metrics over answers and over reviewed cases: each count and each rate is defined here, once, with its denominator.

Views, docs and reports take SQL and words from here. A count is a condition on one row; a rate is a
quotient of counts, so that it can be rendered over rows and over columns that are counted already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ...api.codes import Outcome


class Count(NamedTuple):
    """
    A number of rows.

    :param condition: SQL on a row of a relation ``answer`` with the columns ``outcome``, ``charged`` and
        ``attempts``, or of a relation ``review`` of cases. They are qualified: ClickHouse takes a bare name
        for an alias of the same query.
    :param meaning: what is counted.
    """

    condition: str
    meaning: str

    @property
    def sql(self) -> str:
        """Return the aggregate expression. COUNT is a whole number everywhere, unlike SUM."""
        return f"COUNT(CASE WHEN {self.condition} THEN 1 END)"


class Rate(NamedTuple):
    """
    A quotient of counts from 0 to 1.

    :param part: counts whose sum is the numerator.
    :param whole: counts whose sum is the denominator; the rate is NULL where that is 0.
    :param meaning: the same in words.
    """

    part: tuple[str, ...]
    whole: tuple[str, ...]
    meaning: str


def _with_outcome(outcome: Outcome) -> Count:
    return Count(f"answer.outcome = '{outcome.value}'", f"answers with outcome `{outcome.value}`")


LISTED = (Outcome.MATCH, Outcome.MISMATCH, Outcome.FOUND, Outcome.NOT_FOUND, Outcome.REVIEW)
"""Outcomes with a count of their own; all others are ``other_answers``."""

_OF_CALL = "answer.attempts > 0"
_LISTED_WORDS = ", ".join(f"'{outcome.value}'" for outcome in LISTED)

COUNTS: Mapping[str, Count] = {
    "answers": Count("1 = 1", "final answers, also those reused from another row's call"),
    "matched": _with_outcome(Outcome.MATCH),
    "mismatched": _with_outcome(Outcome.MISMATCH),
    "found": _with_outcome(Outcome.FOUND),
    "not_found": _with_outcome(Outcome.NOT_FOUND),
    "review": _with_outcome(Outcome.REVIEW),
    "other_answers": Count(
        f"answer.outcome IS NULL OR answer.outcome NOT IN ({_LISTED_WORDS})",
        "answers with any other outcome",
    ),
    "calls": Count(_OF_CALL, "answers to a call of the row's own"),
    "charged": Count("answer.charged = 1", "answers whose call is billed"),
    "may_be_charged": Count(
        f"answer.charged IS NULL AND {_OF_CALL}",
        "answers to a call of which no page says whether it is billed",
    ),
    "first_pass": Count(
        "answer.attempts <= 1", "answers at the first request, or without one of the row's own"
    ),
}
"""Counts of answers by name."""

ROW_COUNTS: Mapping[str, str] = {
    "quarantined": "rows without a result whose input has to be mended",
    "postponed": "rows that are not asked about before a moment",
    "held": "rows that were sent without an answer, and may be charged",
}
"""Places of rows that have no answer."""

ANSWER_PLACES = ("matched", "mismatched", "found", "not_found", "review", "other_answers")
PARTS = (*ANSWER_PLACES, *ROW_COUNTS)
"""The places of a row: each row is in one of them, so their sum is ``rows_in``."""

RATES: Mapping[str, Rate] = {
    "match_rate": Rate(("matched",), ("matched", "mismatched"), "matched / (matched + mismatched)"),
    "hit_rate": Rate(
        ("matched", "mismatched"),
        ("matched", "mismatched", "not_found"),
        "(matched + mismatched) / (matched + mismatched + not_found)",
    ),
    "review_rate": Rate(("review",), ("answers",), "review / answers"),
    "first_pass_yield": Rate(("first_pass",), PARTS, "first_pass / rows_in"),
}
"""Rates by name. All are NULL where the denominator is 0."""

_RESOLVED = "review.status = 'resolved'"
_DECIDED = f"{_RESOLVED} AND review.decision IN ('approve', 'reject')"

REVIEW_COUNTS: Mapping[str, Count] = {
    "cases": Count("1 = 1", "cases that were entered"),
    "unresolved": Count("review.status <> 'resolved'", "cases that are open or in progress"),
    "in_progress": Count(
        "review.status = 'in_progress'", "of these, assigned, or decided by one of two people"
    ),
    "overdue": Count(
        "review.status <> 'resolved' AND review.due_at < {now}", "unresolved cases past `due_at`"
    ),
    "approved": Count(
        f"{_RESOLVED} AND review.decision = 'approve'", "cases resolved by `approve`"
    ),
    "rejected": Count(f"{_RESOLVED} AND review.decision = 'reject'", "cases resolved by `reject`"),
    "rechecked": Count(
        f"{_RESOLVED} AND review.decision = 'recheck'", "cases resolved by `recheck`"
    ),
    "overturned": Count(
        f"{_DECIDED} AND review.decision <> review.suggested",
        "approved or rejected cases whose decision contradicts what the threshold says (`suggested`)",
    ),
}
"""Counts of cases by name. A template: ``{now}`` is this moment."""

REVIEW_RATES: Mapping[str, Rate] = {
    "overturn_rate": Rate(
        ("overturned",), ("approved", "rejected"), "overturned / (approved + rejected)"
    ),
}
"""Rates of cases by name. All are NULL where the denominator is 0."""

REVIEW_TIMES: Mapping[str, str] = {
    "median_seconds": "time to decision: half of the resolved cases took at most so many seconds from their "
    "entry (nearest rank)",
    "oldest_at": "when the oldest unresolved case was entered",
    "next_due_at": "when the next unresolved case is due, or was",
}
"""Times of cases by name."""

AMOUNTS: Mapping[str, str] = {
    "amount": "charged x price of the day",
    "amount_at_most": "(charged + may_be_charged) x price of the day",
    "cost_per_match": "amount / matched; NULL without a match",
    "avoided": "(quarantined + reused + still_valid, summed over the runs) x price of the day of the "
    "run; rows with the same question are among the reused",
}
"""Money by name, in the currency of the price."""


def ratio(part: str, whole: str) -> str:
    """Return the SQL of a quotient; NULL where the denominator is 0."""
    return f"CAST({part} AS {{real}}) / NULLIF(CAST({whole} AS {{real}}), 0)"


def rate_of_rows(name: str) -> str:
    """Return the SQL of a rate over rows."""
    rate, counts = {**RATES, **REVIEW_RATES}[name], {**COUNTS, **REVIEW_COUNTS}
    return ratio(*(_sum([counts[count].sql for count in side]) for side in rate[:2]))


def rate_of_columns(name: str, columns: Mapping[str, str] | None = None) -> str:
    """
    Return the SQL of a rate over columns that hold its counts.

    :param columns: expression by count; the count's name if not given.
    """
    rate = RATES[name]
    return ratio(*(_sum([(columns or {}).get(c, c) for c in side]) for side in rate[:2]))


def _sum(terms: list[str]) -> str:
    return terms[0] if len(terms) == 1 else f"({' + '.join(terms)})"
