"""Overview of a warehouse for its readers: runs, campaigns with their funnel, what waits, keys by DAG.

Read in read-only transactions of limited time (:meth:`~.database.Database.reading`). Nothing is made,
migrated or written. Numbers are those of the run table and of the views; no rate is computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..exceptions import ConfigurationError, FaceIdError
from .names import Names
from .records import RunState, Status
from .results import unix_seconds
from .sql.database import Database
from .tables import RUNS
from .views.definitions import FUNNEL, QUARANTINE_REASONS, WAITING
from .views.views import View, name_of

READ_SECONDS = 5.0
"""Limit of a query; a page must not wait longer, and its database not work longer for it."""
RUNS_SHOWN = 200
KEYS_SHOWN = 100
ALIVE_SECONDS = 45.0
"""A run writes its counts every 10 s; without one for so long it was killed, or its warehouse is away."""
_RATE_RUN = ("planned_calls", "planned_seconds")
_MOMENTS = frozenset({"not_before", "waiting_since"})
"""Timestamps whose names do not end with ``_at``."""
_REFUSED = ("action", "source_key", "rule", "stage", "found_at")
_WAITING = ("action", "source_key", "status", "outcome", "code", "not_before", "updated_at")

Ask = Callable[..., list[tuple[Any, ...]]]
Row = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """
    A row of the run table.

    :param row: its columns; moments are Unix seconds, 0 for none.
    :param now: when it was read, in Unix seconds.
    """

    row: Mapping[str, Any]
    now: float

    def __getitem__(self, column: str) -> Any:
        return self.row[column]

    @property
    def is_running(self) -> bool:
        """Whether it has not ended, as far as it has said."""
        return bool(self["state"] == RunState.RUNNING)

    @property
    def is_silent(self) -> bool:
        """Whether it should have said something by now: it was killed, or cannot write."""
        return self.is_running and self.now - self["updated_at"] > ALIVE_SECONDS

    @property
    def is_live(self) -> bool:
        """Whether it is going on."""
        return self.is_running and not self.is_silent

    @property
    def rows_in(self) -> int:
        """Rows of the source."""
        return int(self["rows_in"] or 0)

    @property
    def done(self) -> int:
        """Rows that are answered, quarantined, postponed or held; never more than there are."""
        places = ("answered", "quarantined", "postponed", "held")
        return min(self.rows_in, sum(int(self[place] or 0) for place in places))

    @property
    def left(self) -> int:
        """Rows no run has come to yet."""
        return self.rows_in - self.done

    @property
    def seconds_left(self) -> float | None:
        """Return the time left if each row that is left takes a call; None if that cannot be said."""
        rate = self["calls_per_second"]
        return self.left / rate if self.is_live and rate else None

    @property
    def pace(self) -> float | None:
        """Calls per second that the account's pace allows, as the run planned; None without a plan."""
        calls, seconds = (self[column] for column in _RATE_RUN)
        return calls / seconds if calls and seconds else None


@dataclass
class Overview:
    """
    What a warehouse holds, for all DAGs together; the caller leaves out what a reader may not see.

    :param runs: the newest ones, newest first.
    :param dags: by campaign the DAGs that wrote in it; an empty id stands for rows that name none.
    :param funnel: rows of the view ``faceid_funnel``; ``waiting`` and ``reasons`` likewise.
    :param problems: why a part could not be read, by its name.
    """

    runs: list[Run] = field(default_factory=list)
    dags: dict[str, set[str]] = field(default_factory=dict)
    funnel: list[Row] = field(default_factory=list)
    waiting: list[Row] = field(default_factory=list)
    reasons: list[Row] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)


def check_readers(database: Database) -> None:
    """
    Make sure that reading a database does not keep tasks out of it.

    :raises ConfigurationError: it does.
    """
    if not database.dialect.has_readers:
        raise ConfigurationError(
            f"Connection '{database.label}' is a {database.dialect.name} file, which lets one process in: "
            "reading it here could make a task fail that opens it meanwhile. Its runs are in the task "
            "logs, its numbers in the report"
        )


def read_runs(database: Database, names: Names, now: float) -> Overview:
    """
    Read the newest runs, and which DAGs wrote in which campaign.

    :param now: Unix seconds.
    :raises FaceIdError: the database cannot be read, or has no tables of ours.
    """
    check_readers(database)
    found = Overview()
    with database.reading(READ_SECONDS) as ask:
        there = columns_of(ask, database, names.runs)
        if not there:
            raise ConfigurationError(
                f"There is no table '{names.runs}' behind connection '{database.label}' yet: the first "
                "operator that verifies a table makes it"
            )
        runs = _relation(database, names.runs)
        columns = [name for name in RUNS.columns if name in there]
        chosen = ", ".join(map(database.dialect.quote, columns))
        rows = ask(f"SELECT {chosen} FROM {runs} ORDER BY started_at DESC LIMIT {RUNS_SHOWN}")
        nothing = dict.fromkeys(RUNS.columns)
        found.runs = [
            Run(_with_seconds(nothing | dict(zip(columns, row, strict=True))), now) for row in rows
        ]
        owned = list(ask(f"SELECT DISTINCT campaign, dag_id FROM {runs}"))
        if columns_of(ask, database, names.quarantine):
            refused = _relation(database, names.quarantine)
            owned += ask(f"SELECT DISTINCT campaign, dag_id FROM {refused}")
    for campaign, dag_id in owned:
        found.dags.setdefault(campaign, set()).add(dag_id or "")
    return found


def read_views(database: Database, names: Names) -> Overview:
    """Read the views that the pages show; each that cannot be read is among the problems."""
    found = Overview()
    for part, view in (("funnel", FUNNEL), ("waiting", WAITING), ("reasons", QUARANTINE_REASONS)):
        try:
            with database.reading(READ_SECONDS) as ask:
                setattr(found, part, list(_view(ask, database, names, view)))
        except FaceIdError as error:
            found.problems[part] = str(error)
    return found


def read_outcomes(database: Database, names: Names, run: Run) -> dict[str, int]:
    """
    Return how many rows of a run have which outcome, or wait in which way, so far.

    :raises FaceIdError: the database cannot be read.
    """
    scope = ("campaign", "action", "run_id", "map_index", "dag_id")
    where, values = _where(database, {name: run[name] for name in scope})
    with database.reading(READ_SECONDS) as ask:
        rows = ask(
            "SELECT status, outcome, COUNT(*) "
            f"FROM {_relation(database, names.results)} WHERE {where} GROUP BY status, outcome",
            values,
        )
    counts: dict[str, int] = {}
    for status, outcome, count in rows:
        word = str(outcome) if status == Status.ANSWERED else str(status)
        counts[word] = counts.get(word, 0) + int(count)
    return dict(sorted(counts.items(), key=lambda pair: -pair[1]))


def read_keys(
    database: Database, names: Names, campaign: str, dags: Collection[str]
) -> tuple[list[Row], list[Row]]:
    """
    Return the newest rows of a campaign that are in quarantine, and those that wait for an answer.

    :param dags: DAGs whose rows are returned.
    :return: keys with rules, and keys with status; no value of a person is in our tables.
    :raises FaceIdError: the database cannot be read.
    """
    if not dags:
        return [], []
    with database.reading(READ_SECONDS) as ask:
        refused, waiting = (
            _keys(ask, database, table, columns, (campaign, *dags))
            for table, columns in ((names.quarantine, _REFUSED), (names.results, _WAITING))
        )
    return refused, waiting


def _keys(
    ask: Ask, database: Database, table: str, columns: Sequence[str], values: Sequence[str]
) -> list[Row]:
    """
    Return some columns of a table's newest rows, one more than are shown.

    :param columns: the last one is when the row was written.
    :param values: the campaign, and the DAGs.
    """
    marker = database.dialect.marker
    settled = f"'{Status.ANSWERED}', '{Status.ERASED}'"
    status = f" AND status NOT IN ({settled})" if "status" in columns else ""
    rows = ask(
        f"SELECT {', '.join(columns)} FROM {_relation(database, table)} WHERE campaign = {marker} "
        f"AND dag_id IN ({', '.join([marker] * (len(values) - 1))}){status} "
        f"ORDER BY {columns[-1]} DESC LIMIT {KEYS_SHOWN + 1}",
        values,
    )
    return [_with_seconds(dict(zip(columns, row, strict=True))) for row in rows]


def _view(ask: Ask, database: Database, names: Names, view: View) -> Iterable[Row]:
    """Yield the rows of a view."""
    columns = list(view.columns)
    name = database.dialect.quote_table(name_of(view, names.results))
    for row in ask(f"SELECT {', '.join(columns)} FROM {name} ORDER BY campaign, action"):
        yield _with_seconds(dict(zip(columns, row, strict=True)))


def _where(database: Database, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
    marker = database.dialect.marker
    return " AND ".join(f"{name} = {marker}" for name in values), list(values.values())


def _relation(database: Database, table: str) -> str:
    return database.dialect.current.format(database.dialect.quote_table(table))


def columns_of(ask: Ask, database: Database, table: str) -> set[str]:
    """Return the columns of a table; none if it is not there."""
    parts = database.dialect.parts(table)
    missing = database.dialect.name_parts - len(parts)
    return {row[0] for row in ask(database.dialect.columns, (*[None] * missing, *parts))}


def _with_seconds(row: Row) -> Row:
    """Return a row with its moments as Unix seconds."""
    return {
        name: unix_seconds(value) if name.endswith("_at") or name in _MOMENTS else value
        for name, value in row.items()
    }
