"""
### Report about the verifications of the last 90 days

`views` writes the prices and makes the views for analysts. `report` writes one HTML page, and the same
numbers as JSON beside it, about all campaigns of the warehouse: where each row is, verdicts, cost, speed,
what waits, and what stands out. It makes no call. The page has no script and refers to nothing outside of
it: mail it, or print it.

The prices are made up: put those of your contract into the parameter `prices`. `path` may be a URL of
object storage, too; *Browse > Face ID* shows the page if it is below `[faceid] report_roots`.

| connection | type | for |
|---|---|---|
| `faceid_default` | Tencent Cloud Face ID | its quotas and threshold |
| `faceid_warehouse` | SQLite, PostgreSQL, DuckDB, MySQL or MariaDB | the tables we write |
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, Asset, Param

from airflow_provider_faceid.operators.report import FaceIdReportOperator
from airflow_provider_faceid.operators.views import FaceIdViewsOperator

WAREHOUSE = "faceid_warehouse"
PRICES = [
    {"action": "IdCardVerification", "price": 0.10, "currency": "USD"},
    {"action": "PhoneVerification", "price": 0.20, "currency": "USD"},
    {"action": "BankCardVerification", "price": 0.30, "currency": "USD"},
    {"action": "ImageRecognitionV2", "price": 0.50, "currency": "USD"},
]
REPORTS = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "faceid_reports"
REPORTED = Asset("faceid_report")

with DAG(
    dag_id="rolling_report",
    schedule="@daily",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    params={
        "prices": Param(PRICES, type="array"),
        "path": Param(str(REPORTS / "rolling_report.html"), type="string"),
        "language": Param("en", enum=["en", "zh"]),
    },
    doc_md=__doc__,
    tags=["faceid"],
):
    views = FaceIdViewsOperator(
        task_id="views",
        warehouse_conn_id=WAREHOUSE,
        price_list="{{ params.prices | tojson }}",
    )
    report = FaceIdReportOperator(
        task_id="report",
        warehouse_conn_id=WAREHOUSE,
        faceid_conn_id="faceid_default",
        path="{{ params.path }}",
        days=90,
        language="{{ params.language }}",
        outlets=[REPORTED],
    )
    views >> report
