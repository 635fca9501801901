"""Datasets of a task for OpenLineage: columns, counts and rules; and the tables, queries or files behind them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ..exceptions import ConfigurationError
from ..hooks.datasets import DatasetName, Tables, file_name
from ..warehouse.names import Names
from ..warehouse.sources import files
from ..warehouse.sources.relation import is_query, statement
from ..warehouse.sql.database import POSTGRESQL
from ..warehouse.sql.identifiers import parts_of
from ..warehouse.views.views import View

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

_DIALECTS = {"postgres": "postgres", "mysql": "mysql", "sqlite": "sqlite", "duckdb": "duckdb"}
"""What OpenLineage's parser calls the SQL of a connection type."""
_FUNCTIONS = {"read_csv", "read_csv_auto", "read_parquet", "parquet_scan", "sniff_csv", "glob"}
_FILES = re.compile(r"'([^']+\.(?:[ct]sv(?:\.gz|\.zst)?|parquet))'", re.IGNORECASE)
"""Files that a query of DuckDB reads."""
_STAR = re.compile(r"\*\s*(?:,|\bfrom\b)", re.IGNORECASE)


class Column(NamedTuple):
    """A column of a dataset."""

    dataset: DatasetName
    name: str


class Origins:
    """
    Where the rows of an operator come from.

    :param operator: with ``source_conn_id``, ``source`` and ``key_column``, which were read.
    :param columns: source columns that it reads besides the key.
    :param rows: how many it has read.
    :param checks: rules that they were asked.
    """

    def __init__(
        self,
        operator: Any,
        columns: Sequence[str],
        rows: int | None = None,
        checks: Sequence[Check] = (),
    ) -> None:
        key = operator.key_column
        self._key = [key] if isinstance(key, str) else [*key]
        self._tables: Tables = operator.lineage_tables[operator.source_conn_id]
        read = [*dict.fromkeys((*self._key, *columns))]
        self._by_column = self._parsed(str(operator.source), read)
        of_dataset: dict[DatasetName, dict[str, tuple[str, str]]] = {
            name: {} for name in self._names
        }
        for origin in (origin for column in read for origin in self._by_column.get(column, ())):
            of_dataset.setdefault(origin.dataset, {})[origin.name] = ("", "")
        is_one = len(of_dataset) == 1  # rows of a join are those of none of its tables
        self.datasets = [
            Dataset(
                name,
                read_columns,
                rows=rows if is_one else None,
                checks=self._renamed(checks) if is_one else (),
            )
            for name, read_columns in of_dataset.items()
        ]

    def feeds(
        self, columns: Iterable[str], kind: str, description: str, *, is_masked: bool
    ) -> list[Feed]:
        """Return what a column is made of that is made of some columns of the source."""
        origins = (origin for column in columns for origin in self._by_column.get(column, ()))
        return [Feed(*origin, kind, is_masked, description) for origin in dict.fromkeys(origins)]

    def key_feeds(self) -> list[Feed]:
        """Return what the source key is made of."""
        kind = "IDENTITY" if len(self._key) == 1 else "TRANSFORMATION"
        return self.feeds(self._key, kind, "key as text", is_masked=False)

    def _renamed(self, checks: Sequence[Check]) -> list[Check]:
        """Return rules with the names that the columns have in the dataset."""
        renamed = []
        for check in checks:
            origins = self._by_column.get(check.column, ())
            renamed.append(check._replace(column=origins[0].name) if origins else check)
        return renamed

    def _parsed(self, source: str, columns: Sequence[str]) -> dict[str, Sequence[Column]]:
        """Find the datasets, and return the origins of each column."""
        is_mysql = self._tables.conn_type == "mysql"
        if not is_query(source, is_mysql=is_mysql):
            path = files.path_of(source)
            self._names = [file_name(path) if path else self._tables.name(source)]
            return {column: [Column(self._names[0], column)] for column in columns}
        text = statement(source, is_mysql=is_mysql)
        tables, lineage = _parse(text, _DIALECTS[self._tables.conn_type])
        own = [parts for parts in tables if not _is_file(parts)]
        read = _FILES.findall(text) if self._tables.conn_type == "duckdb" else []
        self._names = [*map(self._tables.name_of, own), *map(file_name, dict.fromkeys(read))]
        by_column: dict[str, Sequence[Column]] = {
            column: [
                Column(self._tables.name_of(parts), name)
                for parts, name in origins
                if not _is_file(parts)
            ]
            for column, origins in lineage.items()
            if column in columns
        }
        if len(self._names) == 1 and _STAR.search(text):
            for column in columns:
                if not by_column.get(column):
                    by_column[column] = [Column(self._names[0], column)]
        return by_column


def _is_file(parts: Sequence[str]) -> bool:
    return parts[-1].lower() in _FUNCTIONS or files.READS.search(f"{parts[-1]}'") is not None


Parts = tuple[str, ...]


def _parse(query: str, dialect: str) -> tuple[list[Parts], dict[str, list[tuple[Parts, str]]]]:
    """
    Return the tables of a query, and the table and column behind each of its columns.

    A query that the parser does not understand has none.
    """
    from openlineage_sql import parse  # noqa: PLC0415 - comes with OpenLineage

    meta = parse([query], dialect)
    if meta is None:
        return [], {}
    columns = {
        _bare(str(one.descendant.name)): [
            (_parts(origin.origin), _bare(str(origin.name)))
            for origin in one.lineage
            if origin.origin is not None
        ]
        for one in meta.column_lineage
    }
    return [_parts(table) for table in meta.in_tables], columns


def _parts(table: Any) -> Parts:
    named = (table.database, table.schema, table.name)
    return tuple(_bare(str(part)) for part in named if part)


def _bare(name: str) -> str:
    """Return a name without the quotes that are around the whole of it."""
    try:
        parts = parts_of(name)
    except ConfigurationError:
        return name
    return parts[0] if len(parts) == 1 else name


def view_feeds(view: View) -> Mapping[str, Sequence[tuple[str, str]]]:
    """
    Return the columns behind each column of a view: the word for their table, and their name.

    They are the same on each database, and its SQL for PostgreSQL is what the parser understands best.
    """
    words = {name: word for word, name in Names().all.items()}
    _, columns = _parse(view.select(POSTGRESQL, Names().all), "postgres")
    return {
        name: sorted(
            {(words[parts[-1]], column) for parts, column in origins if parts[-1] in words}
        )
        for name, origins in columns.items()
        if name in view.columns
    }


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
