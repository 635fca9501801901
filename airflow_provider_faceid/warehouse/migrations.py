"""Schema migrations of our tables: created, migrated in one transaction, or refused if newer.

A table's version stands in ``faceid_versions`` beside it; version 1 had no such table and is known by
its columns. Columns that a user added stay. A newer version is refused.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from .. import __version__
from ..api.action import ResultColumn
from ..api.actions import ACTIONS
from ..exceptions import ConfigurationError, FaceIdError
from .names import Names
from .records import RunContext
from .sql.database import DUCKDB, SQLITE, Database
from .sql.identifiers import bare, beside
from .tables import (
    CHECKS,
    ERASURES,
    HISTORY,
    PRICES,
    QUARANTINE,
    RECONCILIATION,
    RECONCILIATION_CALLS,
    RESULTS,
    REVIEW_LOG,
    REVIEWS,
    RUNS,
    Table,
    insert,
)
from .views.definitions import VIEWS
from .views.views import VERSIONS, ViewMaker

VERSION = 2
"""Of all tables of ours together."""

_VERSIONS = VERSIONS.name

log = logging.getLogger(__name__)

COLUMNS_1: dict[str, str] = {
    RESULTS.name: "campaign action source_key id_card_hash id_card_masked status outcome code "
    "similarity charged description request_id attempts latency_ms answered_at verified_date "
    "not_before run_id",
    QUARANTINE.name: "campaign action source_key rule stage request_id found_at run_id",
    RUNS.name: "campaign action run_id shard started_at finished_at state rows_in answered "
    "quarantined deferred held reused calls charged throttled seconds calls_per_second",
}
"""Columns of version 1, the one of commit e3c2574."""

_ADDED: dict[str, set[str]] = {RESULTS.name: {"waited_ms"}, HISTORY.name: {"waited_ms"}}
"""Columns that were added to version 2. What knows nothing of them leaves them NULL."""

_RENAMED = {RUNS.name: {"shard": "map_index", "deferred": "postponed"}}
"""Columns of version 1 that have another name now."""

_DATED = re.compile(
    r"(?P<dag_id>.+)/(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?[+-]\d\d:\d\d"
    r"|(?:manual|scheduled|backfill|asset_triggered|dataset_triggered)__.+)"
)
"""Version 1's name of a campaign without a name: DAG id and logical date, or run id."""


def prepare(
    database: Database,
    names: Names,
    *,
    only_quarantine: bool = False,
    own: Sequence[ResultColumn] = (),
) -> None:
    """
    Make our tables and the views, or bring them up to date; do nothing if they are.

    A view that cannot be made stops no run: it is logged.

    :param only_quarantine: whether the quarantine table alone is needed.
    :param own: columns of results and history that only some Actions have. They are added when such an
        Action is asked for the first time.
    :raises ConfigurationError: they cannot be made, are of a newer version, or a table of one of
        these names is none of ours.
    """
    wanted = [(QUARANTINE, names.quarantine)]
    if not only_quarantine:
        # The history first: an older result table hands its answers over.
        wanted = [
            (HISTORY.with_columns_of(own), names.history),
            (RESULTS.with_columns_of(own), names.results),
            *wanted,
            (RUNS, names.runs),
            (PRICES, names.prices),
            (REVIEWS, names.reviews),
        ]
    is_current = _are_current(database, wanted)
    if not is_current:
        _migrate(database, names, wanted)
    if not only_quarantine:
        # A table that was dropped with all that depends on it has taken views along.
        for name, problem in refresh_views(database, names, look=not is_current).items():
            log.warning("View '%s' could not be brought up to date: %s", name, problem)


def prepare_beside(database: Database, names: Names, *tables: Table) -> tuple[str, ...]:
    """
    Make some tables, or bring them up to date; do nothing if they are.

    :param tables: tables that are named after the result table, such as that of receipts.
    :return: their names.
    :raises ConfigurationError: see :func:`prepare`.
    """
    found = tuple(names.beside(table.name.removeprefix("faceid_")) for table in tables)
    wanted = list(zip(tables, found, strict=True))
    if not _are_current(database, wanted):
        _migrate(database, names, wanted)
    return found


def prepare_checks(database: Database, names: Names) -> str:
    """Make the history of validations, see :func:`prepare_beside`; return the table's name."""
    return prepare_beside(database, names, CHECKS)[0]


def prepare_reconciliation(database: Database, names: Names) -> tuple[str, ...]:
    """Make the tables of the reconciliation; return the names of that of differences and of its calls."""
    return prepare_beside(database, names, RECONCILIATION, RECONCILIATION_CALLS)


def prepare_review_log(database: Database, names: Names) -> None:
    """Make the log of reviews."""
    prepare_beside(database, names, REVIEW_LOG)


def refresh_views(database: Database, names: Names, *, look: bool) -> dict[str, str]:
    """
    Make the views over our tables, or bring them up to date; do nothing if they are.

    :param look: whether to look if views that were made are still there.
    :return: why a view could not be made, by its name.
    :raises WarehouseError: the tables cannot be read.
    """
    own = _own_columns(database.columns(names.results) & database.columns(names.history))
    return ViewMaker(database, names.all, own).refresh(VIEWS, look=look)


def _migrate(database: Database, names: Names, wanted: Sequence[tuple[Table, str]]) -> None:
    """
    Make some tables, or bring them up to date, in one transaction.

    :raises ConfigurationError: see :func:`prepare`.
    """
    if database.dialect.is_lost and database.rows(database.dialect.is_lost):
        raise ConfigurationError(
            f"Connection '{database.label}' is a database in memory: what is written there is lost at "
            "the end of the task. Name another connection as warehouse_conn_id"
        )
    database.prepare_to_write()
    try:
        with (
            database.transaction("bringing its tables up to date") as cursor,
            database.changing_tables(cursor),
        ):
            migration = _Migration(cursor, database, names)
            for table, name in wanted:
                migration.bring_up_to_date(table, name)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error} (connection '{database.label}')") from None
    except FaceIdError as error:
        # Another process may have made them at this very moment: what counts is that they are there.
        if not _are_current(database, wanted):
            raise ConfigurationError(str(error)) from None


def _own_columns(columns: Collection[str]) -> list[str]:
    """Return the columns of some Actions only that a table has."""
    listed = [own.column for action in ACTIONS.values() for own in action.result_columns]
    return [column for column in dict.fromkeys(listed) if column in columns]


def check_encoding(database: Database, context: RunContext, names: Names) -> None:
    """
    Make sure that the warehouse can hold what each row says of its run.

    :raises ConfigurationError: its encoding cannot hold one of the values, which is named, or one is
        too long for a key.
    """
    for name in ("campaign", "run_id"):
        value, longest = getattr(context, name), database.dialect.longest(name)
        if longest is not None and len(value) > longest:
            raise ConfigurationError(
                f"The {name} {value!r} has {len(value)} characters, and a key of the tables behind "
                f"connection '{database.label}' holds {longest} of it. Name a shorter one"
            )
    values = {name: getattr(context, name) for name in ("campaign", "dag_id", "run_id", "source")}
    values |= {f"{name} table": value for name, value in vars(names).items()}
    if database.holds("".join(values.values())):
        return
    for name, value in values.items():
        if not database.holds(value):
            raise ConfigurationError(
                f"The {name} {value!r} cannot be written through connection '{database.label}': the "
                "encoding of its database cannot hold it. Name another, or use a database in UTF-8"
            )


def _are_current(database: Database, wanted: Sequence[tuple[Table, str]]) -> bool:
    """
    Say whether all of some tables are there, with today's columns.

    :raises ConfigurationError: one is of a newer version.
    """
    for name, version in recorded_versions(database, [name for _, name in wanted]).items():
        if version > VERSION:
            raise ConfigurationError(
                f"Table '{name}' is of version {version}, newer than this provider knows ({VERSION}). "
                "Install the version of airflow-provider-faceid that wrote it on all workers"
            )
    more = database.dialect.more_columns
    return all({*table.columns, *more} <= database.columns(name) for table, name in wanted)


def recorded_versions(database: Database, names: Collection[str]) -> dict[str, int]:
    """Return versions of tables of ours by name; 0 if none is recorded: of version 1, or none of ours."""
    recorded = {
        versions: _versions_in(database, versions)
        for versions in {beside(name, _VERSIONS) for name in names}
    }
    return {name: recorded[beside(name, _VERSIONS)].get(bare(name), 0) for name in names}


def _versions_in(database: Database, versions: str) -> dict[str, int]:
    if not database.columns(versions):
        return {}
    table = database.dialect.quote_table(versions)
    return dict(database.rows(f"SELECT table_name, version FROM {table}"))


class _Migration:
    """
    Statements of one transaction.

    :param names: of the tables that belong together.
    """

    def __init__(self, cursor: Any, database: Database, names: Names) -> None:
        self._cursor, self._database, self._names = cursor, database, names
        self._dialect = database.dialect
        self._quote = database.dialect.quote

    def bring_up_to_date(self, table: Table, name: str) -> None:
        """
        Make a table, or turn one of version 1 into today's.

        :raises ConfigurationError: it is none of ours.
        """
        there = self._database.columns_in(self._cursor, name)
        base = _TABLES[table.name]
        if not there:
            # The version first: without transactions for DDL a table that is there has one.
            self._record_version(name)
            self._create(table, name, table.declared(self._dialect))
        else:
            added = _ADDED.get(table.name, set())
            if not {*base.columns, *self._dialect.more_columns} - added <= there:
                self._check_version_1(base, name, there)
                self._upgrade(base, name)
                there |= base.columns.keys()
            for column in sorted(table.columns.keys() - there):
                declared = table.declared(self._dialect)[column]
                self._alter(name, f"{self._dialect.add_column} {self._quote(column)} {declared}")
            self._record_version(name)

    def _check_version_1(self, table: Table, name: str, there: set[str]) -> None:
        known = set(COLUMNS_1.get(table.name, "?").split())
        if not (known <= there and self._dialect.has_version_1):
            raise ConfigurationError(
                f"Table '{name}' is not one of ours: it must have the columns "
                f"{', '.join(table.columns)}"
            )
        taken = sorted((there - known) & table.columns.keys())
        if taken:
            raise ConfigurationError(
                f"Table '{name}' cannot be brought up to date: it has the column '{taken[0]}', which "
                "is yours and has the name of a new one of ours. Rename it"
            )

    def _upgrade(self, table: Table, name: str) -> None:
        renamed = _RENAMED.get(table.name, {})
        for old, new in renamed.items():
            self._alter(name, f"RENAME COLUMN {self._quote(old)} TO {self._quote(new)}")
        known = {renamed.get(column, column) for column in COLUMNS_1[table.name].split()}
        for column, declared in table.declared(self._dialect).items():
            if column not in known:
                self._alter(name, f"ADD COLUMN {self._quote(column)} {declared}")
        _CHANGES[table.name](self, name)
        self._set_types(table, name, known)
        if table is RESULTS:
            self._hand_over_answers(name)
        self._fold_dated_campaigns(table, name)

    def change_results(self, name: str) -> None:
        """Rename a status, and take moments of answers from rows that have none."""
        moment = self._dialect.moment.format
        self._run(
            f"UPDATE {self._table(name)} SET updated_at = {moment('answered_at')}, "
            "status = CASE status WHEN 'deferred' THEN 'postponed' ELSE status END, "
            "answered_at = CASE status WHEN 'answered' THEN answered_at END, "
            "verified_date = CASE status WHEN 'answered' THEN verified_date END"
        )

    def change_quarantine(self, name: str) -> None:
        """Say when rows were written."""
        moment = self._dialect.moment.format
        self._run(f"UPDATE {self._table(name)} SET updated_at = {moment('found_at')}")

    def change_runs(self, name: str) -> None:
        """Say when rows were written."""
        moment = self._dialect.moment.format
        self._run(f"UPDATE {self._table(name)} SET updated_at = {moment('finished_at')}")

    def _set_types(self, table: Table, name: str, known: set[str]) -> None:
        """Turn texts of version 1 into timestamps and dates."""
        texts = [c for c in known if table.columns[c].type in {"timestamp", "date"}]
        if self._dialect is SQLITE:
            return  # its own are texts, too
        if self._dialect is DUCKDB and set(texts) & set(table.key):
            self._rebuild(table, name)  # it cannot change the type of a key's column
            return
        for column in sorted(texts):
            quoted, kind = self._quote(column), self._dialect.types[table.columns[column].type]
            self._alter(name, f"ALTER COLUMN {quoted} TYPE {kind} USING CAST({quoted} AS {kind})")

    def _rebuild(self, table: Table, name: str) -> None:
        """Copy a table into one with today's types; columns of the user's keep theirs."""
        types = self._database.types_in(self._cursor, name)
        declared = {**types, **table.declared(self._dialect)}
        aside = beside(name, f"{bare(name)}_of_version_1")
        self._alter(name, f"RENAME TO {self._quote(bare(aside))}")
        self._create(table, name, declared)
        into = ", ".join(map(self._quote, declared))
        cast = ", ".join(f"CAST({self._quote(c)} AS {kind})" for c, kind in declared.items())
        self._run(
            f"INSERT INTO {self._table(name)} ({into}) SELECT {cast} FROM {self._table(aside)}"
        )
        self._run(f"DROP TABLE {self._table(aside)}")

    def _hand_over_answers(self, name: str) -> None:
        """Append all answers to the history."""
        shared = [c for c in HISTORY.columns if c in RESULTS.columns]
        moment = self._dialect.as_text.format("answered_at")
        self._run(
            f"INSERT INTO {self._table(self._names.history)} (answer_id, {', '.join(shared)}) "
            f"SELECT COALESCE(NULLIF(request_id, ''), {moment}), {', '.join(shared)} "
            f"FROM {self._table(name)} WHERE status = 'answered' ON CONFLICT DO NOTHING"
        )
        self._fold_dated_campaigns(HISTORY, self._names.history)

    def _fold_dated_campaigns(self, table: Table, name: str) -> None:
        """
        Give the rows of campaigns that had no name to the campaign of their DAG.

        Of a row that several of them know the latest answer stays; all answers are in the history.
        """
        self._run(f"SELECT DISTINCT campaign FROM {self._table(name)}")
        campaigns = [campaign for (campaign,) in self._cursor.fetchall()]
        dag_ids = {c: m["dag_id"] for c in campaigns if (m := _DATED.fullmatch(c or ""))}
        for dag_id in sorted(set(dag_ids.values())):
            dated = sorted(c for c, dag in dag_ids.items() if dag == dag_id)
            folded = [*dated, dag_id]
            if table.name in _LATEST_FIRST:
                key = ", ".join(c for c in table.key if c != "campaign")
                self._run(
                    f"DELETE FROM {self._table(name)} WHERE ({', '.join(table.key)}) IN ("
                    f"SELECT {', '.join(table.key)} FROM (SELECT {', '.join(table.key)}, "
                    f"ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY {_LATEST_FIRST[table.name]}) "
                    f"AS place FROM {self._table(name)} WHERE campaign IN ({self._marks(folded)})"
                    ") AS ranked WHERE place > 1)",
                    folded,
                )
            self._run(
                f"UPDATE {self._table(name)} SET campaign = {self._dialect.marker}, "
                f"dag_id = {self._dialect.marker} WHERE campaign IN ({self._marks(dated)})",
                [dag_id, dag_id, *dated],
            )

    def _record_version(self, name: str) -> None:
        versions = beside(name, _VERSIONS)
        begin = "CREATE TABLE IF NOT EXISTS"
        self._create(VERSIONS, versions, VERSIONS.declared(self._dialect), begin=begin)
        row = {"table_name": bare(name), "version": VERSION, "provider_version": __version__}
        insert(self._cursor, self._database, VERSIONS, versions, [row])

    def _create(
        self, table: Table, name: str, declared: dict[str, str], *, begin: str = ""
    ) -> None:
        dialect = self._dialect
        columns = [
            f"{self._quote(column)} {kind}"
            for column, kind in {**declared, **dialect.more_columns}.items()
        ]
        key = ", ".join(map(self._quote, table.key))
        self._run(
            f"{begin or dialect.create} {self._table(name)} ({', '.join(columns)}, "
            f"PRIMARY KEY ({key})) {dialect.table_options}".rstrip()
        )

    def _alter(self, name: str, change: str) -> None:
        self._run(f"ALTER TABLE {self._table(name)} {change}")

    def _marks(self, values: Iterable[Any]) -> str:
        return ", ".join(self._dialect.marker for _ in values)

    def _table(self, name: str) -> str:
        return self._dialect.quote_table(name)

    def _run(self, sql: str, parameters: Iterable[Any] = ()) -> None:
        self._cursor.execute(sql, tuple(parameters))


_TABLES = {
    table.name: table
    for table in (
        RESULTS,
        HISTORY,
        QUARANTINE,
        RUNS,
        PRICES,
        RECONCILIATION,
        RECONCILIATION_CALLS,
        CHECKS,
        REVIEWS,
        REVIEW_LOG,
        ERASURES,
    )
}

_CHANGES: dict[str, Callable[[_Migration, str], None]] = {
    RESULTS.name: _Migration.change_results,
    QUARANTINE.name: _Migration.change_quarantine,
    RUNS.name: _Migration.change_runs,
}
"""Updates of the rows of version 1, before their columns get today's types."""

_LATEST_FIRST = {
    RESULTS.name: "CASE status WHEN 'answered' THEN 0 ELSE 1 END, updated_at DESC, campaign DESC",
    QUARANTINE.name: "found_at DESC, campaign DESC",
}
"""Which of the rows stays that campaigns without a name have for one key. The history keeps all."""
