"""
### Verify a table of people by name and ID number

`validate` checks the table with Great Expectations and puts bad rows into quarantine, `verify` asks
Face ID about every good row, `check_results` looks at what was written, `summarise` puts the counts
into the log.

Each run asks only about rows that are due: new ones, and those that ask something else than before.
With `valid_for=timedelta(days=30)` it asks again about verdicts that are older.

| connection | type | for |
|---|---|---|
| `faceid_default` | Tencent Cloud Face ID | the API |
| `faceid_warehouse` | SQLite, PostgreSQL or DuckDB | table `applicants`, and the tables we write |
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from airflow.providers.common.sql.operators.sql import SQLTableCheckOperator
from airflow.sdk import DAG, Asset, task

from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator

log = logging.getLogger("airflow.task")  # its lines are shown as they are written

WAREHOUSE = "faceid_warehouse"
APPLICANTS = {"source_conn_id": WAREHOUSE, "source": "applicants", "key_column": "applicant_id"}
RESULTS = Asset("faceid_id_card_results")


@task(show_return_value_in_logs=False)
def summarise(validation: dict, verification: dict) -> dict:
    """Put the counts of the run into the log: numbers only, no names."""
    counts = {
        "rows in": verification["rows_in"],
        "valid": validation["good_rows"],
        "due": verification["planned_calls"],
        **verification["outcomes"],
        "quarantined": verification["quarantined"],
        "postponed": verification["postponed"],
        "held": verification["held"],
        "calls": verification["calls"],
        "charged": verification["charged"],
        "calls/s": verification["calls_per_second"],
    }
    for name, count in counts.items():
        log.info("%-14s %8s", name, count)
    return counts


with DAG(
    dag_id="verify_id_cards",
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
            "hardly_any_errors": {
                "check_statement": "SUM(CASE WHEN outcome = 'error' THEN 100 ELSE 0 END) <= COUNT(*)",
            },
        },
    )
    validate >> verify >> check_results >> summarise(validate.output, verify.output)
