"""DAGs for the pages: one that a viewer watches, one a viewer may not read, one of hostile names."""

from __future__ import annotations

import os

from airflow.sdk import DAG

from airflow_provider_faceid.operators.report import FaceIdReportOperator
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
from airflow_provider_faceid.operators.views import FaceIdViewsOperator

PEOPLE = {"source_conn_id": "warehouse", "source": "applicants", "key_column": "applicant_id"}
HOSTILE = "kyc <script>alert('x')</script><img src=x onerror=alert(1)> & \"co\""
REPORTS = os.environ.get("TEST_REPORTS", "reports")

with DAG(dag_id="watched", schedule=None):
    validate = FaceIdValidateOperator(
        task_id="validate", **PEOPLE, campaign="kyc", max_bad_fraction=1.0
    )
    verify = IdCardVerificationBatchOperator(task_id="verify", **PEOPLE, campaign="kyc")
    report = FaceIdReportOperator(
        task_id="report",
        warehouse_conn_id="warehouse",
        path=f"{REPORTS}/kyc.html",
        campaign="kyc",
    )
    validate >> verify >> report

with DAG(dag_id="secret", schedule=None):
    FaceIdViewsOperator(
        task_id="views", warehouse_conn_id="warehouse"
    ) >> IdCardVerificationBatchOperator(
        task_id="verify",
        source_conn_id="warehouse",
        source="SELECT * FROM applicants WHERE applicant_id <= 20",
        key_column="applicant_id",
        campaign="of-secret",
    )

with DAG(dag_id="hostile", schedule=None):
    FaceIdValidateOperator(
        task_id="validate",
        source_conn_id="warehouse",
        source="SELECT '<b>' || applicant_id AS applicant_id, id_card, name FROM applicants "
        "WHERE applicant_id > 9000",
        key_column="applicant_id",
        campaign=HOSTILE,
        max_bad_fraction=1.0,
    )
