"""The views once more, from rows in Python: what they must say, written without their SQL."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Any

BEIJING = timezone(timedelta(hours=8))
Rows = list[dict[str, Any]]
PLACES = ("match", "mismatch", "found", "not_found", "review")


def groups(rows: Iterable[dict[str, Any]], *keys: str) -> dict[tuple[Any, ...], Rows]:
    found = defaultdict(list)
    for row in rows:
        found[tuple(row[key] for key in keys)].append(row)
    return found


def share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def of(rows: Rows, *outcomes: str) -> int:
    return sum(row["outcome"] in outcomes for row in rows)


def charged(rows: Rows) -> int:
    return sum(row["charged"] == 1 for row in rows)


def asked(row: dict[str, Any]) -> bool:
    return (row["attempts"] or 0) > 0


def perhaps(rows: Rows) -> int:
    return sum(row["charged"] is None and asked(row) for row in rows)


def beijing(moment: str | None) -> str | None:
    if moment is None:
        return None
    return datetime.fromisoformat(moment).astimezone(BEIJING).date().isoformat()


def latest(tables: Mapping[str, Rows]) -> list[tuple[Any, ...]]:
    found = []
    answered = [row for row in tables["results"] if row["status"] == "answered"]
    for rows in groups(answered, "action", "source", "source_key").values():
        last = max(rows, key=lambda r: (r["answered_at"], r["updated_at"], r["campaign"]))
        about = (last["campaign"], last["action"], last["source_key"], last["outcome"])
        cases = groups(tables["reviews"], "campaign", "action", "source_key", "answered_at")
        (case,) = cases.get((*about[:3], last["answered_at"]), [dict.fromkeys(REVIEWED)])
        reviewed = [case["decision"], case["second_at"] or case["decided_at"]]
        reviewed = reviewed if case["status"] == "resolved" else [None, None]
        found.append((*about, case["reason"], case["status"], *reviewed))
    return found


def history_periods(tables: Mapping[str, Rows]) -> list[tuple[Any, ...]]:
    found = []
    for rows in groups(tables["history"], "campaign", "action", "source_key").values():
        rows.sort(key=lambda r: (r["answered_at"], r["updated_at"], r["answer_id"]))
        ends = [*(row["answered_at"] for row in rows[1:]), None]
        for row, end in zip(rows, ends, strict=True):
            found.append((row["answer_id"], row["answered_at"], end, int(row is rows[-1])))
    return found


def daily(tables: Mapping[str, Rows]) -> list[tuple[Any, ...]]:
    found = []
    days = groups(tables["history"], "verified_date", "action")
    for key, rows in groups(tables["history"], "verified_date", "action", "outcome").items():
        people = {row["id_card_hash"] for row in rows} - {None}
        found.append((*key, len(rows), len(people), charged(rows), len(rows) / len(days[key[:2]])))
    return found


def rates(tables: Mapping[str, Rows]) -> list[tuple[Any, ...]]:
    found = []
    for key, rows in groups(tables["history"], "verified_date", "action").items():
        decided = of(rows, "match", "mismatch")
        found.append(
            (
                *key,
                len(rows),
                *(of(rows, place) for place in PLACES),
                len(rows) - of(rows, *PLACES),
                sum(map(asked, rows)),
                charged(rows),
                perhaps(rows),
                share(of(rows, "match"), decided),
                share(decided, decided + of(rows, "not_found")),
                of(rows, "review") / len(rows),
            )
        )
    return found


def codes(tables: Mapping[str, Rows]) -> list[tuple[Any, ...]]:
    actions = groups(tables["history"], "action")
    return [
        (
            *key,
            max((row["description"] for row in rows if row["description"]), default=None),
            len(rows),
            charged(rows),
            perhaps(rows),
            len(rows) / len(actions[key[:1]]),
        )
        for key, rows in groups(tables["history"], "action", "code", "outcome").items()
    ]


def in_doubt_rows(tables: Mapping[str, Rows]) -> Rows:
    return [
        {**row, "day": beijing(row["updated_at"])}
        for row in tables["results"]
        if row["status"] in {"held", "postponed"} and row["outcome"] == "uncertain"
    ]


def price_on(tables: Mapping[str, Rows], action: str, day: str | None) -> tuple[Any, Any]:
    for row in tables["prices"]:
        last = row["valid_to"] or "9999-12-31"
        if day and row["action"] == action and row["valid_from"] <= day <= last:
            return row["currency"], row["price"]
    return None, None


def charges(tables: Mapping[str, Rows]) -> list[tuple[Any, ...]]:
    found = []
    counted = [
        (key, sum(map(asked, rows)), charged(rows), perhaps(rows))
        for key, rows in groups(tables["history"], "verified_date", "action", "code").items()
    ]
    counted += [
        ((*key, "no_answer"), len(rows), 0, len(rows))
        for key, rows in groups(in_doubt_rows(tables), "day", "action").items()
    ]
    for key, calls, sure, unsure in counted:
        currency, price = price_on(tables, key[1], key[0])
        amounts = (None, None) if price is None else (sure * price, (sure + unsure) * price)
        found.append((*key, calls, sure, unsure, currency, price, *amounts))
    return found


def costs(tables: Mapping[str, Rows]) -> list[tuple[Any, ...]]:
    sums: dict[tuple[Any, ...], list[Any]] = defaultdict(lambda: [0, 0, None, None])

    def add(campaign, action, day, *, sure=0, matched=0, saved=0):
        currency, price = price_on(tables, action, day)
        total = sums[campaign, action, currency]
        total[0] += sure
        total[1] += matched
        if price is not None:
            total[2] = (total[2] or 0) + sure * price
            total[3] = (total[3] or 0) + saved * price

    for (campaign, action, day), rows in groups(
        tables["history"], "campaign", "action", "verified_date"
    ).items():
        add(campaign, action, day, sure=charged(rows), matched=of(rows, "match"))
    for run in tables["runs"]:
        if run["state"] in {"success", "failed"}:
            saved = sum(run[name] or 0 for name in ("quarantined", "reused", "still_valid"))
            add(run["campaign"], run["action"], beijing(run["started_at"]), saved=saved)
    return [
        (*key, sure, matched, amount, None if amount is None else share(amount, matched), avoided)
        for key, (sure, matched, amount, avoided) in sums.items()
    ]


def in_doubt(tables: Mapping[str, Rows]) -> list[tuple[Any, ...]]:
    return [
        (row["day"], row["campaign"], row["action"], row["source_key"])
        for row in in_doubt_rows(tables)
    ]


def funnel(tables: Mapping[str, Rows]) -> list[tuple[Any, ...]]:
    found = []
    kept = groups(tables["results"], "campaign", "action")
    refused = groups(tables["quarantine"], "campaign", "action")
    for key in {*kept, *refused}:
        rows = kept.get(key, [])
        answered = [row for row in rows if row["status"] == "answered"]
        keys = {r["source_key"] for r in refused.get(key, [])} - {r["source_key"] for r in rows}
        first = sum(r["attempts"] is not None and r["attempts"] <= 1 for r in answered)
        whole = len(rows) + len(keys)
        decided = of(answered, "match", "mismatch")
        found.append(
            (
                *key,
                whole,
                *(of(answered, place) for place in PLACES),
                len(answered) - of(answered, *PLACES),
                len(keys),
                sum(row["status"] == "postponed" for row in rows),
                sum(row["status"] == "held" for row in rows),
                first,
                share(of(answered, "match"), decided),
                share(decided, decided + of(answered, "not_found")),
                share(of(answered, "review"), len(answered)),
                share(first, whole),
            )
        )
    return found


def scored(tables: Mapping[str, Rows]) -> dict[tuple[Any, ...], Rows]:
    return groups(
        [
            row
            for row in tables["results"]
            if row["status"] == "answered" and row["similarity"] is not None
        ],
        "campaign",
        "action",
    )


def similarity(tables: Mapping[str, Rows]) -> list[tuple[Any, ...]]:
    return [
        (*key, low, low + 1, sum(math.floor(row["similarity"]) == low for row in rows))
        for key, rows in scored(tables).items()
        for low in range(101)
    ]


def thresholds(tables: Mapping[str, Rows]) -> list[tuple[Any, ...]]:
    found = []
    for key, rows in scored(tables).items():
        for cut in range(50, 101):
            above = [row for row in rows if row["similarity"] >= cut]
            lost = of([row for row in rows if row not in above], "match")
            gained = of(above, "review")
            found.append((*key, cut, len(rows), len(above), len(above) / len(rows), lost, gained))
    return found


def latency(tables: Mapping[str, Rows]) -> list[tuple[Any, ...]]:
    found = []
    called = [row for row in tables["history"] if asked(row) and row["latency_ms"] is not None]
    for key, rows in groups(called, "verified_date", "action").items():
        plain = sorted(row["latency_ms"] for row in rows)
        waited = sorted(
            row["latency_ms"] + row["waited_ms"] for row in rows if row["waited_ms"] is not None
        )
        ranked = [
            values[math.ceil(len(values) * percent / 100) - 1] if values else None
            for values in (plain, waited)
            for percent in (50, 95, 99)
        ]
        found.append((*key, len(plain), *ranked))
    return found


def quarantine_reasons(tables: Mapping[str, Rows]) -> list[tuple[Any, ...]]:
    return [
        (*key, len(rows), min(r["found_at"] for r in rows), max(r["found_at"] for r in rows))
        for key, rows in groups(tables["quarantine"], "campaign", "action", "stage", "rule").items()
    ]


def waiting(tables: Mapping[str, Rows]) -> list[tuple[Any, ...]]:
    rows = [
        {**row, "due": beijing(row["not_before"])}
        for row in tables["results"]
        if row["status"] != "answered"
    ]
    return [
        (
            *key,
            len(some),
            min((row["not_before"] for row in some if row["not_before"]), default=None),
            min(row["updated_at"] for row in some),
        )
        for key, some in groups(rows, "campaign", "action", "status", "outcome", "due").items()
    ]


def review_queue(tables: Mapping[str, Rows]) -> list[tuple[Any, ...]]:
    found = []
    for key, rows in groups(tables["reviews"], "campaign", "action", "reason").items():
        left = [row for row in rows if row["status"] != "resolved"]
        done = [row for row in rows if row["status"] == "resolved"]
        approved, rejected, rechecked = (
            [row for row in done if row["decision"] == decision]
            for decision in ("approve", "reject", "recheck")
        )
        against = [row for row in approved if row["suggested"] == "reject"]
        against += [row for row in rejected if row["suggested"] == "approve"]
        times = sorted(row["seconds_open"] for row in rows if row["seconds_open"] is not None)
        found.append(
            (
                *key,
                len(rows),
                len(left),
                sum(row["status"] == "in_progress" for row in left),
                sum(row["due_at"] < "2026-01-01" for row in left),
                len(approved),
                len(rejected),
                len(rechecked),
                len(against),
                share(len(against), len(approved) + len(rejected)),
                times[math.ceil(len(times) / 2) - 1] if times else None,
                min((row["created_at"] for row in left), default=None),
                min((row["due_at"] for row in left), default=None),
            )
        )
    return found


REVIEWED = ("reason", "status", "decision", "decided_at", "second_at")
COLUMNS = {
    "latest": "campaign, action, source_key, outcome, review_reason, review_status, review_decision, "
    "reviewed_at",
    "history_periods": "answer_id, valid_from, valid_to, is_current",
    "in_doubt": "service_date, campaign, action, source_key",
}
"""Columns that are compared, of a view of which not all are."""

RECOMPUTED: Mapping[str, Callable[[Mapping[str, Rows]], list[tuple[Any, ...]]]] = {
    function.__name__: function
    for function in (
        latest,
        history_periods,
        daily,
        rates,
        codes,
        charges,
        costs,
        in_doubt,
        funnel,
        similarity,
        thresholds,
        latency,
        quarantine_reasons,
        waiting,
        review_queue,
    )
}
"""What each view has to say, by its name."""


def in_order(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows as they can be compared: sorted, with fractions to nine digits."""
    return sorted((tuple(map(_plain, row)) for row in rows), key=lambda row: list(map(repr, row)))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str) and len(value) > 18 and value[4] == value[7] == "-":
        return datetime.fromisoformat(value).timestamp()
    return value
