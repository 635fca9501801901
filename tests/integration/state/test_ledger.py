"""The ledger: one call for one question, whoever asks and whatever dies."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.exceptions import StateStoreError, SupersededError
from airflow_provider_faceid.service.envelope import Reply
from airflow_provider_faceid.service.verdict import judge
from airflow_provider_faceid.state.ledger import (
    LEASE_SECONDS,
    Claim,
    Decision,
    Ledger,
    Record,
    State,
)
from airflow_provider_faceid.state.limits import Use

from .conftest import SleepClock, StoreOnClock

KEY, OTHER = "a" * 40, "b" * 40
VERDICT = judge(Reply("IdCardVerification", "0", "Zhang San matches", "r-1"))


class Workers:
    """Tries of tasks over one store, whose clock is the test's."""

    def __init__(self, url: str, clock: SleepClock) -> None:
        self.clock, self.store = clock, StoreOnClock(url, clock)

    def start(self, owner: str) -> Ledger:
        """Begin a try."""
        ledger = Ledger(self.store, owner)
        ledger.begin(self.clock.now())
        return ledger


@pytest.fixture
def workers(url, clock):
    made = Workers(url, clock)
    yield made
    made.store.close()


def ask(ledger: Ledger, key: str = KEY, row: str = "1", **more) -> Decision:
    (ruling,) = ledger.step([], [Claim(key, row, **more)])
    return ruling.decision


def tell(ledger: Ledger, state: State, key: str = KEY, verdict=None) -> None:
    ledger.step([Record(key, state, verdict)], [])


def test_the_first_to_claim_calls_and_the_others_find_it_busy(workers):
    one, two = workers.start("one"), workers.start("two")
    assert ask(one) is Decision.CALL
    assert ask(two) is ask(one) is Decision.BUSY
    assert ask(two, OTHER) is Decision.CALL


def test_rows_that_ask_the_same_in_one_step_make_one_call(workers):
    rulings = workers.start("one").step([], [Claim(KEY, "1"), Claim(OTHER, "2"), Claim(KEY, "3")])
    assert [r.decision for r in rulings] == [Decision.CALL, Decision.CALL, Decision.BUSY]


def test_an_answer_is_everybodys_and_paid_by_one_row(workers):
    one, two = workers.start("one"), workers.start("two")
    ask(one)
    tell(one, State.DONE, verdict=VERDICT)
    (own,) = workers.start("one").step([], [Claim(KEY, "1")])
    (other,) = two.step([], [Claim(KEY, "9")])
    assert own.decision is other.decision is Decision.USE
    assert (own.verdict.outcome, own.verdict.charged) == (VERDICT.outcome, True)
    assert (other.verdict.code, other.verdict.request_id) == ("0", "r-1")
    assert (other.verdict.charged, other.verdict.attempts) == (False, 0)


def test_an_answer_is_kept_without_what_the_service_said(workers):
    one = workers.start("one")
    ask(one)
    tell(one, State.DONE, verdict=VERDICT)
    with workers.store.transaction() as cursor:
        cursor.execute("SELECT * FROM faceid_calls")
        assert "Zhang" not in str(cursor.fetchall())


def test_what_was_certainly_not_charged_may_be_called_again(workers):
    one = workers.start("one")
    ask(one)
    tell(one, State.FREE)
    assert ask(workers.start("two")) is Decision.CALL


def test_what_was_on_its_way_when_a_try_died_is_in_doubt_for_the_next(workers):
    ask(workers.start("one"))
    again = workers.start("one")
    assert ask(again) is Decision.HOLD
    assert ask(again) is Decision.HOLD
    assert ask(again, retry=True) is Decision.CALL
    assert ask(again, retry=True) is Decision.BUSY


def test_what_another_worker_had_on_its_way_is_in_doubt_once_it_is_silent(workers):
    ask(workers.start("one"))
    two = workers.start("two")
    workers.clock.seconds += LEASE_SECONDS - 1
    assert ask(two) is Decision.BUSY
    workers.clock.seconds += 2
    assert ask(two) is Decision.HOLD


def test_a_worker_that_is_heard_of_is_not_taken_for_dead(workers):
    one, two = workers.start("one"), workers.start("two")
    ask(one)
    for _ in range(4):
        workers.clock.seconds += LEASE_SECONDS / 2
        one.step([], [])
    assert ask(two) is Decision.BUSY


def test_a_late_answer_ends_the_doubt(workers):
    one, two = workers.start("one"), workers.start("two")
    ask(one)
    workers.clock.seconds += 2 * LEASE_SECONDS
    assert ask(two) is Decision.HOLD
    tell(one, State.DONE, verdict=VERDICT)
    assert ask(two) is Decision.USE


def test_a_superseded_try_neither_claims_nor_records(workers):
    old = workers.start("one")
    ask(old)
    new = workers.start("one")
    with pytest.raises(SupersededError):
        ask(old, OTHER)
    with pytest.raises(SupersededError):
        tell(old, State.DONE, verdict=VERDICT)
    assert ask(new) is Decision.HOLD
    assert ask(new, OTHER) is Decision.CALL


def test_a_call_taken_over_is_not_recorded_by_who_had_it(workers):
    one, two = workers.start("one"), workers.start("two")
    ask(one)
    workers.clock.seconds += 2 * LEASE_SECONDS
    assert ask(two, retry=True) is Decision.CALL
    tell(one, State.FREE)
    assert ask(workers.start("three")) is Decision.BUSY


def test_limits_are_counted_for_calls_only(workers):
    one, uses = workers.start("one"), (Use(7, 2, 9e9),)
    assert ask(one, "1" * 40, uses=uses) is Decision.CALL
    assert ask(one, "1" * 40, uses=uses) is Decision.BUSY
    one.step([Record("1" * 40, State.FREE, unused=uses)], [])
    assert ask(one, "2" * 40, uses=uses) is Decision.CALL
    assert ask(one, "3" * 40, uses=uses) is Decision.CALL
    assert ask(one, "4" * 40, uses=uses) is Decision.WAIT
    assert ask(workers.start("two"), "4" * 40) is Decision.CALL


def test_a_step_that_fails_writes_nothing(workers, monkeypatch):
    one = workers.start("one")
    ask(one)
    monkeypatch.setattr(one, "_claim", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        one.step([Record(KEY, State.DONE, VERDICT)], [Claim(OTHER, "2")])
    monkeypatch.undo()
    assert ask(one) is Decision.BUSY
    assert ask(one, OTHER) is Decision.CALL


@pytest.mark.parametrize("answer", [None, "", "{}", "no JSON", '{"outcome": "maybe"}', "[1]"])
def test_an_answer_that_cannot_be_read_is_an_error_and_no_leave_to_call(workers, answer):
    one = workers.start("one")
    ask(one)
    tell(one, State.DONE, verdict=VERDICT)
    with workers.store.transaction() as cursor:
        sql = f"UPDATE faceid_calls SET answer = {workers.store.marker}"
        cursor.execute(sql, (answer,))
    with pytest.raises(StateStoreError, match="cannot be read"):
        ask(one)


def test_without_a_database_nobody_may_call(tmp_path, clock):
    ledger = Ledger(StoreOnClock(f"sqlite:///{tmp_path / 'no' / 'such.sqlite'}", clock), "one")
    with pytest.raises(StateStoreError):
        ledger.begin(0)
