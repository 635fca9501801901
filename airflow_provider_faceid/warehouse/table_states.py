"""State of our tables in a warehouse, read without changing anything: missing, current, old, newer or foreign."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from .migrations import COLUMNS_1, VERSION, recorded_versions
from .names import Names
from .sql.database import Database
from .tables import HISTORY, PRICES, QUARANTINE, RESULTS, RUNS, Table
from .views.definitions import VIEWS
from .views.views import name_of


class TableState(StrEnum):
    """State of a table."""

    MISSING = "missing"
    CURRENT = "current"
    OLD = "old"
    """Of an earlier version: the next run brings it up to date."""
    NEWER = "newer"
    FOREIGN = "foreign"
    """None of ours has such columns."""


def table_states(
    database: Database, names: Names
) -> Mapping[str, tuple[TableState, frozenset[str]]]:
    """
    Return the state of each table, and the columns it lacks, by its name.

    :raises WarehouseError: the database cannot be read.
    """
    wanted = {
        names.results: RESULTS,
        names.history: HISTORY,
        names.quarantine: QUARANTINE,
        names.runs: RUNS,
        names.prices: PRICES,
    }
    versions = recorded_versions(database, wanted)
    return {name: _state(database, table, name, versions[name]) for name, table in wanted.items()}


def missing_views(database: Database, names: Names) -> list[str]:
    """Return the names of our views that are not there."""
    return [
        name
        for name in (name_of(view, names.results) for view in VIEWS)
        if not database.columns(name)
    ]


def _state(
    database: Database, table: Table, name: str, version: int
) -> tuple[TableState, frozenset[str]]:
    there = database.columns(name)
    lacking = frozenset({*table.columns, *database.dialect.more_columns} - there)
    if not there:
        return TableState.MISSING, lacking
    if version > VERSION:
        return TableState.NEWER, lacking
    if not lacking:
        return TableState.CURRENT, lacking
    of_version_1 = set(COLUMNS_1.get(table.name, "?").split())
    is_ours = version or of_version_1 <= there
    return TableState.OLD if is_ours else TableState.FOREIGN, lacking
