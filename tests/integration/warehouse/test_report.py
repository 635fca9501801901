"""The numbers of a report are the same on every database, and those of a recomputation in Python."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from functools import partial

import pytest

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.report.numbers import Scope, read_numbers
from airflow_provider_faceid.report.page import render
from airflow_provider_faceid.report.verdicts import PLACE_OF
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql.database import SQLITE, Database
from tests.support.report_rows import FACE, ID_CARD, NOW, fill

QUOTAS = {name: action.quota for name, action in ACTIONS.items()}
LAST_RUN = "scheduled__2026-11-28T01:00:00+00:00"
SCOPES = {
    "run": Scope("kyc_onboarding", run_id=LAST_RUN, quotas=QUOTAS),
    "days": Scope(quotas=QUOTAS),
    "week": Scope("loan_faces", (FACE,), days=7, quotas=QUOTAS, smallest=1),
}
ROWS, DAYS = 120, 12
DIGITS = 9


def rounded(value):
    """Return numbers with nine digits: databases add fractions in another order."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A filled warehouse in SQLite."""
    path = tmp_path_factory.mktemp("warehouse") / "warehouse.sqlite"
    database = Database(partial(sqlite3.connect, path), SQLITE, "filled")
    fill(database, ROWS, DAYS)
    yield database
    database.close()


def test_numbers_are_the_same_on_every_database(home, filled):
    database = home.open()
    fill(database, ROWS, DAYS)
    for kind, scope in SCOPES.items():
        numbers = read_numbers(database, Names(), scope, NOW)
        assert rounded(numbers) == rounded(read_numbers(filled, Names(), scope, NOW)), kind
        plain = json.loads(json.dumps(numbers, allow_nan=False))
        assert plain == numbers
        assert "</html>" in render(plain, with_charts=False)


def rows(database, table, columns):
    return database.rows(f"SELECT {columns} FROM {table}")


@pytest.fixture
def week(filled):
    """The same warehouse, and the numbers of a week of one campaign with small groups shown."""
    return filled, read_numbers(filled, Names(), SCOPES["week"], NOW)


def test_a_week_is_what_its_rows_say(week):
    database, numbers = week
    answers = [
        row
        for row in rows(
            database,
            "faceid_history",
            "campaign, verified_date, outcome, code, charged, latency_ms, attempts",
        )
        if row[0] == "loan_faces" and "2026-11-22" <= row[1] <= "2026-11-28"
    ]
    assert (numbers["first_day"], numbers["last_day"]) == ("2026-11-22", "2026-11-28")
    outcomes = Counter(PLACE_OF.get(row[2], "other_answers") for row in answers)
    (section,) = numbers["verdicts_by_day"]
    sums = Counter[str]()
    for period in section["periods"]:
        for column, count in zip(section["columns"], period["counts"], strict=True):
            sums[column[0]] += count
    assert +sums == outcomes
    codes = Counter((row[2], row[3]) for row in answers)
    assert {(c["outcome"], c["codes"][0]): c["answers"] for c in numbers["codes"]} == codes
    charged = sum(row[4] == 1 for row in answers)
    (total,) = numbers["money"]["totals"]
    assert (total["charged"], total["currency"]) == (charged, "USD")
    assert total["amount"] == pytest.approx(charged * 0.30)
    assert sum(day["charged"] for day in numbers["money"]["by_day"]) == charged
    last = sorted(row[5] for row in answers if row[1] == "2026-11-28" and row[6] > 0)
    (latency,) = [one for one in numbers["latency"] if one["verified_date"] == "2026-11-28"]
    assert latency["p95_ms"] == last[-(-len(last) * 95 // 100) - 1]


def test_faces_are_counted_by_similarity_and_threshold(week):
    database, numbers = week
    scores = [
        score
        for score, campaign in rows(database, "faceid_results", "similarity, campaign")
        if score is not None and campaign == "loan_faces"
    ]
    (face,) = numbers["similarity"]
    assert face["compared"] == sum(one["compared"] for one in face["bins"]) == len(scores)
    for one in face["bins"]:
        within = sum(one["similarity_from"] <= score < one["similarity_to"] for score in scores)
        assert one["compared"] == within
    cuts = {cut["cut_off"]: cut for cut in face["cut_offs"]}
    assert set(cuts) == set(range(50, 101))
    assert cuts[80]["at_or_above"] == sum(score >= 80 for score in scores)
    assert cuts[80]["pass_rate"] == pytest.approx(cuts[80]["at_or_above"] / len(scores))
    assert cuts[80]["matches_lost"] == sum(70 <= score < 80 for score in scores)


def test_what_stands_out_is_the_last_day(week):
    database, _ = week
    numbers = read_numbers(database, Names(), Scope(quotas=QUOTAS, smallest=1), NOW)
    out = {one["number"] for one in numbers["stands_out"] if one["action"] == ID_CARD}
    assert {"quarantined_share", "waiting_share"} <= out
    for one in numbers["stands_out"]:
        runs = [run for run in numbers["runs"] if run["campaign"] == one["campaign"]]
        before = [run[one["number"]] for run in runs[:-1]]
        assert not min(before) <= one["value"] <= max(before)
        assert (one["lowest"], one["highest"]) == (min(before), max(before))
