"""Runs that are told: by mail, by a function, by a notifier that fails; a task and DAGs that fail."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import DAG, task

from airflow_provider_faceid.notifications.faceid import FaceIdNotifier
from airflow_provider_faceid.operators.report import FaceIdReportOperator
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
from airflow_provider_faceid.operators.views import FaceIdViewsOperator

FOLDER = Path(os.environ["TOLD_TO"])
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def to_file(name):
    """Return a function that writes what it is told."""

    def write(context) -> None:
        (FOLDER / name).write_text(json.dumps(context["faceid"]), encoding="utf-8")

    return write


def out_of_order(context) -> None:
    """Fail."""
    raise RuntimeError("the chat is away")


def people(**more) -> IdCardVerificationBatchOperator:
    return IdCardVerificationBatchOperator(
        task_id="verify",
        source_conn_id="faceid_warehouse",
        source="applicants",
        key_column="applicant_id",
        **more,
    )


def mail(subject: str) -> SmtpNotifier:
    return SmtpNotifier(
        to="kyc@example.com",
        from_email="airflow@example.com",
        subject=subject,
        html_content="{{ faceid.html }}",
    )


with DAG(
    "told",
    on_success_callback=FaceIdNotifier(to_file("dag.json"), report_task_id="report"),
    schedule=None,
    start_date=FIRST_DAY,
):
    prices = FaceIdViewsOperator(
        task_id="prices",
        warehouse_conn_id="faceid_warehouse",
        price_list=[{"action": "IdCardVerification", "price": "0.25", "currency": "USD"}],
    )
    report = FaceIdReportOperator(
        task_id="report",
        warehouse_conn_id="faceid_warehouse",
        path=str(FOLDER / "report.html"),
        alerts={"match_rate": {"min": 0.9}, "amount": {"max": 1000}},
        on_success_callback=[
            FaceIdNotifier(out_of_order),
            FaceIdNotifier(mail("{{ faceid.title }}")),
            FaceIdNotifier(to_file("zh.json"), language="zh"),
        ],
    )
    people() >> prices >> report

with DAG(
    "told_of_failure",
    on_failure_callback=FaceIdNotifier(to_file("failed_dag.json"), report_task_id="report"),
    schedule=None,
    start_date=FIRST_DAY,
):

    @task(on_failure_callback=FaceIdNotifier(to_file("quoting.json")))
    def quotes_somebody() -> None:
        raise ValueError("张三 370102200305173681")

    people(
        max_charged=5,
        campaign="budget",
        on_failure_callback=FaceIdNotifier(to_file("failed.json"), only_alerts=True),
    )
    quotes_somebody()
