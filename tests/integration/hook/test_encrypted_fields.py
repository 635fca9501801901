"""Fields encrypted as the connection says, through both clients, read by the local service."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from airflow_provider_faceid.exceptions import ConfigurationError, RequestRefusedError
from airflow_provider_faceid.hooks.single_call import Idempotency
from airflow_provider_faceid.simulator.faults import FaultRule
from airflow_provider_faceid.simulator.faults.effects import Code
from tests.support.encryption import AES, FORMS, SM4, fields_of, wrong_key

ID_CARD, FACE = "IdCardVerification", "ImageRecognitionV2"


@pytest.fixture
def extra_of(simulator):
    """Return what the connection's Extra holds for a form of encryption."""
    return fields_of(simulator)


@pytest.fixture(params=FORMS)
def encrypting(request, connect, simulator, extra_of):
    """Return a hook for each form."""
    return connect(simulator.url, **extra_of[request.param])


def test_both_clients_are_answered_and_billed(client, encrypting, ordinary, photo, ledger):
    params = {"IdCard": ordinary.id_card, "Name": ordinary.name}
    verdicts = client.ask_all(
        encrypting, [(ID_CARD, params), (FACE, {**params, "ImageBase64": b64encode(photo)})]
    )
    assert [verdict.is_match for verdict in verdicts] == [True, True]
    assert [(row["id_card"], row["charged"]) for row in ledger()] == [(ordinary.id_card, True)] * 2


def test_a_fault_meets_the_person_it_is_about(client, encrypting, simulator, ledger):
    somebody, unlucky = simulator.account.people.listed[:2]
    simulator.faults.add(FaultRule(Code("-1"), person=unlucky.id_card, times=1))
    calls = [(ID_CARD, {"IdCard": one.id_card, "Name": one.name}) for one in (somebody, unlucky)]
    codes = [client.ask(encrypting, *call).code for call in calls]
    assert codes == ["0", "-1"]
    assert {row["id_card"]: row["fault"] for row in ledger()} == {
        somebody.id_card: "",
        unlucky.id_card: "code",
    }


def test_the_typed_methods_encrypt(encrypting, ordinary, photo):
    assert encrypting.id_card_verification(ordinary.id_card, ordinary.name).is_match
    verdict = encrypting.image_recognition_v2(ordinary.id_card, ordinary.name, photo, extra="a-1")
    assert (verdict.similarity, verdict.fields["Extra"]) == (100, "a-1")


def test_many_calls_are_read_one_by_one(connect, client, simulator, extra_of, ledger):
    """More than one key for SM4 serves."""
    hook = connect(simulator.url, **extra_of[SM4])
    people = [person for person in simulator.account.people.listed if not person.persona] * 5
    calls = [(ID_CARD, {"IdCard": one.id_card, "Name": one.name}) for one in people]
    assert len(calls) > 100
    assert all(verdict.is_match for verdict in client.ask_all(hook, calls))
    assert len(ledger()) == len(calls)


def test_nobody_is_on_the_wire(client, connect, serve, match, *, extra_of, ordinary, assert_signed):
    server = serve(lambda line: line.say(match))
    params = {"IdCard": ordinary.id_card, "Name": ordinary.name}
    for extra in extra_of.values():
        client.ask(connect(server.url, **extra), ID_CARD, params)
    assert len(server.requests) == len(FORMS)
    for request in server.requests:
        assert_signed(request)
        body = request.partition(b"\r\n\r\n")[2]
        seen = body.decode() + json.dumps(json.loads(body), ensure_ascii=False)
        assert ordinary.id_card not in seen
        assert ordinary.name not in seen


@pytest.mark.usefixtures("short_pauses")
def test_a_repetition_is_encrypted_again(client, connect, serve, match, *, extra_of, ordinary):
    down = json.dumps({"Response": {"Result": "-4", "RequestId": "r-0"}}).encode()
    server = serve(lambda line: line.say(down if len(line.server.requests) < 3 else match))
    hook = connect(server.url, **extra_of[SM4])
    verdict = client.ask(hook, ID_CARD, {"IdCard": ordinary.id_card, "Name": ordinary.name})
    sent = [json.loads(request.partition(b"\r\n\r\n")[2]) for request in server.requests]
    assert (verdict.is_match, verdict.attempts) == (True, 3)
    assert len({one["Encryption"]["Iv"] for one in sent}) == 3
    assert len({one["Encryption"]["CiphertextBlob"] for one in sent}) == 1


@pytest.mark.parametrize("form", FORMS)
def test_another_accounts_key_leads_to_the_connection(
    client, connect, simulator, extra_of, ordinary, *, ledger, form
):
    params = {"IdCard": ordinary.id_card, "Name": ordinary.name}
    with pytest.raises(RequestRefusedError, match="Check the connection's Encryption") as error:
        client.ask(connect(simulator.url, **extra_of[form] | wrong_key(form)), ID_CARD, params)
    assert "connection 'faceid_test'" in str(error.value)
    assert error.value.code == "FailedOperation.DecryptSystemError"
    assert [row["charged"] for row in ledger()] == [False]


def test_a_key_that_is_none_is_told_before_anything_is_sent(connect, simulator, ordinary, ledger):
    hook = connect(simulator.url, encryption=SM4, encryption_public_key="hush-hush")
    with pytest.raises(ConfigurationError, match="'encryption_public_key'") as error:
        hook.id_card_verification(ordinary.id_card, ordinary.name)
    assert "hush" not in str(error.value)
    assert ledger() == []


def test_the_button_proves_the_key(encrypting, connect, simulator):
    works, message = encrypting.test_connection()
    assert works, message
    works, message = connect(simulator.url, encryption=AES).test_connection()
    assert not works
    assert "Check the connection's Encryption" in message


def test_a_question_is_the_same_however_it_is_sent(connect, simulator, extra_of, ordinary, ledger):
    idempotency = Idempotency(owner="task", campaign="spring")
    asked = (ordinary.id_card, ordinary.name)
    first = connect(simulator.url).id_card_verification(*asked, idempotency=idempotency)
    for extra in extra_of.values():
        again = connect(simulator.url, **extra).id_card_verification(
            *asked, idempotency=idempotency
        )
        assert again.request_id == first.request_id
    assert len(ledger()) == 1


def test_an_action_without_a_row_does_not_send_a_person_in_the_clear(
    connect, serve, match, extra_of, ordinary
):
    server = serve(lambda line: line.say(match))
    hook = connect(server.url, **extra_of[AES])
    hook.call("DetectAuth", {"RuleId": "1", "IdCard": ordinary.id_card, "Name": ordinary.name})
    sent = json.loads(server.requests[0].partition(b"\r\n\r\n")[2])
    assert sent["Encryption"]["EncryptList"] == ["IdCard", "Name"]
    assert sent["RuleId"] == "1"
    assert sent["IdCard"] != ordinary.id_card
