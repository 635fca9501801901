"""The operators the examples do not show: single calls by reference, and how they fail."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

from airflow.sdk import DAG, BaseHook, task

from airflow_provider_faceid.hooks.faceid import FaceIdHook
from airflow_provider_faceid.operators.release import FaceIdReleaseOperator
from airflow_provider_faceid.operators.verify import (
    IdCardVerificationOperator,
    ImageRecognitionV2Operator,
)
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator

DAY = datetime(2026, 1, 1, tzinfo=UTC)
WAREHOUSE = "faceid_warehouse"
APPLICANTS = {"source_conn_id": WAREHOUSE, "source": "applicants", "key_column": "applicant_id"}
QUERY = "SELECT applicant_id, id_card, name FROM applicants WHERE applicant_id"


@task
def uses_the_hook() -> str:
    """Read a person, ask, and return the verdict in one word."""
    connection = sqlite3.connect(BaseHook.get_connection(WAREHOUSE).host)
    sql = "SELECT id_card, name FROM applicants WHERE applicant_id = 31"
    id_card, name = connection.execute(sql).fetchone()
    connection.close()
    return FaceIdHook().id_card_verification(id_card, name).outcome.value


with DAG("one_person", schedule=None, start_date=DAY):
    uses_the_hook()
    IdCardVerificationOperator(
        task_id="by_reference", key="{{ dag_run.conf['key'] }}", **APPLICANTS
    )
    ImageRecognitionV2Operator(task_id="by_face", key=12, **APPLICANTS)
    IdCardVerificationOperator(task_id="of_nobody", key=999, **APPLICANTS)
    IdCardVerificationOperator(task_id="of_a_bad_row", key=60, **APPLICANTS)
    IdCardVerificationOperator(
        task_id="echoed_error", key=33, faceid_conn_id="faceid_echo", **APPLICANTS
    )
    ImageRecognitionV2Operator(
        task_id="echoed_page", key=13, faceid_conn_id="faceid_echo_page", **APPLICANTS
    )
    IdCardVerificationBatchOperator(
        task_id="echoed_table",
        faceid_conn_id="faceid_echo",
        **APPLICANTS | {"source": f"{QUERY} > 40"},
    )
    IdCardVerificationBatchOperator(
        task_id="tomorrow",
        **APPLICANTS | {"source": f"{QUERY} = {{{{ dag_run.conf['tomorrow'] }}}}"},
        on_postponed="reschedule",
    )
    FaceIdReleaseOperator(
        task_id="release",
        action="IdCardVerification",
        warehouse_conn_id=WAREHOUSE,
        campaign="{{ dag_run.conf['campaign'] }}",
    )
