"""SQL in any parameter of any operator stays a name or a value."""

from __future__ import annotations

from contextlib import suppress

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_faceid.exceptions import FaceIdError
from airflow_provider_faceid.hooks.state_store import database
from airflow_provider_faceid.operators.funnel import FaceIdFunnelOperator
from airflow_provider_faceid.operators.release import FaceIdReleaseOperator
from airflow_provider_faceid.operators.shards import FaceIdShardsOperator
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify import (
    IdCardVerificationOperator,
    ImageRecognitionV2Operator,
)
from airflow_provider_faceid.operators.verify_batch import (
    IdCardVerificationBatchOperator,
    ImageRecognitionV2BatchOperator,
)
from airflow_provider_faceid.warehouse.migrations import Names, prepare

HOSTILE = "people\"; DROP TABLE victims; UPDATE people SET name = 'x'; --"
SOURCE = {"source_conn_id": "warehouse", "source": "people"}
AFTER = SOURCE | {"after": "IdCardVerification"}
PERSON = ("source", "key_column", "id_card_column", "name_column", "campaign")
TABLES = ("result_table", "quarantine_table", "run_table")
OPERATORS = [
    (IdCardVerificationOperator, SOURCE | {"key": 1}, (*PERSON, "key")),
    (ImageRecognitionV2Operator, SOURCE | {"key": 1}, (*PERSON, "key", "photo_column")),
    (IdCardVerificationBatchOperator, SOURCE, (*PERSON, *TABLES)),
    (ImageRecognitionV2BatchOperator, SOURCE, (*PERSON, *TABLES, "photo_column")),
    (FaceIdValidateOperator, SOURCE, (*PERSON, "quarantine_table", "other_columns")),
    (FaceIdShardsOperator, SOURCE, ("source", "key_column")),
    (FaceIdShardsOperator, AFTER, ("key_column", "result_table", "campaign")),
    (FaceIdValidateOperator, AFTER, ("key_column", "result_table", "campaign")),
    (ImageRecognitionV2BatchOperator, AFTER, ("key_column", "result_table", "campaign")),
    (
        FaceIdFunnelOperator,
        {"warehouse_conn_id": "warehouse", "steps": ["IdCardVerification", "MobileStatus"]},
        (*TABLES, "campaign"),
    ),
    (
        FaceIdReleaseOperator,
        {"warehouse_conn_id": "warehouse", "action": "IdCardVerification"},
        ("result_table", "campaign", "source_keys"),
    ),
]
CASES = [
    pytest.param(kind, given, name, id=f"{kind.__name__}-{name}-{len(given)}")
    for kind, given, names in OPERATORS
    for name in names
]


@pytest.mark.parametrize(("kind", "given", "name"), CASES)
def test_sql_in_a_parameter_is_not_run(bench, context, kind, given, name):
    person = bench.ordinary[0]
    photo = bench.server.account.gallery.submitted(person)
    bench.fill([(1, person.id_card, person.name, photo)])
    bench.fill([(1, "still", "here")], table="victims")
    warehouse = database("warehouse")
    prepare(warehouse, Names())
    warehouse.close()
    value = [HOSTILE] if name in {"other_columns", "source_keys"} else HOSTILE
    with suppress(AirflowFailException, FaceIdError):  # a name nobody has
        kind(task_id="t", **given | {name: value}).execute(context)
    assert bench.query("SELECT id_card, name FROM victims") == [("still", "here")]
    assert bench.query("SELECT name FROM people") == [(person.name,)]
