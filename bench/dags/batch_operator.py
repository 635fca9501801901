"""ID checks by the batch operator: one task, whatever the number of rows."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator

for quota in ("documented", "lifted"):
    with DAG(f"batch_operator_{quota}", schedule=None):
        IdCardVerificationBatchOperator(
            task_id="verify",
            source_conn_id="warehouse",
            source="applicants",
            key_column="id",
            faceid_conn_id=f"faceid_{quota}",
        )
