"""OpenLineage of our operators: datasets in and out, schemas, column lineage, row counts, assertions.

Airflow's provider of OpenLineage calls :class:`ReportsLineage` when a task starts and ends. Nothing here
is imported without it, and no event holds a value of a row: names of tables and columns, and counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from ..exceptions import ConfigurationError
from ._common import read_parameters

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context

    from ..hooks.datasets import DatasetName, Tables


class Feed(NamedTuple):
    """
    A column that another one is made of.

    :param kind: ``IDENTITY``, ``TRANSFORMATION`` or ``AGGREGATION``.
    :param is_masked: whether its value cannot be read from what is made of it.
    :param description: what is done to it.
    """

    dataset: DatasetName
    column: str
    kind: str = "IDENTITY"
    is_masked: bool = False
    description: str = ""


class Check(NamedTuple):
    """A rule about a dataset, and whether it was kept."""

    rule: str
    is_kept: bool
    severity: str
    column: str = ""
    evaluated: int = 0
    unexpected: int = 0
    mostly: float = 1.0


@dataclass(frozen=True)
class Dataset:
    """
    A dataset that a task reads or writes.

    :param columns: type (empty if it is not known) and description by name; none if they are unknown.
    :param feeds: what each column is made of.
    :param rows: how many were read or written; None if that is not known.
    :param checks: rules that it was asked.
    """

    name: DatasetName
    columns: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    feeds: Mapping[str, Sequence[Feed]] = field(default_factory=dict)
    rows: int | None = None
    checks: Sequence[Check] = ()


class Lineage(NamedTuple):
    """What a task reads and writes."""

    inputs: Sequence[Dataset] = ()
    outputs: Sequence[Dataset] = ()


class ReportsLineage:
    """
    Base of operators that report their lineage.

    :cvar lineage_kind: name of the function in :mod:`._flows` that knows what the operator reads and
        writes.
    :ivar lineage_facts: counts of the task so far; empty before it has any.
    :ivar lineage_tables: what names the tables of each connection. The task finds it out itself: Airflow's
        provider asks in a forked process, which may be killed while it waits for a connection, and would
        leave the answer to the task, which takes it for that to its own next question.
    """

    lineage_kind: str
    lineage_facts: Mapping[str, Any] = {}
    lineage_tables: Mapping[str, Tables] = {}

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Render the templates, and find out what the tables are called."""
        super().render_template_fields(context, jinja_env)  # type: ignore[misc]  # the operator's
        self.name_tables()

    def name_tables(self) -> None:
        """Find out what the tables of the operator's connections are called, if anybody will ask."""
        if find_spec("openlineage") is None:
            return
        from ..hooks.datasets import Tables  # noqa: PLC0415 - only for those who have OpenLineage

        named = dict(self.lineage_tables)
        for parameter in ("source_conn_id", "warehouse_conn_id"):
            conn_id = getattr(self, parameter, None)
            if conn_id and conn_id not in named:
                with suppress(Exception):  # the task itself says what is wrong with a connection
                    named[conn_id] = Tables(conn_id)
        self.lineage_tables = named

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any] | None:
        """Return what the task is going to read and write."""
        return self._openlineage()

    def get_openlineage_facets_on_complete(self, _: Any) -> OperatorLineage[Any, Any] | None:
        """Return what the task has read and written."""
        return self._openlineage()

    def get_openlineage_facets_on_failure(self, _: Any) -> OperatorLineage[Any, Any] | None:
        """Return what the task has read and written until it failed."""
        return self._openlineage()

    def _openlineage(self) -> OperatorLineage[Any, Any] | None:
        from . import _flows  # noqa: PLC0415 - only for those who have OpenLineage

        seen: Any = copy(self)
        seen.name_tables = _nothing  # nobody is asked here
        try:
            read_parameters(seen)  # again if they were: a parameter that was read is read as it is
        except ConfigurationError:
            return None
        conn_ids = {getattr(seen, name, None) for name in ("source_conn_id", "warehouse_conn_id")}
        if not conn_ids - {None} <= self.lineage_tables.keys():
            return None
        return as_openlineage(getattr(_flows, self.lineage_kind)(seen, self.lineage_facts))


def _nothing() -> None:
    pass


def as_openlineage(lineage: Lineage) -> OperatorLineage[Any, Any]:
    """Return a lineage in the classes of OpenLineage."""
    from airflow.providers.openlineage.extractors import OperatorLineage  # noqa: PLC0415
    from openlineage.client.event_v2 import InputDataset, OutputDataset  # noqa: PLC0415

    return OperatorLineage(
        inputs=[
            InputDataset(*one.name, facets=_facets(one), inputFacets=_input_facets(one))
            for one in lineage.inputs
        ],
        outputs=[
            OutputDataset(*one.name, facets=_facets(one), outputFacets=_output_facets(one))
            for one in lineage.outputs
        ],
    )


def _facets(dataset: Dataset) -> dict[str, Any]:
    from openlineage.client.facet_v2 import column_lineage_dataset, schema_dataset  # noqa: PLC0415

    facets: dict[str, Any] = {}
    if dataset.columns:
        fields = [
            schema_dataset.SchemaDatasetFacetFields(name, type_ or None, description or None)
            for name, (type_, description) in dataset.columns.items()
        ]
        facets["schema"] = schema_dataset.SchemaDatasetFacet(fields=fields)
    if dataset.feeds:
        columns = {
            name: column_lineage_dataset.Fields(
                inputFields=[
                    column_lineage_dataset.InputField(
                        *feed.dataset,
                        feed.column,
                        [
                            column_lineage_dataset.Transformation(
                                "DIRECT", feed.kind, feed.description, feed.is_masked
                            )
                        ],
                    )
                    for feed in feeds
                ]
            )
            for name, feeds in dataset.feeds.items()
            if feeds
        }
        facets["columnLineage"] = column_lineage_dataset.ColumnLineageDatasetFacet(fields=columns)
    return facets


def _input_facets(dataset: Dataset) -> dict[str, Any]:
    from openlineage.client.facet_v2 import (  # noqa: PLC0415 - only for those who have OpenLineage
        data_quality_assertions_dataset,
        input_statistics_input_dataset,
    )

    facets: dict[str, Any] = {}
    if dataset.rows is not None:
        statistics = input_statistics_input_dataset.InputStatisticsInputDatasetFacet
        facets["inputStatistics"] = statistics(rowCount=dataset.rows)
    if dataset.checks:
        assertions = [
            data_quality_assertions_dataset.Assertion(
                assertion=check.rule,
                success=check.is_kept,
                column=check.column or None,
                severity=SEVERITIES.get(check.severity, check.severity),
                expected=f"at least {check.mostly:g} of {check.evaluated} rows keep to it",
                actual=f"{check.unexpected} rows do not",
            )
            for check in dataset.checks
        ]
        facets["dataQualityAssertions"] = (
            data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(assertions=assertions)
        )
    return facets


SEVERITIES = {"critical": "error", "warning": "warn"}
"""Words of OpenLineage for those of Great Expectations; other ones are the same."""


def _output_facets(dataset: Dataset) -> dict[str, Any]:
    from openlineage.client.facet_v2 import output_statistics_output_dataset  # noqa: PLC0415

    if dataset.rows is None:
        return {}
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet
    return {"outputStatistics": statistics(rowCount=dataset.rows)}
