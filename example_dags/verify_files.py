"""
### Verify people in CSV or Parquet files by name and ID number

Like `verify_id_cards`, but the people are in files and the verdicts in a database. DuckDB reads the files
where they are, in memory; every value of a CSV file stays text, so that no ID number loses a digit and no
key a leading zero.

Set the Airflow variable `faceid_files` to the path of your files, or to a pattern such as
`/data/applicants/*.parquet`. Each run asks only about rows that are due: new ones, and those that ask
something else than before, whichever file they are in.

| connection | type | for |
|---|---|---|
| `faceid_default` | Tencent Cloud Face ID | the API |
| `faceid_files` | DuckDB, without a path | reading the files |
| `faceid_warehouse` | SQLite, PostgreSQL, DuckDB, MySQL or MariaDB | the tables we write |
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.sql.operators.sql import SQLTableCheckOperator
from airflow.sdk import DAG, Asset

from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator

WAREHOUSE = "faceid_warehouse"
APPLICANTS = {
    "source_conn_id": "faceid_files",
    "source": "{{ var.value.get('faceid_files', '/data/applicants/*.csv') }}",
    "key_column": "applicant_id",
    "warehouse_conn_id": WAREHOUSE,
}
RESULTS = Asset("faceid_results_of_files")

with DAG(
    dag_id="verify_files",
    schedule="@daily",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
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
    check_results = SQLTableCheckOperator(
        task_id="check_results",
        conn_id=WAREHOUSE,
        table="faceid_results",
        partition_clause="campaign = '{{ ti.xcom_pull(task_ids='verify')['campaign'] }}'",
        checks={
            "every_answer_has_a_code": {
                "check_statement": "SUM(CASE WHEN code IS NULL THEN 1 ELSE 0 END) = 0",
            },
        },
    )
    validate >> verify >> check_results
