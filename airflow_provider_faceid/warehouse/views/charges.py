"""Views of money: charges by day, costs by campaign, and calls in doubt."""

from __future__ import annotations

from .columns import COLUMNS, named, same, whole
from .metrics import AMOUNTS, COUNTS, ratio
from .views import View, ViewColumn

_IN_DOUBT = "status <> 'answered' AND outcome = 'uncertain'"

IN_DOUBT = View(
    "in_doubt",
    "row that was sent without an answer: its call may be on the bill",
    {
        "service_date": ViewColumn(
            "{service_day[updated_at]}",
            "date",
            "the service's day on which the row was written; its call was made then or before",
        ),
        **same("campaign", "action", "source_key", "status", "attempts", "run_id", "updated_at"),
    },
    f"{{results}} WHERE {_IN_DOUBT}",
    example="SELECT campaign, source_key, updated_at FROM faceid_in_doubt\n"
    "WHERE action = 'IdCardVerification' ORDER BY updated_at",
)

_CHARGES = (
    "(SELECT verified_date, action, code, "
    + ", ".join(f"{COUNTS[n].sql} AS {n}" for n in ("calls", "charged", "may_be_charged"))
    + " FROM {history} AS answer GROUP BY verified_date, action, code UNION ALL "
    "SELECT {service_day[updated_at]}, action, '{no_answer}', COUNT(*), 0, COUNT(*) "
    f"FROM {{results}} WHERE {_IN_DOUBT} GROUP BY {{service_day[updated_at]}}, action) AS spent"
)
_VALID = (
    "LEFT JOIN {prices} AS prices ON prices.action = spent.action "
    "AND prices.valid_from <= spent.verified_date "
    "AND (prices.valid_to IS NULL OR prices.valid_to >= spent.verified_date)"
)

CHARGES = View(
    "charges",
    "service's day x Action x code: the bill, rebuilt",
    {
        name: column._replace(sql=f"spent.{name}")
        for name, column in {
            **same("verified_date", "action", "code"),
            **named(
                "integer",
                calls=COUNTS["calls"].meaning + ", and calls without an answer",
                charged=COUNTS["charged"].meaning,
                may_be_charged=COUNTS["may_be_charged"].meaning + ", and calls without an answer",
            ),
        }.items()
    }
    | {
        "currency": ViewColumn("prices.currency", "text", COLUMNS["currency"].meaning),
        "price": ViewColumn("prices.price", "real", "the one that holds on that day; else NULL"),
        "amount": ViewColumn("spent.charged * prices.price", "real", AMOUNTS["amount"]),
        "amount_at_most": ViewColumn(
            "(spent.charged + spent.may_be_charged) * prices.price",
            "real",
            AMOUNTS["amount_at_most"],
        ),
    },
    f"{_CHARGES} {_VALID}",
    example="SELECT verified_date, action, SUM(charged) AS charged, SUM(amount) AS amount\n"
    "FROM faceid_charges GROUP BY verified_date, action ORDER BY verified_date",
)

_SPENT = (
    "SELECT campaign, action, verified_date, "
    f"{COUNTS['charged'].sql} AS charged, {COUNTS['matched'].sql} AS matched, 0 AS saved "
    "FROM {history} AS answer GROUP BY campaign, action, verified_date UNION ALL "
    "SELECT campaign, action, {service_day[started_at]}, 0, 0, "
    "SUM(COALESCE(quarantined, 0) + COALESCE(reused, 0) + COALESCE(still_valid, 0)) "
    "FROM {runs} WHERE state IN ('success', 'failed') "
    "GROUP BY campaign, action, {service_day[started_at]}"
)

COSTS = View(
    "costs",
    "campaign x Action x currency",
    {
        "campaign": ViewColumn("spent.campaign", "text", COLUMNS["campaign"].meaning),
        "action": ViewColumn("spent.action", "text", COLUMNS["action"].meaning),
        "currency": ViewColumn("prices.currency", "text", COLUMNS["currency"].meaning),
        "charged": ViewColumn(whole("spent.charged"), "integer", COUNTS["charged"].meaning),
        "matched": ViewColumn(whole("spent.matched"), "integer", COUNTS["matched"].meaning),
        "amount": ViewColumn("SUM(spent.charged * prices.price)", "real", AMOUNTS["amount"]),
        "cost_per_match": ViewColumn(
            ratio("SUM(spent.charged * prices.price)", "SUM(spent.matched)"),
            "real",
            AMOUNTS["cost_per_match"],
        ),
        "avoided": ViewColumn("SUM(spent.saved * prices.price)", "real", AMOUNTS["avoided"]),
    },
    f"({_SPENT}) AS spent {_VALID}",
    ("campaign", "action", "currency"),
    example="SELECT campaign, action, amount, cost_per_match, avoided, currency FROM faceid_costs",
)
