"""The official Python SDK, unmodified, gets every documented code of every Action, caused by its request.

Its models of requests and answers are generated from the API's definition, so they also say whether
our fields and outputs are the API's, and whether a field is encrypted in the form that an Action takes.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.faceid.v20180301 import models

from airflow_provider_faceid.api.action import Action
from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.codes import Charged
from airflow_provider_faceid.api.encryption import Encrypter, KmsEncrypter, encrypt_request
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.faults import FaultRule
from airflow_provider_faceid.simulator.faults.effects import Code
from airflow_provider_faceid.simulator.people import Person
from airflow_provider_faceid.simulator.people.authority import UNKNOWN_CARDS

from .test_official_sdk import connect

pytestmark = pytest.mark.filterwarnings(
    # The SDK asks for UTC in the way Python 3.12 deprecates.
    r"ignore:datetime\.datetime\.utcfromtimestamp\(\) is deprecated:DeprecationWarning"
)

CODES = [(action, code) for action in ACTIONS for code in ACTIONS[action].results]
MALFORMED = {
    "id_card": "440305199505132562",
    "name": "Li 4",
    "phone": "1380013800",
    "bank_card": "6" * 20,
    "date": "20230230",
    "end_date": "20230230",
}
WRONG_CHECK_DIGIT, NO_BANK = "6222020000000000001", "4242424242424242"
BY_A_RULE = {("ImageRecognitionV2", "InternalError.CompareLowSimilarity")}
"""Codes that no request causes."""


@pytest.fixture(scope="module")
def running():
    with SimulatorServer(people=40, quotas=dict.fromkeys(ACTIONS, 0)) as server:
        yield server


@pytest.fixture
def server(running) -> SimulatorServer:
    running.account.reset()
    return running


def values(server: SimulatorServer, action: Action, person: Person) -> dict[str, str]:
    """Return what is asked about a person, by API field."""
    photo = b64encode(server.photo(person)).decode()
    row = {**person.columns(), "photo": photo}
    return {name: row[column] for name, column in action.columns.items()}


def cause(server: SimulatorServer, action: Action, code: str) -> dict[str, str]:
    """Return the parameters that a code follows from."""
    ordinary = values(server, action, server.person())
    if code == action.success_code:
        return ordinary
    for field in action.fields:
        if field.invalid_code == code:
            return ordinary | {field.name: MALFORMED[field.type.name]}
    if action.name in UNKNOWN_CARDS:
        cards = UNKNOWN_CARDS[action.name]
        unknown = {cards.wrong_check_digit: WRONG_CHECK_DIGIT, cards.no_bank: NO_BANK}
        if code in unknown:
            return ordinary | {"BankCard": unknown[code]}
    for person in server.account.people.personas:
        if person.persona.code(action.name) == code:
            return values(server, action, person)
    assert (action.name, code) in BY_A_RULE
    server.faults.add(FaultRule(Code(code)))
    return ordinary


def ask(server: SimulatorServer, name: str, params: dict[str, Any]) -> Any:
    """Return the answer of the SDK."""
    request = getattr(models, f"{name}Request")()
    request.from_json_string(json.dumps(params))
    return getattr(connect(server.url), name)(request)


@pytest.mark.parametrize(("name", "code"), CODES, ids=[" ".join(one) for one in CODES])
def test_it_gets_the_code_and_the_bill_follows_the_table(server, name, code):
    action = ACTIONS[name]
    answer = ask(server, name, cause(server, action, code))
    assert answer.Result == code
    assert answer.Description
    (call,) = server.account.ledger.rows()
    assert (call["result"], call["request_id"]) == (code, answer.RequestId)
    assert call["charged"] is (action.results[code].charged is Charged.YES)


@pytest.mark.parametrize("name", [name for name, action in ACTIONS.items() if action.outputs])
def test_it_reads_what_an_action_answers_besides(server, name):
    person = server.person()
    answer = ask(server, name, values(server, ACTIONS[name], person))
    for output in ACTIONS[name].outputs:
        said = getattr(answer, output.name)
        assert said == person.chance(output.name).choice(output.samples)
        assert output.read(said) == said


@pytest.mark.parametrize("name", ACTIONS)
def test_its_requests_have_the_fields_that_the_action_lists(name):
    request = getattr(models, f"{name}Request")()
    listed = [key.removeprefix("_") for key in vars(request)]
    assert sorted(listed) == sorted(field.name for field in ACTIONS[name].fields)


@pytest.mark.parametrize("name", ACTIONS)
def test_its_answers_have_the_outputs_that_the_action_lists(name):
    answer = getattr(models, f"{name}Response")()
    others = {"Result", "Description", "RequestId"}
    if ACTIONS[name].compares_faces:
        others |= {"Sim", "Extra"}
    listed = {key.removeprefix("_") for key in vars(answer)} - others
    assert listed == {output.name for output in ACTIONS[name].outputs}


def encrypters(server: SimulatorServer) -> dict[str, Encrypter | KmsEncrypter]:
    keys = server.account.encryption_keys.published()
    kms = KmsEncrypter(keys["KMS"]["Plaintext"], keys["KMS"]["CiphertextBlob"])
    return {"KMS": kms} | {form: Encrypter(form, keys[form]) for form in ("AES-256-CBC", "SM4-GCM")}


FORMS = [
    (name, form)
    for name, action in ACTIONS.items()
    # The flat form names no algorithm; its key is one of KMS.
    for form in (["AES-256-CBC", "SM4-GCM", "KMS"] if action.field("Encryption") else ["KMS"])
]


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_it_passes_encrypted_fields_on_in_the_form_of_the_action(server, name, form):
    action = ACTIONS[name]
    params = values(server, action, server.person())
    sealed = encrypt_request(encrypters(server)[form], name, params)
    assert not {*map(str, sealed.values())} & {params[field] for field in action.encryptable}
    assert ask(server, name, dict(sealed)).Result == action.success_code


@pytest.mark.parametrize(
    ("value", "code"), [(0, ""), (1, "InvalidParameterValue"), ("0", "InvalidParameter")]
)
@pytest.mark.parametrize("name", ["BankCardVerification", "BankCard4EVerification"])
def test_another_kind_of_document_is_refused(server, name, value, code):
    params = {**values(server, ACTIONS[name], server.person()), "CertType": value}
    if not code:
        assert ask(server, name, params).Result == "0"
        return
    with pytest.raises(TencentCloudSDKException) as caught:
        ask(server, name, params)
    assert caught.value.code == code
    assert not server.account.ledger.bill
