from __future__ import annotations

from base64 import b64decode

import pytest
import requests

from airflow_provider_faceid import __version__
from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.id_card import masked
from airflow_provider_faceid.simulator.account import Entry
from airflow_provider_faceid.simulator.people import FACE, ID_CARD

NO_BILL = dict.fromkeys(ACTIONS, 0)


def test_people_are_listed_with_what_to_expect(caller, server):
    people = caller.get("/_sim/people")
    assert [person["id_card"] for person in people] == [
        person.id_card for person in server.account.people.listed
    ]
    assert people[0] == {
        "id_card": server.account.people.listed[0].id_card,
        "name": server.account.people.listed[0].name,
        **server.account.people.listed[0].columns(),
        "expects": {name: action.success_code for name, action in ACTIONS.items()},
        "special": False,
    }
    special = [person for person in people if person["special"]]
    assert special == people[-18:]
    assert special[0]["expects"][ID_CARD] == "-1"


def test_a_table_made_of_the_first_people_meets_no_code_that_ends_a_run(caller):
    first = caller.get("/_sim/people?limit=40")
    assert len(first) == 40
    for person in first:
        assert person["expects"] == {name: action.success_code for name, action in ACTIONS.items()}


def test_people_have_a_value_for_every_column_an_action_reads_by_default(caller):
    person = caller.get("/_sim/people?limit=1&photo=1")[0]
    columns = {column for action in ACTIONS.values() for column in action.columns.values()}
    assert columns - {"photo"} <= set(person)
    assert set(person) - columns == {"expects", "special", "photo_base64"}


def test_one_kind_of_people_can_be_listed_alone(caller, server):
    everybody = caller.get("/_sim/people")
    ordinary, special = (caller.get(f"/_sim/people?special={kind}") for kind in (0, 1))
    assert [*ordinary, *special] == everybody
    assert {person["special"] for person in ordinary} == {False}
    assert caller.get("/_sim/people?special=0&offset=5&limit=2") == ordinary[5:7]
    assert requests.get(f"{server.url}/_sim/people?special=x", timeout=5).status_code == 400


def test_transient_people_tell_what_comes_first(caller):
    transient = [person for person in caller.get("/_sim/people") if "at_first" in person]
    assert transient[0]["at_first"][ID_CARD] == "-4"
    assert transient[0]["calls"] == 2
    assert transient[0]["expects"][ID_CARD] == "0"


def test_people_can_be_listed_in_parts_and_with_photos(caller, server):
    everybody = caller.get("/_sim/people")
    part = caller.get("/_sim/people?photo=1&offset=30&limit=7")
    assert [person["id_card"] for person in part] == [p["id_card"] for p in everybody[30:37]]
    registered = server.account.gallery.registered(server.account.people.listed[30])
    assert b64decode(part[0]["photo_base64"]) == registered
    assert caller.get("/_sim/people?offset=60") == []


def test_the_listed_photo_leads_to_what_is_expected(caller):
    person = caller.get("/_sim/people?photo=1&offset=20&limit=1")[0]
    response = caller.face(person["id_card"], person["name"], person["photo_base64"])
    assert response["Result"] == person["expects"][FACE]


@pytest.mark.parametrize("part", ["offset=-1", "limit=few", "offset=1.5"])
def test_a_part_is_given_in_whole_numbers(server, part):
    answer = requests.get(f"{server.url}/_sim/people?{part}", timeout=5)
    assert answer.status_code == 400


def test_the_ledger_holds_every_request(caller, ordinary):
    answered = caller.id_card(ordinary.id_card, ordinary.name)
    refused = caller.post(ID_CARD, {"IdCard": ordinary.id_card}, secret_key="wrong")
    broken = caller.post(ID_CARD, {"IdCard": ordinary.id_card})
    rows = caller.get("/_sim/ledger")
    assert [row["request_id"] for row in rows] == [
        answer["RequestId"] for answer in (answered, refused, broken)
    ]
    assert rows[0] == {
        "at": "2026-06-01T04:00:00.000+00:00",
        "action": ID_CARD,
        "id_card": ordinary.id_card,
        "result": "0",
        "error": "",
        "processed": True,
        "charged": True,
        "answered": True,
        "fault": "",
        "request_id": answered["RequestId"],
    }
    assert (rows[1]["id_card"], rows[1]["error"]) == ("", "AuthFailure.SignatureFailure")
    assert (rows[1]["processed"], rows[1]["charged"], rows[1]["answered"]) == (False, False, True)
    assert (rows[2]["id_card"], rows[2]["error"]) == (ordinary.id_card, "MissingParameter")
    assert caller.get("/_sim/ledger?offset=2") == rows[2:]


def test_a_throttled_request_stands_in_the_ledger_with_its_number(caller, server, ordinary):
    server.account.windows.quotas[ID_CARD] = 1
    for _ in range(2):
        caller.id_card(ordinary.id_card, ordinary.name)
    row = caller.get("/_sim/ledger?offset=1")[0]
    assert (row["id_card"], row["error"], row["charged"]) == (
        ordinary.id_card, "RequestLimitExceeded", False,
    )  # fmt: skip
    assert caller.get("/_sim/pace") == {
        ID_CARD: {"busiest_second": 2, "throttled": 1, "seconds": 1, "calls": 2}
    }


def test_a_long_ledger_comes_in_pieces(caller, server):
    for number in range(101):
        server.account.ledger.add(
            Entry(0.5, ID_CARD, "1", "0", "", True, True, "", f"request {number}")  # noqa: FBT003
        )
    assert len(caller.get("/_sim/ledger")) == 101
    assert len(caller.get("/_sim/ledger?limit=100")) == 100


def test_the_actions_are_listed(caller):
    assert [(row["action"], row["match"]) for row in caller.get("/_sim/actions")] == [
        (name, action.success_code) for name, action in ACTIONS.items()
    ]
    assert {"action": FACE, "match": "Success", "docs": ACTIONS[FACE].docs} in caller.get(
        "/_sim/actions"
    )


def test_the_bill_counts_charged_calls(caller, ordinary):
    assert caller.get("/_sim/bill") == NO_BILL
    caller.id_card(ordinary.id_card, ordinary.name)
    caller.id_card(ordinary.id_card, "Li Si")
    caller.id_card("1", "Li Si")
    assert caller.get("/_sim/bill") == NO_BILL | {ID_CARD: 2}


def test_a_reset_forgets_everything(caller, ordinary, server):
    caller.id_card(ordinary.id_card, ordinary.name)
    requests.post(f"{server.url}/_sim/reset", timeout=5).raise_for_status()
    assert caller.get("/_sim/ledger") == []
    assert caller.get("/_sim/bill") == NO_BILL
    assert caller.get("/_sim/pace") == {}


def test_elsewhere_there_is_nothing(server):
    assert requests.get(f"{server.url}/elsewhere", timeout=5).status_code == 404


def test_health_says_version_and_time(caller, ordinary):
    caller.id_card(ordinary.id_card, ordinary.name)
    assert caller.get("/_sim/health") == {
        "status": "ok",
        "version": __version__,
        "clock": "2026-06-01T04:00:00.000+00:00",
        "requests": 1,
    }


def test_the_last_requests_come_first_and_masked(caller, ordinary):
    for _ in range(21):
        caller.id_card(ordinary.id_card, ordinary.name)
    last = caller.id_card("Wei Xiaobao", "Li Si")
    recent = caller.get("/_sim/recent")
    assert len(recent) == 20
    assert recent[0]["request_id"] == last["RequestId"]
    assert recent[0]["id_card"] == "*" * 11
    assert {row["id_card"] for row in recent[1:]} == {masked(ordinary.id_card)}
    assert caller.get("/_sim/recent?limit=2") == recent[:2]
    assert caller.get("/_sim/recent?limit=0") == []
