"""Settings that would not hold: misspelt, contradictory, of no known value."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.hooks.faceid import FaceIdHook
from airflow_provider_faceid.hooks.single_call import Idempotency
from airflow_provider_faceid.operators.photo_files import photo_reader
from airflow_provider_faceid.operators.release import FaceIdReleaseOperator
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify import IdCardVerificationOperator
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
from airflow_provider_faceid.simulator import SimulatorServer

PEOPLE = {"source_conn_id": "warehouse", "source": "people"}


@pytest.fixture
def account(monkeypatch, tmp_path):
    """A service, and what sets the fields of the connection to it."""
    with SimulatorServer(people=30) as server:

        def connect(**extra: Any) -> SimulatorServer:
            fields = {
                "conn_type": "faceid",
                "host": server.url,
                "login": "simulator-id",
                "password": "simulator-key",
                "extra": extra,
            }
            monkeypatch.setenv("AIRFLOW_CONN_FACEID_DEFAULT", json.dumps(fields))
            return server

        for name in ("warehouse", "state"):
            place = {"conn_type": "sqlite", "host": str(tmp_path / name)}
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(place))
        monkeypatch.setenv("AIRFLOW__FACEID__STATE_CONN_ID", "state")
        connect()
        yield SimpleNamespace(connect=connect, server=server)


def context() -> dict[str, Any]:
    ti = SimpleNamespace(dag_id="dag", run_id="run", task_id="task", map_index=-1)
    ti.xcom_push = lambda key, value: None
    return {"ti": ti, "outlet_events": {}}


EXTRA = {
    "hash_secert": "hash_secret",
    "similarity_treshold": "similarity_threshold",
    "paceshare": "pace_share",
    "id_card_verification_qouta": "id_card_verification_quota",
    "sate_conn_id": "state_conn_id",
    "proxys": "proxies",
    "max_attempt": "max_attempts",
    "credential": "credentials",
}


@pytest.mark.fault(58)
def test_a_misspelt_field_of_a_connection_is_refused_before_a_call(account, measured):
    person = account.server.account.people.listed[0]
    for misspelt, meant in EXTRA.items():
        account.connect(**{misspelt: "16-letters-at-least"})
        words = f"unknown extra field '{misspelt}' (did you mean '{meant}'?)"
        assert words in FaceIdHook().test_connection()[1]
        with pytest.raises(ConfigurationError) as refused:
            FaceIdHook().id_card_verification(person.id_card, person.name)
        assert words in str(refused.value)
    assert len(account.server.account.ledger) == 0
    measured(f"{len(EXTRA)} misspelt fields: all refused, 0 calls")


@pytest.mark.fault(58)
@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("PHOTO_ROOT", "photo_roots"),
        ("STATE_CON_ID", "state_conn_id"),
        ("KEEP_ANSWER_DAYS", "keep_answers_days"),
        ("LEDGER_SURVIVE", "ledger_survives"),
    ],
)
def test_a_misspelt_option_of_airflows_configuration_is_refused(
    account, monkeypatch, misspelt, meant
):
    monkeypatch.setenv(f"AIRFLOW__FACEID__{misspelt}", "1")
    words = rf"\[faceid\]: unknown option '{misspelt.lower()}' \(did you mean '{meant}'\?\)"
    with pytest.raises(ConfigurationError, match=words):
        FaceIdHook().rate_limiter("IdCardVerification")
    with pytest.raises(ConfigurationError, match=words):
        photo_reader()
    assert len(account.server.account.ledger) == 0


@pytest.mark.fault(58)
@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"sslmod": "verify-full"}, r"unknown extra field 'sslmod' \(did you mean 'sslmode'\?\)"),
        ({"ssl-root-cert": "x"}, r".*did you mean 'sslrootcert'\?"),
        ("{", "Extra is no JSON object"),
    ],
)
def test_a_misspelt_field_of_the_state_connection_is_refused(account, monkeypatch, extra, words):
    state = {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_STATE", json.dumps(state))
    with pytest.raises(ConfigurationError, match=f"'state': {words}"):
        FaceIdHook().rate_limiter("IdCardVerification")


def batch(**more: Any) -> None:
    IdCardVerificationBatchOperator(task_id="t", **PEOPLE | more).execute(context())


def single(**more: Any) -> None:
    IdCardVerificationOperator(task_id="t", key=1, **PEOPLE | more).execute(context())


def validate(**more: Any) -> None:
    FaceIdValidateOperator(task_id="t", **PEOPLE | more).execute(context())


def release(**more: Any) -> None:
    FaceIdReleaseOperator(task_id="t", warehouse_conn_id="warehouse", **more).execute(context())


@pytest.mark.fault(58)
@pytest.mark.parametrize(
    ("task", "given", "words"),
    [
        (batch, {"on_postponed": "reshedule"}, "did you mean 'reschedule'"),
        (batch, {"on_incomplete": "Fail"}, "did you mean 'fail'"),
        (batch, {"on_in_doubt": "holt"}, "did you mean 'hold'"),
        (batch, {"max_changed": 20}, "max_changed=20: it is a share from 0 to 1"),
        (batch, {"max_in_flight": -5}, "max_in_flight=-5: it is a whole number from 1"),
        (batch, {"valid_for": timedelta(days=-1)}, "valid_for"),
        (single, {"on_in_doubt": "retri"}, "did you mean 'retry'"),
        (single, {"valid_for": timedelta(0)}, "valid_for"),
        (validate, {"action": "IdCardVerificaton"}, "did you mean 'IdCardVerification'"),
        (validate, {"max_bad_fraction": 10}, "max_bad_fraction=10: it is a share from 0 to 1"),
        (validate, {"page_size": 0}, "page_size=0: it is a whole number from 1"),
        (validate, {"id_card_check": "strickt"}, "did you mean 'strict'"),
        (release, {"action": "imagerecognitionv2"}, "did you mean 'ImageRecognitionV2'"),
    ],
)
def test_a_value_an_operator_does_not_know_is_refused(account, task, given, words):
    with pytest.raises(AirflowFailException, match=words):
        task(**given)
    assert len(account.server.account.ledger) == 0


@pytest.mark.fault(58)
def test_answers_that_are_not_kept_for_so_long_cannot_be_good_for_so_long(account):
    """A question would be paid for again after 90 days, under the word that it is not for a year."""
    person = account.server.account.people.listed[0]
    idempotency = Idempotency(owner="o", campaign="c", valid_for=timedelta(days=365))
    with pytest.raises(ConfigurationError, match="valid_for of 365 days: answers are kept for 90"):
        FaceIdHook().id_card_verification(person.id_card, person.name, idempotency=idempotency)
    assert len(account.server.account.ledger) == 0
