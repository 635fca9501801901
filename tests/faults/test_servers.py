"""Servers as other people run them: poolers, strict isolation, cancelled statements, a huge ledger."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from airflow_provider_faceid.api.messages import Reply
from airflow_provider_faceid.api.verdict import judge
from airflow_provider_faceid.batch import row_outcomes as writer
from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.simulator.people import ID_CARD
from airflow_provider_faceid.state.call_table import Claim, Record, State
from airflow_provider_faceid.state.housekeeping import Housekeeping
from airflow_provider_faceid.state.identity_limits import Use
from airflow_provider_faceid.state.ledger import KEEP_SECONDS, Ledger
from airflow_provider_faceid.state.store import StateStore
from airflow_provider_faceid.warehouse.sql import database
from airflow_provider_faceid.warehouse.sql.database import POSTGRESQL
from tests.integration.warehouse.conftest import Home
from tests.support.pgbouncer import pgbouncer

from .conftest import Trials
from .trial import ServiceTime, Trial

DATABASES = count()
RELIABILITY = Path(__file__).parents[2] / "docs" / "reliability.md"


@pytest.fixture
def database_name(postgres: str) -> str:
    """A PostgreSQL database of its own."""
    name = f"server_{next(DATABASES)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return name


@pytest.fixture
def trial_on(trials: Trials) -> Iterator[Callable[[str, str], Trial]]:
    """Make a trial whose warehouse and state store are one PostgreSQL database."""
    made: list[StateStore] = []

    def make(warehouse: str, state: str) -> Trial:
        trial = trials(home=Home(POSTGRESQL, warehouse, psycopg.connect))
        trial.state.close()
        made.append(StateStore(state, ServiceTime(trial.server.clock)))
        trial.state = made[-1]
        return trial

    yield make
    for store in made:
        store.close()


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the warehouse be asked again soon."""
    monkeypatch.setattr(database, "BACKOFF_SECONDS", (0.05,) * 50)
    monkeypatch.setattr(writer, "BACKOFF_SECONDS", (0.05,) * 50)


@pytest.fixture
def pooler(postgres):
    """A pgbouncer with two sessions, until the test's funnels have been checked."""
    with pgbouncer(postgres, pool=2) as bouncer:
        yield bouncer


@pytest.mark.fault(51)
def test_state_and_warehouse_behind_a_pooler_in_transaction_mode(
    trial_on, pooler, database_name, measured
):
    rows = 400
    trial = trial_on(pooler.url(database_name, "postgresql"), pooler.url(database_name))
    trial.fill_with(trial.ordinary[:rows])
    assert trial.run()["answered"] == rows
    assert len(trial.calls()) == rows
    trial.hold()
    measured(f"pgbouncer, 2 sessions: {rows} of {rows} answered, {rows} calls")


TROUBLE = """
CREATE SEQUENCE statements;
CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE n bigint := nextval('statements');
BEGIN
    IF n % 13 = 0 AND n <= 104 THEN
        RAISE EXCEPTION USING
            ERRCODE = (ARRAY['40001', '40P01', '57014', '55P03', '53300'])[1 + (n / 13) % 5];
    END IF;
    RETURN NULL;
END $$;
"""
"""Every thirteenth of the first statements fails, as deadlocks and cancelled ones do."""
TROUBLED = ("faceid_calls", "faceid_tries", "faceid_results", "faceid_runs")


@pytest.mark.usefixtures("brisk")
@pytest.mark.fault(52)
def test_strict_isolation_and_cancelled_statements(trial_on, postgres, database_name, measured):
    rows = 300
    with psycopg.connect(postgres, autocommit=True) as connection:
        alter = f"ALTER DATABASE {database_name} SET"
        connection.execute(f"{alter} default_transaction_isolation = 'serializable'")
        connection.execute(f"{alter} statement_timeout = '5s'")
        connection.execute(f"{alter} idle_in_transaction_session_timeout = '5s'")
    address = psycopg.conninfo.make_conninfo(postgres, dbname=database_name)
    url = postgres.replace("postgresql://", "postgresql+psycopg://")
    trial = trial_on(address, url.replace("/postgres?", f"/{database_name}?"))
    trial.fill_with(trial.ordinary[:rows])
    trial.state.run(lambda cursor: cursor.execute("SELECT 1"))
    trial.store().open()
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(TROUBLE)
        for table in TROUBLED:
            connection.execute(
                f"CREATE TRIGGER trouble AFTER INSERT OR UPDATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION trouble()"
            )
    manifest = trial.run(settings={"quotas": {ID_CARD: 200}})
    assert (manifest["answered"], manifest["held"]) == (rows, 0)
    assert len(trial.calls()) == rows
    assert trial.home.query("SELECT last_value > 104 FROM statements") == [(True,)]
    trial.hold()
    measured(f"serializable, 8 statements fail: {rows} of {rows} answered, 0 held")


def steps_of(path: Path, work: Callable[[StateStore], object]) -> int:
    """Return how many hundreds of instructions SQLite takes for some work."""
    store, steps = StateStore(f"sqlite:///{path}"), []
    store.run(lambda cursor: cursor.execute("SELECT 1"))
    connection: Any = store._engine().raw_connection()
    connection.driver_connection.set_progress_handler(lambda: steps.append(1), 100)
    connection.close()
    work(store)
    store.close()
    return len(steps)


def fill(path: Path, calls: int) -> None:
    """Leave calls, counters and tries in a store, all of them long over."""
    store = StateStore(f"sqlite:///{path}")
    store.run(lambda cursor: cursor.execute("SELECT 1"))
    store.close()
    many = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {calls})"
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(
            f"INSERT INTO faceid_calls {many} SELECT 'v2' || lower(hex(randomblob(19))), i, "
            "'task', 1, 'done', i, '', 0 FROM n"
        )
        connection.execute(
            f"INSERT INTO faceid_identity_uses {many} SELECT random() & 9223372036854775807, 1, i "
            "FROM n"
        )
        connection.execute(
            "INSERT INTO faceid_tries (owner, number, seen_at, begun_hour) "
            f"{many} SELECT 'task ' || i, 1, i, 0 FROM n"
        )
    connection.close()


def a_start(store: StateStore) -> None:
    """Begin a task, and join one as a single call does."""
    Ledger(store, "one").begin(SYSTEM_CLOCK.now())
    Ledger(store, "two").join(SYSTEM_CLOCK.now())


def a_step_of_each_chore(store: StateStore) -> None:
    """Take a turn's first step, and the next ones."""
    for _, chore in zip(range(3), Housekeeping(store, "one", KEEP_SECONDS).steps(), strict=False):
        assert chore


@pytest.mark.fault(60)
@pytest.mark.parametrize(
    ("what", "work"), [("a start", a_start), ("three steps", a_step_of_each_chore)]
)
def test_what_a_start_reads_does_not_grow_with_the_ledger(tmp_path, measured, what, work):
    """Judged by SQLite's instructions; how long it takes at ten millions is in the benchmarks."""
    steps = {}
    for calls in (2_000, 60_000):
        fill(tmp_path / f"{calls}", calls)
        steps[calls] = steps_of(tmp_path / f"{calls}", work)
    assert steps[60_000] <= 1.2 * steps[2_000] + 5
    measured(f"{what} takes {steps[60_000] / max(1, steps[2_000]):.1f} times as much at 30 times")


@pytest.mark.fault(60)
def test_a_ledger_grows_as_the_docs_say(tmp_path, measured):
    documented = re.search(r"SQLite \| (\d+) bytes", RELIABILITY.read_text())
    assert documented is not None
    path, calls = tmp_path / "state.sqlite", 4_000
    store = StateStore(f"sqlite:///{path}")
    ledger = Ledger(store, "dag/scheduled__2026-11-28T00:00:00+00:00/verify/-1")
    ledger.begin(SYSTEM_CLOCK.now())
    verdict = judge(Reply(ID_CARD, "0", "", "8a1f6bd2-0c7e-4d2b-9a4e-3a5b7c1d9e0f"))
    end = SYSTEM_CLOCK.now() + 1000
    for first in range(0, calls, 100):
        claims = [
            Claim(f"{n * 7919 % 2**32:040x}", str(n), (Use(n, 9, end), Use(-n - 1, 9, end)))
            for n in range(first, first + 100)
        ]
        ledger.step([], claims)
        ledger.step([Record(claim.key, State.DONE, verdict) for claim in claims], [])
    store.close()
    took = path.stat().st_size / calls
    assert took == pytest.approx(int(documented[1]), rel=0.3)
    measured(f"{took:.0f} bytes a call with its counters, {documented[1]} documented")
