"""Money of a report once more: charges by day, costs and what was saved, from the recomputed books."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from .recomputed_runs import About, Answer, Row, Task, Waiting, grouped, iso, share

SAVED = ("quarantined", "reused", "still_valid")
NO_MONEY = {"charged": 0, "may_be_charged": 0, "amount": 0, "amount_at_most": 0, "avoided": 0}


def _price(about: About, action: str, day: str) -> tuple[str | None, float | None]:
    for one, first, last, currency, price in about.prices:
        if one == action and first <= day <= last:
            return currency, price
    return None, None


def money_of(
    about: About, history: Sequence[Answer], doubt: Sequence[Waiting], here: Sequence[Task]
) -> Row:
    by_day = _by_day(about, history, doubt)
    costs = _costs(about, history, here)
    totals: dict[str | None, Row] = {}
    for line in by_day:
        total = totals.setdefault(line["currency"], {**NO_MONEY})
        for name in ("charged", "may_be_charged", "amount", "amount_at_most"):
            total[name] = None if line[name] is None else total[name] + line[name]
    for line in costs:
        if line["currency"] in totals or line["avoided"]:
            total = totals.setdefault(line["currency"], {**NO_MONEY})
            total["avoided"] = (
                None if line["avoided"] is None else total["avoided"] + line["avoided"]
            )
    return {
        "by_day": by_day,
        "by_campaign": costs,
        "avoided_rows": [
            {"campaign": k[0], "action": k[1]}
            | {name: sum(t.counts[name] for t in some) for name in SAVED}
            for k, some in grouped(here, "campaign", "action").items()
        ],
        "totals": [{"currency": currency, **total} for currency, total in totals.items()],
    }


def _by_day(about: About, history: Sequence[Answer], doubt: Sequence[Waiting]) -> list[Row]:
    """Return charges of each day, those of calls without an answer on the day of the call."""
    found = []
    calls = grouped([*history, *doubt], "day", "action")
    for (day, action), some in calls.items():
        answers = [one for one in some if isinstance(one, Answer)]
        lost = len(some) - len(answers)
        currency, price = _price(about, action, day)
        sure = sum(a.charge == "yes" for a in answers)
        perhaps = lost + sum(a.charge == "unknown" and a.is_own_call for a in answers)
        found.append(
            {
                "day": day,
                "action": action,
                "currency": currency,
                "price": price,
                "calls": lost + sum(a.is_own_call for a in answers),
                "charged": sure,
                "may_be_charged": perhaps,
                "amount": None if price is None else price * sure,
                "amount_at_most": None if price is None else price * (sure + perhaps),
            }
        )
    return found


def _costs(about: About, history: Sequence[Answer], here: Sequence[Task]) -> list[Row]:
    """Return what each campaign has cost, and what it has saved, by currency."""
    sums: dict[tuple[str, str, str | None], list[float]] = defaultdict(lambda: [0, 0, 0, 0])
    parts = [
        (a.campaign, a.action, a.day, a.charge == "yes", a.outcome == "match", 0) for a in history
    ]
    parts += [
        (t.campaign, t.action, iso(t.began), False, False, sum(t.counts[n] for n in SAVED))
        for t in here
    ]
    for campaign, action, day, sure, matched, saved in parts:
        currency, price = _price(about, action, day)
        line = sums[campaign, action, currency]
        line[0] += sure
        line[1] += matched
        line[2] += sure * (price or 0)
        line[3] += saved * (price or 0)
    return [
        {
            "campaign": campaign,
            "action": action,
            "currency": currency,
            "charged": sure,
            "amount": amount if currency else None,
            "avoided": avoided if currency else None,
            "cost_per_match": share(amount, matched) if currency else None,
        }
        for (campaign, action, currency), (sure, matched, amount, avoided) in sums.items()
    ]
