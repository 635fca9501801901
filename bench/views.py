"""The views over a million results, on five databases: the same values, and how long each takes.

The rows are of thirty days, three Actions and two campaigns: half have a similarity, some are held,
postponed or in quarantine. Each view is read whole, and beside it what a peer does with the same rows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b
from math import ceil
from pathlib import Path
from typing import Any

from table import show
from warehouses import WAREHOUSES, filled, write_csv

from airflow_provider_faceid.warehouse.sql.database import Database
from airflow_provider_faceid.warehouse.views.definitions import VIEWS
from airflow_provider_faceid.warehouse.views.views import View

ROWS = 1_000_000
TARGETS = {"sqlite": 5.0, "duckdb": 1.0, "clickhouse": 1.0}
TRIES = 3
LONG = 10.0
"""Seconds of tries after which there is no other one."""
DIGITS = 9
ACTIONS = ("ImageRecognitionV2", "MobileStatus", "IdCardVerification")
TITLES = {
    "sqlite": "SQLite",
    "duckdb": "DuckDB",
    "postgresql": "PostgreSQL",
    "mariadb": "MariaDB",
    "clickhouse": "ClickHouse",
}


def quantiles_in_duckdb(database: Database) -> None:
    """The peer of DuckDB: its own function for percentiles."""
    database.rows(
        "SELECT verified_date, action, COUNT(*), quantile_disc(latency_ms, [0.5, 0.95, 0.99]), "
        "quantile_disc(latency_ms + waited_ms, [0.5, 0.95, 0.99]) FROM faceid_history "
        "WHERE attempts > 0 GROUP BY verified_date, action"
    )


def quantiles_in_clickhouse(database: Database) -> None:
    """The peer of ClickHouse: its own function for percentiles."""
    database.rows(
        "SELECT verified_date, action, COUNT(*), quantilesExactLow(0.5, 0.95, 0.99)(latency_ms), "
        "quantilesExactLow(0.5, 0.95, 0.99)(latency_ms + waited_ms) FROM faceid_history "
        "WHERE attempts > 0 GROUP BY verified_date, action"
    )


def quantiles_in_python(database: Database) -> None:
    """The peer of the others: a loop over the rows."""
    times = defaultdict(list), defaultdict(list)
    rows = database.rows(
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


LOOP, OWN = "the percentiles by a loop in Python", "the percentiles by its own function"
PEERS: dict[str, tuple[str, Callable[[Any], None]]] = {
    "sqlite": (LOOP, quantiles_in_python),
    "duckdb": (OWN, quantiles_in_duckdb),
    "postgresql": (LOOP, quantiles_in_python),
    "mariadb": (LOOP, quantiles_in_python),
    "clickhouse": (OWN, quantiles_in_clickhouse),
}


def seconds(work: Callable[[], object]) -> float:
    """Return the best of some tries, of one if it takes long."""
    took: list[float] = []
    while len(took) < TRIES and sum(took) < LONG:
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


def plain(value: Any) -> Any:
    """Return a value as all databases have it: numbers with nine digits, moments in UTC, dates as text."""
    if isinstance(value, float | Decimal):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str) and value[4:5] == value[7:8] == "-" and value[10:11] == "T":
        return datetime.fromisoformat(value).timestamp()
    return value


def digest(rows: Iterable[tuple[Any, ...]]) -> tuple[int, int]:
    """Return the number of rows and a sum over the hashes of their values, in whatever order they are."""
    number = total = 0
    for row in rows:
        text = repr(tuple(map(plain, row)))
        number += 1
        total += int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
    return number, total % 2**64


def content(database: Database, view: View) -> tuple[int, int]:
    """Return the digest of all values of a view, which is read in parts that fit into memory."""
    select = f"SELECT {', '.join(view.columns)} FROM faceid_{view.name}"  # noqa: S608 - ours
    if view.name not in {"latest", "history_periods"}:
        return digest(database.rows(select))
    parts = [digest(database.rows(f"{select} WHERE action = '{action}'")) for action in ACTIONS]
    return sum(number for number, _ in parts), sum(total for _, total in parts) % 2**64


def slowest_view(took: dict[str, dict[str, float]], kind: str) -> str:
    """Return the name of the view that takes longest on a database."""
    return max((view.name for view in VIEWS), key=lambda name: took[name][kind])


def measure(
    folder: Path, kinds: list[str], rows: int
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, tuple[int, int]]]]:
    """Return the seconds and the content of each view, by database."""
    took: dict[str, dict[str, float]] = defaultdict(dict)
    found: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    write_csv(folder, rows)
    for kind in kinds:
        began = time.perf_counter()
        with filled(kind, folder) as database:
            loaded = time.perf_counter()
            for view in VIEWS:
                took[view.name][kind] = seconds(lambda: database.rows(query(view.name)))  # noqa: B023
            title, peer = PEERS[kind]
            took[title][kind] = seconds(lambda: peer(database))  # noqa: B023
            for view in VIEWS:
                found[view.name][kind] = content(database, view)
        slowest = slowest_view(took, kind)
        print(
            f"{kind}: loaded in {loaded - began:.0f} s, all of it {time.perf_counter() - began:.0f} s; "
            f"slowest {slowest}, {took[slowest][kind]:.2f} s",
            flush=True,
        )
    return took, found


def main(rows: int, kinds: list[str]) -> int:
    """Print a table; return 1 if a view differs somewhere, or is slower than it may be."""
    there = [kind for kind in kinds if WAREHOUSES[kind][2]()]
    for kind in set(kinds) - set(there):
        print(f"{TITLES[kind]} is not installed: make test-databases installs it")
    with tempfile.TemporaryDirectory() as folder:
        took, found = measure(Path(folder), there, rows)
    print(
        f"{rows:,} results and {rows - 2 * (rows // 1000):,} answers in the history; best of {TRIES}\n"
    )
    show(
        ("view", "rows", *(TITLES[kind] for kind in there)),
        [
            (
                name,
                f"{found[name][there[0]][0]:,}" if name in found else "",
                *(f"{of[kind]:.2f} s" if kind in of else "" for kind in there),
            )
            for name, of in took.items()
        ],
    )
    differing = {name: of for name, of in found.items() if len(set(of.values())) > 1}
    for name, of in differing.items():
        print(f"FAIL: {name} differs: {of}")
    if not differing:
        print(f"ok: all {len(found)} views have the same values on {', '.join(there)}")
    failed = bool(differing) or there != kinds
    for kind, target in TARGETS.items():
        if kind in there:
            slowest = slowest_view(took, kind)
            is_slow = took[slowest][kind] > target
            failed |= is_slow
            print(
                f"{'FAIL' if is_slow else 'ok'}: slowest on {kind}: {slowest}, "
                f"{took[slowest][kind]:.2f} s; at most {target:g} s"
            )
    return int(failed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--on", nargs="+", choices=[*WAREHOUSES], default=[*WAREHOUSES])
    chosen = parser.parse_args()
    sys.exit(main(chosen.rows, chosen.on))
