"""What the page says brings a code about, does; and every code of the API pages is on it."""

from __future__ import annotations

import re
from base64 import b64encode
from pathlib import Path

import pytest

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.codes import COMMON, Charged
from airflow_provider_faceid.simulator.account import AccountStatus, State
from airflow_provider_faceid.simulator.faults import FaultRule
from airflow_provider_faceid.simulator.faults.effects import Code
from airflow_provider_faceid.simulator.people import FACE, ID_CARD

OWN_CODES = {name: action.results for name, action in ACTIONS.items()}
"""Result codes by Action."""


PROJECT = Path(__file__).parents[3]
PAGE = (PROJECT / "docs" / "simulator.md").read_text(encoding="utf-8")
API_PAGES = {
    action: (PROJECT / "tests" / "contract" / "data" / f"{file}.txt").read_text(encoding="utf-8")
    for action, file in ((ID_CARD, "id_card_verification"), (FACE, "image_recognition_v2"))
}
WEI = {"IdCard": "11204416541220243X", "Name": "Wei Xiaobao"}


def ways(table: str) -> dict[str, str]:
    """Return codes of one of the page's tables, and how they are brought about."""
    start = f"### `{table}`\n\n" if table in OWN_CODES else f"<!-- table: ways-{table} -->\n"
    text = re.match(r"(?:\|.*\n)+", PAGE.split(start, 1)[1])[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines()[2:]]
    return {code: how for codes, how in rows for code in re.findall(r"`([^`]+)`", codes)}


OWN = [(action, code, how) for action in OWN_CODES for code, how in ways(action).items()]
BOTH = ways("common")
BY_STATE = {code: how for code, how in BOTH.items() if how.startswith("account state")}
BY_PERSON = {code: how for code, how in BOTH.items() if re.match(r"`\d{17}", how)}


def code_of(response) -> str:
    return response["Error"]["Code"] if "Error" in response else response["Result"]


def ask(caller, action, person, **changes) -> str:
    """Ask about somebody as the people list shows them; ``changes`` are by column."""
    photo = b64encode(caller.server.account.gallery.submitted(person)).decode()
    row = {**person.columns(), "photo": photo, **changes}
    columns = ACTIONS[action].columns
    return code_of(caller.post(action, {name: row[column] for name, column in columns.items()}))


def test_every_code_of_the_api_pages_is_on_it():
    for action, page in API_PAGES.items():
        errors = page.partition("| Error Code | Description |")[2]
        listed = set(re.findall(r"^\| ([A-Z]\w+(?:\.\w+)?) \|", errors, re.MULTILINE))
        numbers = set(re.findall(r"(-\d+): ", page))
        assert listed | numbers <= {*ways(action), *BOTH}, action
    for action, codes in OWN_CODES.items():
        assert {*ways(action)} == {*codes}
    assert {*BOTH} == {code for code in COMMON if not code.startswith("http:")}


INPUTS = {
    "by a rule only": [{}],
    "an ordinary person of `/_sim/people`": [{}],
    "an ordinary person of `/_sim/people`, with their photo": [{}],
    "a number whose check digit is wrong": [{"id_card": "440305199505132562"}],
    "a name with a digit in it": [{"name": "Li 4"}],
    "a phone number of ten digits": [{"phone": "1380013800", "mobile": "1380013800"}],
    "a card number of twenty digits": [{"bank_card": "6" * 20}],
    "a card number whose check digit is wrong": [{"bank_card": "6222020000000000001"}],
    "a card number that does not begin with 62": [{"bank_card": "4242424242424242"}],
    "a day that no calendar has, such as 20230230": [
        {"validity_begin": "20230230"},
        {"validity_end": "20230230"},
    ],
}


@pytest.mark.parametrize("own", OWN, ids=[f"{action} {code}" for action, code, _ in OWN])
def test_a_result_is_brought_about_as_it_says_and_billed_as_the_table_says(
    caller, server, ordinary, own
):
    action, code, how = own
    asked = 1
    if number := re.match(r"`(\d{17}[\dX])`", how):
        person = server.account.people.find(number[1])
        assert ask(caller, action, person) == code
        charged = server.account.ledger.bill.total()
        again = [ask(caller, action, person) for _ in range(2)]
        assert (again == [code] * 2) == ("the first two times" not in how)
    else:
        values = [INPUTS[one] for one in how.split(" or ")]
        if how == "by a rule only":
            server.faults.add(FaultRule(Code(code)))
        answers = [ask(caller, action, ordinary, **changes) for some in values for changes in some]
        asked = len(answers)
        assert {*answers} == {code}
        charged = server.account.ledger.bill.total()
    assert charged == asked * (OWN_CODES[action][code].charged is Charged.YES)


@pytest.mark.parametrize("code", BY_PERSON)
def test_a_person_brings_a_common_code_about(caller, server, code):
    person = server.account.people.find(BY_PERSON[code][1:19])
    assert {ask(caller, action, person) for action in OWN_CODES} == {code}


@pytest.mark.parametrize("code", BY_STATE)
def test_a_state_of_the_account_brings_a_common_code_about(caller, server, ordinary, code):
    state = State(re.findall("`(.*)`", BY_STATE[code])[0])
    server.account.account_state = AccountStatus(state)
    assert {ask(caller, action, ordinary) for action in OWN_CODES} == {code}


REQUESTS = {
    "AuthFailure.InvalidAuthorization": lambda c: c.code(ID_CARD, WEI, {"Authorization": "x"}),
    "AuthFailure.SecretIdNotFound": lambda c: c.code(ID_CARD, WEI, secret_id="x"),
    "AuthFailure.SignatureExpire": lambda c: c.code(ID_CARD, WEI, timestamp=1_000_000_000),
    "AuthFailure.SignatureFailure": lambda c: c.code(ID_CARD, WEI, secret_key="x"),
    "AuthFailure.TokenFailure": lambda c: c.code(ID_CARD, WEI, {"X-TC-Token": "x"}),
    "InvalidAction": lambda c: c.code("Describe", WEI),
    "InvalidParameter": lambda c: c.code(ID_CARD, {**WEI, "IdCard": 1}),
    "InvalidParameter.UnsupportEncryptField": lambda c: c.code(
        ID_CARD,
        {**WEI, "Encryption": {"EncryptList": ["ImageBase64"], "CiphertextBlob": "x", "Iv": "x"}},
    ),
    "InvalidParameterValue": lambda c: code_of(c.face(*WEI.values(), b"", Extra="x" * 11)),
    "MissingParameter": lambda c: c.code(ID_CARD, {"IdCard": WEI["IdCard"]}),
    "NoSuchVersion": lambda c: c.code(ID_CARD, WEI, {"X-TC-Version": "2017-03-12"}),
    "RequestSizeLimitExceeded": lambda c: code_of(
        c.send("POST", bytes(10 * 2**20 + 1), c.headers(ID_CARD, b""))
    ),
    "UnknownParameter": lambda c: c.code(ID_CARD, {**WEI, "Phone": "1"}),
    "UnsupportedOperation": lambda c: c.code(ID_CARD, WEI, {"Content-Type": "text/plain"}),
    "UnsupportedProtocol": lambda c: code_of(c.send("PUT", b"", {})),
}


@pytest.mark.parametrize("code", REQUESTS)
def test_a_request_brings_a_common_code_about(caller, server, code):
    assert REQUESTS[code](caller) == code
    assert not server.account.ledger.bill


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "RequestLimitExceeded.UinLimitExceeded"])
def test_a_quota_brings_throttling_about(caller, server, code):
    if code == "RequestLimitExceeded":
        server.account.windows.quotas[ID_CARD] = 1
        assert [code_of(caller.post(ID_CARD, WEI)) for _ in range(2)] == ["0", code]
    assert BOTH[code].startswith("more calls in a second")


def test_every_common_code_was_tried():
    limits = {"RequestLimitExceeded", "RequestLimitExceeded.UinLimitExceeded"}
    by_rule = {code for code, how in BOTH.items() if how == "by a rule only"}
    assert {*REQUESTS, *limits, *BY_STATE, *BY_PERSON, *by_rule} == {*BOTH}
