"""What the service says: not now, not to you, or something nobody has heard of."""

from __future__ import annotations

import re
import time

import pytest

from airflow_provider_faceid.client.credentials import providers as cvm_role
from airflow_provider_faceid.client.credentials.providers import InstanceRole
from airflow_provider_faceid.client.settings import Credentials
from airflow_provider_faceid.exceptions import AccountError, CredentialsError, RequestRefusedError
from airflow_provider_faceid.simulator.account import AccountStatus, State
from airflow_provider_faceid.simulator.faults import FaultRule, Nth
from airflow_provider_faceid.simulator.faults.effects import AccountState, ClockOffset, Code
from airflow_provider_faceid.simulator.people import FACE, ID_CARD
from tests.integration.hook.conftest import HASH_SECRET
from tests.support.cloud import METADATA, Cloud
from tests.support.encryption import FORMS, fields_of, wrong_key
from tests.support.patience import once

ROWS, IN_FLIGHT = 200, 16
TEN_MINUTES = 600
SKEW = re.compile(r"(599|600|601) s behind the service's")


@pytest.mark.fault(16)
@pytest.mark.parametrize(
    ("action", "code"),
    [
        (ID_CARD, "-4"),
        (ID_CARD, "-6"),
        (FACE, "FailedOperation.CompareLibServiceUnavailable"),
    ],
)
def test_an_authority_that_is_away_is_waited_for(trial, measured, action, code):
    """Ten minutes of the service's time pass in two seconds of ours."""
    rows = 20 if action == FACE else ROWS
    people = trial.ordinary[:rows]
    trial.fill([(n, p.id_card, p.name, trial.photo(p)) for n, p in enumerate(people)], "BLOB")
    trial.arm(FaultRule(Code(code), nth=Nth(10), lasts_s=TEN_MINUTES))

    def pass_by() -> None:
        time.sleep(2)
        trial.server.clock.advance(TEN_MINUTES)

    with once(lambda: any(call["fault"] for call in trial.calls()), pass_by):
        manifest = trial.run(action, max_in_flight=IN_FLIGHT)
    assert manifest["answered"] == rows
    assert trial.quarantine() == []
    calls = len(trial.calls())
    trial.hold(action)
    assert calls > rows
    measured(f"{code} for 10 min: {rows} of {rows} answered in the same run, 0 in quarantine")


@pytest.mark.fault(17)
@pytest.mark.parametrize("state", [State.ARREARS, State.NOT_ACTIVATED])
def test_an_account_that_may_not_call_stops_the_run_within_what_is_in_flight(
    trials, measured, state
):
    trial = trials(latency_ms=(20, 60))
    trial.fill_with(trial.ordinary[:ROWS])
    trial.arm(FaultRule(AccountState(state=state), nth=Nth(80, 80)))
    error, manifest = trial.fail(AccountError, max_in_flight=IN_FLIGHT)
    assert "faceid_default" in str(error)
    refused = sum(bool(call["error"]) for call in trial.calls())
    assert 1 <= refused <= IN_FLIGHT
    assert manifest["answered"] == len(trial.calls()) - refused == 79
    assert manifest["held"] == 0
    trial.server.account.account_state = AccountStatus()
    assert trial.run()["answered"] == ROWS
    trial.hold()
    measured(f"at most {IN_FLIGHT} of {IN_FLIGHT} in flight refused, the rest done by a later run")


@pytest.mark.fault(18)
@pytest.mark.parametrize("fault", ["wrong", "deleted"])
def test_a_key_that_is_refused_costs_one_call(trial, measured, fault):
    trial.fill_with(trial.ordinary[:ROWS])
    key = "wrong" if fault == "wrong" else "simulator-key"
    if fault == "deleted":
        trial.server.account.account_state = AccountStatus(State.KEY_DELETED)
    error, _ = trial.fail(
        CredentialsError, settings={"credentials": Credentials("simulator-id", key)}
    )
    assert "connection 'faceid_default'" in str(error)
    assert len(trial.calls()) == 1
    assert trial.results() == {}
    trial.server.account.account_state = AccountStatus()
    assert trial.run()["answered"] == ROWS
    trial.hold()
    measured("1 call, connection named")


@pytest.mark.fault(19)
def test_a_clock_that_is_wrong_costs_one_more_call(trial, measured):
    trial.fill_with(trial.ordinary[:ROWS])
    trial.arm(FaultRule(ClockOffset(600)))
    manifest = trial.run()
    assert manifest["answered"] == ROWS
    again = len(trial.calls()) - ROWS
    assert again == 1
    assert SKEW.search(trial.texts()["log and output"].decode())
    trial.hold()
    measured(f"{again} call signed again, then {ROWS} of {ROWS} answered")


@pytest.mark.fault(19)
def test_a_clock_that_is_wrong_for_good_is_said_with_its_skew(trial, measured):
    trial.fill_with(trial.ordinary[:ROWS])
    trial.arm(FaultRule(ClockOffset(600)), FaultRule(Code("AuthFailure.SignatureExpire", "error")))
    error, manifest = trial.fail(CredentialsError)
    assert SKEW.search(str(error))
    assert manifest["calls"] == len(trial.calls()) == 2
    trial.server.account.clock.ahead_s = 0
    trial.server.faults.clear()
    assert trial.run()["answered"] == ROWS
    trial.hold()
    measured("refused twice: stops and says 600 s")


@pytest.mark.fault(20)
def test_a_token_that_expires_is_renewed_where_it_came_from(trial, measured, monkeypatch):
    trial.fill_with(trial.ordinary[:ROWS])
    trial.arm(FaultRule(AccountState(token="fresh"), nth=Nth(80, 80)))
    cloud = Cloud(trial.server)
    monkeypatch.setattr(cvm_role, "METADATA", cloud.url + METADATA)
    settings = {"credentials": InstanceRole(), "hash_secret": HASH_SECRET}
    try:
        manifest = trial.run(settings=settings, max_in_flight=IN_FLIGHT)
        refused = sum(bool(call["error"]) for call in trial.calls())
        assert 1 <= refused <= IN_FLIGHT
        assert manifest["answered"] == len(trial.calls()) - refused == ROWS
        assert len(cloud.issued) == 2
        trial.hold(settings=settings)
    finally:
        cloud.stop()
    measured(
        f"with an origin: 1 new key, at most {IN_FLIGHT} refused and sent again, "
        f"{ROWS} of {ROWS} answered"
    )


@pytest.mark.fault(20)
def test_a_token_that_expires_stops_the_run_and_a_new_one_resumes_it(trial, measured):
    trial.fill_with(trial.ordinary[:ROWS])
    trial.arm(FaultRule(AccountState(token="fresh"), nth=Nth(80, 80)))

    def with_token(token: str) -> dict[str, object]:
        key = Credentials("simulator-id", "simulator-key", token)
        return {"credentials": key, "hash_secret": HASH_SECRET}

    error, manifest = trial.fail(
        CredentialsError, settings=with_token("simulator-token"), max_in_flight=IN_FLIGHT
    )
    assert "token" in str(error)
    refused = sum(bool(call["error"]) for call in trial.calls())
    assert 1 <= refused <= IN_FLIGHT
    assert manifest["held"] == 0
    assert trial.run(settings=with_token("fresh"))["answered"] == ROWS
    trial.hold(settings=with_token("fresh"))
    measured(f"without: at most {IN_FLIGHT} refused, 0 in doubt, the rest done with a new token")


@pytest.mark.fault(21)
@pytest.mark.parametrize("code", ["99", "FailedOperation.Brandnew"])
def test_a_code_nobody_knows_is_an_error_of_its_row(trial, measured, code):
    people = trial.ordinary[:ROWS]
    trial.fill_with(people)
    trial.arm(*[FaultRule(Code(code, "result"), person=p.id_card) for p in people[10:13]])
    manifest = trial.run()
    assert manifest["outcomes"] == {"match": ROWS - 3, "error": 3}
    assert manifest["charge_unknown"] == 3
    assert trial.results(columns="outcome, code")["11"] == ("error", code)
    trial.hold()
    measured(f"3 rows `error`, {ROWS - 3} answered")


@pytest.mark.fault(22)
@pytest.mark.parametrize("similarity", [None, 101, "88", -1])
def test_a_similarity_that_cannot_be_is_never_a_match(trial, measured, similarity):
    people = trial.ordinary[:4]
    trial.fill([(n, p.id_card, p.name, trial.photo(p)) for n, p in enumerate(people)], "BLOB")
    trial.arm(FaultRule(Code("Success", fields={"Sim": similarity}), person=people[0].id_card))
    manifest = trial.run(FACE)
    assert manifest["outcomes"] == {"match": 3, "error": 1}
    trial.hold(FACE)
    measured(f"{similarity!r}: `error`")


@pytest.mark.fault(41)
@pytest.mark.parametrize("form", FORMS)
def test_an_encryption_key_that_is_wrong_costs_one_call(trial, measured, form):
    trial.fill_with(trial.ordinary[:ROWS])
    right = fields_of(trial.server)[form]
    error, manifest = trial.fail(RequestRefusedError, settings=right | wrong_key(form))
    assert error.code == "FailedOperation.DecryptSystemError"
    assert "connection 'faceid_default'" in str(error)
    assert "Encryption" in str(error)
    assert (manifest["calls"], len(trial.calls())) == (1, 1)
    assert manifest["charged"] == trial.server.account.ledger.bill[ID_CARD] == 0
    assert trial.results() == {}
    assert trial.run(settings=right)["answered"] == ROWS
    trial.hold(settings=right)
    measured(f"1 call, 0 charged, connection named; with the right key {ROWS} of {ROWS} answered")
