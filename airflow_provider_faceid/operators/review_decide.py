"""The operator that records what a reviewer has decided in a human-in-the-loop task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from ..clock import SYSTEM_CLOCK
from ..compat import task_instance
from ..exceptions import ConfigurationError
from ..process import without_frames
from ._common import read_parameters
from .error_mapping import airflow_errors
from .lineage import ReportsLineage
from .review_queue import check_results

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ..warehouse.review.decisions import Case


class FaceIdDecideReviewOperator(ReportsLineage, BaseOperator):
    """
    Record a decision on a case of the review queue.

    It makes no call. The decision is recorded with its line of the log in one transaction, or not at all:
    a case that is closed, that somebody else has changed meanwhile, or that this person may not decide,
    fails the task and stays as it is. A retry of the task changes nothing that an earlier try has recorded.

    ``approve`` and ``reject`` stand beside the service's verdict in ``faceid_latest``. ``recheck``
    releases the row: the next run of its campaign asks the service again, which is charged again.
    ``escalate`` leaves the case open, first of all. Where four eyes are asked, the first decision waits
    for a second person; if that one decides otherwise, the case is escalated.

    :param warehouse_conn_id: connection of the result table (templated).
    :param review_id: the case (templated).
    :param answer: what ``HITLOperator`` returned through XCom (templated): one chosen option, which is
        ``approve``, ``reject``, ``recheck`` or ``escalate`` in any case, and the id of the user who
        chose it. A default that a time limit has chosen can only be ``escalate``.
    :param decision: the same word, in place of ``answer`` (templated).
    :param decided_by: id of the user who decides, with ``decision`` (templated).
    :param reviewers: ids of the users who may decide; everybody who may answer the task if not given
        (templated).
    :param note: what is written beside the decision; no people (templated).
    :param result_table: the result table (templated).
    :return: through XCom, ``review_id``, ``status`` and ``decision`` of the case, and ``awaits_second``.
    :raises AirflowFailException: the case cannot be decided so; nothing was changed.
    """

    template_fields: Sequence[str] = (
        "warehouse_conn_id",
        "review_id",
        "answer",
        "decision",
        "decided_by",
        "reviewers",
        "note",
        "result_table",
    )
    template_ext: Sequence[str] = (".sql",)
    ui_color = "#fef7e0"
    lineage_kind = "decide_review"

    def __init__(
        self,
        *,
        warehouse_conn_id: str,
        review_id: str,
        answer: Any = None,
        decision: str | None = None,
        decided_by: str | None = None,
        reviewers: Sequence[str] | None = None,
        note: str | None = None,
        result_table: str = "faceid_results",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.warehouse_conn_id = warehouse_conn_id
        self.review_id = review_id
        self.answer = answer
        self.decision = decision
        self.decided_by = decided_by
        self.reviewers = reviewers
        self.note = note
        self.result_table = result_table

    @without_frames
    def execute(self, context: Context) -> dict[str, Any]:
        """Record the decision, and return how the case stands."""
        with airflow_errors():
            read_parameters(self, "warehouse_conn_id", "review_id")
            if (self.answer is None) == (self.decision is None):
                raise ConfigurationError("Give the decision either as answer or as decision")
            decision, by = self.decision or "", self.decided_by or ""
            if self.answer is not None:
                decision, by = self.answer["chosen"].lower(), self.answer["by"]
            case = self._decide(decision, by, task_instance(context))
        self.log.info("Case %s: %s, %s", case.review_id, case.decision, case.status)
        stands = {
            "review_id": case.review_id,
            "status": case.status,
            "decision": case.decision,
            "awaits_second": case.awaits_second,
        }
        self.lineage_facts = stands
        return stands

    def _decide(self, decision: str, by: str, origin: str) -> Case:
        from ..hooks.warehouses import database  # noqa: PLC0415 - keeps reading a DAG file cheap
        from ..warehouse.names import Names  # noqa: PLC0415 - the same
        from ..warehouse.review.repository import ReviewsRepository  # noqa: PLC0415 - the same

        warehouse = database(self.warehouse_conn_id)
        try:
            check_results(warehouse, self.result_table)
            names = Names(self.result_table)
            repository = ReviewsRepository(warehouse, SYSTEM_CLOCK, names=names)
            repository.open()
            reviewers = None if self.reviewers is None else frozenset(map(str, self.reviewers))
            return repository.decide(
                self.review_id,
                decision,
                by,
                note=self.note or "",
                reviewers=reviewers,
                origin=origin,
            )
        finally:
            warehouse.close()
