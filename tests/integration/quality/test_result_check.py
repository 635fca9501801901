"""Result rows of real tables, checked: what is planted is found, and nothing else."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.quality.result_check import ResultsCheck
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.records import RunContext
from airflow_provider_faceid.warehouse.tables import QUARANTINE, RESULTS
from tests.integration.warehouse.conftest import upsert

pytestmark = pytest.mark.long

RUN = RunContext("spring", "ImageRecognitionV2", "run 2", task_id="check")
MOMENT = "2026-11-28T02:00:00.000+00:00"
ANSWER = {
    "campaign": "spring",
    "action": "ImageRecognitionV2",
    "status": "answered",
    "outcome": "match",
    "code": "Success",
    "similarity": 88.5,
    "charged": 1,
    "attempts": 1,
    "request_id": "r",
    "answered_at": MOMENT,
    "verified_date": "2026-11-28",
    "run_id": "run 2",
    "map_index": -1,
}
NO_ANSWER = dict.fromkeys(("similarity", "charged", "answered_at", "verified_date"))
POSTPONED = NO_ANSWER | {"status": "postponed", "outcome": "limit", "not_before": MOMENT}
HELD = NO_ANSWER | {"status": "held", "outcome": "uncertain", "code": "no_answer"}
FREE = {"attempts": 0, "charged": 0}
BELOW = {"outcome": "review", "similarity": 12.0}
GOOD = [{}, {"run_id": "run 1"}, POSTPONED, HELD, FREE, BELOW]
COUNTED = {"answered": 4, "postponed": 1, "held": 1, "quarantined": 1}
PLANTED = {
    "result_status": {"status": "gone"},
    "result_outcome_known": {"outcome": "perhaps"},
    "result_code": {"code": "FailedOperation.New", "outcome": "error", "charged": None},
    "result_outcome": {"outcome": "mismatch"},
    "result_charged": {"charged": 0},
    "result_similarity": {"similarity": 100.5},
    "result_moments": {"verified_date": None},
    "result_request_id": {"request_id": None},
}
ALSO = {"result_status": {"result_charged", "result_moments"}} | {
    "result_outcome_known": {"result_outcome"}
}
"""Rules the planted value breaks besides."""


@pytest.fixture
def results(home):
    database = home.open()
    prepare(database, Names())
    rows = [ANSWER | change | {"source_key": f"k{n}"} for n, change in enumerate(GOOD)]
    other = [ANSWER | {"campaign": "autumn", "source_key": "k0", "code": "of another campaign"}]
    upsert(database, RESULTS, RESULTS.name, [*rows, *other])
    bad = [
        ANSWER | {"source_key": "bad", "rule": rule, "stage": "input", "found_at": MOMENT}
        for rule in ("id_card_length", "name_missing")
    ]
    upsert(database, QUARANTINE, QUARANTINE.name, bad)
    return home


def check(home, *manifests, page_size=4, **more):
    one = ResultsCheck(home.open(), Names(), RUN, page_size=page_size, **more)
    return one.run(manifests, SYSTEM_CLOCK)


def plant(home, change, key="k9"):
    upsert(home.open(), RESULTS, RESULTS.name, [ANSWER | change | {"source_key": key}])


@pytest.mark.parametrize("page_size", [1, 6, 100])
def test_results_as_runs_write_them_meet_every_expectation(results, page_size):
    report = check(results, COUNTED, page_size=page_size)
    assert (report.rows, report.unmet, report.success) == (6, {}, True)
    assert all(count.evaluated for count in report.counts)


def test_each_planted_row_breaks_its_rule_and_no_other(results):
    for number, change in enumerate(PLANTED.values()):
        plant(results, change, f"p{number}")
    found = {c.rule: c.unexpected for c in check(results).counts if c.unexpected}
    expected = dict.fromkeys(PLANTED, 1)
    for others in ALSO.values():
        for other in others:
            expected[other] += 1
    assert found == expected


@pytest.mark.parametrize("rule", ["result_code", "result_request_id"])
def test_what_only_warns_is_counted_and_does_not_fail(results, rule):
    plant(results, PLANTED[rule])
    report = check(results)
    assert (report.success, report.unmet) == (True, {"warning": {rule: 1}})


def test_a_lost_row_is_found_by_the_manifest_of_its_run(results):
    results.run("DELETE FROM faceid_results WHERE source_key = 'k0'")
    report = check(results, COUNTED)
    assert (report.success, report.unmet) == (False, {"critical": {"count_answered": 1}})


def test_a_row_too_many_of_the_run_is_found_by_its_manifest(results):
    plant(results, {})
    plant(results, {"run_id": "run 1"}, "k10")  # a source may have lost a row since
    report = check(results, COUNTED | {"answered": 3})
    assert report.unmet == {"warning": {"count_answered_of_run": 1}}


def test_manifests_of_shards_are_added(results):
    halves = [
        {**COUNTED, "answered": 3, "held": 0},
        dict.fromkeys(COUNTED, 0) | {"answered": 1, "held": 1},
    ]
    assert check(results, *halves).unmet == {}
    assert check(results, *halves, COUNTED).unmet["critical"].keys() >= {"count_answered"}


def test_what_was_found_is_kept_beside_the_results(results):
    plant(results, PLANTED["result_charged"])
    report = check(results, COUNTED)
    kept = results.query(
        "SELECT rule, severity, evaluated, unexpected, success, task_id, source FROM faceid_checks "
        "ORDER BY number"
    )
    assert kept == [
        (
            c.rule,
            c.severity,
            c.evaluated,
            c.unexpected,
            int(c.success),
            "check",
            "here:faceid_results",
        )
        for c in report.counts
    ]
    assert ("result_charged", "critical", 7, 1, 0, "check", "here:faceid_results") in kept


def test_expectations_of_your_own_are_asked_of_any_column(results):
    slow = {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "latency_ms", "max_value": 1000},
        "severity": "info",
        "meta": {"rule": "slow"},
    }
    plant(results, {"latency_ms": 4000})
    report = check(results, expectations=[slow])
    assert (report.success, report.unmet) == (True, {"info": {"slow": 1}})


def test_a_column_that_is_not_there_is_named_before_anything_is_read(home):
    own = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "latency"}}
    with pytest.raises(
        ConfigurationError, match=r"'latency', which is not there; did you mean 'lat"
    ):
        ResultsCheck(home.open(), Names(), RUN, expectations=[own])


def test_a_table_that_is_not_there_is_named(home):
    with pytest.raises(
        ConfigurationError, match="no table 'faceid_results' behind connection 'here'"
    ):
        check(home)


def test_no_results_are_no_rows(home):
    prepare(home.open(), Names())
    report = check(home, dict.fromkeys(COUNTED, 0))
    assert (report.rows, report.unmet) == (0, {})
