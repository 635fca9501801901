"""Runs in a report: attempts and shards together, killed ones, and runs that made no call."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.report.numbers import Scope, read_numbers
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.tables import HISTORY, RESULTS, RUNS
from tests.support.report_rows import ID_CARD, NOW

from .conftest import upsert

SCOPE = Scope("kyc", run_id="monday", quotas={ID_CARD: 100}, smallest=1)
PARTS = ("answered_before", "quarantined", "postponed", "held", "left")


def run(minute: int, shard: int = -1, **counts):
    """Return a row of the run table, of a task that has ended unless said otherwise."""
    started = f"2026-11-28T01:{minute:02}:00.000+00:00"
    ended = f"2026-11-28T01:{minute:02}:50.000+00:00"
    usual = {"campaign": "kyc", "action": ID_CARD, "run_id": "monday", "map_index": shard}
    return {
        **dict.fromkeys(RUNS.columns),
        **usual,
        "started_at": started,
        "finished_at": ended,
        "state": "success",
        "updated_at": ended,
        **counts,
    }


def answers(count: int, **more):
    """Return answers of the run: each fifth is no match."""
    return [
        {
            **dict.fromkeys(HISTORY.columns),
            "campaign": "kyc",
            "action": ID_CARD,
            "source_key": str(number),
            "answer_id": f"answer {number}",
            "outcome": "match" if number % 5 else "mismatch",
            "code": "0" if number % 5 else "-1",
            "charged": 1,
            "attempts": 1,
            "answered_at": "2026-11-28T01:00:30.000+00:00",
            "verified_date": "2026-11-28",
            "updated_at": "2026-11-28T01:00:30.000+00:00",
            "run_id": "monday",
            "map_index": -1,
            **more,
        }
        for number in range(count)
    ]


@pytest.fixture
def read(home):
    database = home.open()
    prepare(database, Names())

    def numbers(runs, history=(), results=()):
        for table, rows in ((RUNS, runs), (HISTORY, history), (RESULTS, results)):
            upsert(database, table, table.name, list(rows))
        return read_numbers(database, Names(), SCOPE, NOW)

    return numbers


def where(numbers):
    (row,) = numbers["rows"]
    answered = {place: g["answers"] for g in row["verdicts"] for place in g["places"]}
    places = {**answered, **{name: row[name] for name in PARTS}}
    assert sum(places.values()) == row["rows_in"]
    return row["rows_in"], {name: count for name, count in places.items() if count}


def test_the_last_attempt_counts_rows_and_all_attempts_count_calls(read):
    first = run(1, state="failed", rows_in=100, answered=60, calls=61, charged=60, seconds=2.0)
    second = run(9, rows_in=100, answered=95, held=5, calls=40, charged=35, seconds=1.0)
    numbers = read([first, second], answers(95))
    assert where(numbers) == (100, {"matched": 76, "mismatched": 19, "held": 5})
    assert (numbers["headline"]["requests"], numbers["headline"]["charged"]) == (101, 95)
    (speed,) = numbers["speed"]
    assert speed["quota_used"] == pytest.approx(101 / (3.0 * 100))
    assert numbers["headline"]["runs_unfinished"] == 0


def test_shards_are_one_run_and_as_long_as_the_longest(read):
    shards = [
        run(1, shard, rows_in=50, answered=40 + shard, quarantined=10 - shard, calls=40, seconds=s)
        for shard, s in ((0, 2.0), (1, 4.0))
    ]
    numbers = read(shards, answers(81))
    assert where(numbers) == (100, {"matched": 64, "mismatched": 17, "quarantined": 19})
    assert [one["seconds"] for one in numbers["speed"]] == [4.0]
    assert [one["rows_in"] for one in numbers["runs"]] == [100]


def test_a_killed_run_has_rows_it_did_not_reach(read):
    killed = run(1, finished_at=None, state="running", rows_in=100, answered=20, calls=25)
    numbers = read([killed], answers(30))
    assert where(numbers) == (100, {"matched": 24, "mismatched": 6, "left": 70})
    assert numbers["headline"]["runs_unfinished"] == 1


def test_what_was_answered_before_is_told_apart(read):
    numbers = read([run(1, rows_in=100, answered=100, still_valid=70, calls=30)], answers(30))
    assert where(numbers) == (100, {"matched": 24, "mismatched": 6, "answered_before": 70})
    (avoided,) = numbers["money"]["avoided_rows"]
    assert avoided["still_valid"] == 70


def test_a_row_that_was_asked_twice_in_a_run_counts_once_with_its_last_answer(read):
    later = "2026-11-28T01:09:00.000+00:00"
    again = answers(5, outcome="review", answered_at=later, charged=1)
    again = [{**row, "answer_id": f"again {row['answer_id']}"} for row in again]
    numbers = read([run(1, rows_in=30, answered=30, calls=35)], [*answers(30), *again])
    assert where(numbers) == (30, {"matched": 20, "mismatched": 5, "review": 5})
    (total,) = numbers["money"]["totals"]
    assert total["charged"] == 35


def test_plans_and_refused_runs_are_no_runs(read):
    planned = [run(1, state=state, rows_in=100) for state in ("planned", "refused")]
    planned[1]["started_at"] = "2026-11-28T01:02:00.000+00:00"
    numbers = read(planned)
    assert (numbers["rows"], numbers["runs"], numbers["headline"]["rows_in"]) == ([], [], 0)


def test_no_price_no_amount(read):
    numbers = read([run(1, rows_in=30, answered=30, calls=30)], answers(30))
    (total,) = numbers["money"]["totals"]
    assert (total["currency"], total["charged"], total["amount"]) == (None, 30, None)
