"""Datasets and columns behind a source or a view, for OpenLineage: a table, a parsed query, or files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..exceptions import ConfigurationError
from ..hooks.datasets import DatasetName, Tables, file_name
from ..warehouse import files
from ..warehouse.database import POSTGRESQL
from ..warehouse.identifiers import parts_of
from ..warehouse.names import Names
from ..warehouse.query import is_query, statement
from ..warehouse.views import View
from ._datasets import Check, Dataset, Feed

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
