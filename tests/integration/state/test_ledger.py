"""The ledger: one call for one question, whoever asks and whatever dies."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest

from airflow_provider_faceid.api.messages import Reply
from airflow_provider_faceid.api.verdict import judge
from airflow_provider_faceid.exceptions import StateStoreError, SupersededError
from airflow_provider_faceid.state.call_table import (
    Claim,
    Decision,
    Record,
    State,
    answers_to,
    call_key,
)
from airflow_provider_faceid.state.identity_limits import Use
from airflow_provider_faceid.state.ledger import LEASE_SECONDS, Ledger

from .conftest import SleepClock, StoreOnClock

KEY, OTHER = "a" * 40, "b" * 40
VERDICT = judge(Reply("IdCardVerification", "0", "Zhang San matches", "r-1"))


@pytest.mark.parametrize("questions", [1, 200, 500])
def test_answers_are_found_by_the_primary_key_however_many_questions_there_are(
    sqlite_url, clock, questions
):
    """SQLite would else make an index of the whole ledger: minutes for each step of a large one."""
    workers = Workers(sqlite_url, clock)
    workers.start("a")
    with workers.store.transaction() as cursor:
        cursor.execute(
            f"EXPLAIN QUERY PLAN {answers_to(questions)}", [*["v2"] * questions, clock.now()]
        )
        plan = [row[3] for row in cursor.fetchall()]
    workers.store.close()
    assert [step for step in plan if "AUTOMATIC" in step] == []
    assert any("SEARCH faceid_calls USING INDEX" in step for step in plan)


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


def test_owners_with_long_names_do_not_supersede_each_other(workers):
    """Such as the shards of a task whose names have 250 characters each: the map index is last."""
    one, two = (workers.start(f"{'d' * 250}/{'r' * 250}/{'t' * 250}/{n}") for n in (0, 1))
    assert ask(one) is Decision.CALL
    assert ask(two, OTHER) is Decision.CALL
    tell(one, State.DONE, verdict=VERDICT)


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
    assert ask(one) is Decision.HOLD  # it has ended, and nobody knows how
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


FREE_ANSWER = judge(Reply("IdCardVerification", "-5", "", "r-2"))


class TestBudget:
    """Calls that may be charged are counted for all tries of a task."""

    def decisions(self, ledger: Ledger, keys: str) -> list[str]:
        claims = [Claim(key * 40, key) for key in keys]
        return [ruling.decision.value for ruling in ledger.step([], claims)]

    def start(self, workers: Workers, most: int | None) -> Ledger:
        ledger = Ledger(workers.store, "one", max_charged=most)
        ledger.begin(workers.clock.now())
        return ledger

    def test_no_more_calls_may_leave_than_may_be_charged(self, workers):
        one = self.start(workers, 2)
        assert self.decisions(one, "abc") == ["call", "call", "stop"]
        assert self.decisions(one, "d") == ["stop"]

    @pytest.mark.parametrize(
        ("became", "more"),
        [
            (Record("a" * 40, State.FREE), "call"),
            (Record("a" * 40, State.DONE, FREE_ANSWER), "call"),
            (Record("a" * 40, State.DONE, VERDICT), "stop"),
            (Record("a" * 40, State.IN_DOUBT), "stop"),
            (Record("a" * 40, State.FREE, gateway_refusals=1), "stop"),  # by a gateway's word only
            (Record("a" * 40, State.DONE, FREE_ANSWER, gateway_refusals=1), "stop"),
        ],
    )
    def test_a_call_that_was_free_makes_room_for_another(self, workers, became, more):
        one = self.start(workers, 1)
        assert self.decisions(one, "ab") == ["call", "stop"]
        one.step([became], [])
        assert self.decisions(one, "b") == [more]

    def test_a_later_try_has_what_is_left(self, workers):
        self.decisions(self.start(workers, 2), "a")
        again = self.start(workers, 2)
        assert self.decisions(again, "bc") == ["call", "stop"]
        assert self.decisions(self.start(workers, 3), "c") == ["call"]
        assert self.decisions(self.start(workers, None), "d") == ["call"]

    def test_an_answer_that_is_known_costs_nothing(self, workers):
        one = self.start(workers, 1)
        self.decisions(one, "a")
        one.step([Record("a" * 40, State.DONE, VERDICT)], [])
        assert self.decisions(one, "ab") == ["use", "stop"]


class TestReuse:
    """The answers of other campaigns."""

    PARAMS: ClassVar = {"IdCard": "11010119900307461X", "Name": "somebody"}

    def key(self, campaign: str, **changes: str) -> str:
        return call_key("secret", "IdCardVerification", campaign, self.PARAMS | changes)

    def answer(self, workers: Workers, campaign: str, verdict=VERDICT, **changes: str) -> None:
        ledger = workers.start(campaign)
        key = self.key(campaign, **changes)
        assert ask(ledger, key) is Decision.CALL
        tell(ledger, State.DONE, key, verdict)

    def reusing(self, workers: Workers, seconds: float) -> Ledger:
        ledger = Ledger(workers.store, "new", reuse_within=seconds)
        ledger.begin(workers.clock.now())
        return ledger

    def test_the_latest_answer_is_reused_while_it_is_fresh(self, workers):
        self.answer(workers, "spring")
        workers.clock.seconds += 100
        later = replace(VERDICT, request_id="r-9")
        self.answer(workers, "summer", later)
        moment = workers.clock.now()
        workers.clock.seconds += 50
        (ruling,) = self.reusing(workers, 60).step([], [Claim(self.key("autumn"), "1")])
        assert (ruling.decision, ruling.verdict.request_id) == (Decision.USE, "r-9")
        assert (ruling.verdict.charged, ruling.verdict.attempts) == (False, 0)
        assert ruling.answered_at == moment
        assert ask(self.reusing(workers, 40), self.key("autumn")) is Decision.CALL

    def test_another_question_finds_nothing(self, workers):
        self.answer(workers, "spring")
        assert ask(self.reusing(workers, 60), self.key("autumn", Name="another")) is Decision.CALL

    def test_nothing_is_reused_unasked(self, workers):
        self.answer(workers, "spring")
        assert ask(workers.start("new"), self.key("autumn")) is Decision.CALL

    @pytest.mark.parametrize("code", ["-2", "99"])
    def test_what_is_no_final_answer_is_not_reused(self, workers, code):
        self.answer(workers, "spring", judge(Reply("IdCardVerification", code, "", "r-3")))
        assert ask(self.reusing(workers, 60), self.key("autumn")) is Decision.CALL

    def test_many_are_looked_up_by_the_index(self, workers):
        ledger = self.reusing(workers, 60)
        claims = [Claim(self.key("autumn", Name=str(n)), str(n)) for n in range(500)]
        assert {ruling.decision for ruling in ledger.step([], claims)} == {Decision.CALL}
