"""What the tables and views promise: keys, accepted values, ranges, freshness, for dbt and the data contract.

Names, types and words of columns come from the definitions of the tables and of the views. What is
here is what these do not say.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from airflow_provider_faceid.api.action import ResultColumn
from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.codes import Outcome
from airflow_provider_faceid.warehouse import tables
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.records import RunState, Stage, Status
from airflow_provider_faceid.warehouse.review.rules import (
    Reason,
    ReviewDecision,
    ReviewEvent,
    ReviewStatus,
)
from airflow_provider_faceid.warehouse.tables import Table
from airflow_provider_faceid.warehouse.views.definitions import VIEWS
from airflow_provider_faceid.warehouse.views.metrics import RATES, REVIEW_RATES
from airflow_provider_faceid.warehouse.views.views import View

PREFIX = "faceid_"
LOADED_AT = "updated_at"
"""Column of each table that says when a row was written."""
FRESH_TABLE = "runs"
"""The table in which each run writes a row. A run in which no row is due writes none to the others."""
IF_ASKED = "there once an Action has been asked that has it"
"""Said of a column that only some Actions have."""
WARN_AFTER_HOURS, ERROR_AFTER_HOURS = 36, 72
"""Of the newest run: a daily DAG that is late by half a day, and one that failed twice."""


@dataclass(frozen=True)
class Definitions:
    """
    What is generated from.

    :param tables: our tables.
    :param views: the views over them.
    :param own: columns of results and history that only some Actions have.
    """

    tables: tuple[Table, ...]
    views: tuple[View, ...]
    own: tuple[ResultColumn, ...]


def definitions() -> Definitions:
    """Return the definitions of today."""
    listed = tuple(value for value in vars(tables).values() if isinstance(value, Table))
    own = {column.column: column for a in ACTIONS.values() for column in a.result_columns}
    return Definitions(listed, VIEWS, tuple(own.values()))


def short(table: Table) -> str:
    """Return the name of a table without the prefix: ``results`` of ``faceid_results``."""
    return table.name.removeprefix(PREFIX)


def about(table: Table) -> str:
    """Return what a row of a table stands for."""
    return f"One row for each {', '.join(table.key)}."


def has_own_columns(table: Table) -> bool:
    """Say whether a table gets the columns that only some Actions have."""
    return short(table) in {"results", "history"}


def is_optional(table: Table) -> bool:
    """Say whether a table is made by some operators only."""
    return short(table) not in Names().all


def _values(kind: type[StrEnum]) -> tuple[str, ...]:
    return tuple(member.value for member in kind)


FLAG = (0, 1)
SEVERITIES = ("critical", "warning", "info")
ACCEPTED: Mapping[tuple[str, str], Collection[str | int]] = {
    ("results", "status"): _values(Status),
    ("results", "outcome"): _values(Outcome),
    ("results", "charged"): FLAG,
    ("history", "outcome"): _values(Outcome),
    ("history", "charged"): FLAG,
    ("quarantine", "stage"): _values(Stage),
    ("runs", "state"): _values(RunState),
    ("checks", "severity"): SEVERITIES,
    ("checks", "success"): FLAG,
    ("reviews", "reason"): _values(Reason),
    ("reviews", "suggested"): (ReviewDecision.APPROVE.value, ReviewDecision.REJECT.value),
    ("reviews", "four_eyes"): FLAG,
    ("reviews", "status"): _values(ReviewStatus),
    ("reviews", "decision"): _values(ReviewDecision),
    ("review_log", "event"): _values(ReviewEvent),
    ("review_log", "decision"): _values(ReviewDecision),
    ("review_log", "status"): _values(ReviewStatus),
}
"""Values a column may have, besides NULL, by table and column."""

PERCENT, SHARE = (0, 100), (0, 1)
RANGES: Mapping[str, tuple[int, int]] = {
    "similarity": PERCENT,
    "mostly": SHARE,
    "share": SHARE,
    "pass_rate": SHARE,
    **dict.fromkeys(RATES, SHARE),
    **dict.fromkeys(REVIEW_RATES, SHARE),
}
"""Least and greatest value, by column of a table or view; of a type ``real``."""

VIEW_KEYS: Mapping[str, tuple[str, ...]] = {
    "latest": ("source_key", "action", "source"),
    "history_periods": tables.HISTORY.key,
    "daily": ("verified_date", "action", "outcome"),
    "codes": ("action", "code", "outcome"),
    "charges": ("verified_date", "action", "code"),
    "in_doubt": tables.RESULTS.key,
    "funnel": ("campaign", "action"),
}
"""Columns of which no two rows have the same values, of a view that is not grouped by them."""


def key_of(view: View) -> tuple[str, ...]:
    """Return the columns of which no two rows of a view have the same values."""
    return view.group_by or VIEW_KEYS[view.name]
