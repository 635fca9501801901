"""Our tables (results, history, quarantine, runs), their SQL statements, and the view over them.

No column holds a name, a number or a photo. Statements are portable: upsert, select and delete by
key, and the view of latest verdicts, the same on each database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ..api.action import ResultColumn
from .database import DUCKDB, SQLITE, Database

KEYS_AT_ONCE = 200
"""Keys in one statement that changes or deletes rows."""


class Column(NamedTuple):
    """A column: ``text``, ``integer``, ``real``, ``timestamp`` or ``date``, and what it says."""

    type: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """
    A table of ours.

    :param name: default name.
    :param key: columns of the primary key.
    :param columns: all columns by name.
    """

    name: str
    key: tuple[str, ...]
    columns: dict[str, Column]

    def with_columns_of(self, action: Iterable[ResultColumn]) -> Table:
        """Return the same table with the columns that only some Actions have."""
        more = {own.column: Column(own.type, own.meaning) for own in action}
        return replace(self, columns={**self.columns, **more})


def _table(name: str, key: str, text: str) -> Table:
    columns = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        column, kind, meaning = line.split(maxsplit=2)
        columns[column] = Column(kind, meaning)
    return Table(name, tuple(key.split()), columns)


_ROW = """
    campaign          text      book in which verdicts are kept: the DAG id unless named otherwise
    action            text      the API Action
    source_key        text      key of the source row, as text
"""
_ABOUT = """
    source            text      where the row is: connection, then table or a mark of the query
    question_hash     text      keyed hash of what was asked, the photo included
    row_hash          text      keyed hash by which a run sees that a row asks something else
    id_card_hash      text      keyed hash of the ID number, the same in every table of ours
    id_card_masked    text      its first and last two characters, like `44**************61`
"""
_ANSWER = """
    outcome           text      the verdict in one word
    code              text      result code as the service sent it
    similarity        real      0.00-100.00 where faces were compared
    charged           integer   1, 0 (also if another row's call answered), NULL where no page says
    description       text      our words for the code
    request_id        text      the service's RequestId, to ask Tencent Cloud about
    attempts          integer   requests made for this answer; 0 if another row's call answered
    latency_ms        integer   from sending to the whole answer, waits excluded
    answered_at       timestamp when the answer came; NULL for a row without one
    verified_date     date      the service's day (Beijing) of the answer; NULL likewise
"""
_ORIGIN = """
    dag_id            text      the DAG
    run_id            text      the DAG run
    map_index         integer   map index of the task; -1 if it is not mapped
    provider_version  text      version of this provider
    updated_at        timestamp when this row was written
"""

RESULTS = _table(
    "faceid_results",
    "campaign action source_key",
    f"""{_ROW}{_ABOUT}
    status            text      `answered`, `postponed` (not before a moment) or `held` (may be charged)
    {_ANSWER}
    not_before        timestamp a postponed row is not asked about before
    {_ORIGIN}""",
)
HISTORY = _table(
    "faceid_history",
    "campaign action source_key answer_id",
    f"""{_ROW}
    answer_id         text      the RequestId; the moment of the answer where the service gave none
    {_ABOUT}{_ANSWER}{_ORIGIN}""",
)
QUARANTINE = _table(
    "faceid_quarantine",
    "campaign action source_key rule",
    f"""{_ROW}
    rule              text      the broken rule; `service:` or `warehouse:` and the code
    stage             text      found by: `validate`, `input`, `service` or `warehouse`
    question_hash     text      keyed hash of what was asked, where the service found it
    row_hash          text      keyed hash by which a run sees that the row was mended
    request_id        text      the service's RequestId if the service found it
    found_at          timestamp when it was found
    {_ORIGIN}""",
)
RUNS = _table(
    "faceid_runs",
    "campaign action run_id map_index started_at",
    """
    campaign          text      book in which verdicts are kept
    action            text      the API Action
    run_id            text      the DAG run
    map_index         integer   map index of the task; -1 if it is not mapped
    started_at        timestamp when the task began
    finished_at       timestamp when it ended; NULL while it runs, or if it was killed
    state             text      `running`, `success`, `failed`, `planned` (a dry run) or `refused` (max_changed)
    source            text      where the rows are: connection, then table or a mark of the query
    rows_in           integer   rows of the source
    due_new           integer   plan: rows that were never asked about
    due_changed       integer   plan: rows that ask something else than before
    due_expired       integer   plan: rows whose answer is older than `valid_for`
    due_postponed     integer   plan: rows whose postponement is over
    due_released      integer   plan: held rows that were released
    due_mended        integer   plan: rows that were refused before and may have been mended
    due_held          integer   plan: held rows asked about again, with `on_in_doubt="retry"`
    still_valid       integer   plan: answered rows that are left alone
    planned_calls     integer   plan: calls, and charges, at most
    planned_seconds   real      plan: how long they take at the account's pace
    answered          integer   rows with a final answer, those of earlier runs included
    quarantined       integer   rows whose input has to be mended
    postponed         integer   rows that are not asked about before a moment
    held              integer   rows sent without an answer
    already           integer   rows that were settled before this run
    reused            integer   rows answered without a call: their question was answered before
    calls             integer   requests made in this run
    charged           integer   calls of this run that are billed
    charge_unknown    integer   requests that may be billed besides: without an answer, of a code no page is clear about, or refused by a gateway
    throttled         integer   requests refused as too fast; not billed
    seconds           real      from the first request to the last answer
    calls_per_second  real      requests per second over those seconds
    hash_key_id       text      identifies the hash key, and says nothing else about it
    dag_id            text      the DAG
    provider_version  text      version of this provider
    updated_at        timestamp when this row was written
    """,
)


def insert(
    cursor: Any,
    database: Database,
    table: Table,
    name: str,
    rows: Iterable[dict[str, Any]],
    *,
    replaces: str = "1 = 1",
) -> None:
    """
    Upsert rows in a transaction of the caller's.

    :param rows: one dict per row; a column that is left out becomes NULL. Of rows with the same key
        the last one counts.
    :param replaces: SQL condition under which a row replaces one with the same key: ``excluded.`` is
        the new row, ``old.`` the one that is there. Empty if it never does.
    """
    unique = {tuple(row[c] for c in table.key): row for row in rows}
    # In one order in all processes: two runs that write the same rows cannot deadlock.
    values = [tuple(unique[key].get(c) for c in table.columns) for key in sorted(unique)]
    if not values:
        return
    dialect = database.dialect
    quote = dialect.quote
    head = (
        f"INSERT INTO {dialect.quote_table(name)} AS old ({', '.join(map(quote, table.columns))})"
    )
    tail = f"ON CONFLICT ({', '.join(map(quote, table.key))}) DO NOTHING"
    if replaces:
        others = [c for c in table.columns if c not in table.key]
        setting = ", ".join(f"{quote(c)} = excluded.{quote(c)}" for c in others)
        tail = tail.replace("NOTHING", f"UPDATE SET {setting} WHERE {replaces}")
    if dialect is DUCKDB:
        # executemany takes 4 ms a row there; one list per column takes the whole page at once.
        lists = ", ".join(f"unnest(?::{dialect.types[c.type]}[])" for c in table.columns.values())
        columns = [list(column) for column in zip(*values, strict=True)]
        cursor.execute(f"{head} SELECT {lists} {tail}", columns)
    else:
        markers = ", ".join([dialect.marker] * len(table.columns))
        cursor.executemany(f"{head} VALUES ({markers}) {tail}", values)


def select_by_keys(
    database: Database, name: str, columns: Sequence[str], scope: dict[str, str], keys: list[str]
) -> list[tuple[Any, ...]]:
    """
    Return some columns of the rows with some source keys.

    :param scope: values other columns must have, ``campaign`` and ``action``.
    :param keys: values of ``source_key``; a few hundred at most.
    """
    if not keys:
        return []
    dialect = database.dialect
    where = [f"{dialect.quote(c)} = {dialect.marker}" for c in scope]
    where.append(f"{dialect.quote('source_key')} IN ({', '.join([dialect.marker] * len(keys))})")
    return database.rows(
        f"SELECT {', '.join(map(dialect.quote, columns))} FROM {dialect.quote_table(name)} "
        f"WHERE {' AND '.join(where)}",
        [*scope.values(), *keys],
    )


def set_row_hashes(
    cursor: Any,
    database: Database,
    name: str,
    scope: dict[str, str],
    hashes: Mapping[str, str],
    *,
    source: str,
) -> None:
    """
    Set the row hash and source of some rows, in a transaction of the caller's.

    :param scope: values other columns have, ``campaign`` and ``action``.
    :param hashes: row hash by source key.
    :param source: where the rows are.
    """
    dialect, table = database.dialect, database.dialect.quote_table(name)
    ours = " AND ".join(f"{column} = ?" for column in scope)
    if dialect is SQLITE:
        cursor.executemany(
            f"UPDATE {table} SET row_hash = ?, source = ? WHERE {ours} AND source_key = ?",
            [(row_hash, source, *scope.values(), key) for key, row_hash in hashes.items()],
        )
        return
    lists = ", ".join(f"unnest(?::{dialect.types['text']}[]) AS {n}" for n in ("k", "h"))
    statement = (
        f"UPDATE {table} SET row_hash = asked.h, source = ? FROM (SELECT {lists}) AS asked "
        f"WHERE {ours} AND source_key = asked.k"
    )
    cursor.execute(
        statement.replace("?", dialect.marker),
        [source, list(hashes), list(hashes.values()), *scope.values()],
    )


def rename_keys(
    cursor: Any, database: Database, name: str, scope: dict[str, str], keys: Mapping[str, str]
) -> None:
    """
    Give some rows another source key, in a transaction of the caller's.

    :param scope: values other columns have, ``campaign`` and ``action``.
    :param keys: new key by old one.
    """
    dialect, table = database.dialect, database.dialect.quote_table(name)
    ours = " AND ".join(f"{column} = ?" for column in scope)
    statement = f"UPDATE {table} SET source_key = ? WHERE {ours} AND source_key = ?"
    for old, new in keys.items():
        parameters = (new, *scope.values(), old)
        cursor.execute(statement.replace("?", dialect.marker), parameters)


def chunks(keys: Sequence[str]) -> Iterator[list[str]]:
    """
    Cut keys into lists of one length; the last one is padded with its own last key.

    A driver keeps each statement of another length in memory.
    """
    for start in range(0, len(keys), KEYS_AT_ONCE):
        some = list(keys[start : start + KEYS_AT_ONCE])
        yield some + some[-1:] * (KEYS_AT_ONCE - len(some))


def update(
    database: Database,
    name: str,
    values: dict[str, Any],
    condition: str,
    parameters: Sequence[Any],
) -> int:
    """
    Change some columns of rows.

    :param values: new values by column.
    :param condition: SQL with one ``?`` per parameter.
    :return: how many rows.
    """
    dialect, table = database.dialect, database.dialect.quote_table(name)
    where = condition.replace("?", dialect.marker)
    setting = ", ".join(f"{dialect.quote(c)} = {dialect.marker}" for c in values)
    with database.transaction(f"changing table '{name}'") as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {table} WHERE {where}", tuple(parameters))
        count = int(cursor.fetchall()[0][0])
        cursor.execute(
            f"UPDATE {table} SET {setting} WHERE {where}", (*values.values(), *parameters)
        )
    return count


def check_writable(cursor: Any, database: Database, names: Iterable[str]) -> None:
    """
    Insert, change and delete nothing in some tables, which takes the rights to do so.

    :param names: of the tables.
    :raises Exception: the driver's, if a right is missing.
    """
    for name in names:
        table = database.dialect.quote_table(name)
        cursor.execute(f"INSERT INTO {table} SELECT * FROM {table} WHERE 1 = 0", ())
        cursor.execute(f"UPDATE {table} SET updated_at = updated_at WHERE 1 = 0", ())
        cursor.execute(f"DELETE FROM {table} WHERE 1 = 0", ())


def delete(
    cursor: Any, database: Database, name: str, condition: str, parameters: Sequence[Any]
) -> None:
    """
    Delete rows in a transaction of the caller's.

    :param condition: SQL with one ``?`` per parameter.
    """
    dialect = database.dialect
    where = condition.replace("?", dialect.marker)
    cursor.execute(f"DELETE FROM {dialect.quote_table(name)} WHERE {where}", tuple(parameters))


LATEST_COLUMNS = tuple(c for c in RESULTS.columns if c not in {"status", "not_before"})
"""Columns of ``faceid_latest``."""


def create_latest(
    cursor: Any, database: Database, results: str, name: str, own: Iterable[str] = ()
) -> None:
    """
    Make the view of latest verdicts, in a transaction of the caller's.

    It has one row for each source row and Action: its latest answer, whatever the campaign.

    :param results: name of the result table.
    :param name: name of the view; one that is there is replaced.
    :param own: columns of some Actions only, as far as the result table has them.
    """
    dialect = database.dialect
    columns = ", ".join([*LATEST_COLUMNS, *map(dialect.quote, own)])
    cursor.execute(f"DROP VIEW IF EXISTS {dialect.quote_table(name)}", ())
    cursor.execute(
        f"CREATE VIEW {dialect.quote_table(name)} AS SELECT {columns} FROM ("
        f"SELECT {columns}, ROW_NUMBER() OVER (PARTITION BY action, source, source_key "
        "ORDER BY answered_at DESC, updated_at DESC, campaign DESC) AS place "
        f"FROM {dialect.quote_table(results)} WHERE status = 'answered') AS ranked WHERE place = 1",
        (),
    )
