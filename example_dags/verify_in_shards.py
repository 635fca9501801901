"""
### Verify a table of people by name and ID number, in shards

Like `verify_id_cards`, but `plan` cuts the table into ranges of keys, and as many `verify` tasks
run at once, each over one of them.

Take it when several workers should share one table, when a failed part should be retried alone, or
to see the progress of the parts. Speed is no reason: the shards share the account's quota, and one
task alone can use it up. One shard per worker is enough, 2 to 8 in most cases; never one per row.

Each run asks only about rows that are due: new ones, and those that ask something else than before.

| connection | type | for |
|---|---|---|
| `faceid_default` | Tencent Cloud Face ID | the API |
| `faceid_warehouse` | SQLite or PostgreSQL | table `applicants`, and the tables we write |
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from airflow.providers.common.sql.operators.sql import SQLTableCheckOperator
from airflow.sdk import DAG, Asset, task

from airflow_provider_faceid.operators.shards import FaceIdShardsOperator
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator

log = logging.getLogger("airflow.task")  # its lines are shown as they are written

WAREHOUSE = "faceid_warehouse"
APPLICANTS = {"source_conn_id": WAREHOUSE, "source": "applicants", "key_column": "applicant_id"}
RESULTS = Asset("faceid_sharded_results")
SUMMED = ("rows_in", "quarantined", "postponed", "held", "calls", "charged")


# The asset is this task's: one event a run, when all shards are in.
@task(outlets=[RESULTS], show_return_value_in_logs=False)
def summarise(validation: dict, shards: Sequence[dict]) -> dict:
    """Put the counts of the run into the log: numbers only, no names."""
    manifests = shards[:]  # all of them in one request to Airflow
    total = Counter(valid=validation["good_rows"], shards=len(manifests))
    for manifest in manifests:
        total.update(manifest["outcomes"])
        total.update({name: manifest[name] for name in SUMMED})
    for name, count in total.items():
        log.info("%-14s %8s", name, count)
    return dict(total)


with DAG(
    dag_id="verify_in_shards",
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
    plan = FaceIdShardsOperator(
        task_id="plan",
        **APPLICANTS,
        shards=4,
    )
    verify = IdCardVerificationBatchOperator.partial(
        task_id="verify",
        **APPLICANTS,
    ).expand(shard=plan.output)
    check_results = SQLTableCheckOperator(
        task_id="check_results",
        conn_id=WAREHOUSE,
        table="faceid_results",
        partition_clause="campaign = '{{ ti.xcom_pull(task_ids='validate')['campaign'] }}'",
        checks={
            "every_answer_has_a_code": {
                "check_statement": "SUM(CASE WHEN code IS NULL THEN 1 ELSE 0 END) = 0",
            },
            "hardly_any_errors": {
                "check_statement": "SUM(CASE WHEN outcome = 'error' THEN 100 ELSE 0 END) <= COUNT(*)",
            },
        },
    )
    validate >> plan >> verify >> check_results >> summarise(validate.output, verify.output)
