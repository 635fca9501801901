"""The check of results: at the end of a run, and as a task of its own."""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import Asset

from airflow_provider_faceid.operators.check_results import FaceIdCheckResultsOperator
from airflow_provider_faceid.operators.verify_batch import (
    IdCardVerificationBatchOperator,
    ImageRecognitionV2BatchOperator,
)

PEOPLE = {"source_conn_id": "warehouse", "source": "people"}
RESULTS = {"warehouse_conn_id": "warehouse", "action": "IdCardVerification"}
SPOIL = """CREATE TRIGGER spoil AFTER INSERT ON faceid_results WHEN NEW.source_key = '3'
BEGIN UPDATE faceid_results SET charged = 0 WHERE source_key = '3'; END"""


@pytest.fixture
def table(bench):
    """Ten people, of whom one has no name and one is asked about too often."""
    people = [*bench.ordinary[:9], bench.special("-7")]
    bench.fill([(n, p.id_card, p.name) for n, p in enumerate(people)])
    bench.query("UPDATE people SET name = NULL WHERE id = 5")
    return bench


def verify(context, **more):
    task = IdCardVerificationBatchOperator(task_id="verify", **(PEOPLE | more))
    return task.execute(context)


def check(context, **more):
    task = FaceIdCheckResultsOperator(task_id="check", **(RESULTS | more))
    return task.execute(context)


def test_a_run_checks_its_results_and_says_so_in_its_manifest(table, context, told):
    manifest = verify(context, check_results=True)
    assert (manifest["answered"], manifest["postponed"], manifest["quarantined"]) == (8, 1, 1)
    assert manifest["checks"] == {"success": True, "rows": 9, "unmet": {}}
    assert "asked of 9 rows, all met" in told()
    checked = table.query("SELECT DISTINCT task_id, source, success FROM faceid_checks")
    assert checked == [("task", "warehouse:faceid_results", 1)]
    again = verify(context, check_results=True)
    assert (again["calls"], again["checks"]["success"]) == (0, True)


def test_the_same_without_the_check(table, context):
    assert "checks" not in verify(context)
    assert not table.query("SELECT * FROM sqlite_master WHERE name = 'faceid_checks'")


def test_bad_results_fail_the_task_after_everything_was_written(table, context):
    verify(context, campaign="makes the tables")
    table.query(SPOIL)
    with pytest.raises(AirflowFailException, match=r"critical and not met: result_charged \(1\)"):
        verify(context, check_results=True)
    pushed = context["ti"].pushed["return_value"]
    assert (pushed["success"], pushed["answered"], pushed["rows_in"]) == (False, 8, 10)
    assert pushed["checks"]["unmet"] == {"critical": {"result_charged": 1}}
    written = "SELECT COUNT(*) FROM faceid_results WHERE campaign = 'dag'"
    assert table.query(written) == [(9,)]
    assert table.query("SELECT state FROM faceid_runs WHERE campaign = 'dag'") == [("success",)]


SLOW = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "latency_ms", "max_value": -1},
    "meta": {"rule": "slow"},
}


@pytest.mark.parametrize("severity", ["warning", "info"])
def test_what_is_not_critical_is_counted(table, context, severity, told):
    manifest = verify(context, check_results=lambda: [SLOW | {"severity": severity}])
    assert manifest["checks"] == {"success": True, "rows": 9, "unmet": {severity: {"slow": 8}}}
    assert f"{severity} and not met: slow (8)" in told()


BROKEN = {
    "{": "is no JSON",
    '{"expectations": [{"type": "expect_wonders"}]}': "cannot be built",
    json.dumps({"expectations": [SLOW | {"severity": "grave"}]}): "a severity is one of critical",
    json.dumps(
        {"expectations": [SLOW | {"kwargs": {"column": "latency"}}]}
    ): "'latency', which is not",
    json.dumps(
        {"expectations": [SLOW | {"meta": {"rule": 7}}]}
    ): "its rule is a name of at most 200",
    json.dumps({"expectations": [SLOW | {"meta": []}]}): "its meta are no object",
}


@pytest.mark.parametrize("suite", BROKEN)
def test_a_broken_suite_costs_nothing(table, context, tmp_path, suite):
    file = tmp_path / "suite.json"
    file.write_text(suite)
    with pytest.raises(AirflowFailException, match=BROKEN[suite]):
        verify(context, check_results=str(file))
    assert table.calls == 0
    with pytest.raises(AirflowFailException, match="cannot be read: FileNotFoundError"):
        verify(context, check_results="{{ nowhere }}/suite.json")
    assert table.calls == 0


def test_a_dry_run_checks_nothing(table, context):
    assert "checks" not in verify(context, check_results=True, dry_run=True)


@pytest.mark.parametrize("given", [dict, json.dumps, lambda manifest: [manifest]])
def test_a_task_of_its_own_compares_the_counts_with_a_manifest(table, context, given, tmp_path):
    manifest = verify(context)
    outlet = Asset("results")
    file = tmp_path / "results" / "check.json"
    report = check(context, manifest=given(manifest), result_path=str(file), outlets=[outlet])
    assert (report["success"], report["rows"], report["unmet"], report["error"]) == (
        True,
        9,
        {},
        "",
    )
    assert context["outlet_events"][outlet].extra["rows"] == 9
    written = json.loads(file.read_text())
    assert (written["success"], written["suite_name"]) == (True, "IdCardVerification")
    assert len(written["results"]) == len(report["expectations"])
    table.query("DELETE FROM faceid_results WHERE source_key = '2'")
    with pytest.raises(AirflowFailException, match=r"count_answered \(1\)"):
        check(context, manifest=given(manifest))
    failed = context["ti"].pushed["return_value"]
    assert (failed["success"], failed["unmet"]) == (False, {"critical": {"count_answered": 1}})
    assert check(context)["success"]  # nobody has said how many there were


def test_each_task_of_a_run_has_a_history_of_its_own(table, context):
    manifest = verify(context, check_results=True)
    context["ti"].task_id = "check"
    check(context, manifest=manifest)
    check(context, manifest=manifest)  # a retry
    by_task = table.query("SELECT task_id, COUNT(*) FROM faceid_checks GROUP BY 1 ORDER BY 1")
    assert [task for task, _ in by_task] == ["check", "task"]
    assert by_task[0][1] == by_task[1][1]


def test_a_manifest_of_something_else_is_refused(table, context):
    manifest = verify(context)
    for changed in ({"campaign": "autumn"}, {"action": "MobileStatus"}, {"result_table": "others"}):
        with pytest.raises(
            AirflowFailException, match=r"manifest is of (campaign|action|result_tab)"
        ):
            check(context, manifest=manifest | changed)
    for wrong in ({"answered": 3}, "no manifest", [7], 7):
        with pytest.raises(AirflowFailException, match="it is the manifest of a task that"):
            check(context, manifest=wrong)


def test_results_of_faces_have_a_similarity(bench, context):
    gallery = bench.server.account.gallery
    people = bench.ordinary[:3]
    bench.fill([(n, p.id_card, p.name, gallery.submitted(p)) for n, p in enumerate(people)])
    task = ImageRecognitionV2BatchOperator(task_id="verify", **PEOPLE, check_results=True)
    assert task.execute(context)["checks"] == {"success": True, "rows": 3, "unmet": {}}
    bench.query("UPDATE faceid_results SET similarity = 250 WHERE source_key = '1'")
    with pytest.raises(AirflowFailException, match=r"result_similarity \(1\)"):
        check(context, action="ImageRecognitionV2")


def test_nothing_of_a_row_is_told(table, context, told):
    verify(context, campaign="makes the tables")
    table.query(SPOIL)
    with pytest.raises(AirflowFailException) as failed:
        verify(context, check_results=True)
    texts = [told(), str(failed.value), json.dumps(context["ti"].pushed, ensure_ascii=False)]
    texts.append(str(table.query("SELECT * FROM faceid_checks")))
    hashes = [h for (h,) in table.query("SELECT id_card_hash FROM faceid_results")]
    for person in table.ordinary[:9]:
        for text in texts:
            assert person.id_card[1:] not in text
            assert person.name not in text
    assert not any(one in text for one in hashes for text in texts)
