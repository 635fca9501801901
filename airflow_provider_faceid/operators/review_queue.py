"""Operators of the review queue: enter results by rule, and list cases for human-in-the-loop tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from ..clock import SYSTEM_CLOCK, utc_text
from ..compat import default_campaign
from ..exceptions import ConfigurationError, counted
from ..process import without_frames
from ._common import describe_outlets, read_parameters, work_of
from ._values import names
from .error_mapping import airflow_errors
from .lineage import ReportsLineage

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ..warehouse.review.decisions import Case
    from ..warehouse.sql.database import Database


class FaceIdQueueReviewsOperator(ReportsLineage, BaseOperator):
    """
    Enter the results of a campaign that a person has to look at into the review queue.

    It makes no call. Rows enter by rule: a similarity within a band, a call in doubt, a photo that seems to
    show no live person, a poor registered photo, a mismatch after an earlier match. A result is entered
    once, however often this runs; a later answer to the same row may be entered again. The queue is in
    ``faceid_reviews`` and ``faceid_review_log`` beside the result table, and holds keys and codes only.

    :param action: the API Action whose results are meant (templated).
    :param warehouse_conn_id: connection of the result table (templated): SQLite, PostgreSQL, DuckDB, MySQL
        or MariaDB. ClickHouse is refused, as it has no transactions.
    :param result_table: the result table (templated).
    :param campaign: campaign of the results (templated); the DAG id if not given.
    :param reasons: rules that are on, of ``suspected_fake``, ``poor_registered_photo``,
        ``mismatch_after_match``, ``low_similarity`` and ``in_doubt``; all if not given (templated). The
        first one in this order that fits a row holds.
    :param similarity_band: lowest and highest similarity that is looked at, 0-100, both included
        (templated).
    :param threshold: similarity from which a face is accepted, 0-100 (templated): that of the Face ID
        connection. It says what a case is held against for the overturn rate.
    :param priority: from 1 (first) to 9, for all reasons or a dict by reason (templated); 1 to 5 by reason
        if not given.
    :param due_hours: hours until a case is overdue, likewise (templated); 4 to 48 by reason if not given.
    :param four_eyes: whether two people have to decide the same, for all reasons or a list of some
        (templated).
    :return: through XCom, how many cases were entered, by reason too, and how many are unresolved and
        overdue now.
    :raises AirflowFailException: a parameter is wrong, or the warehouse cannot hold reviews.
    """

    template_fields: Sequence[str] = (
        "action",
        "warehouse_conn_id",
        "result_table",
        "campaign",
        "reasons",
        "similarity_band",
        "threshold",
        "priority",
        "due_hours",
        "four_eyes",
    )
    template_ext: Sequence[str] = (".sql",)
    ui_color = "#fef7e0"
    lineage_kind = "queue_reviews"

    def __init__(
        self,
        *,
        action: str,
        warehouse_conn_id: str,
        result_table: str = "faceid_results",
        campaign: str | None = None,
        reasons: Sequence[str] | None = None,
        similarity_band: Sequence[float] = (60.0, 80.0),
        threshold: float = 70.0,
        priority: int | Mapping[str, int] | None = None,
        due_hours: float | Mapping[str, float] | None = None,
        four_eyes: bool | Sequence[str] = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.action = action
        self.warehouse_conn_id = warehouse_conn_id
        self.result_table = result_table
        self.campaign = campaign
        self.reasons = reasons
        self.similarity_band = similarity_band
        self.threshold = threshold
        self.priority = priority
        self.due_hours = due_hours
        self.four_eyes = four_eyes

    @without_frames
    def execute(self, context: Context) -> dict[str, int]:
        """Enter the results, and return the counts."""
        from ..hooks.warehouses import database  # noqa: PLC0415 - keeps reading a DAG file cheap
        from ..warehouse.names import Names  # noqa: PLC0415 - the same
        from ..warehouse.review.entry import ReviewEntry  # noqa: PLC0415 - the same
        from ..warehouse.review.repository import ReviewsRepository  # noqa: PLC0415 - the same
        from ..warehouse.review.rules import Reason, ReviewRules  # noqa: PLC0415 - the same

        with airflow_errors():
            read_parameters(self, "warehouse_conn_id")
            by_reason = {
                name: {Reason(reason): one for reason, one in (getattr(self, name) or {}).items()}
                for name in ("priority", "due_hours")
            }
            rules = ReviewRules(
                reasons=frozenset(map(Reason, self.reasons or Reason)),
                similarity_band=(self.similarity_band[0], self.similarity_band[1]),
                threshold=self.threshold,
                four_eyes=frozenset(map(Reason, names(self.four_eyes or []))),
                **by_reason,
            )
            campaign = self.campaign or default_campaign(context)
            run = work_of(context, campaign, self.action)
            warehouse, tables = database(self.warehouse_conn_id), Names(self.result_table)
            try:
                check_results(warehouse, self.result_table)
                repository = ReviewsRepository(warehouse, SYSTEM_CLOCK, names=tables)
                repository.open(run)
                entered = ReviewEntry(warehouse, tables, run, rules, SYSTEM_CLOCK).enter()
                queue = repository.counts(campaign, self.action)
            finally:
                warehouse.close()
        counts = {"entered": entered.total(), **entered, **queue}
        self.lineage_facts = counts
        describe_outlets(context, self.outlets, counts)
        self.log.info(
            "Entered %s of campaign '%s' into the review queue; %d unresolved, %d of them overdue",
            counted(entered.total(), "result"),
            campaign,
            queue["unresolved"],
            queue["overdue"],
        )
        return counts


class FaceIdOpenReviewsOperator(ReportsLineage, BaseOperator):
    """
    List cases of the review queue, one for each mapped human-in-the-loop task.

    It makes no call and changes nothing. XCom gets a dict for each case, for
    ``expand_kwargs``: ``review_id``, and ``subject`` and ``body`` of the question, which hold the key of
    the row, codes and numbers, never people. A reviewer opens the row in their own system by its key.

    :param warehouse_conn_id: connection of the result table (templated).
    :param result_table: the result table (templated).
    :param campaign: campaign of the cases (templated); the DAG id if not given.
    :param actions: API Actions whose cases are listed; all if not given (templated).
    :param awaits_second: True for cases that wait for the second of four eyes, False for those nobody has
        decided (templated).
    :param most_cases: at most so many, the most urgent first (templated). Airflow maps 1,024 at most.
    :return: through XCom, a list of dicts; empty if no case is open.
    """

    template_fields: Sequence[str] = (
        "warehouse_conn_id",
        "result_table",
        "campaign",
        "actions",
        "awaits_second",
        "most_cases",
    )
    template_ext: Sequence[str] = (".sql",)
    ui_color = "#fef7e0"
    lineage_kind = "list_reviews"

    def __init__(
        self,
        *,
        warehouse_conn_id: str,
        result_table: str = "faceid_results",
        campaign: str | None = None,
        actions: Sequence[str] | None = None,
        awaits_second: bool = False,
        most_cases: int = 50,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.warehouse_conn_id = warehouse_conn_id
        self.result_table = result_table
        self.campaign = campaign
        self.actions = actions
        self.awaits_second = awaits_second
        self.most_cases = most_cases

    @without_frames
    def execute(self, context: Context) -> list[dict[str, str]]:
        """Return the cases."""
        from ..hooks.warehouses import database  # noqa: PLC0415 - keeps reading a DAG file cheap
        from ..warehouse.names import Names  # noqa: PLC0415 - the same
        from ..warehouse.review.repository import ReviewsRepository  # noqa: PLC0415 - the same

        with airflow_errors():
            read_parameters(self, "warehouse_conn_id")
            campaign = self.campaign or default_campaign(context)
            warehouse = database(self.warehouse_conn_id)
            try:
                check_results(warehouse, self.result_table)
                tables = Names(self.result_table)
                repository = ReviewsRepository(warehouse, SYSTEM_CLOCK, names=tables)
                repository.open()
                cases = repository.unresolved(
                    campaign, self.actions or (), second=self.awaits_second, limit=self.most_cases
                )
            finally:
                warehouse.close()
        self.log.info("%s of campaign '%s'", counted(len(cases), "case"), campaign)
        return list(map(question, cases))


def question(case: Case) -> dict[str, str]:
    """Return what a reviewer is asked about a case: its id, a subject, and a body in Markdown."""
    facts = {
        "Key": case.source_key,
        "Campaign": case.campaign,
        "Action": case.action,
        "Reason": case.reason,
        "Verdict": f"{case.outcome} ({case.code})",
        "Similarity": "" if case.similarity is None else f"{case.similarity:g}",
        "The threshold says": case.suggested or "",
        "Due (UTC)": utc_text(case.due_at)[:16].replace("T", " "),
        "Decided by one of two": case.decision or "" if case.awaits_second else "",
    }
    body = "\n".join(f"- {name}: {_literal(value)}" for name, value in facts.items() if value)
    return {
        "review_id": case.review_id,
        "subject": f"Face ID review {case.review_id[:8]}: {case.reason}",
        "body": body,
    }


def _literal(text: str) -> str:
    """Return text in code marks: Markdown shows it as it is, and Jinja finds no template in it."""
    plain = " ".join(text.replace("`", "'").split())
    for begin in ("{{", "{%", "{#"):
        plain = plain.replace(begin, f"{{ {begin[1]}")
    return f"`{plain}`"


def check_results(warehouse: Database, result_table: str) -> None:
    """
    Make sure that there is a result table.

    :raises ConfigurationError: there is none.
    """
    if not warehouse.columns(result_table):
        raise ConfigurationError(
            f"Connection '{warehouse.label}' has no such table: {result_table}. Name the result table of "
            "the batch operators"
        )
