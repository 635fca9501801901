"""Phones, bank cards and validities of the simulator's people, and what the Actions about them answer."""

from __future__ import annotations

import csv
import random
from io import StringIO

import pytest
import requests

from airflow_provider_faceid.api import bank_card, phone
from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.encryption import KmsEncrypter
from airflow_provider_faceid.simulator.faults import FaultRule
from airflow_provider_faceid.simulator.faults.effects import Code
from airflow_provider_faceid.simulator.people import People, expects
from airflow_provider_faceid.simulator.people.authority import BANKS_BEGIN_WITH, UNKNOWN_CARDS

PHONE, STATUS = "PhoneVerification", "MobileStatus"
TWO, THREE, FOUR = "BankCard2EVerification", "BankCardVerification", "BankCard4EVerification"
KIND, DATES = "CheckBankCardInformation", "CheckIdNameDate"
PEOPLE = People(2000)


def code_of(response) -> str:
    return response["Error"]["Code"] if "Error" in response else response["Result"]


def about(action: str, person, **changes: str) -> dict[str, str]:
    columns = person.columns()
    return {n: columns[column] for n, column in ACTIONS[action].columns.items()} | changes


def test_a_person_has_one_phone_and_one_card_whatever_an_action_calls_them():
    for person in PEOPLE.listed[:50]:
        columns = person.columns()
        assert columns["phone"] == columns["mobile"]
        for action in ACTIONS.values():
            for field in action.fields:
                if field.column in columns:
                    assert person.value(field) == columns[field.column]


def test_phones_and_cards_are_valid_and_each_person_s_own():
    rows = [person.columns() for person in PEOPLE.listed]
    for column, length in (("phone", 11), ("bank_card", 19)):
        assert len({row[column] for row in rows}) == len(rows)
        assert {len(row[column]) for row in rows} == {length}
    assert {row["phone"] for row in rows} == {phone.normalise(row["phone"]) for row in rows}
    assert all(bank_card.luhn_fits(row["bank_card"]) for row in rows)
    assert all(row["bank_card"].startswith(BANKS_BEGIN_WITH) for row in rows)
    ends = {row["validity_end"] for row in rows}
    assert "00000000" in ends
    assert all(
        row["validity_begin"] < row["validity_end"]
        for row in rows
        if row["validity_end"] != "00000000"
    )


def test_the_table_of_people_can_be_had_as_csv(caller, server):
    answer = requests.get(f"{server.url}/_sim/people?format=csv&limit=3", timeout=5)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(StringIO(answer.content.decode())))
    assert rows == [person.columns() for person in server.account.people.listed[:3]]
    assert len(caller.get("/_sim/people?limit=3")) == 3
    wrong = requests.get(f"{server.url}/_sim/people?format=xml", timeout=5)
    assert (wrong.status_code, wrong.text) == (400, "format is json or csv\n")


@pytest.mark.parametrize("action", ACTIONS)
def test_the_quota_is_the_action_s_own(server, action):
    windows = server.account.windows
    windows.clear()
    quota = ACTIONS[action].quota
    assert [windows.arrive(action, 5.0) for _ in range(quota + 1)] == [0] * quota + [quota + 1]
    assert not any(windows.arrive(other, 5.0) for other in ACTIONS if other != action)


LIMITED = [
    (name, limit, count)
    for name, action in ACTIONS.items()
    for limit, count in action.identity_limits.items()
    if limit.endswith("_per_day") and name not in {"IdCardVerification", "ImageRecognitionV2"}
]


@pytest.mark.parametrize("limited", LIMITED, ids=lambda limited: f"{limited[0]} {limited[1]}")
def test_a_value_is_asked_about_so_often_a_day(caller, server, clock, limited):
    action, limit, count = limited
    column = limit.removesuffix("_per_day")
    one, other = (person.columns() for person in server.account.people.listed[:2])
    for _ in range(count):  # counted as calls are; the rest of the request is another each time
        values = {column: one[column]}
        assert not server.account.identities.exceeded(action, values, clock.now())
    row = {**other, column: one[column]}
    params = {name: row[column] for name, column in ACTIONS[action].columns.items()}
    limit_code = next(r.code for r in ACTIONS[action].results.values() if r.outcome == "limit")
    assert caller.post(action, params)["Result"] == limit_code
    assert not server.account.ledger.bill
    clock.seconds += 86_400
    assert caller.post(action, params)["Result"] != limit_code


@pytest.mark.parametrize("action", [PHONE, THREE, FOUR, TWO, DATES])
def test_values_of_two_people_do_not_belong_together(caller, server, action):
    one, other = (p for p in server.account.people.listed[:2] if not p.persona)
    mismatch = next(r.code for r in ACTIONS[action].results.values() if r.outcome == "mismatch")
    for field in ACTIONS[action].columns:
        foreign = about(action, other)[field]
        if foreign != about(action, one)[field]:
            assert code_of(caller.post(action, about(action, one, **{field: foreign}))) == mismatch
    assert set(server.account.ledger.bill) == {action}


def test_the_carrier_is_that_of_the_phone_also_where_the_person_is_another(caller, server):
    one, other = (p for p in server.account.people.listed[:2] if not p.persona)
    match = caller.post(PHONE, about(PHONE, other))
    mismatch = caller.post(PHONE, about(PHONE, one, Phone=other.columns()["phone"]))
    assert (match["Result"], mismatch["Result"]) == ("0", "-4")
    assert match["Isp"] == mismatch["Isp"] in {"mobile", "telecom", "cucc"}
    nobody = caller.post(PHONE, about(PHONE, one, Phone="13000000000"))
    assert (nobody["Result"], nobody["Isp"]) == ("-4", "")
    assert "Isp" not in caller.post(PHONE, about(PHONE, one, Phone="1300000000"))


@pytest.mark.parametrize("action", UNKNOWN_CARDS)
def test_a_card_nobody_holds_has_codes_of_its_own(caller, ordinary, action):
    codes = UNKNOWN_CARDS[action]
    asked = {
        "6222020000000000001": codes.wrong_check_digit,
        "4242424242424242": codes.no_bank,
        bank_card.sample(random.Random(1)): "-1",
    }
    for number, code in asked.items():
        assert caller.post(action, about(action, ordinary, BankCard=number))["Result"] == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "0"),
        ({"ValidityEnd": "20230230"}, "-4"),
        ({"ValidityBegin": "00000000"}, "-4"),
        ({"ValidityBegin": "2020-01-01"}, "-4"),
        ({"ValidityBegin": ""}, "-4"),
        ({"ValidityEnd": "长期"}, "-4"),
        ({"ValidityBegin": "19800101"}, "-1"),
    ],
)
def test_a_validity_is_a_day_of_the_calendar_in_eight_digits(caller, ordinary, changes, code):
    assert caller.post(DATES, about(DATES, ordinary, **changes))["Result"] == code


@pytest.mark.parametrize("action", [STATUS, KIND, TWO])
def test_a_rule_and_the_ledger_know_whose_phone_or_card_it_is(caller, server, action):
    one, other = (p for p in server.account.people.listed[:2] if not p.persona)
    server.faults.add(FaultRule(Code("-99"), person=one.id_card))
    answers = [code_of(caller.post(action, about(action, person))) for person in (one, other)]
    assert answers == ["-99", "0"]
    rows = list(server.account.ledger.rows())
    assert [row["id_card"] for row in rows] == [one.id_card, other.id_card]
    held = one.columns()
    assert not {held["phone"], held["bank_card"]} & {str(v) for row in rows for v in row.values()}


def test_a_rule_that_forces_a_success_gives_its_outputs(caller, server, ordinary):
    server.faults.add(FaultRule(Code("0")))
    assert caller.post(STATUS, about(STATUS, ordinary))["StatusCode"] == 0
    assert caller.post(KIND, about(KIND, ordinary))["AccountBank"]


def test_people_are_expected_to_be_found_in_look_ups():
    for person in PEOPLE.listed[:5]:
        assert expects(person)[STATUS] == expects(person)[KIND] == "0"


KMS_FORM = ("EncryptList", "CiphertextBlob", "Iv")


@pytest.fixture
def flat(server, ordinary) -> dict[str, object]:
    """Return an encrypted request in the flat form."""
    keys = server.account.encryption_keys.published()["KMS"]
    kms = KmsEncrypter(keys["Plaintext"], keys["CiphertextBlob"])
    fields, members = kms.encrypt(about(PHONE, ordinary))
    return {**fields, **members}


def test_the_flat_form_is_read_and_the_ledger_has_the_number(caller, server, ordinary, flat):
    assert caller.post(PHONE, flat)["Result"] == "0"
    assert next(server.account.ledger.rows())["id_card"] == ordinary.id_card


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"EncryptList": None}, "MissingParameter"),
        ({"CiphertextBlob": None}, "MissingParameter"),
        ({"Iv": None}, "MissingParameter"),
        ({"EncryptList": "Phone"}, "InvalidParameter"),
        ({"EncryptList": [1]}, "InvalidParameter"),
        ({"CiphertextBlob": 7}, "InvalidParameter"),
        ({"Algorithm": "AES-256-CBC"}, "UnknownParameter"),
        ({"TagList": []}, "UnknownParameter"),
        ({"Encryption": {}}, "UnknownParameter"),
        ({"EncryptList": ["BankCard"]}, "InvalidParameter.UnsupportEncryptField"),
        ({"CiphertextBlob": "AAAA"}, "FailedOperation.DecryptSystemError"),
        ({"CiphertextBlob": "a-k-b-k-c"}, "FailedOperation.DecryptSystemError"),
        ({"Iv": "short"}, "FailedOperation.DecryptSystemError"),
        ({"Phone": "13800138000"}, "FailedOperation.DecryptSystemError"),
    ],
)
def test_damage_of_the_flat_form_has_a_code(caller, server, flat, change, code):
    changed = {k: v for k, v in {**flat, **change}.items() if v is not None}
    assert code_of(caller.post(PHONE, changed)) == code
    assert not server.account.ledger.bill


def test_a_key_that_is_not_of_kms_is_none_of_the_flat_form(caller, server, ordinary, flat):
    from airflow_provider_faceid.api.encryption import Encrypter  # noqa: PLC0415

    keys = server.account.encryption_keys.published()
    fields, members = Encrypter("AES-256-CBC", keys["AES-256-CBC"]).encrypt(about(PHONE, ordinary))
    params = {**fields, **{name: members[name] for name in KMS_FORM}}
    assert code_of(caller.post(PHONE, params)) == "FailedOperation.DecryptSystemError"


FOREIGN = [
    (name, field)
    for name, action in ACTIONS.items()
    for field in ("IdCard", "Name", "Phone", "Mobile", "BankCard", "ValidityBegin", "CertType")
    if field not in action.encryptable
]


@pytest.mark.parametrize(("action", "field"), FOREIGN)
def test_an_action_takes_only_its_own_fields_encrypted(caller, server, ordinary, action, field):
    photo = {"ImageBase64": "x"} if action == "ImageRecognitionV2" else {}
    columns = ordinary.columns()
    params = {n: columns[c] for n, c in ACTIONS[action].columns.items() if c in columns} | photo
    members = {"EncryptList": [field], "CiphertextBlob": "x", "Iv": "x"}
    nested = ACTIONS[action].field("Encryption") is not None
    asked = params | ({"Encryption": members} if nested else members)
    assert code_of(caller.post(action, asked)) == "InvalidParameter.UnsupportEncryptField"
