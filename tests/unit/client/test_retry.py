"""The table of decisions: complete, at one with the outcome table, and never dear."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.codes import COMMON, Charged, Outcome, Step
from airflow_provider_faceid.client.delivery import Delivery, delivery_of_error
from airflow_provider_faceid.client.retry import ANY, RULES, RetryAction, decide
from airflow_provider_faceid.exceptions import (
    ConfigurationError,
    FaceIdError,
    NotSentError,
    RetryError,
    UncertainError,
)

CODES = [
    *COMMON.items(),
    *((code, row) for action in ACTIONS.values() for code, row in action.results.items()),
]
"""Each code with its row; the same code of two Actions may mean something else."""
MENDED = {RetryAction.SIGN_AGAIN, RetryAction.REFRESH_CREDENTIALS}
REPEATED = {RetryAction.BACKOFF, RetryAction.NEXT_SLOT, *MENDED}
OF_STEP = {
    Step.RETRY: {RetryAction.BACKOFF, RetryAction.NEXT_SLOT},
    Step.FATAL: {RetryAction.GIVE_UP, *MENDED},
}


def test_every_answer_has_a_row():
    rows = {
        rule.outcome for rule in RULES if (rule.delivery, rule.code) == (Delivery.ANSWERED, ANY)
    }
    assert rows == set(Outcome)


def test_no_two_rows_are_about_the_same():
    assert len({(rule.delivery, rule.outcome, rule.code) for rule in RULES}) == len(RULES)


def test_every_row_says_why():
    assert all(len(rule.reason) > 10 for rule in RULES)


def test_every_decision_and_delivery_is_in_use():
    assert {rule.decision for rule in RULES} == set(RetryAction)
    assert {rule.delivery for rule in RULES} == set(Delivery)


def test_every_code_of_a_row_is_one_of_the_service():
    for rule in RULES:
        assert rule.code == ANY or rule.outcome in {
            row.outcome for c, row in CODES if c == rule.code
        }


def test_a_request_without_an_answer_is_never_repeated():
    rows = [rule for rule in RULES if rule.delivery is Delivery.NO_ANSWER]
    assert rows
    assert not {rule.decision for rule in rows} & REPEATED


@pytest.mark.parametrize(("code", "row"), CODES)
def test_a_code_is_decided_on_as_the_outcome_table_says(code, row):
    decision = decide(Delivery.ANSWERED, row.outcome, code)
    assert decision in OF_STEP.get(row.step, {RetryAction.ANSWER})
    assert decision not in REPEATED or row.charged is Charged.NO


@pytest.mark.parametrize(
    ("code", "decision"),
    [
        ("AuthFailure.SignatureExpire", RetryAction.SIGN_AGAIN),
        ("AuthFailure.TokenFailure", RetryAction.REFRESH_CREDENTIALS),
        ("AuthFailure.SignatureFailure", RetryAction.GIVE_UP),
    ],
)
def test_a_row_with_a_code_comes_before_one_with_any(code, decision):
    assert decide(Delivery.ANSWERED, Outcome.CREDENTIALS, code) is decision


@pytest.mark.parametrize(
    ("error", "delivery", "decision"),
    [
        (NotSentError("no route"), Delivery.NOT_SENT, RetryAction.BACKOFF),
        (ConfigurationError("certificate"), Delivery.NOT_SENT, RetryAction.GIVE_UP),
        (UncertainError("no complete answer"), Delivery.NO_ANSWER, RetryAction.GIVE_UP),
    ],
)
def test_an_error_of_a_transport_has_a_delivery(error, delivery, decision):
    assert delivery_of_error(error)[0] is delivery
    assert decide(*delivery_of_error(error)) is decision


@pytest.mark.parametrize("error", [FaceIdError("new"), RetryError("new")])
def test_an_error_nobody_has_thought_of_is_taken_as_sent(error):
    assert delivery_of_error(error) == (Delivery.NO_ANSWER, Outcome.UNCERTAIN)
