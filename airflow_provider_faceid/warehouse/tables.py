"""Our tables (results, history, quarantine, runs, prices), and their SQL statements.

No column holds a name, a number or a photo. Statements are portable: upsert, select and delete by
key, the same on each database.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from ..api.action import ResultColumn
from .sql.database import Database, Dialect
from .sql.upsert import (
    ALWAYS,
    delete_statement,
    page_of_json,
    upsert_statement,
)

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

    def declared(self, dialect: Dialect) -> dict[str, str]:
        """Return the SQL type of each column."""
        return {
            name: dialect.column_type(name, column.type, is_key=name in self.key)
            for name, column in self.columns.items()
        }

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
    waited_ms         integer   from when the call was ready to that sending: the pace, and retries
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
    status            text      `answered`, `postponed` (not before a moment), `held` (may be charged) or `erased` (likewise, of a person who was erased)
    {_ANSWER}
    not_before        timestamp a postponed row is not asked about before; of an answer, when a reviewer wanted a recheck
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
    finished_at       timestamp when it ended; NULL while it runs, or if it was killed: its counts are as of `updated_at` then
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
PRICES = _table(
    "faceid_prices",
    "action valid_from",
    """
    action            text      the API Action
    valid_from        date      the service's day (Beijing) from which the price holds
    valid_to          date      the last day on which it holds; NULL for no end
    currency          text      currency of the price
    price             real      price of one charged call
    updated_at        timestamp when this row was written
    """,
)
_BILLED = """
    verified_date     date      the service's day (Beijing)
    action            text      the API Action
    code              text      result code; empty if the bill has none
"""
RECONCILIATION = _table(
    "faceid_reconciliation",
    "verified_date action code",
    f"""{_BILLED}
    charged           integer   charged answers, as we count them
    billed            integer   calls on the bill
    difference        integer   billed - charged
    may_be_charged    integer   answers of codes of which no page says whether they are billed
    in_doubt          integer   calls without an answer that may be among the billed ones
    explained         integer   calls of the difference that the two before may be
    unexplained       integer   difference - explained
    dag_id            text      the DAG of the reconciliation
    run_id            text      its DAG run
    updated_at        timestamp when this row was written
    """,
)
RECONCILIATION_CALLS = _table(
    "faceid_reconciliation_calls",
    "verified_date action code campaign source_key",
    f"""{_BILLED}
    campaign          text      campaign of a row without an answer that may explain the difference
    source_key        text      key of that row
    written_on        date      the service's day on which its row was written
    dag_id            text      the DAG of the reconciliation
    run_id            text      its DAG run
    updated_at        timestamp when this row was written
    """,
)

CHECKS = _table(
    "faceid_checks",
    "campaign action run_id task_id map_index number",
    """
    campaign          text      book in which verdicts are kept
    action            text      the API Action the rows are meant for
    run_id            text      the DAG run
    task_id           text      the task: a validation before the calls, or a check of results
    map_index         integer   map index of the task; -1 if it is not mapped
    number            integer   place of the expectation in the suite, from 0
    rule              text      name of the rule: bad rows of a source are quarantined under it
    expectation       text      type of the expectation, as Great Expectations calls it
    checked_column    text      column it is about, or several with commas; empty for a rule about the row
    severity          text      `critical`: bad rows are quarantined, bad results fail the task; `warning`, `info`: they are counted
    mostly            real      share of rows that must keep to it, 0-1
    evaluated         integer   rows it was asked of
    unexpected        integer   rows that broke it
    success           integer   1 if the share is kept, else 0
    source            text      where the rows are: connection, then table (`faceid_results` of a check of results) or a mark of the query
    dag_id            text      the DAG
    provider_version  text      version of this provider
    updated_at        timestamp when this row was written
    """,
)
ERASURES = _table(
    "faceid_erasures",
    "receipt_id",
    """
    receipt_id        text      random: names the erasure, and says nothing about anybody
    erased_by         text      what was named: `key` or `person`
    requested_by      text      who asked for it
    reference         text      number of the request in the system that keeps it; no people
    began_at          timestamp when it began
    erased_at         timestamp when the rows were erased; NULL if it was interrupted before
    finished_at       timestamp when nothing was found any more, and files were rewritten; NULL before
    is_rewritten      integer   1 if the files of tables and state store were rewritten, else 0
    source_keys       integer   source keys it was about
    results           integer   rows erased from the results
    history           integer   rows erased from the history
    answers_kept      integer   of these, rows of charged answers that stay without a person, for the bill
    in_doubt_kept     integer   calls in doubt that stay without a person, for the bill
    quarantine        integer   rows erased from the quarantine
    reviews           integer   rows erased from the reviews
    review_log        integer   rows erased from the log of reviews
    reconciliation    integer   calls in doubt of the reconciliation that lost their key
    calls             integer   calls erased from the ledger
    counters          integer   counters of the limits per identity that were erased
    provider_version  text      version of this provider
    updated_at        timestamp when this row was written
    """,
)

REVIEWS = _table(
    "faceid_reviews",
    "campaign action source_key answer_id",
    f"""{_ROW}
    answer_id         text      the answer it is about, as in the history; `in_doubt ...` for a row without one
    review_id         text      names the case: a hash of the columns before
    reason            text      rule by which it was entered
    outcome           text      the service's verdict then, in one word
    code              text      result code as the service sent it
    similarity        real      0.00-100.00 where faces were compared
    answered_at       timestamp when that answer came; NULL for a row without one
    suggested         text      `approve` from the threshold on, `reject` below; without a similarity what a match or mismatch says; else NULL
    priority          integer   1 (first) to 9
    created_at        timestamp when it was entered
    due_at            timestamp when it shall be decided
    four_eyes         integer   1 if a second person has to decide the same, else 0
    assigned_to       text      who shall decide it; NULL for anybody who may
    status            text      `open`, `in_progress` (assigned, or decided by one of two) or `resolved`
    decision          text      `approve`, `reject`, `recheck` (ask the service again) or `escalate` (not resolved by it)
    decided_by        text      who decided
    decided_at        timestamp when
    second_by         text      who decided the same, where four eyes are asked
    second_at         timestamp when
    seconds_open      integer   from `created_at` until it was resolved; NULL before
    note              text      what the reviewer wrote; no people
    version           integer   changes so far, each of which is in the log
    {_ORIGIN}""",
)
REVIEW_LOG = _table(
    "faceid_review_log",
    "review_id number",
    f"""
    review_id         text      the case
    number            integer   its change, from 1
    {_ROW}
    event             text      `created`, `assigned`, `decided`, `seconded`, `disagreed` or `escalated`
    actor             text      who did it; NULL for a DAG
    decision          text      what was decided; NULL if nothing was
    assigned_to       text      whom the case was assigned to
    status            text      of the case after it
    at                timestamp when
    origin            text      task instance or page that did it: a repetition of it changes nothing
    note              text      what the reviewer wrote; no people
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
    replaces: str = ALWAYS,
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
    write = partial(upsert_statement, dialect, name, tuple(table.columns), table.key)
    if dialect.bulk == "lists":  # one parameter for each column takes the whole page at once
        lists = ", ".join(f"unnest(?::{dialect.types[c.type]}[])" for c in table.columns.values())
        columns = [list(column) for column in zip(*values, strict=True)]
        cursor.execute(write(f"SELECT {lists}", replaces=replaces), columns)
        return
    markers = f"({', '.join(dialect.parameter(c.type) for c in table.columns.values())})"
    if dialect.bulk == "executemany":
        cursor.executemany(write(f"VALUES {markers}", replaces=replaces), values)
        return
    for start in range(0, len(values), dialect.rows_at_once):
        some = values[start : start + dialect.rows_at_once]
        if dialect.bulk == "json":
            lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in some)
            page = page_of_json(dialect, table.declared(dialect))
            cursor.execute(write(page, replaces=replaces), [lines])
        else:
            statement = write(f"VALUES {', '.join([markers] * len(some))}", replaces=replaces)
            cursor.execute(statement, [value for row in some for value in row])


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


def chunks(keys: Sequence[str]) -> Iterator[list[str]]:
    """
    Cut keys into lists of one length; the last one is padded with its own last key.

    A driver keeps each statement of another length in memory.
    """
    for start in range(0, len(keys), KEYS_AT_ONCE):
        some = list(keys[start : start + KEYS_AT_ONCE])
        yield some + some[-1:] * (KEYS_AT_ONCE - len(some))


def check_writable(cursor: Any, database: Database, names: Iterable[str]) -> None:
    """
    Insert, change and delete nothing in some tables, which takes the rights to do so.

    :param names: of the tables.
    :raises Exception: the driver's, if a right is missing.
    """
    for name in names:
        table = database.dialect.quote_table(name)
        for statement in database.dialect.rights:
            cursor.execute(statement.format(table), ())


def delete(
    cursor: Any, database: Database, name: str, condition: str, parameters: Sequence[Any]
) -> None:
    """
    Delete rows in a transaction of the caller's.

    :param condition: SQL with one ``?`` per parameter.
    """
    dialect = database.dialect
    where = condition.replace("?", dialect.marker)
    cursor.execute(delete_statement(dialect, name, where), tuple(parameters))
