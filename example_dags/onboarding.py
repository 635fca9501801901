"""
### Verify applicants by checks in a row, the cheapest first

`validate` checks the table with Great Expectations and puts bad rows into quarantine. Each check is
then asked only about the rows that passed all checks before it: `id_card` about every good row,
`phone` about its matches, `bank_card` about the matches of both, `face` about those of all three.
`funnel` puts the rows, calls, cost and savings of each step into the log and XCom, `report` writes a page
about the run for people.

All steps share one campaign, and each Action has a pace of its own. Each run asks only about rows that
are due: new ones, those that ask something else than before, and those that now pass an earlier step.

The prices are made up: put those of your contract into the parameter `prices`.

| connection | type | for |
|---|---|---|
| `faceid_default` | Tencent Cloud Face ID | the API |
| `faceid_warehouse` | SQLite, PostgreSQL, DuckDB, MySQL or MariaDB | table `applicants`, and the tables we write |
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, Asset, Param, chain

from airflow_provider_faceid.operators.funnel import FaceIdFunnelOperator
from airflow_provider_faceid.operators.report import FaceIdReportOperator
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify_batch import FaceIdVerifyTableOperator

WAREHOUSE = "faceid_warehouse"
APPLICANTS = {
    "source_conn_id": WAREHOUSE,
    "source": "{{ params.source }}",
    "key_column": "applicant_id",
}
CHECKS = {
    "id_card": "IdCardVerification",
    "phone": "PhoneVerification",
    "bank_card": "BankCardVerification",
    "face": "ImageRecognitionV2",
}
"""Actions by task, in order."""
PRICES = {
    "IdCardVerification": 0.10,
    "PhoneVerification": 0.20,
    "BankCardVerification": 0.30,
    "ImageRecognitionV2": 0.50,
}
REPORTS = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "faceid_reports"
ONBOARDED = Asset("faceid_onboarded")

with DAG(
    dag_id="onboarding",
    schedule="@daily",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    params={
        "source": Param("applicants", type="string"),
        "prices": Param(PRICES, type="object"),
        "currency": Param("USD", type="string"),
        "report": Param(str(REPORTS / "onboarding.html"), type="string"),
    },
    doc_md=__doc__,
    tags=["faceid"],
):
    validate = FaceIdValidateOperator(
        task_id="validate",
        **APPLICANTS,
        max_bad_fraction=0.1,
    )
    actions = list(CHECKS.values())
    checks = [
        FaceIdVerifyTableOperator(
            task_id=task_id,
            **APPLICANTS,
            action=action,
            # All earlier ones: a row that passed the last of them may fail the first by now.
            after=actions[: actions.index(action)],
        )
        for task_id, action in CHECKS.items()
    ]
    funnel = FaceIdFunnelOperator(
        task_id="funnel",
        steps=actions,
        warehouse_conn_id=WAREHOUSE,
        prices="{{ params.prices | tojson }}",
        currency="{{ params.currency }}",
        outlets=[ONBOARDED],
    )
    report = FaceIdReportOperator(
        task_id="report",
        warehouse_conn_id=WAREHOUSE,
        faceid_conn_id="faceid_default",
        path="{{ params.report }}",
    )
    chain(validate, *checks, funnel, report)
