"""What Airflow does about our errors."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowOptionalProviderFeatureException,
)

from airflow_provider_faceid import exceptions
from airflow_provider_faceid.compat import SOONEST_RESCHEDULE, reschedule_at
from airflow_provider_faceid.exceptions import (
    AccountError,
    FaceIdError,
    IdentityLimitError,
    NotSentError,
    OutageError,
    UncertainError,
)
from airflow_provider_faceid.operators.error_mapping import (
    RECOVERIES,
    Reaction,
    airflow_errors,
    retry_policy,
)

try:
    from airflow.sdk import RetryAction
except (ImportError, AttributeError):  # before Airflow 3.3
    RetryAction = None

ERRORS = [
    error
    for _, error in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(error, FaceIdError) and error is not FaceIdError
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_has_a_row_in_the_table(error):
    assert any(issubclass(error, recovery.error) for recovery in RECOVERIES)


@pytest.mark.parametrize("error", [AccountError("arrears"), UncertainError("no answer")])
def test_what_a_retry_cannot_mend_fails_at_once_and_says_why(error):
    with pytest.raises(AirflowFailException, match=str(error)) as caught, airflow_errors():
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [NotSentError("no network"), OutageError("nobody answers")])
def test_what_may_pass_is_left_to_airflows_retries(error):
    with pytest.raises(type(error)), airflow_errors():
        raise error


def test_a_person_asked_about_too_often_lets_the_task_come_back_then():
    moment = datetime.now(UTC) + timedelta(hours=9)
    with pytest.raises(type(reschedule_at(moment))) as caught, airflow_errors():
        raise IdentityLimitError("too often", not_before=moment.timestamp())
    assert caught.value.reschedule_date == moment


def test_a_task_does_not_come_back_before_its_scheduler_has_seen_it_go():
    now = datetime.now(UTC)
    with pytest.raises(type(reschedule_at(now))) as caught, airflow_errors():
        raise IdentityLimitError("too often", not_before=now.timestamp() + 2)
    assert caught.value.reschedule_date - now >= SOONEST_RESCHEDULE >= timedelta(seconds=30)


if RetryAction is None:

    def test_a_retry_policy_needs_a_newer_airflow():
        with pytest.raises(AirflowOptionalProviderFeatureException, match=r"3\.3"):
            retry_policy()

else:

    @pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
    def test_the_retry_policy_follows_the_table(error):
        made = (
            error("rule", "what is asked") if error.__init__.__code__.co_argcount > 2 else error("")
        )
        decision = retry_policy().evaluate(made, 1, 3)
        recovery = next(row for row in RECOVERIES if issubclass(error, row.error))
        fails = recovery.reaction is Reaction.FAIL
        assert decision.action is (RetryAction.FAIL if fails else RetryAction.RETRY)
        assert decision.reason == recovery.reason

    def test_the_retry_policy_waits_for_a_persons_moment():
        soon = datetime.now(UTC) + timedelta(hours=2)
        error = IdentityLimitError("too often", not_before=soon.timestamp())
        delay = retry_policy().evaluate(error, 1, 3).retry_delay
        assert timedelta(hours=1, minutes=59) < delay <= timedelta(hours=2)

    def test_an_error_of_somebody_else_is_airflows_business():
        assert retry_policy().evaluate(ValueError(), 1, 3).action is RetryAction.DEFAULT

    def test_the_retry_policy_can_be_stored_with_a_dag():
        assert retry_policy().serialize()["rules"]
