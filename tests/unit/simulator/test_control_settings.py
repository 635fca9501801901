"""The settings of the control plane, and their effect on calls."""

from __future__ import annotations

import pytest
import requests

from airflow_provider_faceid.api.action import IdentityLimits
from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.codes import COMMON, Charged
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.account import ACCOUNT_CODES, KEY_CODES, State
from airflow_provider_faceid.simulator.account.account import VirtualClock
from airflow_provider_faceid.simulator.api import ERRORS
from airflow_provider_faceid.simulator.people import FACE, ID_CARD

OWN_CODES = {name: action.results for name, action in ACTIONS.items()}
"""Result codes by Action."""


PARAMS = {"IdCard": "11204416541220243X", "Name": "Wei Xiaobao"}


def post(caller, path: str, document: object) -> object:
    answer = requests.post(f"{caller.server.url}/_sim/{path}", json=document, timeout=5)
    assert answer.ok, answer.text
    return answer.json()


def test_rules_are_listed_with_what_they_have_seen(caller):
    assert caller.get("/_sim/faults") == []
    rule = {"effect": "code", "code": "-4", "action": ID_CARD, "nth": 2}
    post(caller, "faults", rule)
    codes = [caller.post(ID_CARD, PARAMS)["Result"] for _ in range(3)]
    assert codes == ["0", "-4", "0"]
    assert caller.get("/_sim/faults") == [
        {
            "effect": "code",
            "code": "-4",
            "fields": {},
            "action": ID_CARD,
            "nth": {"from": 2, "to": 2, "every": 1},
            "seen": 3,
            "fired": 1,
        }
    ]


def test_a_list_of_rules_comes_whole_or_not_at_all(caller):
    rules = [{"effect": "drop_after"}, {"effect": "delay", "wait": 1}]
    answer = requests.post(f"{caller.server.url}/_sim/faults", json=rules, timeout=5)
    assert (answer.status_code, answer.text) == (
        400, "rule 2: `wait` is unknown: `delay` takes wait_s\n",
    )  # fmt: skip
    assert caller.get("/_sim/faults") == []
    rules[1] = {"effect": "delay", "wait_s": 1}
    assert len(post(caller, "faults", rules)) == 2


def test_rules_can_be_taken_away(caller):
    post(caller, "faults", {"effect": "code", "code": "-4"})
    assert requests.delete(f"{caller.server.url}/_sim/faults", timeout=5).json() == []
    assert caller.post(ID_CARD, PARAMS)["Result"] == "0"


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("faults", b"{", "the body is no JSON"),
        ("faults", b"", "the body is no JSON"),
        ("faults", b"\xff", "the body is no JSON"),
        ("faults", b"[" * 100_000, "the body is no JSON"),
        ("faults", b'"delay"', "`rule` must be an object"),
        ("faults", b'{"effect": "delay", "wait_s": 1e999}', "`wait_s` must be a number"),
        ("clock", b"[]", "`body` must be an object"),
        ("clock", b'{"advance": 5}', "`advance` is unknown: the clock takes advance_s, offset_s"),
        ("clock", b'{"advance_s": -5}', "`advance_s` must be a number from 0"),
        ("clock", b'{"advance_s": 5, "offset_s": "1"}', "`offset_s` must be a number"),
        ("clock", b'{"advance_s": null}', "`advance_s` must be a number"),
        ("quotas", b"5", "`body` must be an object"),
        ("quotas", b'{"Describe": 5}', "`Describe` is unknown: `quotas` takes BankCard"),
        ("quotas", b'{"IdCardVerification": 5.5}', "`IdCardVerification` must be a whole number"),
        ("account", b'{"state": "rich"}', "`state` must be one of: ok, arrears"),
        ("account", b'{"status": "ok"}', "`status` is unknown: the account takes state, token"),
        ("account", b"{}", "`state` is missing"),
    ],
)
def test_a_wrong_document_is_refused_and_changes_nothing(caller, path, body, text):
    before = caller.get(f"/_sim/{path}")
    answer = requests.post(f"{caller.server.url}/_sim/{path}", data=body, timeout=5)
    assert answer.status_code == 400
    assert text in answer.text
    assert caller.get(f"/_sim/{path}") == before


def test_the_clock_is_shown_and_put_forward(caller):
    assert caller.get("/_sim/clock") == {
        "now": "2026-06-01T04:00:00.000+00:00", "advanced_s": 0, "offset_s": 0,
    }  # fmt: skip
    post(caller, "clock", {"advance_s": 86_400})
    assert post(caller, "clock", {"advance_s": 60, "offset_s": -600}) == {
        "now": "2026-06-02T03:51:00.000+00:00", "advanced_s": 86_460, "offset_s": -600,
    }  # fmt: skip
    assert post(caller, "clock", {"offset_s": 0})["advanced_s"] == 86_460


def test_tomorrow_the_limits_of_an_identity_begin_anew(caller, server):
    own = {ID_CARD: IdentityLimits(id_card_per_day=2, name_per_day=0)}
    with SimulatorServer(people=20, clock=caller.clock, identity_limits=own) as other:
        here = type(caller)(other, other.clock)
        codes = [here.post(ID_CARD, PARAMS)["Result"] for _ in range(3)]
        post(here, "clock", {"advance_s": 86_400})
        assert [*codes, here.post(ID_CARD, PARAMS)["Result"]] == ["0", "0", "-7", "0"]


def test_who_does_not_follow_the_clock_learns_the_time_from_the_date(caller):
    post(caller, "clock", {"advance_s": 86_400})
    body = b"{}"
    answer = requests.post(caller.url, data=body, headers=caller.headers(ID_CARD, body), timeout=5)
    assert answer.json()["Response"]["Error"]["Code"] == "AuthFailure.SignatureExpire"
    assert answer.headers["Date"] == "Tue, 02 Jun 2026 04:00:00 GMT"


def test_who_shares_the_clock_follows(server, caller):
    post(caller, "clock", {"advance_s": 86_400})
    assert type(caller)(server, server.clock).post(ID_CARD, PARAMS)["Result"] == "0"


def test_servers_may_share_one_virtual_clock():
    clock = VirtualClock()
    with SimulatorServer(people=20, clock=clock) as server:
        assert server.clock is clock


@pytest.mark.parametrize(("offset", "passes"), [(299, True), (-299, True), (302, False)])
def test_a_service_whose_clock_is_wrong_refuses_the_right_time(caller, offset, passes):
    post(caller, "clock", {"offset_s": offset})
    response = caller.post(ID_CARD, PARAMS)
    assert ("Result" in response) is passes
    post(caller, "clock", {"offset_s": 0})
    assert caller.post(ID_CARD, PARAMS)["Result"] == "0"


def test_quotas_are_shown_and_changed(caller, clock):
    unlimited = dict.fromkeys(ACTIONS, 0)
    assert caller.get("/_sim/quotas") == unlimited
    assert post(caller, "quotas", {ID_CARD: 1}) == unlimited | {ID_CARD: 1}
    assert caller.post(ID_CARD, PARAMS)["Result"] == "0"
    assert caller.code(ID_CARD, PARAMS) == "RequestLimitExceeded"


@pytest.mark.parametrize(("state", "code"), [*ACCOUNT_CODES.items(), *KEY_CODES.items()])
def test_an_account_in_trouble_is_not_served(caller, state, code):
    assert post(caller, "account", {"state": state})["state"] == state
    assert caller.code(ID_CARD, PARAMS) == code
    row = caller.get("/_sim/ledger")[0]
    assert (row["processed"], row["charged"], row["answered"]) == (False, False, True)
    post(caller, "account", {"state": "ok"})
    assert caller.post(ID_CARD, PARAMS)["Result"] == "0"


def test_every_state_but_good_standing_has_a_code():
    assert set(ACCOUNT_CODES) | set(KEY_CODES) == set(State) - {State.OK}
    assert set(ACCOUNT_CODES.values()) | set(KEY_CODES.values()) <= set(COMMON)


def test_a_wrong_signature_is_found_before_the_account_is_looked_at(caller):
    post(caller, "account", {"state": "arrears"})
    assert caller.code(ID_CARD, PARAMS, secret_key="wrong") == "AuthFailure.SignatureFailure"
    post(caller, "account", {"state": "key_deleted"})
    assert caller.code(ID_CARD, PARAMS, secret_key="wrong") == "AuthFailure.SecretIdNotFound"


def test_a_token_expires_when_another_takes_its_place(caller):
    old, new = {"X-TC-Token": "simulator-token"}, {"X-TC-Token": "second-token"}
    assert caller.post(ID_CARD, PARAMS, old)["Result"] == "0"
    assert post(caller, "account", {"token": "second-token"})["state"] == "ok"
    assert caller.code(ID_CARD, PARAMS, old) == "AuthFailure.TokenFailure"
    assert caller.post(ID_CARD, PARAMS, new)["Result"] == "0"


@pytest.mark.parametrize("action", [ID_CARD, FACE])
def test_every_code_of_the_outcome_table_can_be_forced(caller, ordinary, server, action):
    photo = server.account.gallery.submitted(ordinary)
    codes = {**COMMON, **OWN_CODES[action]}
    listed = [code for code in codes if not code.startswith("http:")]
    for code in listed:
        post(caller, "faults", {"effect": "code", "code": code, "times": 1})
    for code in listed:
        response = (
            caller.id_card(ordinary.id_card, ordinary.name)
            if action == ID_CARD
            else caller.face(ordinary.id_card, ordinary.name, photo)
        )
        if code in OWN_CODES[action] and code not in ERRORS:
            assert (response["Result"], bool(response["Description"])) == (code, True)
        else:
            assert (response["Error"]["Code"], "{" in response["Error"]["Message"]) == (code, False)
    billed = [row["charged"] for row in caller.get("/_sim/ledger")]
    assert billed == [codes[code].charged is Charged.YES for code in listed]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"code": "-99", "envelope": "result"}, ("-99", "", False)),
        ({"code": "-99"}, ("", "-99", False)),
        ({"code": "-4", "charged": True}, ("-4", "", True)),
        ({"code": "0", "charged": False}, ("0", "", False)),
        ({"code": "InternalError", "charged": True}, ("", "InternalError", True)),
        ({"code": "Some.Code", "envelope": "error"}, ("", "Some.Code", False)),
    ],
)
def test_a_code_may_be_one_nobody_knows_and_be_billed_against_the_table(caller, told, expected):
    post(caller, "faults", {"effect": "code", **told})
    caller.post(ID_CARD, PARAMS)
    row = caller.get("/_sim/ledger")[0]
    assert (row["result"], row["error"], row["charged"]) == expected
    assert row["fault"] == "code"
    assert caller.get("/_sim/bill")[ID_CARD] == expected[2]


@pytest.mark.parametrize(
    ("fields", "similarity"),
    [({}, 89.88), ({"Sim": 101}, 101), ({"Sim": "high"}, "high"), ({"Sim": None}, "absent")],
)
def test_a_forced_match_may_have_an_impossible_similarity(caller, ordinary, fields, similarity):
    post(caller, "faults", {"effect": "code", "code": "Success", "fields": fields})
    response = caller.face(ordinary.id_card, ordinary.name, "")
    assert response.get("Sim", "absent") == similarity


def test_a_forced_code_does_not_hide_why_a_call_is_refused(caller):
    post(caller, "faults", {"effect": "code", "code": "0"})
    assert caller.code(ID_CARD, PARAMS, secret_key="wrong") == "AuthFailure.SignatureFailure"
    assert caller.code(ID_CARD, {}) == "MissingParameter"
    assert [row["fault"] for row in caller.get("/_sim/ledger")] == ["", ""]


def test_a_setting_holds_from_the_call_that_changes_it(caller):
    post(
        caller,
        "faults",
        [
            {"effect": "account", "state": "arrears", "nth": 2},
            {"effect": "account", "state": "ok", "nth": 4},
        ],
    )
    responses = [caller.post(ID_CARD, PARAMS) for _ in range(5)]
    assert ["Error" in response for response in responses] == [False, True, True, False, False]
    faults = [row["fault"] for row in caller.get("/_sim/ledger")]
    assert faults == ["", "account", "", "account", ""]


def test_a_reset_takes_back_every_change(caller, server):
    with SimulatorServer(people=20, clock=caller.clock, quotas={ID_CARD: 7}) as other:
        here = type(caller)(other, caller.clock)
        start = {
            path: here.get(f"/_sim/{path}") for path in ("faults", "clock", "quotas", "account")
        }
        post(here, "faults", {"effect": "drop_after"})
        post(here, "clock", {"advance_s": 86_400, "offset_s": 600})
        post(here, "quotas", {ID_CARD: 1, FACE: 1})
        post(here, "account", {"state": "arrears", "token": "second-token"})
        assert all(here.get(f"/_sim/{path}") != was for path, was in start.items())
        post(here, "reset", None)
        assert {path: here.get(f"/_sim/{path}") for path in start} == start
