"""Money of a report: charges by day, costs by campaign, and what was avoided by what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..warehouse.views.charges import CHARGES, COSTS
from .runs import RunNumbers
from .selection import WRITTEN, SelectedRows

MONEY = ("amount", "amount_at_most")

Row = dict[str, Any]


def read_money(rows: SelectedRows, runs: RunNumbers) -> Row:
    """
    Return charges by day, costs by campaign, what was avoided by what, and sums by currency.

    :param rows: the selected rows.
    :param runs: the runs of the selection.
    """
    days: dict[tuple[Any, ...], Row] = {}
    for row in rows.view(CHARGES, results=WRITTEN):
        key = (row["verified_date"], row["action"], row["currency"])
        line = days.setdefault(
            key,
            {
                "day": row["verified_date"],
                "action": row["action"],
                "currency": row["currency"],
                "price": row["price"],
                "calls": 0,
                "charged": 0,
                "may_be_charged": 0,
                **dict.fromkeys(MONEY, None if row["price"] is None else 0.0),
            },
        )
        for name in ("calls", "charged", "may_be_charged"):
            line[name] += row[name]
        if row["price"] is not None:
            for name in MONEY:
                line[name] += row[name]
    by_day = sorted(days.values(), key=lambda line: (line["day"] or "", line["action"]))
    costs = [dict(row) for row in rows.view(COSTS)]
    for row in costs:
        row["currency"] = row["currency"] or None
        row.pop("matched")  # beside the groups of verdicts it might be a small one
    return {
        "by_day": by_day,
        "by_campaign": sorted(costs, key=lambda row: (row["campaign"], row["action"])),
        "avoided_rows": [
            {"campaign": campaign, "action": action, **by}
            for (campaign, action), by in sorted(runs.avoided.items())
        ],
        "totals": _totals(by_day, costs),
    }


def _totals(by_day: Sequence[Row], costs: Sequence[Row]) -> list[Row]:
    """Return the sums by currency; charges without a price have none."""
    totals: dict[str | None, Row] = {}
    empty: Row = {"charged": 0, "may_be_charged": 0, "amount": 0.0, "amount_at_most": 0.0}
    for row in by_day:
        currency = row["currency"] or None
        line = totals.setdefault(currency, {"currency": currency, **empty, "avoided": 0.0})
        line["charged"] += row["charged"]
        line["may_be_charged"] += row["may_be_charged"]
        for name in MONEY:
            line[name] = line[name] + row[name] if row[name] is not None else line[name]
    for row in costs:
        if row["currency"] in totals or row["avoided"]:
            line = totals.setdefault(
                row["currency"], {"currency": row["currency"], **empty, "avoided": 0.0}
            )
            line["avoided"] += row["avoided"] or 0.0
    if None in totals:
        totals[None] |= dict.fromkeys((*MONEY, "avoided"))
    return [totals[key] for key in sorted(totals, key=lambda key: (key is None, key or ""))]
