"""The JSON of a report once more, from the books of :mod:`.recomputed_runs` in plain Python."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from statistics import median
from typing import Any

from .recomputed_money import money_of
from .recomputed_runs import (
    CODES,
    About,
    Answer,
    Between,
    Books,
    Row,
    Task,
    Waiting,
    grouped,
    iso,
    pace,
    share,
)

PLACES = ("matched", "mismatched", "found", "not_found", "review", "other_answers")
OF = {"match": 0, "mismatch": 1, "found": 2, "not_found": 3, "review": 4}


def counts(answers: Iterable[Answer]) -> list[int]:
    found = [0] * len(PLACES)
    for answer in answers:
        found[OF.get(answer.outcome, 5)] += 1
    return found


def rates(n: Sequence[int]) -> dict[str, Row]:
    parts = {
        "match_rate": (n[0], n[0] + n[1]),
        "hit_rate": (n[0] + n[1], n[0] + n[1] + n[3]),
        "review_rate": (n[4], sum(n)),
    }
    return {
        name: {"value": share(part, whole), "part": part if whole else None, "whole": whole or None}
        for name, (part, whole) in parts.items()
    }


def verdicts(n: Sequence[int]) -> list[Row]:
    return [{"places": [place], "answers": n[i]} for i, place in enumerate(PLACES)]


def rebuild(books: Books, about: About) -> Row:
    """Return what the JSON of a report has to say."""
    here = [t for t in books.tasks if about.has(t.campaign, t.run_id, iso(t.began))]
    history = [a for a in books.history if about.has(a.campaign, a.run_id, a.day)]
    now = [row for row in books.now.values() if about.campaign in {None, row.campaign}]
    waiting = [row for row in now if isinstance(row, Waiting)]
    doubt = [
        row
        for row in waiting
        if row.outcome == "uncertain" and about.has(row.campaign, row.run_id, row.day)
    ]
    current = [row for row in now if isinstance(row, Answer)]
    if about.days is None:
        last = {(a.campaign, a.action, a.key): a for a in history}
        current = list(last.values())
    rows = _rows(books, about, here, current, waiting)
    money = money_of(about, history, doubt, here)
    runs = _runs(books, about, here)
    outstanding = list(_stand_out(runs))
    days = [answer.day for answer in history]
    total = [sum(row["_counts"][i] for row in rows) for i in range(6)]
    summed = {
        name: sum(row[name] for row in rows)
        for name in ("rows_in", "answered_before", "quarantined", "postponed", "held", "left")
    }
    for row in rows:
        del row["_counts"]
    return {
        "first_day": min(days, default=None) if about.days is None else about.days[0],
        "last_day": max(days, default=None) if about.days is None else about.days[1],
        "made_at": about.made,
        "campaign": about.campaign,
        "run_id": about.run_id,
        "smallest_group": 1,
        "format": 1,
        "headline": {
            **summed,
            "answers": sum(total),
            "answered": sum(total) + summed["answered_before"],
            "verdicts": verdicts(total),
            "rates": rates(total),
            "requests": sum(len(t.entries) for t in here),
            "throttled": sum(t.counts["throttled"] for t in here),
            "charged": sum(line["charged"] for line in money["totals"]),
            "may_be_charged": sum(line["may_be_charged"] for line in money["totals"]),
            "runs": len({(t.campaign, t.run_id) for t in here}),
            "runs_unfinished": 0,
            "campaigns": len({row["campaign"] for row in rows}),
            "stood_out": sum(one["number"] is not None for one in outstanding),
            **{f"{s}_hours": _age(waiting, s, about.made) for s in ("postponed", "held")},
        },
        "rows": rows,
        "verdicts_by_day": [
            {
                "action": action,
                "columns": [[place] for place in PLACES],
                "periods": [
                    {
                        "first_day": day,
                        "last_day": day,
                        "answers": len(some),
                        "counts": counts(some),
                    }
                    for (day,), some in grouped(listed, "day").items()
                ],
            }
            for (action,), listed in grouped(history, "action").items()
        ],
        "codes": list(_codes(history)),
        "similarity": [
            _similarity(key, [a for a in some if a.similarity is not None], about.threshold)
            for key, some in grouped(current, "campaign", "action").items()
            if any(a.similarity is not None for a in some)
        ],
        "money": money,
        "speed": [_speed(key[0], some, about) for key, some in grouped(here, "action").items()],
        "latency": list(_latency(about)),
        "waiting": [
            {
                "campaign": campaign,
                "action": action,
                "status": status,
                "outcome": outcome,
                "due_date": due and iso(datetime.fromisoformat(due).timestamp()),
                "waiting": len(some),
                "due_at": due,
                "waiting_since": Between(
                    min(w.written.low for w in some), min(w.written.high for w in some)
                ),
            }
            for (campaign, action, status, outcome, due), some in grouped(
                waiting, "campaign", "action", "status", "outcome", "due"
            ).items()
        ],
        "quarantine": _quarantine(books, about),
        "checks": [
            {"rule": rule, "evaluated": all_, "unexpected": bad, "mostly": 1.0, "success": not bad}
            for rule, (all_, bad) in about.checks.items()
            if about.days is not None or about.validated_in == about.run_id
        ],
        "runs": runs,
        "stands_out": outstanding,
    }


def _age(waiting: Iterable[Waiting], status: str, made: Between) -> Any:
    times = [row.written for row in waiting if row.status == status]
    if not times:
        return 0.0
    low, high = min(t.low for t in times), min(t.high for t in times)
    return Between((made.low - high) / 3600 - 0.0005, (made.high - low) / 3600 + 0.0005)


def _attempts(tasks: Iterable[Task]) -> dict[tuple[Any, ...], list[Task]]:
    return grouped(tasks, "campaign", "action", "run_id")


def _rows(
    books: Books,
    about: About,
    here: Sequence[Task],
    current: Sequence[Answer],
    waiting: Sequence[Waiting],
) -> list[Row]:
    """Return where each row ended: of a run by its last attempt, of days by what is known now."""
    answers = grouped(current, "campaign", "action")
    refused = [k[:2] for k in books.quarantine if about.campaign in {None, k[0]}]
    keys = {*answers}
    if about.days is None:
        keys |= {(t.campaign, t.action) for t in here}
    else:
        keys |= {*refused, *((w.campaign, w.action) for w in waiting)}
    found = []
    for key in sorted(keys):
        n = counts(answers.get(key, []))
        if about.days is None:
            (attempts,) = (v for k, v in _attempts(here).items() if k[:2] == key)
            last = attempts[-1].counts
            line = {name: last[name] for name in ("rows_in", "quarantined", "postponed", "held")}
            line["answered_before"] = last["answered"] - sum(n)
            line["left"] = line["rows_in"] - last["answered"]
            line["left"] -= line["quarantined"] + line["postponed"] + line["held"]
        else:
            mine = [w.status for w in waiting if (w.campaign, w.action) == key]
            line = {s: mine.count(s) for s in ("postponed", "held")}
            line["quarantined"] = refused.count(key)
            line |= {"rows_in": sum(n) + sum(line.values()), "answered_before": 0, "left": 0}
        found.append(
            {
                "campaign": key[0],
                "action": key[1],
                "answers": sum(n),
                "verdicts": verdicts(n),
                "rates": rates(n),
                **line,
                "_counts": n,
            }
        )
    return found


def _codes(history: Sequence[Answer]) -> Iterator[Row]:
    whole = {key: len(some) for key, some in grouped(history, "action").items()}
    for (action, code, outcome), some in grouped(history, "action", "code", "outcome").items():
        yield {
            "action": action,
            "codes": [code],
            "outcome": outcome,
            "answers": len(some),
            "share": len(some) / whole[action,],
            "charged": sum(a.charge == "yes" for a in some),
            "may_be_charged": sum(a.charge == "unknown" and a.is_own_call for a in some),
            "is_charged": CODES[action, code][1],
            "next": "record",
        }


def _similarity(key: tuple[Any, ...], some: Sequence[Answer], threshold: float) -> Row:
    scores = [(a.similarity or 0.0, a.outcome) for a in some]
    return {
        "campaign": key[0],
        "action": key[1],
        "threshold": threshold,
        "compared": len(scores),
        "bins": [
            {
                "similarity_from": low,
                "similarity_to": low + 1,
                "compared": sum(low <= s < low + 1 for s, _ in scores),
            }
            for low in range(101)
        ],
        "cut_offs": [
            {
                "cut_off": cut,
                "at_or_above": sum(s >= cut for s, _ in scores),
                "pass_rate": sum(s >= cut for s, _ in scores) / len(scores),
                "matches_lost": sum(s < cut and o == "match" for s, o in scores),
                "matches_gained": sum(s >= cut and o == "review" for s, o in scores),
            }
            for cut in range(50, 101)
        ],
    }


def _speed(action: str, tasks: Sequence[Task], about: About) -> Row:
    seconds = sum(t.manifest["seconds"] for t in tasks)
    calls = sum(len(t.entries) for t in tasks)
    throttled = sum(t.counts["throttled"] for t in tasks)
    return {
        "action": action,
        "quota": about.quotas[action],
        "requests": calls,
        "seconds": seconds,
        "requests_per_second": pace(calls, seconds),
        "quota_used": share(calls, seconds * about.quotas[action]),
        "throttled": throttled,
        "throttled_share": share(throttled, calls),
    }


def _latency(about: About) -> Iterator[Row]:
    days = defaultdict(list)
    for day, action, run_id, campaign, took, waited in about.latencies:
        if about.has(campaign, run_id, day):
            days[day, action].append((took, took + (waited or 0)))
    for (day, action), both in days.items():
        line: Row = {"verified_date": day, "action": action, "calls": len(both)}
        for i, name in enumerate(("ms", "with_wait_ms")):
            ranked = sorted(pair[i] for pair in both)
            for percent in (50, 95, 99):
                line[f"p{percent}_{name}"] = ranked[math.ceil(len(ranked) * percent / 100) - 1]
        yield line


def _quarantine(books: Books, about: About) -> list[Row]:
    found: dict[tuple[str, ...], int] = defaultdict(int)
    for (campaign, action, _), (rule, stage) in books.quarantine.items():
        if about.campaign in {None, campaign}:
            found[campaign, action, rule, stage] += 1
    return [
        {"campaign": c, "action": a, "rules": [rule], "stages": [stage], "refusals": count}
        for (c, a, rule, stage), count in found.items()
    ]


def _runs(books: Books, about: About, here: Sequence[Task]) -> list[Row]:
    last = {(t.campaign, t.action): t.began for t in here}
    lines = []
    for (campaign, action, run_id), tasks in _attempts(books.tasks).items():
        if tasks[0].began > last.get((campaign, action), 0):
            continue
        end, seconds = tasks[-1].counts, sum(t.manifest["seconds"] for t in tasks)
        spent = {
            name: sum(t.counts[name] for t in tasks)
            for name in ("charged", "charge_unknown", "throttled", "reused", "calls")
        }
        calls = spent.pop("calls")
        own = (campaign, action, run_id)
        n = counts(a for a in books.history if (a.campaign, a.action, a.run_id) == own)
        lines.append(
            {
                **dict(zip(("campaign", "action", "run_id"), own, strict=True)),
                "started_at": Between(tasks[0].began, tasks[0].ended),
                "finished_at": Between(tasks[-1].began, tasks[-1].ended),
                "state": "failed" if tasks[-1].is_budget_over else "success",
                **{k: end[k] for k in ("rows_in", "answered", "quarantined", "postponed", "held")},
                "requests": calls,
                **spent,
                "seconds": seconds,
                "requests_per_second": pace(calls, seconds),
                "quota_used": share(calls, seconds * about.quotas[action]),
                "match_rate": share(n[0], n[0] + n[1]),
                "quarantined_share": share(end["quarantined"], end["rows_in"]),
                "waiting_share": share(end["postponed"] + end["held"], end["rows_in"]),
                "throttled_share": share(spent["throttled"], calls),
            }
        )
    return sorted(lines, key=lambda line: line["started_at"].low)


LEAST = {
    "match_rate": 0.01,
    "quarantined_share": 0.005,
    "waiting_share": 0.005,
    "throttled_share": 0.01,
    "quota_used": 0.05,
}


def _stand_out(runs: Sequence[Row]) -> Iterator[Row]:
    keys = {(run["campaign"], run["action"]) for run in runs}
    for campaign, action in sorted(keys):
        own = [run for run in runs if (run["campaign"], run["action"]) == (campaign, action)]
        about = {"campaign": campaign, "action": action}
        for name in (*LEAST, "rows_in"):
            *before, value = [run[name] for run in own]
            known = [v for v in before if v is not None]
            if value is None or len(known) < 5:
                continue
            middle = median(known)
            least = 0.2 * middle if name == "rows_in" else LEAST[name]
            spread = 3 * 1.4826 * median(abs(v - middle) for v in known)
            if not min(known) <= value <= max(known) and abs(value - middle) > max(spread, least):
                yield about | {
                    "number": name,
                    "value": value,
                    "median": middle,
                    "lowest": min(known),
                    "highest": max(known),
                    "runs": len(known),
                }
        if len(own) <= 5:
            yield about | {"number": None, "runs": len(own) - 1}
