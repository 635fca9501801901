"""Operators for a table."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout
from airflow.sdk import Asset
from airflow.sdk.execution_time.timeout import timeout

from airflow_provider_faceid.compat import reschedule_at
from airflow_provider_faceid.exceptions import UnavailableError
from airflow_provider_faceid.operators.links import FaceIdRunLink
from airflow_provider_faceid.operators.verify_batch import (
    IdCardVerificationBatchOperator,
    ImageRecognitionV2BatchOperator,
)
from airflow_provider_faceid.simulator.people import FACE, ID_CARD, People
from tests.support.patience import once

from .conftest import make_context

LINK = FaceIdRunLink().xcom_key
SECOND = timedelta(seconds=1)
PEOPLE = {"source_conn_id": "warehouse", "source": "people"}


@pytest.fixture
def table(bench):
    """Ten people with photos, one of them without a name."""
    gallery = bench.server.account.gallery
    people = bench.ordinary[:10]
    bench.fill([(n, p.id_card, p.name, gallery.submitted(p)) for n, p in enumerate(people)])
    bench.query("UPDATE people SET name = NULL WHERE id = 9")
    return bench


@pytest.mark.parametrize(
    ("kind", "action"),
    [(IdCardVerificationBatchOperator, ID_CARD), (ImageRecognitionV2BatchOperator, FACE)],
)
def test_a_table_is_verified_and_only_counts_are_returned(table, context, told, kind, action):
    outlet = Asset("results")
    result = kind(task_id="t", outlets=[outlet], **PEOPLE).execute(context)
    assert result["action"] == action
    assert result["outcomes"] == {"match": 9}
    assert result["quarantined_by_rule"] == {"name_missing": 1}
    assert result["charged"] == table.server.account.ledger.bill[action] == 9
    assert {"result_table", "quarantine_table", "warehouse_conn_id", "campaign"} <= result.keys()
    extra = context["outlet_events"][outlet].extra
    assert extra["answered"] == 9
    texts = [json.dumps(facts, ensure_ascii=False) for facts in (result, extra)]
    assert max(map(len, texts)) < 2000
    for person in table.ordinary[:10]:
        for text in (*texts, told()):
            assert person.id_card not in text
            assert person.name not in text
    assert kind(task_id="t", **PEOPLE).execute(context)["calls"] == 0


def test_a_task_whose_execution_timeout_is_over_has_its_answers_and_the_next_try_the_rest(
    bench, context
):
    bench.faceid(extra={"id_card_verification_quota": 20})
    bench.fill([(n, p.id_card, p.name) for n, p in enumerate(bench.ordinary[:40])])
    task = IdCardVerificationBatchOperator(task_id="t", **PEOPLE)
    me = threading.get_ident()
    with (
        once(lambda: bench.calls > 5, lambda: signal.pthread_kill(me, signal.SIGALRM)),
        pytest.raises(AirflowTaskTimeout),
        timeout(60),
    ):
        task.execute(context)
    places = bench.query("SELECT status, COUNT(*) FROM faceid_results GROUP BY status")
    assert places == [("answered", bench.calls)]
    assert 5 < bench.calls < 40
    assert task.execute(context)["answered"] == bench.calls == 40


def test_photos_may_be_given_by_path(table, context, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__FACEID__PHOTO_ROOTS", str(tmp_path))
    person = table.ordinary[0]
    (tmp_path / "a.jpg").write_bytes(table.server.account.gallery.submitted(person))
    table.query(f"UPDATE people SET photo = 'file://{tmp_path}/a.jpg'")
    operator = ImageRecognitionV2BatchOperator(task_id="t", photo_is_path=True, **PEOPLE)
    result = operator.execute(context)
    assert result["outcomes"] == {"match": 1, "mismatch": 8}


def test_the_campaign_is_the_dag_whatever_its_date(table, context):
    first = IdCardVerificationBatchOperator(task_id="t", **PEOPLE).execute(context)
    assert (first["campaign"], first["calls"]) == ("dag", 9)
    for run in (
        {"logical_date": datetime(2026, 11, 22, tzinfo=UTC), "run_id": "scheduled__2026-11-22"},
        {"logical_date": None, "run_id": "manual__2"},
    ):
        later = make_context()
        later["dag_run"] = SimpleNamespace(dag_id="dag", **run)
        later["ti"].run_id = run["run_id"]
        again = IdCardVerificationBatchOperator(task_id="t", **PEOPLE).execute(later)
        assert (again["campaign"], again["calls"], again["still_valid"]) == ("dag", 0, 9)


def test_a_campaign_of_another_name_calls_again(table, context):
    for name in ("spring", "autumn"):
        operator = IdCardVerificationBatchOperator(task_id="t", campaign=name, **PEOPLE)
        assert operator.execute(context)["calls"] == 9
    assert table.query("SELECT DISTINCT campaign FROM faceid_results ORDER BY 1") == [
        ("autumn",),
        ("spring",),
    ]


def test_tables_may_be_in_another_database_and_have_other_names(table, context, tmp_path):
    other = tmp_path / "other.sqlite"
    table.connect("other", conn_type="sqlite", host=str(other))
    operator = IdCardVerificationBatchOperator(
        task_id="t",
        warehouse_conn_id="other",
        result_table="r",
        quarantine_table="q",
        run_table="the runs",
        **PEOPLE,
    )
    result = operator.execute(context)
    assert (result["result_table"], result["quarantine_table"]) == ("r", "q")
    table.warehouse = other
    assert table.query("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1") == [
        ("faceid_versions",),
        ("q",),
        ("r",),
        ("r_history",),
        ("r_prices",),
        ("r_reviews",),
        ("the runs",),
    ]
    assert table.query("SELECT COUNT(*) FROM r_latest") == [(9,)]


def test_rows_for_later_are_left_to_the_next_run_or_waited_for_by_the_task(table, context):
    """Left alone, the task succeeds; rescheduled, it comes back when the first of them may go."""
    table.faceid(extra={"identity_limits": {ID_CARD: {"name_per_day": 1}}})
    one, two = table.ordinary[:2]
    table.fill([(1, one.id_card, one.name), (2, two.id_card, one.name)], "twice")
    twice = PEOPLE | {"source": "twice"}
    left = IdCardVerificationBatchOperator(task_id="t", **twice).execute(context)
    assert (left["answered"], left["postponed"]) == (1, 1)
    waiting = IdCardVerificationBatchOperator(task_id="t", on_postponed="reschedule", **twice)
    with pytest.raises(type(reschedule_at(datetime.now(UTC)))) as rescheduled:
        waiting.execute(context)
    assert rescheduled.value.reschedule_date == datetime.fromisoformat(left["not_before"])
    assert table.calls == 1


def test_a_budget_holds_for_all_tries_of_a_task(table, context, told):
    """The next try, or a cleared task, has no money of its own; another run has."""
    budget = {"task_id": "t", "max_charged": 4, **PEOPLE}
    for _ in range(2):
        with pytest.raises(AirflowFailException, match="max_charged is used up"):
            IdCardVerificationBatchOperator(**budget).execute(context)
        assert table.server.account.ledger.bill[ID_CARD] == 4
    assert "9 rows are due, and max_charged=4: the run stops once" in told()
    assert table.query("SELECT COUNT(*) FROM faceid_results WHERE status = 'answered'") == [(4,)]
    raised = IdCardVerificationBatchOperator(**budget | {"max_charged": 9}).execute(context)
    assert (raised["answered"], raised["charged"], table.calls) == (9, 5, 9)


def test_another_campaign_reuses_what_is_not_too_old(table, context):
    IdCardVerificationBatchOperator(task_id="t", campaign="spring", **PEOPLE).execute(context)
    again = IdCardVerificationBatchOperator(
        task_id="t", campaign="autumn", reuse_within=timedelta(days=30), **PEOPLE
    ).execute(context)
    assert (again["answered"], again["reused"], again["calls"]) == (9, 9, 0)
    assert table.calls == 9
    assert table.query(
        "SELECT DISTINCT charged, attempts FROM faceid_results WHERE campaign = 'autumn'"
    ) == [(0, 0)]
    dates = table.query("SELECT answered_at FROM faceid_results ORDER BY source_key, campaign")
    for new, old in zip(dates[::2], dates[1::2], strict=True):
        assert abs(datetime.fromisoformat(new[0]) - datetime.fromisoformat(old[0])) < SECOND


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"reuse_within": timedelta(days=91)}, "kept for 90 days"),
        ({"max_charged": -1}, "it is a whole number from 0"),
        ({"on_in_doubt": "maybe"}, "'hold' or 'retry'"),
        ({"valid_for": timedelta(0)}, "a timedelta of more than nothing"),
        ({"max_changed": 20}, "a share from 0 to 1"),
    ],
)
def test_a_parameter_that_makes_no_sense_fails_before_anything_is_sent(
    table, context, wrong, message
):
    with pytest.raises(AirflowFailException, match=message):
        IdCardVerificationBatchOperator(task_id="t", **PEOPLE, **wrong).execute(context)
    assert table.calls == 0


def test_a_dry_run_says_what_it_would_do_and_calls_nobody(table, context, told):
    operator = IdCardVerificationBatchOperator(task_id="t", dry_run=True, **PEOPLE)
    plan = operator.execute(context)
    assert (plan["dry_run"], plan["due_new"], plan["planned_calls"]) == (True, 9, 9)
    assert "9 due (9 new), 0 still valid; at most 9 calls and 9 charges" in told()
    assert table.calls == 0
    assert table.query("SELECT state, planned_calls, charged FROM faceid_runs") == [
        ("planned", 9, 0)
    ]
    assert table.query("SELECT COUNT(*) FROM faceid_results") == [(0,)]


def test_a_reloaded_table_is_refused_and_the_run_table_says_so(table, context):
    verify = {"task_id": "t", **PEOPLE}
    IdCardVerificationBatchOperator(**verify).execute(context)
    table.query("UPDATE people SET id = (id + 1) % 9 WHERE id < 9")
    with pytest.raises(AirflowFailException, match="9 of 9 answered rows of campaign 'dag'"):
        IdCardVerificationBatchOperator(**verify).execute(context)
    plan = IdCardVerificationBatchOperator(dry_run=True, **verify).execute(context)
    assert plan["due_changed"] == 9
    states = table.query("SELECT state, due_changed FROM faceid_runs ORDER BY started_at")
    assert states == [("success", 0), ("refused", 9), ("planned", 9)]
    again = IdCardVerificationBatchOperator(max_changed=1.0, **verify).execute(context)
    assert (again["calls"], again["reused"], table.calls) == (0, 9, 9)


def test_a_source_of_the_same_campaign_that_is_another_one_is_said(table, context, told):
    verify = {"task_id": "t", "source_conn_id": "warehouse"}
    IdCardVerificationBatchOperator(source="people", **verify).execute(context)
    assert "before, and now from" not in told()
    query = "SELECT * FROM people WHERE id > 0"
    IdCardVerificationBatchOperator(source=query, **verify).execute(context)
    assert "from warehouse:people before, and now from warehouse:query-" in told()
    other = "SELECT * FROM people WHERE id  >  3"  # as a date in it would change every day
    IdCardVerificationBatchOperator(source=other, **verify).execute(context)
    assert "before, and now from" not in told()


@pytest.mark.parametrize("wish", ["ignore", "warn", "fail"])
def test_rows_without_an_answer_can_make_a_run_warn_or_fail(table, context, told, wish):
    table.faceid(extra={"identity_limits": {ID_CARD: {"name_per_day": 1}}})
    one, two = table.ordinary[:2]
    table.fill([(1, one.id_card, one.name), (2, two.id_card, one.name)], "twice")
    operator = IdCardVerificationBatchOperator(
        task_id="t", on_incomplete=wish, **PEOPLE | {"source": "twice"}
    )
    if wish == "fail":
        with pytest.raises(
            AirflowFailException, match="1 row is postponed: the next run asks again"
        ):
            operator.execute(context)
        pushed = context["ti"].pushed["return_value"]
        assert (pushed["postponed"], pushed["success"]) == (1, False)
        assert "1 row is postponed" in pushed["error"]
    else:
        assert operator.execute(context)["postponed"] == 1
        said = told()
        assert "Campaign 'dag': 1 of 2 rows answered, 1 call and 1 charge in this run" in said
        assert "in table 'faceid_results' of connection 'warehouse'" in said
        assert "1 row is postponed: the next run asks again from" in said
        assert bool(re.search(r"(?i)warning\b.*Campaign 'dag': 1 of 2", said)) is (wish == "warn")


@pytest.mark.parametrize("wish", ["warn", "ignore", "shard"])
def test_a_source_of_which_every_row_is_in_quarantine_is_no_success(table, context, told, wish):
    """Name and number are mixed up, for example: nothing is sent, and downstream tasks must not go on."""
    table.query("CREATE TABLE mixed AS SELECT id, name AS id_card, id_card AS name FROM people")
    more = {"shard": {"after": None, "until": None}} if wish == "shard" else {"on_incomplete": wish}
    operator = IdCardVerificationBatchOperator(task_id="t", **PEOPLE | {"source": "mixed"}, **more)
    if wish == "warn":
        with pytest.raises(AirflowFailException, match="Every row of the source is in quarantine"):
            operator.execute(context)
        assert context["ti"].pushed["return_value"]["quarantined"] == 10
    else:
        assert operator.execute(context)["quarantined"] == 10
        assert "10 rows are in quarantine until mended: see rule and key" in told()
    assert table.calls == 0


def test_a_new_version_of_a_photo_is_asked_about(table, context):
    table.query("ALTER TABLE people ADD COLUMN uploaded TEXT")
    verify = {"task_id": "t", "version_column": "uploaded", **PEOPLE}
    assert ImageRecognitionV2BatchOperator(**verify).execute(context)["calls"] == 9
    gallery, people = table.server.account.gallery, table.ordinary
    with sqlite3.connect(table.warehouse) as connection:
        connection.execute(
            "UPDATE people SET uploaded = '2026-11-28' WHERE id = 1"
        )  # the same photo
        change = "UPDATE people SET photo = ?, uploaded = '2026-11-28' WHERE id = 2"
        connection.execute(change, (gallery.submitted(people[3]),))
    connection.close()
    again = ImageRecognitionV2BatchOperator(**verify).execute(context)
    assert (again["due_changed"], again["calls"], again["reused"]) == (0, 0, 0)  # versions are new
    with sqlite3.connect(table.warehouse) as connection:
        connection.execute("UPDATE people SET uploaded = '2026-11-29' WHERE id IN (1, 2)")
    connection.close()
    third = ImageRecognitionV2BatchOperator(max_changed=0.5, **verify).execute(context)
    assert (third["due_changed"], third["calls"], third["reused"]) == (2, 1, 1)
    assert third["outcomes"] == {"match": 8, "mismatch": 1}
    assert table.server.account.ledger.bill[FACE] == 10


@pytest.mark.parametrize(
    "fault", [{"min_rows": 11}, {"on_incomplete": "perhaps"}, {"faceid_conn_id": "none"}]
)
def test_a_task_that_fails_leaves_a_manifest_that_says_why(table, context, fault):
    with pytest.raises(Exception) as error:
        IdCardVerificationBatchOperator(task_id="t", **PEOPLE | fault).execute(context)
    pushed = context["ti"].pushed["return_value"]
    assert (pushed["success"], pushed["error"]) == (False, str(error.value))
    assert (pushed["answered"], pushed["charged"], pushed["campaign"]) == (0, 0, "dag")
    assert table.calls == 0


def test_a_task_that_succeeds_says_so(table, context):
    manifest = IdCardVerificationBatchOperator(task_id="t", **PEOPLE).execute(context)
    assert (manifest["success"], manifest["error"]) == (True, "")
    assert set(context["ti"].pushed) == {LINK}


def test_a_task_that_comes_back_later_leaves_no_manifest(table, context):
    table.faceid(extra={"identity_limits": {ID_CARD: {"name_per_day": 1}}})
    one, two = table.ordinary[:2]
    table.fill([(1, one.id_card, one.name), (2, two.id_card, one.name)], "twice")
    operator = IdCardVerificationBatchOperator(
        task_id="t", on_postponed="reschedule", **PEOPLE | {"source": "twice"}
    )
    with pytest.raises(type(reschedule_at(datetime.now(UTC)))):
        operator.execute(context)
    assert set(context["ti"].pushed) == {LINK}


def test_too_few_rows_fail_at_once(table, context):
    operator = IdCardVerificationBatchOperator(task_id="t", min_rows=11, **PEOPLE)
    with pytest.raises(AirflowFailException, match="has 10 rows, fewer than min_rows=11"):
        operator.execute(context)
    assert table.calls == 0


def test_a_wrong_key_fails_at_once(table, context):
    table.faceid(password="wrong")
    with pytest.raises(AirflowFailException, match="SecretKey is wrong"):
        IdCardVerificationBatchOperator(task_id="t", **PEOPLE).execute(context)
    assert table.server.account.ledger.bill[ID_CARD] == 0


def test_a_table_that_is_empty_today_is_no_error_unless_it_is_said_to_be(table, context, told):
    nobody = PEOPLE | {"source": "SELECT * FROM people WHERE id > 999"}
    manifest = IdCardVerificationBatchOperator(task_id="t", **nobody).execute(context)
    assert (manifest["rows_in"], manifest["calls"]) == (0, 0)
    assert "Campaign 'dag': the source has no rows" in told()
    with pytest.raises(AirflowFailException, match="has 0 rows, fewer than min_rows=1"):
        IdCardVerificationBatchOperator(task_id="t", min_rows=1, **nobody).execute(context)


def test_a_missing_column_fails_at_once(table, context):
    operator = IdCardVerificationBatchOperator(task_id="t", name_column="nome", **PEOPLE)
    with pytest.raises(AirflowFailException, match="no column 'nome'"):
        operator.execute(context)


def test_a_killed_task_stops_keeps_its_answers_and_may_be_retried(bench, context):
    people = [person for person in People(660).listed if not person.persona][:600]
    bench.fill([(n, person.id_card, person.name) for n, person in enumerate(people)])
    bench.server.account.identities.limits.clear()
    bench.connect(
        "faceid_default",
        conn_type="faceid",
        host=bench.server.url,
        login="simulator-id",
        password="simulator-key",
        extra={"id_card_verification_quota": 200},
    )
    operator = IdCardVerificationBatchOperator(task_id="t", **PEOPLE)
    with (
        once(lambda: bench.calls > 20, operator.on_kill),
        pytest.raises(UnavailableError, match="stopped"),
    ):
        operator.execute(context)
    ((written,),) = bench.query("SELECT COUNT(*) FROM faceid_results")
    assert 20 < written == bench.calls < 600


def test_killing_a_task_that_has_not_begun_is_harmless():
    IdCardVerificationBatchOperator(task_id="t", **PEOPLE).on_kill()
