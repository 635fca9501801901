"""A warehouse as months of runs leave it, for reports: two campaigns, a day that stands out at the end."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_faceid.api.actions import ACTIONS, code_row
from airflow_provider_faceid.api.codes import BELOW_THRESHOLD, CodeRow
from airflow_provider_faceid.clock import SYSTEM_CLOCK, beijing_date, utc_text
from airflow_provider_faceid.warehouse.migrations import prepare, prepare_checks
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.prices import Price, write_prices
from airflow_provider_faceid.warehouse.sql.database import Database
from airflow_provider_faceid.warehouse.tables import (
    CHECKS,
    HISTORY,
    QUARANTINE,
    RESULTS,
    RUNS,
    insert,
)

LAST_DAY = datetime(2026, 11, 28, 1, tzinfo=UTC)
NOW = (LAST_DAY + timedelta(hours=2)).timestamp()
ID_CARD, FACE = "IdCardVerification", "ImageRecognitionV2"
CAMPAIGNS = {"kyc_onboarding": (ID_CARD, 1.0), "loan_faces": (FACE, 0.4)}
PRICES = [Price(ID_CARD, 0.12, "USD"), Price(FACE, 0.30, "USD")]
RULES = ("id_card_check_digit",) * 5 + ("name_length",) * 2 + ("id_card_date", "name_characters")
CHECKED = (
    ("id_card_check_digit", "critical", 0.03),
    ("name_length", "critical", 0.012),
    ("name_is_rare", "warning", 0.05),
    ("person_is_adult", "info", 0.0),
)
SATURDAY = 5


class Rows:
    """
    Rows of each table, made by the dice.

    :param mark: stands behind each name that a user or the service chooses, such as hostile text.
    """

    def __init__(self, mark: str = "", seed: int = 7) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {
            table.name: [] for table in (HISTORY, RESULTS, QUARANTINE, RUNS, CHECKS)
        }
        self._mark, self._dice, self._keys = mark, random.Random(seed), 0

    def add_run(
        self, day: datetime, campaign: str, rows: int, *, is_odd: bool, is_last: bool
    ) -> None:
        """Add a run of a campaign and all its rows."""
        action = CAMPAIGNS[campaign][0]
        quota, dice = ACTIONS[action].quota, self._dice
        run = {
            "campaign": campaign + self._mark,
            "action": action,
            "run_id": f"scheduled__{day:%Y-%m-%dT%H:%M:%S}+00:00{self._mark}",
            "map_index": -1,
            "dag_id": "kyc",
        }
        counts = dict.fromkeys(
            ("quarantined", "postponed", "held", "reused", "calls", "charged", "charge_unknown"), 0
        )
        for number in range(rows):
            self._keys += 1
            at = day.timestamp() + number / quota
            row = {**run, "source_key": str(self._keys), "updated_at": utc_text(at)}
            self._add_row(row, at, counts, is_odd=is_odd, is_last=is_last)
        counts["throttled"] = int(counts["calls"] * dice.uniform(0.004, 0.007))
        counts["calls"] += counts["throttled"]
        seconds = counts["calls"] / (quota * dice.uniform(0.955, 0.985))
        waiting = counts["quarantined"] + counts["postponed"] + counts["held"]
        ended = utc_text(day.timestamp() + seconds)
        self.tables[RUNS.name].append(
            {
                **run,
                **counts,
                "started_at": utc_text(day.timestamp()),
                "finished_at": ended,
                "updated_at": ended,
                "state": "success",
                "rows_in": rows,
                "answered": rows - waiting,
                "still_valid": int(rows * 0.3),
                "seconds": seconds,
                "calls_per_second": counts["calls"] / seconds,
            }
        )
        if is_last:
            self._add_checks(run, rows, ended)

    def _add_row(
        self, row: dict[str, Any], at: float, counts: dict[str, int], *, is_odd: bool, is_last: bool
    ) -> None:
        bad, chance = 0.047 if is_last else 0.02, self._dice.random()
        if chance < bad:
            counts["quarantined"] += 1
            broken = {"rule": self._dice.choice(RULES) + self._mark, "stage": "validate"}
            self.tables[QUARANTINE.name].append({**row, **broken, "found_at": utc_text(at)})
            return
        counts["calls"] += 1
        if is_last and chance < bad + 0.02:
            counts["postponed"] += 1
            due = utc_text(LAST_DAY.replace(hour=16).timestamp())
            waits = {"status": "postponed", "outcome": "limit", "not_before": due}
            self.tables[RESULTS.name].append({**row, **waits})
        elif is_last and chance < bad + 0.021:
            counts["held"] += 1
            counts["charge_unknown"] += 1
            held = {"status": "held", "outcome": "uncertain", "code": "no_answer", "attempts": 1}
            self.tables[RESULTS.name].append({**row, **held})
        else:
            self._add_answer(row, at, counts, is_odd=is_odd)

    def _add_answer(
        self, row: dict[str, Any], at: float, counts: dict[str, int], *, is_odd: bool
    ) -> None:
        dice = self._dice
        code, similarity = self._answer(row["action"], is_odd=is_odd)
        is_reused = dice.random() < 0.01
        charged = False if is_reused else code.charged.flag
        counts["reused"] += is_reused
        counts["calls"] -= is_reused
        counts["charged"] += charged is True
        counts["charge_unknown"] += charged is None
        answer = {
            **row,
            "status": "answered",
            "outcome": code.outcome.value,
            "code": ("Success" if code is BELOW_THRESHOLD else code.code) + self._mark,
            "similarity": similarity,
            "charged": None if charged is None else int(charged),
            "description": code.meaning,
            "attempts": 0 if is_reused else 1 + (dice.random() < 0.02),
            "latency_ms": int(dice.lognormvariate(4.7 if row["action"] == ID_CARD else 5.6, 0.35)),
            "waited_ms": int(dice.expovariate(1 / 900)),
            "answered_at": utc_text(at),
            "verified_date": beijing_date(at).isoformat(),
        }
        self.tables[RESULTS.name].append(answer)
        self.tables[HISTORY.name].append({**answer, "answer_id": row["source_key"]})

    def _answer(self, action: str, *, is_odd: bool) -> tuple[CodeRow, float | None]:
        """Return the row of a result code, and a similarity."""
        chance = self._dice.random()
        if action == ID_CARD:
            mismatch = 0.085 if is_odd else 0.04
            code = "0" if chance > mismatch + 0.03 else "-1" if chance > 0.03 else "-5"
            return code_row(action, code), None
        if chance < 0.035:
            missing = "FailedOperation.IdPhotoNoExist"
            code = missing if chance < 0.015 else "FailedOperation.IdNameMisMatch"
            return code_row(action, code), None
        centre = (86.0, 6.5) if chance > 0.06 else (42.0, 14.0)
        similarity = round(min(100.0, max(0.0, self._dice.gauss(*centre))), 2)
        if similarity >= 70:
            return code_row(action, "Success"), similarity
        if similarity >= 64:
            return BELOW_THRESHOLD, similarity
        return code_row(action, "FailedOperation.CompareLowSimilarity"), similarity

    def _add_checks(self, run: dict[str, Any], rows: int, moment: str) -> None:
        for number, (rule, severity, part) in enumerate(CHECKED):
            unexpected = int(rows * part)
            self.tables[CHECKS.name].append(
                {
                    **run,
                    "task_id": "validate",
                    "number": number,
                    "rule": rule + self._mark,
                    "severity": severity,
                    "mostly": 1.0 if severity == "critical" else 0.9,
                    "evaluated": rows,
                    "unexpected": unexpected,
                    "success": int(not unexpected),
                    "updated_at": moment,
                }
            )


def fill(database: Database, rows_a_day: int, days: int, mark: str = "") -> None:
    """
    Make the tables and fill them; the last day is that of :data:`LAST_DAY`.

    :param rows_a_day: of the larger campaign, on an average working day.
    """
    names = Names()
    prepare(database, names)
    prepare_checks(database, names)
    write_prices(database, names.prices, PRICES, SYSTEM_CLOCK)
    made, dice = Rows(mark), random.Random(11)
    for back in range(days - 1, -1, -1):
        day = LAST_DAY - timedelta(days=back)
        for campaign, (action, part) in CAMPAIGNS.items():
            season = 1 + 0.15 * math.sin(back / 5) + dice.uniform(-0.06, 0.06)
            weekend = 0.55 if day.weekday() >= SATURDAY else 1.0
            rows = int(rows_a_day * part * season * weekend)
            is_odd = back == 0 and action == ID_CARD
            made.add_run(day, campaign, rows, is_odd=is_odd, is_last=back == 0)
    for table in (HISTORY, RESULTS, QUARANTINE, RUNS, CHECKS):
        listed = made.tables[table.name]
        name = names.beside("checks") if table is CHECKS else table.name
        for start in range(0, len(listed), 20_000):
            with database.transaction("filling") as cursor:
                insert(cursor, database, table, name, listed[start : start + 20_000])
