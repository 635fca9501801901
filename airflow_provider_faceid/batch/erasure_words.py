"""What an erasure tells people: what is gone, what stays and why, and what they have to erase themselves."""

from __future__ import annotations

from typing import Any

from ..exceptions import counted
from ..warehouse.erasure.sql import ERASURE_SQL
from .erasure import Forgotten

COUNTS = (
    *("results", "history", "quarantine", "reviews", "review_log", "reconciliation"),
    *("calls", "counters"),
)
"""Columns of a receipt that count what is gone."""

ELSEWHERE = (
    "exports and Data Docs: export the campaign again, and let a lake expire old snapshots",
    "reports and runs: counts only",
    "the vendor's own log, under the RequestIds",
    "XCom and task logs of single calls: outcome and RequestId, under the DAG run",
    "ledger: answers to photos of single calls without a key, for [faceid] keep_answers_days",
)
"""What an erasure does not reach, for people."""


def lines_of(told: Forgotten) -> list[str]:
    """Return what was erased, what stays, and what is to be done, without anybody's data."""
    lines = []
    if told.receipt:
        lines += _erased(told.receipt)
    elif not (told.rows or told.calls or told.finished):
        return ["Neither tables nor ledger know anything of it: nothing was erased"]
    elif not told.finished:
        lines.append(
            f"Found {counted(told.rows, 'row')} of tables and "
            f"{counted(told.calls, 'call')} of the ledger"
        )
    if told.finished:
        lines.append(
            f"Finished {counted(len(told.finished), 'erasure that was', 'erasures that were')} "
            f"interrupted before: {', '.join(told.finished)}"
        )
    if told.sources:
        lines.append(
            f"Rows were read from {', '.join(told.sources)}. Delete them there too: a row that is still "
            "in a source is verified again as a new one, and paid for"
        )
    lines += warnings_of(told)
    lines += [f"Remains: {one}" for one in remains_of(told)]
    return lines


def warnings_of(told: Forgotten) -> list[str]:
    """Return what is left to be done, so that the erasure is whole."""
    lines = list(told.problems)
    if told.other_hash_keys:
        lines.append(
            f"Rows were written under other hash keys, too ({', '.join(told.other_hash_keys)}), under "
            "which nobody was looked for. Give those keys, or erase by the person's source keys"
        )
    return lines


def remains_of(told: Forgotten) -> list[str]:
    """Return what else may hold something of the person."""
    parts = zip(("warehouse", "state store"), told.databases, strict=True)
    own = [f"{what} ({name}): {ERASURE_SQL[name].remains}" for what, name in parts if name]
    return [*own, *ELSEWHERE]


def _erased(receipt: dict[str, Any]) -> list[str]:
    counts = ", ".join(
        f"{name.replace('_', ' ')} {receipt[name]:,}" for name in COUNTS if receipt.get(name)
    )
    lines = [
        f"Erased {counted(receipt['source_keys'], 'source key')}: {counts}",
        f"Receipt {receipt['receipt_id']}, in the table of erasures",
    ]
    if kept := receipt["answers_kept"] + receipt["in_doubt_kept"]:
        lines.append(
            f"{counted(kept, 'charged answer or call in doubt stays', 'charged answers or calls in doubt stay')} "
            "without a person, under random keys, so that the bill is rebuilt as before"
        )
    return lines
