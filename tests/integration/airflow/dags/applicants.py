"""A table verified by everything that can start a DAG: days, missed days, assets, clicks."""

from __future__ import annotations

import os
from datetime import datetime

from airflow.sdk import DAG, Asset

try:
    from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable
except ImportError:  # Airflow 3.1
    from airflow.timetables.assets import AssetOrTimeSchedule
    from airflow.timetables.trigger import CronTriggerTimetable

from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator

applicants = {
    "source_conn_id": "faceid_warehouse",
    "source": "applicants",
    "key_column": "applicant_id",
}
ZONE = os.environ["AIRFLOW__CORE__DEFAULT_TIMEZONE"]

with DAG(
    "applicants",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 0 * * *", timezone=ZONE),
        assets=[Asset("applicants_changed")],
    ),
    start_date=datetime.fromisoformat(os.environ["FIRST_DAY"]),
    catchup=True,
    max_active_runs=3,
):
    # Without the validation of README's, which takes most of a run's time to import.
    IdCardVerificationBatchOperator(task_id="verify", **applicants)
