"""The funnel of every run that a fault test made: its parts sum to the rows in, counted again from tables.

Warehouses are found, not named: each SQLite file a test left, and the database of each of its trials.
The report reads their runs; plain SQL and Python count the same again.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from airflow_provider_faceid.exceptions import FaceIdError
from airflow_provider_faceid.report.numbers import Scope, read_numbers
from airflow_provider_faceid.report.verdicts import PLACE_OF
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql.database import SQLITE, Database

HEADER = b"SQLite format 3\0"
MARKS = {
    "results": {"source_key", "status", "not_before"},
    "quarantine": {"source_key", "rule", "stage"},
    "runs": {"rows_in", "planned_calls", "started_at"},
}
"""Columns by which our tables are known, whatever their names."""
WAITING = ("quarantined", "postponed", "held")
RECORDED = ("rows_in", "answered", *WAITING)
Row = dict[str, Any]


def names_in(file: Path) -> Names | None:
    """Return the names of our tables in a SQLite file; None if it is none, or has none."""
    with file.open("rb") as opened:
        if opened.read(len(HEADER)) != HEADER:
            return None
    found: dict[str, str] = {}
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            listed = "SELECT name FROM sqlite_master WHERE type = 'table'"
            for (table,) in connection.execute(listed).fetchall():
                info = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
                columns = {name for (name,) in info.fetchall()}
                found |= {word: table for word, mark in MARKS.items() if mark <= columns}
    except sqlite3.DatabaseError:
        return None  # one that a test has damaged: a ledger
    return Names(**found) if found.keys() == MARKS.keys() else None


@contextmanager
def copied(file: Path, names: Names) -> Iterator[Database]:
    """Open a copy of a SQLite warehouse, brought to this version: the test's own stays as it is."""
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as original:
        original.backup(memory)
    database = Database(lambda: memory, SQLITE, "copy")
    try:
        prepare(database, names)
        yield database
    finally:
        database.close()


def in_files(folder: Path) -> tuple[int, list[str]]:
    """Check every warehouse in SQLite files below a folder; see :func:`check`."""
    checked, wrong = 0, []
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        if (names := names_in(file)) is None:
            continue
        try:
            with copied(file, names) as database:
                runs, faults = check(database, names)
        except FaceIdError as error:
            if "newer" not in str(error):  # tables of a version that is yet to come are refused
                raise
            continue
        checked += runs
        wrong += [f"{file.name}: {fault}" for fault in faults]
    return checked, wrong


def check(database: Database, names: Names) -> tuple[int, list[str]]:
    """
    Check the runs of a warehouse.

    :return: how many there are, and what is wrong.
    """
    columns = ("campaign", "action", "run_id", "map_index", "started_at", "state", *RECORDED)
    tries = read(database, names.runs, columns)
    tries = [one for one in tries if one["state"] not in {"planned", "refused"}]
    history = read(
        database,
        names.beside("history"),
        ("campaign", "action", "run_id", "source_key", "outcome", "answered_at", "answer_id"),
    )
    wrong: list[str] = []
    runs = sorted({(one["campaign"], one["run_id"]) for one in tries})
    for campaign, run_id in runs:
        scope = Scope(campaign, run_id=run_id, smallest=1)
        numbers = read_numbers(database, names, scope, time.time())
        for row in numbers["rows"]:
            of = {"campaign": campaign, "action": row["action"], "run_id": run_id}
            faults = of_run(row, some(tries, of), some(history, of))
            wrong += [f"run '{run_id}' of {campaign}, {row['action']}: {one}" for one in faults]
    now = read_numbers(database, names, Scope(smallest=1), time.time())
    results = read(database, names.results, ("campaign", "action", "source_key", "status"))
    refused = read(database, names.quarantine, ("campaign", "action", "source_key"))
    for row in now["rows"]:
        of = {name: row[name] for name in ("campaign", "action")}
        faults = of_campaign(row, some(results, of), some(refused, of))
        wrong += [f"{row['campaign']}, {row['action']}: {one}" for one in faults]
    return len(runs), wrong


def of_run(row: Row, tries: Iterable[Row], history: Iterable[Row]) -> list[str]:
    """Compare a run's funnel with what its tries recorded, and with its answers in the history."""
    ordered = sorted(tries, key=lambda one: str(one["started_at"]))
    last = {one["map_index"]: one for one in ordered}.values()
    recorded = {name: sum(one[name] or 0 for one in last) for name in RECORDED}
    newest = {
        one["source_key"]: one
        for one in sorted(history, key=lambda one: (str(one["answered_at"]), one["answer_id"]))
    }
    verdicts = Counter(PLACE_OF.get(one["outcome"], "other_answers") for one in newest.values())
    wrong = summed(row)
    if +shown(row) != verdicts:
        wrong.append(f"its verdicts are {+shown(row)}, the history has {verdicts}")
    wrong += [
        f"{row[name]} rows are {name}, and its tries recorded {recorded[name]}"
        for name in WAITING
        if row[name] != recorded[name]
    ]
    if row["rows_in"] != recorded["rows_in"]:
        wrong.append(f"{row['rows_in']} rows came in, its tries recorded {recorded['rows_in']}")
    if all(one["state"] == "success" for one in last):
        if row["left"]:
            wrong.append(f"it succeeded, and {row['left']} rows are left")
        if row["answers"] + row["answered_before"] != recorded["answered"]:
            wrong.append(f"its answers are not the {recorded['answered']} its tries recorded")
    return wrong


def of_campaign(row: Row, results: list[Row], refused: Iterable[Row]) -> list[str]:
    """Compare where the rows of a campaign are now with what stands in its tables."""
    by_status = Counter(one["status"] for one in results)
    keys = {one["source_key"] for one in results}
    quarantined = {one["source_key"] for one in refused} - keys
    wrong = summed(row)
    counted = {
        "rows_in": len(keys | quarantined),
        "answers": by_status["answered"],
        "postponed": by_status["postponed"],
        "held": by_status["held"],
        "quarantined": len(quarantined),
    }
    wrong += [
        f"{name} is {row[name]}, and the tables have {count}"
        for name, count in counted.items()
        if row[name] != count
    ]
    return wrong


def shown(row: Row) -> Counter[str]:
    """Return answers by place."""
    return Counter({place: g["answers"] for g in row["verdicts"] for place in g["places"]})


def summed(row: Row) -> list[str]:
    """Say whether the parts do not sum to the rows in, or one is below zero."""
    parts = {**shown(row), **{name: row[name] for name in (*WAITING, "answered_before", "left")}}
    wrong = [f"{name} is {count}" for name, count in parts.items() if count < 0]
    if sum(parts.values()) != row["rows_in"]:
        wrong.append(f"its parts {parts} do not sum to {row['rows_in']} rows in")
    return wrong


def some(rows: Iterable[Row], of: Mapping[str, Any]) -> list[Row]:
    """Return the rows that have some values."""
    return [row for row in rows if all(row[name] == value for name, value in of.items())]


def read(database: Database, table: str, columns: tuple[str, ...]) -> list[Row]:
    """Return all rows of a table of ours, by column."""
    dialect = database.dialect
    found = database.rows(
        f"SELECT {', '.join(columns)} FROM {dialect.current.format(dialect.quote_table(table))}"
    )
    return [dict(zip(columns, row, strict=True)) for row in found]
