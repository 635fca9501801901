"""Held rows are called again once a person says so."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_faceid.operators.release import FaceIdReleaseOperator
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
from airflow_provider_faceid.simulator.faults import FaultRule, Nth
from airflow_provider_faceid.simulator.faults.effects import DropAfter
from airflow_provider_faceid.simulator.people import ID_CARD

HELD = "SELECT source_key FROM faceid_results WHERE status = 'held' ORDER BY source_key"


@pytest.fixture
def held(bench, context):
    """Eight rows of which three got no answer."""
    people = bench.ordinary[:8]
    bench.fill([(n, person.id_card, person.name) for n, person in enumerate(people)])
    bench.server.faults.add(FaultRule(DropAfter(), nth=Nth(2, 4)))
    verify(context)
    bench.server.faults.clear()
    assert len(bench.query(HELD)) == 3
    return bench


def verify(context, **more):
    return IdCardVerificationBatchOperator(
        task_id="verify", source_conn_id="warehouse", source="people", **more
    ).execute(context)


def release(context, **more):
    return FaceIdReleaseOperator(
        task_id="release", action=ID_CARD, warehouse_conn_id="warehouse", **more
    ).execute(context)


def test_held_rows_stay_held_until_they_are_released(held, context):
    assert verify(context)["held"] == 3
    assert held.calls == 8
    assert release(context) == 3
    assert held.query(HELD) == []
    assert release(context) == 3  # another try of the task, whose first one died at its end
    assert held.calls == 8
    after = verify(context)
    assert (after["held"], after["answered"], after["calls"]) == (0, 8, 3)
    with pytest.raises(AirflowFailException, match="no held row of IdCardVerification in table"):
        release(context)


def test_some_of_them_may_be_released(held, context):
    first, *others = [key for (key,) in held.query(HELD)]
    assert release(context, source_keys=[first]) == 1
    after = verify(context)
    assert (after["held"], after["calls"]) == (2, 1)
    assert [key for (key,) in held.query(HELD)] == others


def test_another_campaigns_rows_are_left_alone(held, context):
    for wrong in ({"campaign": "another"}, {"source_keys": []}, {"source_keys": ["99"]}):
        with pytest.raises(AirflowFailException, match="so nothing was released"):
            release(context, **wrong)
    assert len(held.query(HELD)) == 3


@pytest.mark.parametrize("wish", ["warn", "ignore"])
def test_that_there_is_nothing_to_release_may_be_nothing_unusual(held, context, told, wish):
    assert release(context, campaign="another", on_nothing_released=wish) == 0
    assert ("so nothing was released" in told()) is (wish == "warn")


def test_a_table_that_is_not_there_is_said(bench, context):
    with pytest.raises(Exception, match="no such table: nobody"):
        release(context, result_table="nobody")


def test_a_connection_of_another_kind_is_refused(bench, context):
    bench.connect("elsewhere", conn_type="http", host="example.com")
    operator = FaceIdReleaseOperator(task_id="t", action=ID_CARD, warehouse_conn_id="elsewhere")
    with pytest.raises(AirflowFailException, match="sqlite, postgres, duckdb"):
        operator.execute(context)
