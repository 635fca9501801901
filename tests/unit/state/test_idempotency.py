"""The paid-once protocol, step by step."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.api.messages import Reply
from airflow_provider_faceid.api.verdict import judge
from airflow_provider_faceid.client.call import Attempt
from airflow_provider_faceid.exceptions import (
    NotSentError,
    StateStoreError,
    SupersededError,
    UnavailableError,
    UncertainError,
)
from airflow_provider_faceid.state.call_table import Claim, Decision, Record, Ruling, State
from airflow_provider_faceid.state.idempotency import ask_once
from airflow_provider_faceid.state.identity_limits import Use

USES = (Use(7, 2, 9e9),)
CLAIM = Claim("k" * 40, "1", USES)
MATCH = judge(Reply("IdCardVerification", "0", "", "r-1"))
TOO_OFTEN = judge(Reply("IdCardVerification", "-7", "", "r-2"))


class Book:
    """A ledger that decides as it is told, and fails to record if it is told so."""

    def __init__(self, decision: Decision = Decision.CALL, trouble: Exception | None = None):
        self.decision, self.trouble = decision, trouble
        self.records: list[Record] = []

    def step(self, records, claims):
        self.records += records
        if records and self.trouble:
            raise self.trouble
        verdict = MATCH if self.decision is Decision.USE else None
        return [Ruling(self.decision, verdict=verdict)] * len(claims)


def ending(outcome, *, sent=True):
    """Return a call that ends like this."""

    def call(attempt: Attempt):
        attempt.sending = sent
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return call


def never(_: Attempt):
    raise AssertionError("nobody may call")


@pytest.mark.parametrize("decision", [d for d in Decision if d is not Decision.CALL])
def test_nothing_but_leave_to_call_leads_to_a_call(decision):
    settled = ask_once(book := Book(decision), CLAIM, never)
    assert settled.ruling.decision is decision
    assert (settled.verdict is MATCH) is (decision is Decision.USE)
    assert book.records == []


def test_a_decision_nobody_knows_never_calls():
    assert ask_once(Book("another"), CLAIM, never).verdict is None


@pytest.mark.parametrize(("answer", "state"), [(MATCH, State.DONE), (TOO_OFTEN, State.FREE)])
def test_an_answer_is_recorded_and_uses_up_its_limits(answer, state):
    settled = ask_once(book := Book(), CLAIM, ending(answer))
    assert (settled.verdict, settled.unrecorded) == (answer, None)
    assert book.records == [Record(CLAIM.key, state, answer)]


@pytest.mark.parametrize(
    ("error", "sent", "state", "unused"),
    [
        (NotSentError("DNS"), False, State.FREE, USES),
        (UnavailableError("library"), True, State.FREE, ()),
        (UncertainError("no answer"), True, State.IN_DOUBT, ()),
        (KeyboardInterrupt(), True, State.IN_DOUBT, ()),
        (KeyboardInterrupt(), False, State.FREE, USES),
        (ZeroDivisionError(), True, State.IN_DOUBT, ()),
    ],
    ids=["not sent", "refused", "no answer", "stopped", "stopped before", "fault"],
)
def test_a_call_without_an_answer_gives_back_what_was_not_sent(error, sent, state, unused):
    book = Book()
    with pytest.raises(type(error)):
        ask_once(book, CLAIM, ending(error, sent=sent))
    assert book.records == [Record(CLAIM.key, state, None, unused)]


@pytest.mark.parametrize(
    "trouble", [StateStoreError("disk full"), SupersededError("newer attempt"), ValueError("bug")]
)
def test_a_failed_record_never_replaces_an_answer_in_hand(trouble, caplog):
    settled = ask_once(Book(trouble=trouble), CLAIM, ending(MATCH))
    assert (settled.verdict, settled.unrecorded) == (MATCH, trouble)
    assert str(trouble) in caplog.text


def test_a_failed_record_never_replaces_why_there_is_no_answer():
    with pytest.raises(UncertainError):
        ask_once(Book(trouble=StateStoreError("full")), CLAIM, ending(UncertainError("lost")))
