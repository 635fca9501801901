"""
### Verify a table of people every night, and say so if it is not done by eight

The DAG starts at two in the morning. If it has not ended six hours later, Airflow calls
`tell_missed_deadline`: it logs how many rows are settled, and can mail it or post it in a chat, see
*Lineage, metrics and deadlines* of the docs. Deadlines need a running triggerer.

`verify` emits an event of the asset `faceid_nightly_results`, with the counts of the run as its extra and
the service's day as its partition (Airflow 3.3).

| connection | type | for |
|---|---|---|
| `faceid_default` | Tencent Cloud Face ID | the API |
| `faceid_warehouse` | SQLite, PostgreSQL, DuckDB, MySQL or MariaDB | table `applicants`, and the tables we write |
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, Asset

try:
    from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference
except ImportError:  # Airflow 3.1
    from airflow.sdk.definitions.deadline import AsyncCallback, DeadlineAlert, DeadlineReference

from airflow_provider_faceid.notifications.deadline import tell_missed_deadline
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator

WAREHOUSE = "faceid_warehouse"
APPLICANTS = {"source_conn_id": WAREHOUSE, "source": "applicants", "key_column": "applicant_id"}
RESULTS = Asset("faceid_nightly_results", extra={"faceid_partition": "day"})
BY_EIGHT = DeadlineAlert(
    reference=DeadlineReference.DAGRUN_LOGICAL_DATE,
    interval=timedelta(hours=6),
    callback=AsyncCallback(tell_missed_deadline, kwargs={"warehouse_conn_id": WAREHOUSE}),
)

with DAG(
    dag_id="verify_by_eight",
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    deadline=BY_EIGHT,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["faceid"],
):
    validate = FaceIdValidateOperator(
        task_id="validate",
        **APPLICANTS,
        max_bad_fraction=0.1,
    )
    verify = IdCardVerificationBatchOperator(
        task_id="verify",
        **APPLICANTS,
        outlets=[RESULTS],
    )
    validate >> verify
