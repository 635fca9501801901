"""A run that is paused for longer than its connection's outage timeout, with no try to spare."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_faceid.batch import pause
from airflow_provider_faceid.operators.verify_batch import PhoneVerificationBatchOperator
from airflow_provider_faceid.state import pauses

# Five minutes, after which a task looks again whether the pause is over, are long for a test.
pause.LOOK_AGAIN_SECONDS = pauses.LOOK_AGAIN_SECONDS = 3.0

with DAG("owners", schedule=None):
    PhoneVerificationBatchOperator(
        task_id="verify",
        source_conn_id="faceid_warehouse",
        source="owners",
        faceid_conn_id="faceid_slow",
        retries=0,
    )
