"""Views, prices and the reconciliation through their operators, on what a run against the simulator wrote."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_faceid.clock import SYSTEM_CLOCK, beijing_date
from airflow_provider_faceid.operators.reconcile import FaceIdReconcileOperator
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
from airflow_provider_faceid.operators.views import FaceIdViewsOperator
from airflow_provider_faceid.simulator.faults import FaultRule, Nth
from airflow_provider_faceid.simulator.faults.effects import DropAfter
from airflow_provider_faceid.simulator.people import ID_CARD
from airflow_provider_faceid.warehouse.views.definitions import VIEWS

ROWS, HELD = 8, 1


@pytest.fixture
def verified(bench, context):
    """Eight rows, of which one got no answer although its call was billed; returns the service's bill."""
    people = bench.ordinary[:ROWS]
    bench.fill([(n, person.id_card, person.name) for n, person in enumerate(people)])
    bench.server.faults.add(FaultRule(DropAfter(), nth=Nth(3, 3)))
    manifest = IdCardVerificationBatchOperator(
        task_id="verify", source_conn_id="warehouse", source="people"
    ).execute(context)
    bench.server.faults.clear()
    assert (manifest["held"], bench.calls) == (HELD, ROWS)
    ((day,),) = bench.query("SELECT DISTINCT verified_date FROM faceid_history")
    return [{"day": day, "action": ID_CARD, "charged": ROWS}]


def make_views(context, **more):
    return FaceIdViewsOperator(task_id="views", warehouse_conn_id="warehouse", **more).execute(
        context
    )


def reconcile(context, bill=None, **more):
    return FaceIdReconcileOperator(
        task_id="reconcile", warehouse_conn_id="warehouse", bill=bill, **more
    ).execute(context)


def test_the_first_run_makes_the_views_and_the_operator_multiplies_them_with_prices(
    bench, verified, context
):
    assert bench.query("SELECT rows_in, matched, held FROM faceid_funnel") == [
        (ROWS, ROWS - HELD, HELD)
    ]
    ((p50, with_wait),) = bench.query("SELECT p50_ms, p50_with_wait_ms FROM faceid_latency")
    assert 0 < p50 <= with_wait
    charges = "SELECT code, charged, may_be_charged, amount, amount_at_most FROM faceid_charges"
    assert sorted(bench.query(charges)) == [
        ("0", ROWS - HELD, 0, None, None),
        ("no_answer", 0, HELD, None, None),
    ]
    prices = [{"action": ID_CARD, "price": "0.25", "currency": "USD", "valid_from": "2020-01-01"}]
    assert make_views(context, price_list=prices) == {"views": len(VIEWS), "prices": 1}
    assert sorted(bench.query(charges)) == [
        ("0", ROWS - HELD, 0, 0.25 * (ROWS - HELD), 0.25 * (ROWS - HELD)),
        ("no_answer", 0, HELD, 0.0, 0.25 * HELD),
    ]
    assert bench.query("SELECT cost_per_match, currency FROM faceid_costs") == [(0.25, "USD")]
    assert make_views(context) == {"views": len(VIEWS), "prices": 1}
    assert make_views(context, price_list=[]) == {"views": len(VIEWS), "prices": 0}


def test_views_can_be_made_before_the_first_run(bench, context):
    assert make_views(context) == {"views": len(VIEWS), "prices": 0}
    for view in VIEWS:
        assert bench.query(f"SELECT COUNT(*) FROM faceid_{view.name}") == [(0,)]


def test_a_table_with_the_name_of_a_view_is_named(bench, context):
    bench.query("CREATE TABLE faceid_daily (mine INTEGER)")
    with pytest.raises(AirflowFailException, match="'faceid_daily': there is a table or view"):
        make_views(context)


def test_a_call_without_an_answer_explains_the_bill(bench, verified, context, told):
    counts = reconcile(context, verified)
    assert counts == {
        "days": 1,
        "billed": ROWS,
        "charged": ROWS - HELD,
        "differences": 1,
        "explained": 1,
        "unexplained": 0,
        "calls_billed_not_counted": 1,
        "calls_counted_not_billed": 0,
        "in_doubt": HELD,
    }
    assert (
        f"{ROWS} billed, {ROWS - HELD} counted, difference +1, unexplained +0 (1 call in doubt)"
        in told()
    )
    (held,) = bench.query("SELECT source_key FROM faceid_results WHERE status = 'held'")
    assert bench.query("SELECT source_key FROM faceid_reconciliation_calls") == [held]


def test_what_nothing_explains_fails_warns_or_is_ignored(bench, verified, context, told):
    verified[0]["charged"] += 1
    with pytest.raises(AirflowFailException, match=r"difference \+2, unexplained \+1"):
        reconcile(context, verified)
    pushed = context["ti"].pushed["return_value"]
    assert (pushed["unexplained"], pushed["success"]) == (1, False)
    assert reconcile(context, verified, on_difference="warn")["unexplained"] == 1
    assert "1 of them unexplained" in told()
    assert reconcile(context, verified, on_difference="ignore")["unexplained"] == 1


def test_a_bill_is_read_from_a_file(bench, verified, context, tmp_path):
    day = verified[0]["day"].replace("-", "/")
    file = tmp_path / "账单.csv"
    file.write_text(f'日期,接口,计费次数\r\n{day},身份证二要素,"{ROWS}"\r\n', encoding="utf-8-sig")
    columns = {"day": "日期", "action": "接口", "charged": "计费次数"}
    more = {"bill_columns": columns, "bill_action_names": {"身份证二要素": ID_CARD}}
    assert reconcile(context, bill_file=str(file), **more)["unexplained"] == 0
    with pytest.raises(AirflowFailException, match=r"bill_file cannot be read: FileNotFoundError"):
        reconcile(context, bill_file=str(tmp_path / "nowhere.csv"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "either as bill or as bill_file"),
        ({"bill": [], "bill_file": "x"}, "either as bill or as bill_file"),
        ({"bill": []}, "no lines to compare"),
        ({"bill": [{"day": "2026-11-28"}]}, "no column 'action'"),
        ({"bill": [], "result_table": "nobody"}, "no lines to compare"),
        ({"bill": "today"}, "it is a list"),
    ],
)
def test_a_bill_that_cannot_be_compared_is_refused(bench, context, given, message):
    with pytest.raises(AirflowFailException, match=message):
        reconcile(context, **given)


def test_a_table_that_is_not_there_is_said(bench, context):
    today = beijing_date(SYSTEM_CLOCK.now()).isoformat()
    bill = [{"day": today, "action": ID_CARD, "charged": 1}]
    with pytest.raises(AirflowFailException, match="no such table: nobody"):
        reconcile(context, bill, result_table="nobody")
