"""
### Let people decide what the service cannot

`queue` enters the results of a campaign that a person has to look at: a similarity within a band, a call in
doubt, a photo that seems to show no live person, a poor registered photo, a mismatch after an earlier match.
`cases` lists them, the most urgent first. `first` asks a reviewer about each of them, under *Required
actions* of the run or through Airflow's API, and records the answer beside the service's verdict. Where four
eyes are asked, `waiting` and `second` ask another person.

A question holds the key of the row, codes and numbers. The reviewer opens the row in your own system by its
key. A case that nobody answers within a day is escalated: it stays open, and comes first.

| parameter | for |
|---|---|
| `campaign`, `action` | whose results are reviewed: the DAG id of the verification, unless it names a campaign |
| `four_eyes` | reasons that take two people who decide the same |
| `similarity_band`, `threshold` | similarities that are looked at; the one from which your connection accepts a face |

The ids of the users who may answer are in the environment variable `FACEID_REVIEWERS`, with commas between
them: `alice,bob`. Without it everybody may who may edit the run.
"""

from __future__ import annotations

import logging
import os
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, BaseNotifier, Param, chain, task_group

from airflow_provider_faceid.operators.review_decide import FaceIdDecideReviewOperator
from airflow_provider_faceid.operators.review_queue import (
    FaceIdOpenReviewsOperator,
    FaceIdQueueReviewsOperator,
)

CAMPAIGN = {
    "warehouse_conn_id": "{{ params.warehouse_conn_id }}",
    "campaign": "{{ params.campaign }}",
}
ACTIONS = ["{{ params.action }}"]
REVIEWERS = [
    name.strip() for name in os.environ.get("FACEID_REVIEWERS", "").split(",") if name.strip()
]


class ReviewerNotifier(BaseNotifier):
    """Says in the task log where a case is answered; put the notifier of your chat in its place."""

    def notify(self, context: Any) -> None:
        """Write the link."""
        base = os.environ.get("AIRFLOW__API__BASE_URL", "http://localhost:8080")
        link = HITLOperator.generate_link_to_ui_from_context(context=context, base_url=base)
        logging.getLogger(__name__).info("A case waits for its reviewer: %s", link)


@task_group
def review(review_id: str, subject: str, body: str) -> None:
    """Ask a reviewer about a case, and record the answer."""
    ask = HITLOperator(
        task_id="ask",
        subject=subject,
        body=body,
        options=["approve", "reject", "recheck", "escalate"],
        defaults="escalate",
        response_timeout=timedelta(days=1),
        assigned_users=[{"id": name, "name": name} for name in REVIEWERS] or None,
        notifiers=[ReviewerNotifier()],
    )
    FaceIdDecideReviewOperator(
        task_id="decide",
        warehouse_conn_id="{{ params.warehouse_conn_id }}",
        review_id=review_id,
        answer=ask.output,
        reviewers=REVIEWERS or None,
    )


with DAG(
    dag_id="review",
    schedule="@daily",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    # Airflow 3.3 fails a question that is answered within a moment of being asked: it is asked again.
    default_args={"retries": 3, "retry_delay": timedelta(seconds=30)},
    params={
        "warehouse_conn_id": Param("faceid_warehouse", type="string"),
        "campaign": Param("verify_faces", type="string"),
        "action": Param("ImageRecognitionV2", type="string"),
        "similarity_band": Param([60, 80], type="array"),
        "threshold": Param(70, type="number"),
        "four_eyes": Param(["suspected_fake"], type="array"),
    },
    doc_md=__doc__,
    tags=["faceid"],
):
    queue = FaceIdQueueReviewsOperator(
        task_id="queue",
        **CAMPAIGN,
        action="{{ params.action }}",
        similarity_band="{{ params.similarity_band | tojson }}",
        threshold="{{ params.threshold }}",
        four_eyes="{{ params.four_eyes | tojson }}",
    )
    cases = FaceIdOpenReviewsOperator(task_id="cases", **CAMPAIGN, actions=ACTIONS)
    first = review.override(group_id="first").expand_kwargs(cases.output)
    waiting = FaceIdOpenReviewsOperator(
        task_id="waiting",
        **CAMPAIGN,
        actions=ACTIONS,
        awaits_second=True,
        trigger_rule="none_failed",  # also if nothing was open
    )
    second = review.override(group_id="second").expand_kwargs(waiting.output)
    chain(queue, cases, first, waiting, second)
