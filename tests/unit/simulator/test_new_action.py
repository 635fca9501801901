"""An Action that is only data is answered: record, values, form, limits, personas, outputs."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.api.action import Action, IdentityLimits, Output
from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.codes import code_table
from airflow_provider_faceid.api.fields import DATE, TEXT, Field
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.people import expects

NAME = "LicenceVerification"
LICENCE = Action(
    name=NAME,
    title="whether a licence was issued to a holder on a day",
    document="0",
    quota=3,
    fields=(
        Field("Licence", TEXT, column="licence", max_length=40, invalid_code="Bad.Licence"),
        Field("Holder", TEXT, column="holder"),
        Field("Issued", DATE, column="issued", invalid_code="Bad.Date"),
    ),
    identity_limits=IdentityLimits(licence_per_day=2),
    outputs=(Output("Class", "licence_class", "text", "class of the licence", ("A", "B")),),
    results=code_table("""
Yes         match         yes record     licence, holder and day belong together
No          mismatch      yes record     they do not
Bad.Licence invalid_input no  quarantine malformed licence
Bad.Date    invalid_input no  quarantine malformed day
None        not_found     no  record     no such licence
Busy        unavailable   no  retry      the register is closed
TooOften    limit         no  postpone   this licence was verified too often today
"""),
)


@pytest.fixture
def licences(caller, clock, monkeypatch):
    monkeypatch.setitem(ACTIONS, NAME, LICENCE)
    with SimulatorServer(people=40, clock=clock) as server:
        yield type(caller)(server, clock)


def params(person, **changes: str) -> dict[str, str]:
    return {field.name: person.value(field) for field in LICENCE.fields} | changes


def ask(caller, person, **changes: str) -> str:
    caller.server.account.identities.clear()
    caller.server.account.windows.clear()
    response = caller.post(NAME, params(person, **changes))
    return response["Error"]["Code"] if "Error" in response else response["Result"]


def test_a_match_has_its_output_and_its_meaning_as_description(licences):
    first, second = licences.server.account.people.listed[:2]
    response = licences.post(NAME, params(first))
    assert response.pop("RequestId")
    assert response.pop("Class") in {"A", "B"}
    meaning = "Licence, holder and day belong together."
    assert response == {"Result": "Yes", "Description": meaning}
    assert params(first) != params(second)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Holder": "another"}, "No"),
        ({"Issued": "19991231"}, "No"),
        ({"Issued": "1999-12-31"}, "Bad.Date"),
        ({"Licence": "no such"}, "None"),
        ({"Licence": ""}, "Bad.Licence"),
        ({"Issued": "yesterday"}, "Bad.Date"),
        ({"Issue": "1999-12-31"}, "UnknownParameter"),
    ],
)
def test_values_that_do_not_belong_together_have_its_codes(licences, changes, code):
    person = licences.server.account.people.listed[0]
    assert ask(licences, person, **changes) == code
    assert licences.server.account.ledger.bill == ({NAME: 1} if code == "No" else {})


def test_its_quota_and_its_limits_hold(licences):
    person = licences.server.account.people.listed[0]
    answers = [licences.post(NAME, params(person)) for _ in range(4)]
    assert [answer.get("Result") for answer in answers] == ["Yes", "Yes", "TooOften", None]
    assert answers[3]["Error"]["Code"] == "RequestLimitExceeded"
    assert licences.get("/_sim/quotas")[NAME] == 3


def test_personas_have_its_code_with_the_same_outcome(licences):
    codes = set()
    for person in licences.server.account.people.personas:
        while (code := ask(licences, person)) == "Busy":  # answered at first
            codes.add(code)
        codes.add(code)
        assert expects(person)[NAME] == code or code == "FailedOperation.UnKnown"
    assert codes >= {"Yes", "None", "TooOften", "Busy", "FailedOperation.DecryptSystemError"}


def test_the_control_plane_shows_it(licences):
    assert {"action": NAME, "match": "Yes", "docs": LICENCE.docs} in licences.get("/_sim/actions")
    person = licences.get("/_sim/people?limit=1")[0]
    assert person["expects"][NAME] == "Yes"
    assert licences.get("/_sim/bill")[NAME] == 0
