"""The three tables we write: results, quarantine, runs. None holds a name, a number or a photo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..exceptions import FaceIdError
from .database import DUCKDB, Database

KEYS_AT_ONCE = 200
"""Keys in one statement that changes or deletes rows."""


class Column(NamedTuple):
    """A column: ``text``, ``integer`` or ``real``, and what it says."""

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


def _table(name: str, key: str, text: str) -> Table:
    columns = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        column, kind, meaning = line.split(maxsplit=2)
        columns[column] = Column(kind, meaning)
    return Table(name, tuple(key.split()), columns)


RESULTS = _table(
    "faceid_results",
    "campaign action source_key",
    """
    campaign          text     name under which a person is verified once
    action            text     the API Action
    source_key        text     key of the source row, as text
    id_card_hash      text     keyed hash of the ID number, the same in every table of ours
    id_card_masked    text     its first and last two characters, like `44**************61`
    status            text     `answered`, `postponed` (another day) or `held` (may be charged)
    outcome           text     the verdict in one word
    code              text     result code as the service sent it
    similarity        real     0.00-100.00 where faces were compared
    charged           integer  1, 0 (also if another row's call answered), NULL where no page says
    description       text     our words for the code
    request_id        text     the service's RequestId, to ask Tencent Cloud about
    attempts          integer  requests made for this answer; 0 if another row's call answered
    latency_ms        integer  from sending to the whole answer, waits excluded
    answered_at       text     ISO 8601, UTC
    verified_date     text     YYYY-MM-DD, the service's day (Beijing)
    not_before        text     ISO 8601, UTC: a postponed row is not called before
    run_id            text     the Airflow run
    """,
)
QUARANTINE = _table(
    "faceid_quarantine",
    "campaign action source_key rule",
    """
    campaign          text     name under which a person is verified once
    action            text     the API Action the row was meant for
    source_key        text     key of the source row, as text
    rule              text     the broken rule, or `service:` and the code
    stage             text     who found it: `validate`, `input` or `service`
    request_id        text     the service's RequestId if the service found it
    found_at          text     ISO 8601, UTC
    run_id            text     the Airflow run
    """,
)
RUNS = _table(
    "faceid_runs",
    "campaign action run_id shard started_at",
    """
    campaign          text     name under which a person is verified once
    action            text     the API Action
    run_id            text     the Airflow run
    shard             integer  map index of the task; -1 if it is not mapped
    started_at        text     ISO 8601, UTC
    finished_at       text     ISO 8601, UTC
    state             text     `success` or `failed`
    rows_in           integer  rows of the source
    answered          integer  rows with a final answer, those of earlier runs included
    quarantined       integer  rows whose input has to be mended
    postponed          integer  rows that wait for another day or for the service
    held              integer  rows sent without an answer
    reused            integer  rows answered without a call: their question was answered before
    calls             integer  requests made in this run
    charged           integer  calls of this run that are billed
    throttled         integer  requests refused as too fast; not billed
    seconds           real     from the first request to the last answer
    calls_per_second  real     requests per second over those seconds
    """,
)


def create(database: Database, table: Table, name: str) -> None:
    """
    Create a table unless it is there.

    :param name: its name in the database, with a schema if there is a dot.
    :raises ConfigurationError: it cannot be made, or a table of this name has other columns.
    """
    dialect = database.dialect
    columns = [
        f"{dialect.quote(c)} {dialect.types[column.type]}" for c, column in table.columns.items()
    ]
    key = ", ".join(map(dialect.quote, table.key))
    statement = (
        f"CREATE TABLE IF NOT EXISTS {dialect.quote_table(name)} "
        f"({', '.join(columns)}, PRIMARY KEY ({key}))"
    )
    database.prepare_to_write()
    fault = (
        f"Table '{name}' is not one of ours: it must have the columns {', '.join(table.columns)}"
    )
    try:
        with database.transaction(f"creating table '{name}'") as cursor:
            cursor.execute(statement, ())
    except FaceIdError as error:
        # Another process may have made it at this very moment: what counts is that it is there.
        fault = str(error)
    # Behind an alias: SQLite reads an unknown "name" as a string.
    aliased = ", ".join(f"ours.{dialect.quote(c)}" for c in table.columns)
    database.check(f"SELECT {aliased} FROM {dialect.quote_table(name)} AS ours WHERE 1 = 0", fault)


def upsert(database: Database, table: Table, name: str, rows: Iterable[dict[str, Any]]) -> None:
    """
    Insert rows, or replace those with the same key, in one transaction.

    :param rows: one dict per row; a column that is left out becomes NULL.
    :raises FaceIdError: the database refused; the message carries no values.
    """
    unique = {tuple(row[c] for c in table.key): row for row in rows}
    values = [tuple(row.get(c) for c in table.columns) for row in unique.values()]
    if not values:
        return
    with database.transaction(f"writing table '{name}'") as cursor:
        _write(cursor, database, table, name, values)


def _write(
    cursor: Any, database: Database, table: Table, name: str, values: Sequence[tuple[Any, ...]]
) -> None:
    dialect = database.dialect
    quote = dialect.quote
    head = f"INSERT INTO {dialect.quote_table(name)} ({', '.join(map(quote, table.columns))})"
    others = [c for c in table.columns if c not in table.key]
    tail = f"ON CONFLICT ({', '.join(map(quote, table.key))}) DO UPDATE SET " + ", ".join(
        f"{quote(c)} = excluded.{quote(c)}" for c in others
    )
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


def portions(keys: Sequence[str]) -> Iterator[list[str]]:
    """
    Cut keys into lists of one length, the last filled up with a key of its own.

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


def delete(database: Database, name: str, condition: str, parameters: Sequence[Any]) -> None:
    """
    Delete rows.

    :param condition: SQL with one ``?`` per parameter.
    """
    dialect = database.dialect
    where = condition.replace("?", dialect.marker)
    with database.transaction(f"cleaning table '{name}'") as cursor:
        cursor.execute(f"DELETE FROM {dialect.quote_table(name)} WHERE {where}", tuple(parameters))
