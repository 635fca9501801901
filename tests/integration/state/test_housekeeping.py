"""What has expired goes, in small steps, by whoever has the turn; starting a task reads none of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine

from airflow_provider_faceid.api.messages import Reply
from airflow_provider_faceid.api.verdict import judge
from airflow_provider_faceid.clock import SECONDS_PER_DAY, SECONDS_PER_HOUR
from airflow_provider_faceid.state import housekeeping
from airflow_provider_faceid.state.call_table import Claim, Decision, Record, State, write_answer
from airflow_provider_faceid.state.housekeeping import ROWS_AT_ONCE, Housekeeping, hour_of
from airflow_provider_faceid.state.identity_limits import IdentityCounts, Use
from airflow_provider_faceid.state.ledger import Ledger
from airflow_provider_faceid.state.pauses import Pauses
from airflow_provider_faceid.state.schema import MIGRATIONS
from airflow_provider_faceid.state.uplink import Report, StoredUplink

from .conftest import SleepClock, StoreOnClock, connect

KEEP = 10.0 * SECONDS_PER_DAY
VERDICT = judge(Reply("IdCardVerification", "0", "", "r-1"))


@pytest.fixture
def store(url: str, clock: SleepClock) -> Iterator[StoreOnClock]:
    made = StoreOnClock(url, clock)
    yield made
    made.close()


def start(store: StoreOnClock, owner: str = "one") -> Ledger:
    """Begin a try."""
    ledger = Ledger(store, owner, keep=KEEP)
    ledger.begin(store.moment(None).now)
    return ledger


def keep_house(store: StoreOnClock, owner: str = "housekeeper") -> list[int]:
    """Take a turn to its end."""
    return list(Housekeeping(store, owner, KEEP).steps())


def ask(store: StoreOnClock, sql: str) -> list[tuple[Any, ...]]:
    def work(cursor: Any) -> list[tuple[Any, ...]]:
        cursor.execute(sql)
        return list(cursor.fetchall())

    return store.run(work)


def key(number: int) -> str:
    return f"{number:040x}"


def one_of_each_state(store: StoreOnClock) -> dict[State, str]:
    """Leave a call in every state; return their keys."""
    ledger = start(store)
    keys = {state: key(number) for number, state in enumerate(State)}
    for state, one in keys.items():
        assert ledger.step([], [Claim(one, "1")])[0].decision is Decision.CALL
        if state is not State.SENT:
            verdict = VERDICT if state is State.DONE else None
            ledger.step([Record(one, state, verdict)], [])
    return keys


def test_old_answers_go_and_what_is_in_doubt_stays_for_good(store, clock):
    keys = one_of_each_state(store)
    clock.seconds += KEEP - SECONDS_PER_HOUR
    keep_house(store)
    assert len(ask(store, "SELECT state FROM faceid_calls")) == 4
    clock.seconds += 3 * SECONDS_PER_HOUR
    keep_house(store)
    left = ask(store, "SELECT call_key, claimed_hour FROM faceid_calls ORDER BY call_key")
    assert left == sorted([(keys[State.SENT], None), (keys[State.IN_DOUBT], None)])


def test_an_answer_asked_for_anew_counts_from_then(store, clock):
    start(store).step([], [Claim(key(1), "1")])
    ledger = start(store)
    assert ledger.step([], [Claim(key(1), "1", retry=True)])[0].decision is Decision.CALL
    ledger.step([Record(key(1), State.DONE, VERDICT)], [])
    clock.seconds += KEEP
    ledger = start(store)
    late = Claim(key(1), "1", answered_since=store.moment(None).now)
    assert ledger.step([], [late])[0].decision is Decision.CALL
    ledger.step([Record(key(1), State.DONE, VERDICT)], [])
    clock.seconds += 2 * SECONDS_PER_HOUR
    keep_house(store)
    assert ask(store, "SELECT state FROM faceid_calls") == [("done",)]


def test_a_call_outlives_what_is_known_of_its_task(store, clock):
    """What is in doubt is held, and what is answered is used, whoever asked."""
    one_of_each_state(store)
    ask_again = start(store, "another")
    clock.seconds += KEEP + 2 * SECONDS_PER_HOUR
    start(store, "yesterday")
    ask_again.step([], [])
    keep_house(store)
    assert ask(store, "SELECT owner FROM faceid_tries ORDER BY owner") == [
        ("another",),
        ("yesterday",),
    ]
    rulings = start(store, "new").step([], [Claim(key(number), "1") for number in range(4)])
    assert [r.decision for r in rulings] == [
        Decision.HOLD,
        Decision.CALL,
        Decision.CALL,
        Decision.HOLD,
    ]


def test_a_fencing_token_is_never_given_twice(store, clock):
    """A process that slept for months must not be taken for its successor."""
    for _ in range(5):
        old = start(store)
    clock.seconds += KEEP + 2 * SECONDS_PER_HOUR
    keep_house(store)
    assert ask(store, "SELECT * FROM faceid_tries") == []
    assert start(store)._attempt > old._attempt


def test_counters_go_an_hour_after_their_window(store, clock):
    now = store.moment(None).now
    counts = IdentityCounts(store)
    counts.reserve([(Use(1, 9, now + 60),), (Use(2, 9, now + SECONDS_PER_DAY),)])
    clock.seconds += SECONDS_PER_HOUR
    keep_house(store)
    assert len(ask(store, "SELECT * FROM faceid_identity_uses")) == 2
    clock.seconds += SECONDS_PER_HOUR + 61
    keep_house(store)
    assert ask(store, "SELECT counter FROM faceid_identity_uses") == [(2,)]


def test_pauses_go_when_they_ended_long_ago_and_one_in_force_stays(store, clock, monkeypatch):
    monkeypatch.setattr(housekeeping, "ROWS_AT_ONCE", 2)
    pauses = Pauses(store, "service account")
    for number in range(5):
        pauses.pause("DetectAuth", by="ann", reason=f"ended long ago: {number}")
        clock.seconds += 60
        pauses.resume("DetectAuth", by="bob")
    pauses.pause("IdCardVerification", by="ann", reason="in force for long")
    clock.seconds += KEEP + SECONDS_PER_HOUR
    pauses.pause("DetectAuth", by="ann", reason="ended now")
    pauses.resume("DetectAuth", by="bob")
    keep_house(store)
    left = [(one.reason, one.resumed_by) for one in pauses.history()]
    assert sorted(left) == [("ended now", "bob"), ("in force for long", None)]
    assert [one.action for one in pauses.in_force()] == ["IdCardVerification"]
    clock.seconds += KEEP + SECONDS_PER_HOUR
    keep_house(store)
    assert [one.reason for one in pauses.history()] == ["in force for long"]


def test_one_worker_an_hour_has_the_turn_and_the_store_says_which(store, clock):
    IdentityCounts(store).reserve([(Use(1, 9, 0.0),)])
    assert keep_house(store, "first")
    began = store.moment(None).now
    assert keep_house(store, "second") == []
    clock.seconds += SECONDS_PER_HOUR - 1
    assert keep_house(store, "third") == []
    turn = "SELECT began_at, owner FROM faceid_housekeeping WHERE name = 'turn'"
    assert ask(store, turn) == [(began, "first")]
    clock.seconds += 2
    assert keep_house(store, "fourth")
    clock.seconds -= 5 * SECONDS_PER_HOUR  # the clock is put back
    assert keep_house(store, "fifth")


def test_a_step_is_small_however_much_there_is_to_do(store, clock, monkeypatch):
    monkeypatch.setattr(housekeeping, "ROWS_AT_ONCE", 20)
    monkeypatch.setattr(housekeeping, "MAX_STEPS", 3)
    IdentityCounts(store).reserve([(Use(number, 9, 0.0),) for number in range(70)])
    assert keep_house(store) == [20, 20, 20]
    clock.seconds += SECONDS_PER_HOUR + 1
    assert keep_house(store)[:1] == [10]
    assert ask(store, "SELECT COUNT(*) FROM faceid_identity_uses") == [(0,)]


def test_single_calls_leave_the_housekeeping_to_others(store, clock):
    one_of_each_state(store)
    clock.seconds += KEEP + 2 * SECONDS_PER_HOUR
    Ledger(store, "single", keep=KEEP).join(store.moment(None).now)
    assert len(ask(store, "SELECT * FROM faceid_calls")) == 4


def rows_of_version_5(store: StoreOnClock, count: int) -> None:
    """Leave what the version before left: rows without an hour."""
    ledger = start(store)
    for first in range(0, count, 500):
        keys = [key(number) for number in range(first, min(first + 500, count))]
        ledger.step([], [Claim(one, "1") for one in keys])
        ledger.step([Record(one, State.DONE, VERDICT) for one in keys], [])

    def forget(cursor: Any) -> None:
        cursor.execute("UPDATE faceid_calls SET claimed_hour = NULL")
        cursor.execute("UPDATE faceid_tries SET begun_hour = NULL")
        for name in ("faceid_calls", "faceid_tries"):
            cursor.execute(f"INSERT INTO faceid_housekeeping VALUES ('{name}', 0, '', '')")

    store.run(forget)


def test_rows_of_the_version_before_get_their_hour_and_expire(store, clock):
    rows_of_version_5(store, ROWS_AT_ONCE + 20)
    made = hour_of(store.moment(None).now)
    keep_house(store)  # a worker of that version may still add some
    clock.seconds += SECONDS_PER_DAY + 1
    keep_house(store)
    hours = "SELECT claimed_hour, COUNT(*) FROM faceid_calls GROUP BY claimed_hour"
    assert ask(store, hours) == [(made, ROWS_AT_ONCE + 20)]
    assert ask(store, "SELECT name FROM faceid_housekeeping") == [("turn",)]
    clock.seconds += KEEP
    keep_house(store)
    assert (
        ask(store, "SELECT * FROM faceid_calls") == ask(store, "SELECT * FROM faceid_tries") == []
    )


def test_an_interrupted_walk_over_them_goes_on_where_it_was(store, clock, monkeypatch):
    monkeypatch.setattr(housekeeping, "ROWS_AT_ONCE", 10)
    rows_of_version_5(store, 25)
    keep_house(store)
    clock.seconds += SECONDS_PER_DAY + 1
    steps = Housekeeping(store, "killed", KEEP).steps()
    walked = "SELECT COUNT(*) FROM faceid_calls WHERE claimed_hour IS NOT NULL"
    while ask(store, walked) == [(0,)]:
        next(steps)
    assert ask(store, walked) == [(10,)]
    clock.seconds += SECONDS_PER_HOUR + 1
    assert sum(keep_house(store)) == 15 + 1  # and the one try
    assert ask(store, walked) == [(25,)]


def test_what_a_worker_is_using_is_passed_over(postgres_url, clock):
    store = StoreOnClock(postgres_url, clock)
    IdentityCounts(store).reserve([(Use(1, 9, 0.0),), (Use(2, 9, 0.0),)])
    with connect(postgres_url) as worker:
        worker.execute("UPDATE faceid_identity_uses SET used = 2 WHERE counter = 1")
        keep_house(store)  # which would wait for ever
    assert ask(store, "SELECT counter FROM faceid_identity_uses") == [(1,)]
    store.close()


class Plans:
    """
    How a database finds the rows of every statement of a store.

    :ivar plans: by statement.
    """

    def __init__(self, store: StoreOnClock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plans: dict[str, str] = {}
        run = store.run

        def explained(work: Callable[[Any], Any], **more: Any) -> Any:
            return run(lambda cursor: work(_Explained(cursor, store, self.plans)), **more)

        monkeypatch.setattr(store, "run", explained)

    def scans(self) -> list[str]:
        """Return the statements that read a whole table."""
        whole = re.compile(r"Seq Scan|SCAN faceid_(?!housekeeping)\w+(?! USING)")
        return [sql for sql, plan in self.plans.items() if whole.search(plan)]


class _Explained:
    """A cursor that asks for the plan of each statement first."""

    def __init__(self, cursor: Any, store: StoreOnClock, plans: dict[str, str]) -> None:
        self._cursor, self._plans = cursor, plans
        self._explain = "EXPLAIN QUERY PLAN " if store.is_sqlite else "EXPLAIN "
        if not store.is_sqlite:
            cursor.execute("SET LOCAL enable_seqscan = off")  # which small tables are faster by

    def execute(self, sql: str, values: Any = ()) -> None:
        if "faceid_" in sql:
            self._cursor.execute(self._explain + sql, values)
            self._plans[sql] = "\n".join(str(row) for row in self._cursor.fetchall())
        self._cursor.execute(sql, values)

    def executemany(self, sql: str, rows: list[Any]) -> None:
        for row in rows:
            self.execute(sql, row)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


def test_starting_and_housekeeping_find_all_rows_by_an_index(store, clock, monkeypatch):
    """Whatever they read besides grows with the store: seconds at a hundred million calls."""
    one_of_each_state(store)
    IdentityCounts(store).reserve([(Use(1, 9, 0.0),)])
    clock.seconds += KEEP + 2 * SECONDS_PER_HOUR
    plans = Plans(store, monkeypatch)
    ledger = start(store, "two")
    started = len(plans.plans)
    ledger.step([], [Claim(key(9), "9", (Use(3, 9, 1e9),))])
    keep_house(store)
    assert started == 3
    assert len(plans.plans) > 12
    assert plans.scans() == []


def test_hosts_that_were_not_seen_for_a_day_are_forgotten(store, clock):
    """Each container is another host."""
    for host in ("gone", "here"):
        StoredUplink(store, host).step("one", 1, 60.0, Report())
        clock.seconds += SECONDS_PER_DAY + SECONDS_PER_HOUR
    keep_house(store)
    StoredUplink(store, "here").step("one", 1, 60.0, Report())
    assert ask(store, "SELECT host FROM faceid_uplinks") == [("here",)]


def test_a_store_made_yesterday_keeps_its_calls_and_they_expire_in_their_time(url, clock):
    """Version 5, before rows had an hour."""
    engine = create_engine(url)
    with engine.begin() as connection:
        run = connection.exec_driver_sql
        run("CREATE TABLE faceid_state_version (version INTEGER NOT NULL)")
        for number, statements in enumerate(MIGRATIONS[:5], 1):
            for statement in statements:
                run(statement)
            run(f"INSERT INTO faceid_state_version VALUES ({number})")
        run("INSERT INTO faceid_tries VALUES ('one', 3, 5000, 7)")
        answer = write_answer(VERDICT).replace("%", "%%")
        run(
            f"INSERT INTO faceid_calls VALUES ('{key(1)}', '1', 'one', 3, 'done', 6000, '{answer}')"
        )
        run(f"INSERT INTO faceid_calls VALUES ('{key(2)}', '2', 'one', 3, 'sent', 6000, NULL)")
    engine.dispose()
    store = StoreOnClock(url, clock)
    try:
        rulings = start(store).step([], [Claim(key(1), "1"), Claim(key(2), "2")])
        assert [ruling.decision for ruling in rulings] == [Decision.USE, Decision.HOLD]
        assert ask(store, "SELECT number, charged FROM faceid_tries") == [(4, 7)]
        keep_house(store)
        clock.seconds += SECONDS_PER_DAY + 1
        keep_house(store)
        assert len(ask(store, "SELECT * FROM faceid_calls")) == 2
        clock.seconds += KEEP + SECONDS_PER_HOUR
        keep_house(store)
        assert ask(store, "SELECT state FROM faceid_calls") == [("in_doubt",)]
    finally:
        store.close()
