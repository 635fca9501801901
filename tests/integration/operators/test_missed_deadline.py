"""The callback of a missed deadline: what it tells of a run, through which notifier, and when it cannot."""

from __future__ import annotations

import asyncio
import logging
from importlib import import_module

import pytest
from airflow.providers.common.compat.notifier import BaseNotifier

from airflow_provider_faceid.notifications.deadline import progress_of, tell_missed_deadline
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator

DUE = "2026-11-28T00:00:00+00:00"
CONTEXT = {
    "dag_run": {"dag_id": "dag", "dag_run_id": "manual__1", "state": "running"},
    "deadline": {"id": "7", "deadline_time": DUE},
}
PEOPLE = 6
SENT: list[str] = []


class Written(BaseNotifier):
    """A notifier that renders its text."""

    template_fields = ("text",)

    def __init__(self, text: str, **kwargs) -> None:
        super().__init__(**kwargs)
        self.text = text

    def notify(self, context) -> None:
        SENT.append(self.text)


async def written(context) -> None:
    SENT.append(context["faceid"]["title"])


def tell(**kwargs) -> str:
    return asyncio.run(tell_missed_deadline(context=CONTEXT, **kwargs))


@pytest.fixture
def verified(bench, context):
    bench.fill([(key, one.id_card, one.name) for key, one in enumerate(bench.ordinary[:PEOPLE])])
    source = {"source_conn_id": "warehouse", "source": "people"}
    IdCardVerificationBatchOperator(task_id="plan", dry_run=True, **source).execute(context)
    IdCardVerificationBatchOperator(task_id="verify", **source).execute(context)


def test_it_tells_how_far_the_run_has_come(verified, caplog):
    caplog.set_level(logging.WARNING)
    text = tell(warehouse_conn_id="warehouse")
    assert text == (
        f"Run 'manual__1' of DAG 'dag' was to end by {DUE}, and is running; 6 of 6 rows are settled, "
        "6 calls charged; 0 of 1 task still running"
    )
    assert text in caplog.text


def test_another_run_is_not_told(verified, bench):
    bench.query("UPDATE faceid_runs SET run_id = 'manual__2'")
    assert tell(warehouse_conn_id="warehouse").endswith("no table was begun to be verified")


def test_no_table_of_runs_is_no_error(bench):
    assert tell(warehouse_conn_id="warehouse").endswith("no table was begun to be verified")


def test_a_warehouse_that_is_away_is_told(bench):
    bench.connect("away", conn_type="sqlite", host="/no/such/folder/warehouse.sqlite")
    assert "table 'faceid_runs' of connection 'away' cannot be read" in tell(
        warehouse_conn_id="away"
    )


def test_without_a_connection_it_tells_the_run(bench):
    assert tell() == f"Run 'manual__1' of DAG 'dag' was to end by {DUE}, and is running"


def test_a_notifier_finds_the_text_in_its_templates(bench):
    template = "{{ faceid.title }}: {{ faceid.text }}"
    text = tell(notifier=f"{__name__}.Written", notifier_kwargs={"text": template})
    tell(notifier=f"{__name__}.written")
    sent = import_module(__name__).SENT  # of the module as the callback imports it
    assert sent == [f"DAG dag missed its deadline: {text}", "DAG dag missed its deadline"]


def test_of_each_task_the_latest_attempt_is_told_and_all_that_was_charged():
    counts = {"answered": 0, "quarantined": 1, "postponed": 0, "held": 0, "charged": 3}
    row = {
        "action": "IdCardVerification",
        "map_index": 0,
        "state": "failed",
        "rows_in": 10,
        **counts,
    }
    rows = [
        {**row, "started_at": "2026-11-28T02:00:00Z"},
        {**row, "started_at": "2026-11-28T03:00:00Z", "state": "running", "answered": 4},
        {**row, "started_at": "2026-11-28T02:00:00Z", "map_index": 1, "state": "success"},
    ]
    assert progress_of(rows) == (2, 1, 20, 6, 9)
