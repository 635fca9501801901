"""A PostgreSQL server as other people set it up: strict isolation, time limits, cancelled statements."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import make_url

from airflow_provider_faceid.clock import Clock
from airflow_provider_faceid.exceptions import StateStoreError
from airflow_provider_faceid.state.call_table import Claim, Decision, Record, State
from airflow_provider_faceid.state.identity_limits import Use
from airflow_provider_faceid.state.ledger import Ledger
from airflow_provider_faceid.state.rate_rows import StoredRow
from airflow_provider_faceid.state.store import LOCK_SECONDS
from tests.support.patience import once, soon

from .conftest import SleepClock, connect

ROUNDS = 15


class PatientClock(Clock):
    """The machine's clock; ``slept`` counts how often somebody waited to repeat a transaction."""

    def __init__(self) -> None:
        self.slept = 0

    def sleep(self, seconds: float) -> None:
        self.slept += 1
        super().sleep(seconds)


def with_setting(url: str, setting: str) -> str:
    """Return the address of a store whose sessions begin with a setting, as those of a role may."""
    parts = make_url(url)
    options = f"{parts.query['options']} -c {setting}"
    return parts.update_query_dict({"options": options}).render_as_string(hide_password=False)


@pytest.mark.parametrize("isolation", ["serializable", "repeatable\\ read"])
def test_a_stricter_default_isolation_makes_no_step_fail(postgres_url, stores, isolation):
    """Workers whose steps meet in every table: claims of the same calls, the pace, the counters."""
    url = with_setting(postgres_url, f"default_transaction_isolation={isolation}")
    # Four that make the tables at once may have to repeat that.
    Ledger(stores(url, SleepClock()), "first").begin(0)
    clock = PatientClock()

    def work(number: int) -> None:
        store = stores(url, clock)
        row, ledger = StoredRow(store, "account"), Ledger(store, f"shard {number}")
        ledger.begin(0)
        for turn in range(ROUNDS):
            row.take(1000, 1)
            uses = (Use(turn % 3, 10_000, 1e12),)
            claim = Claim(f"{turn:040x}", "1", uses)
            (ruling,) = ledger.step([], [claim])
            if ruling.decision is Decision.CALL:
                ledger.step([Record(claim.key, State.FREE, unused=uses)], [])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    assert clock.slept == 0


def test_shards_that_give_back_and_count_at_once_never_wait_for_each_other(postgres_url, stores):
    """Each step gives back what the next one counts: in two passes they would meet crosswise."""
    clock, begun = PatientClock(), threading.Barrier(4)

    def work(number: int) -> None:
        ledger = Ledger(stores(postgres_url, clock), f"shard {number}")
        ledger.begin(0)
        begun.wait(20)
        unused: tuple[Use, ...] = ()
        records: list[Record] = []
        for turn in range(ROUNDS):
            counters = [(turn + number + n) % 8 for n in range(4)]
            uses = tuple(Use(counter, 10_000, 1e12) for counter in counters)
            key = f"{number}{turn:039x}"
            (ruling,) = ledger.step(records, [Claim(key, "1", uses)])
            assert ruling.decision is Decision.CALL
            records, unused = [Record(key, State.FREE, unused=uses)], uses
        ledger.step(records, [])
        assert unused

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    assert clock.slept == 0
    with connect(postgres_url) as connection:
        assert connection.execute(
            "SELECT used, COUNT(*) FROM faceid_identity_uses GROUP BY used"
        ).fetchall() == [(0, 8)]


def failing(state: str, times: int) -> tuple[Callable[[Any], int], list[int]]:
    """Return work that fails with an SQLSTATE so often, and how often it was begun."""
    begun: list[int] = []

    def work(cursor: Any) -> int:
        begun.append(1)
        cursor.execute("INSERT INTO faceid_pace VALUES ('here', 0, 1, 0)")
        if len(begun) <= times:
            cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")
        return len(begun)

    return work, begun


@pytest.mark.parametrize("state", ["40001", "40P01", "57014", "55P03", "53300", "25006", "08006"])
def test_what_passes_is_repeated(postgres_url, stores, state):
    store = stores(postgres_url, SleepClock())
    work, _ = failing(state, times=3)
    assert store.run(work) == 4
    with store.transaction() as cursor:
        cursor.execute("SELECT COUNT(*) FROM faceid_pace")
        assert cursor.fetchall() == [(1,)]


def test_what_does_not_pass_in_time_is_given_up_and_named(postgres_url, stores):
    store = stores(postgres_url, clock := SleepClock())
    work, begun = failing("40P01", times=10_000)
    with pytest.raises(StateStoreError, match="DeadlockDetected, SQLSTATE 40P01: deadlock"):
        store.run(work)
    assert LOCK_SECONDS <= sum(clock.woken[-1:]) < LOCK_SECONDS + 5
    assert 10 < len(begun) < 100


def test_what_will_not_pass_is_not_repeated(postgres_url, stores):
    work, begun = failing("42501", times=10_000)
    with pytest.raises(StateStoreError, match="SQLSTATE 42501"):
        stores(postgres_url, SleepClock()).run(work)
    assert len(begun) == 1


@pytest.mark.parametrize("setting", ["statement_timeout=200", "lock_timeout=200"])
def test_a_step_that_waits_for_somebody_longer_than_its_role_may_is_repeated(
    postgres_url, stores, setting
):
    clock = PatientClock()
    ledger = Ledger(stores(with_setting(postgres_url, setting), clock), "one")
    ledger.begin(0)
    with connect(postgres_url) as other:
        other.execute("SELECT * FROM faceid_tries FOR UPDATE")
        with once(lambda: clock.slept, other.rollback):
            (ruling,) = ledger.step([], [Claim("a" * 40, "1")])
    assert ruling.decision is Decision.CALL


def test_a_step_that_an_administrator_cancels_is_repeated(postgres_url, stores):
    clock = PatientClock()
    ledger = Ledger(stores(postgres_url, clock), "one")
    ledger.begin(0)
    waiting = (
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
        "AND query LIKE 'UPDATE faceid_tries%'"
    )
    with connect(postgres_url) as other, connect(postgres_url, autocommit=True) as administrator:
        other.execute("SELECT * FROM faceid_tries FOR UPDATE")

        def cancel() -> None:
            ((pid,),) = administrator.execute(waiting).fetchall()
            administrator.execute("SELECT pg_cancel_backend(%s)", (pid,))
            assert soon(lambda: clock.slept)
            other.rollback()

        with once(lambda: administrator.execute(waiting).fetchall(), cancel):
            (ruling,) = ledger.step([], [Claim("a" * 40, "1")])
    assert ruling.decision is Decision.CALL


def test_a_time_limit_of_the_role_does_not_keep_tables_from_being_made(postgres_url, stores):
    """Of a large store it takes longer than any statement of every day."""
    store = stores(with_setting(postgres_url, "statement_timeout=1"), SleepClock())
    with connect(postgres_url, autocommit=True) as other:
        other.execute("CREATE FUNCTION slow() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    with pytest.raises(StateStoreError, match="57014"):
        store.run(lambda cursor: cursor.execute("SELECT pg_sleep(1)"))


def test_sessions_that_end_while_nothing_is_asked_are_replaced(postgres_url, stores):
    url = with_setting(postgres_url, "idle_session_timeout=100")
    store = stores(url)
    with store.transaction() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        ((pid,),) = cursor.fetchall()
    with connect(postgres_url, autocommit=True) as other:
        alive = "SELECT COUNT(*) FROM pg_stat_activity WHERE pid = %s"
        assert soon(lambda: other.execute(alive, (pid,)).fetchall() == [(0,)])
    StoredRow(store, "account").take(10, 1)
