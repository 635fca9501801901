"""
### Verify applicants, check the results, make views of them, export and report them

`validate` checks the table with Great Expectations and puts bad rows into quarantine. `plan` says how
many rows are due, why, and what they can cost; it makes no call. `verify` asks Face ID about every row
that is due. `check_results` checks what was written, also against the counts of `verify`. `views` makes
the views for analysts and writes the prices. `export` overwrites the campaign in a folder of Parquet
files. `report` writes a page about the run for people, and its numbers as JSON beside it.

Each task can be run again: a row that was answered is not asked about again. The page *A full pipeline*
of the docs walks through it, with the SQL an analyst would type.

The prices are made up: put those of your contract into the parameter `prices`.

| connection | type | for |
|---|---|---|
| `faceid_default` | Tencent Cloud Face ID | the API |
| `faceid_warehouse` | SQLite, PostgreSQL, DuckDB, MySQL or MariaDB | table `applicants`, and the tables we write |

Other connections can be named in the parameters `source_conn_id` and `warehouse_conn_id`.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, Asset, Param, chain

from airflow_provider_faceid.operators.check_results import FaceIdCheckResultsOperator
from airflow_provider_faceid.operators.export import FaceIdExportOperator
from airflow_provider_faceid.operators.report import FaceIdReportOperator
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
from airflow_provider_faceid.operators.views import FaceIdViewsOperator

WAREHOUSE = "{{ params.warehouse_conn_id }}"
APPLICANTS = {
    "source_conn_id": "{{ params.source_conn_id }}",
    "source": "applicants",
    "key_column": "applicant_id",
    "warehouse_conn_id": WAREHOUSE,
}
VERIFICATION = {**APPLICANTS, "max_charged": "{{ params.max_charged }}"}
PRICES = [{"action": "IdCardVerification", "price": 0.10, "currency": "USD"}]
HOME = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
LAKE, REPORTS = HOME / "faceid_export", HOME / "faceid_reports"
EXPORTED = Asset("faceid_exported")

with DAG(
    dag_id="full_pipeline",
    schedule="@daily",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    params={
        "source_conn_id": Param("faceid_warehouse", type="string"),
        "warehouse_conn_id": Param("faceid_warehouse", type="string"),
        "prices": Param(PRICES, type="array"),
        "path": Param(str(LAKE), type="string"),
        "report": Param(str(REPORTS / "full_pipeline.html"), type="string"),
        "max_charged": Param(100_000, type="integer"),
    },
    doc_md=__doc__,
    tags=["faceid"],
):
    validate = FaceIdValidateOperator(
        task_id="validate",
        **APPLICANTS,
        max_bad_fraction=0.1,
    )
    plan = IdCardVerificationBatchOperator(
        task_id="plan",
        **VERIFICATION,
        dry_run=True,
    )
    verify = IdCardVerificationBatchOperator(
        task_id="verify",
        **VERIFICATION,
    )
    check_results = FaceIdCheckResultsOperator(
        task_id="check_results",
        warehouse_conn_id=WAREHOUSE,
        action="IdCardVerification",
        manifest=verify.output,
    )
    views = FaceIdViewsOperator(
        task_id="views",
        warehouse_conn_id=WAREHOUSE,
        price_list="{{ params.prices | tojson }}",
    )
    export = FaceIdExportOperator(
        task_id="export",
        warehouse_conn_id=WAREHOUSE,
        format="parquet",
        path="{{ params.path }}",
        outlets=[EXPORTED],
    )
    report = FaceIdReportOperator(
        task_id="report",
        warehouse_conn_id=WAREHOUSE,
        faceid_conn_id="faceid_default",
        path="{{ params.report }}",
    )
    chain(validate, plan, verify, check_results, views, [export, report])
