"""The operator that forgets rows: keys of a table of requests, retries, keys nobody knows."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_faceid.operators.forget import FaceIdForgetOperator
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator


@pytest.fixture
def verified(bench, context):
    bench.fill([(n, p.id_card, p.name) for n, p in enumerate(bench.ordinary[:5])])
    IdCardVerificationBatchOperator(
        task_id="verify", source_conn_id="warehouse", source="people"
    ).execute(context)
    return bench


def forget(context, keys, **more):
    return FaceIdForgetOperator(
        task_id="forget", warehouse_conn_id="warehouse", source_keys=keys, **more
    ).execute(context)


def test_keys_of_requests_are_erased_once_and_a_retry_is_no_error(verified, context, capsys):
    person = verified.ordinary[1]
    done = forget(context, [1, "3"], reference="R-1")
    assert (done["source_keys"], done["results"], done["calls"], done["unknown"]) == (2, 2, 2, 0)
    assert verified.query("SELECT source_key FROM faceid_results ORDER BY source_key") == [
        ("0",),
        ("2",),
        ("4",),
    ]
    assert verified.query("SELECT receipt_id, requested_by, reference FROM faceid_erasures") == [
        (done["receipt_id"], "DAG dag", "R-1")
    ]
    again = forget(context, [1, 3])
    assert again == {"unknown": 2}
    printed = capsys.readouterr()
    assert "2 keys are not known" in printed.out + printed.err
    assert person.id_card not in printed.out + printed.err
    assert forget(context, []) == {"unknown": 0}


def test_keys_that_are_not_known_may_fail_the_task_before_anything_is_erased(verified, context):
    with pytest.raises(AirflowFailException, match="nothing was erased"):
        forget(context, [1, 99], on_unknown_keys="fail")
    assert verified.query("SELECT COUNT(*) FROM faceid_results") == [(5,)]
    assert forget(context, [1, 99], on_unknown_keys="ignore")["results"] == 1
