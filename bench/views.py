"""The views over a million results, on SQLite and DuckDB; beside a loop in Python over the same rows.

The rows are of thirty days, three Actions and two campaigns: half have a similarity, some are held,
postponed or in quarantine. Each view is read whole.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import duckdb
from table import show

from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.warehouse.database import Database
from airflow_provider_faceid.warehouse.dialects import DUCKDB, SQLITE
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.prices import Price, write_prices
from airflow_provider_faceid.warehouse.view_definitions import VIEWS

ROWS = 1_000_000
TARGETS = {"sqlite": 5.0, "duckdb": 1.0}
TRIES = 3

MADE = """
SELECT n,
  CASE WHEN n % 2 = 0 THEN 'spring' ELSE 'autumn' END AS campaign,
  CASE WHEN n % 4 < 2 THEN 'ImageRecognitionV2' WHEN n % 4 = 2 THEN 'MobileStatus'
    ELSE 'IdCardVerification' END AS action,
  CASE WHEN n % 1000 = 0 THEN 'held' WHEN n % 1000 = 1 THEN 'postponed' ELSE 'answered' END AS status,
  CASE WHEN n % 1000 = 0 THEN 'uncertain' WHEN n % 1000 = 1 THEN 'limit'
    WHEN n % 10 < 7 THEN 'match' WHEN n % 10 = 7 THEN 'mismatch'
    WHEN n % 10 = 8 THEN 'review' ELSE 'not_found' END AS outcome,
  CASE WHEN n % 10 < 8 THEN 1 ELSE 0 END AS charged,
  CASE WHEN n % 4 < 2 THEN (n * 7919 % 10001) / 100.0 END AS similarity,
  80 + n * 104729 % 1500 AS latency_ms, n * 1299709 % 40000 AS waited_ms, n * 31 % 30 AS day
FROM numbers
"""
COMMON = """campaign, action, source_key, source, id_card_hash, outcome, code, similarity, charged,
  description, request_id, attempts, latency_ms, waited_ms, answered_at, verified_date, updated_at"""
VALUES = """campaign, action, CAST(n AS {text}), 'here/people', 'person ' || (n % 700000), outcome,
  CASE WHEN outcome = 'match' THEN '0' ELSE '-1' END, similarity, charged, 'our words',
  'request ' || n, 1, latency_ms, waited_ms,
  CASE WHEN status = 'answered' THEN {moment} END, CASE WHEN status = 'answered' THEN {day} END, {moment}"""
DAY = {
    "sqlite": "DATE('2026-11-01', '+' || day || ' days')",
    "duckdb": "CAST(DATE '2026-11-01' + CAST(day AS INTEGER) AS DATE)",
}
NUMBERS = {
    "sqlite": "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {0} - 1)",
    "duckdb": "WITH numbers AS (SELECT range AS n FROM range({0}))",
}


def fill(database: Database, rows: int) -> None:
    """Write results, history and quarantine as runs would have."""
    kind = database.dialect.name
    day = DAY[kind]
    moment = f"{day} || 'T02:00:00.000+00:00'"
    if kind == "duckdb":
        moment = f"CAST({day} AS TIMESTAMP) + INTERVAL 2 HOUR"
    values = VALUES.format(text=database.dialect.types["text"], moment=moment, day=day)
    made = f"{NUMBERS[kind].format(rows)} {{}} FROM ({MADE}) AS made"
    with database.transaction("filling") as cursor:
        cursor.execute(
            f"INSERT INTO faceid_results ({COMMON}, status, not_before) "
            + made.format(
                f"SELECT {values}, status, CASE WHEN status = 'postponed' THEN {moment} END"
            ),
        )
        cursor.execute(
            f"INSERT INTO faceid_history ({COMMON}, answer_id) "
            + made.format(f"SELECT {values}, 'request ' || n")
            + " WHERE status = 'answered'",
        )
        cursor.execute(
            "INSERT INTO faceid_quarantine (campaign, action, source_key, rule, stage, found_at) "
            + made.format(
                "SELECT campaign, action, 'bad ' || n, 'id_card_check_digit', 'input', " + moment
            )
            + " WHERE n % 200 = 0",
        )


def quantiles_in_duckdb(connection: Any) -> None:
    """The peer of DuckDB: its own function for percentiles."""
    connection.rows(
        "SELECT verified_date, action, COUNT(*), quantile_disc(latency_ms, [0.5, 0.95, 0.99]), "
        "quantile_disc(latency_ms + waited_ms, [0.5, 0.95, 0.99]) FROM faceid_history "
        "WHERE attempts > 0 GROUP BY verified_date, action"
    )


def quantiles_in_python(connection: Any) -> None:
    """The peer of SQLite: a loop over the rows."""
    times = defaultdict(list), defaultdict(list)
    rows = connection.rows(
        "SELECT verified_date, action, latency_ms, waited_ms FROM faceid_history WHERE attempts > 0"
    )
    for day, action, latency, waited in rows:
        times[0][day, action].append(latency)
        times[1][day, action].append(latency + waited)
    for some in times:
        for values in some.values():
            values.sort()
            for percent in (50, 95, 99):
                _ = values[ceil(len(values) * percent / 100) - 1]


PEERS: dict[str, tuple[str, Callable[[Any], None]]] = {
    "sqlite": ("the percentiles by a loop in Python", quantiles_in_python),
    "duckdb": ("the percentiles by its own function", quantiles_in_duckdb),
}


def seconds(work: Callable[[], object]) -> float:
    """Return the best of some tries."""
    took = []
    for _ in range(TRIES):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)


def query(name: str) -> str:
    """Return what is asked of a view: all of it, or of a view of rows how many there are of each kind."""
    if name == "latest":
        return "SELECT outcome, COUNT(*), MAX(answered_at) FROM faceid_latest GROUP BY outcome"
    if name == "history_periods":
        return (
            "SELECT is_current, COUNT(*), MAX(valid_from), MAX(valid_to) FROM faceid_history_periods "
            "GROUP BY is_current"
        )
    return f"SELECT * FROM faceid_{name}"  # noqa: S608 - ours


def measure(folder: Path, rows: int) -> tuple[dict[str, dict[str, float]], dict[str, int]]:
    """Return the seconds of each view by database, and how many rows each view has."""
    took: dict[str, dict[str, float]] = defaultdict(dict)
    found: dict[str, int] = {}
    for dialect, connect in ((SQLITE, sqlite3.connect), (DUCKDB, duckdb.connect)):
        path = str(folder / dialect.name)
        database = Database(lambda: connect(path), dialect, dialect.name)  # noqa: B023 - used here
        prepare(database, Names())
        fill(database, rows)
        prices = [Price("ImageRecognitionV2", 0.1, "USD"), Price("MobileStatus", 0.05, "USD")]
        write_prices(database, "faceid_prices", prices, SYSTEM_CLOCK)
        for view in VIEWS:
            answers: list[int] = []
            took[view.name][dialect.name] = seconds(
                lambda: answers.append(len(database.rows(query(view.name))))  # noqa: B023
            )
            if found.setdefault(view.name, answers[0]) != answers[0]:
                raise SystemExit(f"{view.name} differs between the databases")
        title, peer = PEERS[dialect.name]
        took[title][dialect.name] = seconds(lambda: peer(database))  # noqa: B023
        database.close()
    return took, found


def main(rows: int) -> int:
    """Print a table; return 1 if a view is slower than it may be."""
    with tempfile.TemporaryDirectory() as folder:
        took, found = measure(Path(folder), rows)
    print(
        f"{rows:,} results and {rows - 2 * (rows // 1000):,} answers in the history; best of {TRIES}\n"
    )
    show(
        ("view", "rows read", "SQLite", "DuckDB"),
        [
            (
                name,
                f"{found[name]:,}" if name in found else "",
                *(f"{of[kind]:.2f} s" if kind in of else "" for kind in TARGETS),
            )
            for name, of in took.items()
        ],
    )
    failed = False
    for kind, target in TARGETS.items():
        slowest = max((view.name for view in VIEWS), key=lambda name: took[name][kind])
        is_slow = took[slowest][kind] > target
        failed |= is_slow
        print(
            f"{'FAIL' if is_slow else 'ok'}: slowest on {kind}: {slowest}, {took[slowest][kind]:.2f} s; "
            f"at most {target:g} s"
        )
    return int(failed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    sys.exit(main(parser.parse_args().rows))
