"""Datasets of a task with columns, what these are made of, counts and rules; the same for OpenLineage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from ..hooks.datasets import DatasetName


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
