"""The overview reads what is there and writes nothing, on each database that lets others read."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.exceptions import ConfigurationError, FaceIdError
from airflow_provider_faceid.warehouse import overview
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.tables import QUARANTINE, RESULTS, RUNS
from tests.integration.warehouse.conftest import upsert
from tests.support.homes import homes

ONE = "IdCardVerification"
NAMES = Names()
NOW = 1_795_946_400.0
AT = "2026-11-29T10:00:00.000+00:00"
HOSTILE = "<script>alert('x')</script>\"&%s{}"


shared = homes("sqlite", "postgresql", "mariadb", "clickhouse")


@pytest.fixture
def filled(home):
    database = home.open()
    prepare(database, NAMES)
    origin = {"run_id": "r1", "map_index": -1, "updated_at": AT, "action": ONE}

    def result(key, dag, status="answered", outcome="match", campaign=HOSTILE):
        row = {"campaign": campaign, "source_key": key, "dag_id": dag, "status": status}
        return origin | row | {"outcome": outcome, "attempts": 1}

    upsert(
        database,
        RESULTS,
        NAMES.results,
        [
            result("1", "a"),
            result("2", "a", outcome="mismatch"),
            result(HOSTILE, "a", "held", "uncertain"),
            result("4", "b", "postponed", "limit"),
        ],
    )
    bad = {"campaign": HOSTILE, "source_key": "5", "rule": "name_missing", "stage": "input"}
    upsert(database, QUARANTINE, NAMES.quarantine, [origin | bad | {"dag_id": "c", "found_at": AT}])
    run = {"campaign": HOSTILE, "started_at": AT, "state": "running", "dag_id": "a", "rows_in": 10}
    run |= {"answered": 2, "held": 1, "postponed": 1, "calls_per_second": 3.0}
    run |= {"planned_calls": 10, "planned_seconds": 2.0}
    upsert(database, RUNS, NAMES.runs, [origin | run])
    database.close()
    return home


@shared
def test_runs_have_their_progress_and_campaigns_their_dags(filled):
    found = overview.read_runs(filled.open(), NAMES, NOW + 10)
    (run,) = found.runs
    assert (run["campaign"], run["updated_at"], run["finished_at"]) == (HOSTILE, NOW, 0)
    assert (run.rows_in, run.done, run.left, run.pace) == (10, 4, 6, 5.0)
    assert (run.is_live, run.is_silent, run.seconds_left) == (True, False, 2.0)
    assert found.dags == {HOSTILE: {"a", "c"}}


@shared
def test_a_run_that_says_nothing_any_more_is_silent(filled):
    (run,) = overview.read_runs(filled.open(), NAMES, NOW + 60).runs
    assert (run.is_live, run.is_silent, run.seconds_left) == (False, True, None)


@shared
def test_the_views_are_those_of_the_docs(filled):
    found = overview.read_views(filled.open(), NAMES)
    assert found.problems == {}
    (funnel,) = found.funnel
    assert (funnel["campaign"], funnel["rows_in"], funnel["matched"]) == (HOSTILE, 5, 1)
    assert funnel["match_rate"] == 0.5
    assert {row["status"]: row["waiting"] for row in found.waiting} == {"held": 1, "postponed": 1}
    assert {row["waiting_since"] for row in found.waiting} == {NOW}
    ((rule, refusals),) = [(row["rule"], row["refusals"]) for row in found.reasons]
    assert (rule, refusals) == ("name_missing", 1)


@shared
def test_outcomes_are_those_of_one_run_and_keys_those_of_the_dags_asked_for(filled):
    (run,) = overview.read_runs(filled.open(), NAMES, NOW).runs
    assert overview.read_outcomes(filled.open(), NAMES, run) == {
        "match": 1,
        "mismatch": 1,
        "held": 1,
    }
    refused, waiting = overview.read_keys(filled.open(), NAMES, HOSTILE, ["a"])
    assert (refused, [row["source_key"] for row in waiting]) == ([], [HOSTILE])
    refused, waiting = overview.read_keys(filled.open(), NAMES, HOSTILE, ["b", "c"])
    assert [row["source_key"] for row in (*refused, *waiting)] == ["5", "4"]
    assert overview.read_keys(filled.open(), NAMES, HOSTILE, []) == ([], [])


@shared
def test_a_warehouse_without_tables_stays_without(home):
    with pytest.raises(ConfigurationError, match="There is no table 'faceid_runs'"):
        overview.read_runs(home.open(), NAMES, NOW)
    assert set(overview.read_views(home.open(), NAMES).problems) == {
        "funnel",
        "waiting",
        "reasons",
    }
    assert home.open().columns("faceid_runs") == set()


@shared
def test_nothing_can_be_written_while_reading(filled):
    table = filled.dialect.quote_table(NAMES.runs)
    with filled.open().reading(5) as ask, pytest.raises(FaceIdError):
        ask(f"DELETE FROM {table} WHERE 1 = 1")
    assert len(overview.read_runs(filled.open(), NAMES, NOW).runs) == 1


@shared
def test_a_query_that_takes_too_long_is_ended(filled):
    slow = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n",
        "postgresql": "SELECT pg_sleep(60)",
        "mysql": "SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b, "
        "information_schema.columns c",
        "clickhouse": "SELECT COUNT(*) FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))",
    }
    with filled.open().reading(1) as ask, pytest.raises(FaceIdError):
        ask(slow[filled.dialect.name])


@homes("duckdb")
def test_a_file_of_one_process_is_refused_and_stays_free_for_the_tasks(home):
    with pytest.raises(ConfigurationError, match="lets one process in"):
        overview.read_runs(home.open(), NAMES, NOW)
