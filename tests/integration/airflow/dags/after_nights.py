"""Runs once for each partition of the nightly results, with which it was started."""

from __future__ import annotations

from airflow.sdk import DAG, Asset, PartitionedAssetTimetable, task

with DAG(
    dag_id="after_nights",
    schedule=PartitionedAssetTimetable(
        assets=Asset("faceid_nightly_results", extra={"faceid_partition": "day"})
    ),
    catchup=False,
):

    @task
    def which(dag_run=None):
        return dag_run.partition_key

    which()
