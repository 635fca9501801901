"""Views over the review queue, and the columns of decisions beside the service's verdict."""

from __future__ import annotations

from .columns import same
from .metrics import REVIEW_COUNTS, REVIEW_RATES, REVIEW_TIMES, rate_of_rows
from .views import View, ViewColumn

WITH_REVIEW = (
    "LEFT JOIN {reviews} AS review ON review.campaign = answer.campaign "
    "AND review.action = answer.action AND review.source_key = answer.source_key "
    "AND review.answered_at = answer.answered_at"
)
"""Joins the case about an answer, of which there is one at most: a later answer has another one."""

_RESOLVED = "CASE WHEN review.status = 'resolved' THEN {0} END"

REVIEW_COLUMNS = {
    "review_reason": ViewColumn(
        "review.reason", "text", "why this answer is in the review queue; NULL if it is not"
    ),
    "review_status": ViewColumn(
        "review.status", "text", "of its case: `open`, `in_progress` or `resolved`"
    ),
    "review_decision": ViewColumn(
        _RESOLVED.format("review.decision"),
        "text",
        "what people decided, beside the verdict: `approve`, `reject` or `recheck`; NULL until then",
    ),
    "reviewed_at": ViewColumn(
        _RESOLVED.format("COALESCE(review.second_at, review.decided_at)"),
        "timestamp",
        "when it was resolved",
    ),
}

_GROUP = ("campaign", "action", "reason")
_UNRESOLVED = "CASE WHEN review.status <> 'resolved' THEN {0} END"
_MEDIAN = (
    "MIN(CASE WHEN review.seconds_open IS NOT NULL AND review.place * 2 >= review.timed "
    "THEN review.seconds_open END)"
)
_TIMES = {
    "median_seconds": (_MEDIAN, "integer"),
    "oldest_at": (f"MIN({_UNRESOLVED.format('review.created_at')})", "timestamp"),
    "next_due_at": (f"MIN({_UNRESOLVED.format('review.due_at')})", "timestamp"),
}

REVIEW_QUEUE = View(
    "review_queue",
    "campaign x Action x reason of the review queue",
    {
        **{name: column._replace(sql=f"review.{name}") for name, column in same(*_GROUP).items()},
        **{
            name: ViewColumn(count.sql, "integer", count.meaning)
            for name, count in REVIEW_COUNTS.items()
        },
        **{
            name: ViewColumn(rate_of_rows(name), "real", rate.meaning)
            for name, rate in REVIEW_RATES.items()
        },
        **{
            name: ViewColumn(sql, type_, REVIEW_TIMES[name])
            for name, (sql, type_) in _TIMES.items()
        },
    },
    "(SELECT *, ROW_NUMBER() OVER (PARTITION BY campaign, action, reason ORDER BY "
    "CASE WHEN seconds_open IS NULL THEN 1 ELSE 0 END, seconds_open) AS place, "
    "COUNT(seconds_open) OVER (PARTITION BY campaign, action, reason) AS timed "
    "FROM {reviews}) AS review",
    group_by=_GROUP,
    example="SELECT reason, unresolved, overdue, oldest_at, overturn_rate FROM faceid_review_queue\n"
    "WHERE campaign = 'kyc' ORDER BY overdue DESC",
)
