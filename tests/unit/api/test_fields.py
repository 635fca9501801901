from __future__ import annotations

from base64 import b64encode
from datetime import date

import pytest

from airflow_provider_faceid.api import id_card
from airflow_provider_faceid.api.actions.bank_card_verification import (
    ACTION as BANK_CARD_VERIFICATION,
)
from airflow_provider_faceid.api.actions.check_bank_card_information import (
    ACTION as CHECK_BANK_CARD,
)
from airflow_provider_faceid.api.actions.check_id_name_date import ACTION as CHECK_ID_NAME_DATE
from airflow_provider_faceid.api.actions.id_card_verification import ACTION as ID_CARD_VERIFICATION
from airflow_provider_faceid.api.actions.image_recognition_v2 import ACTION as IMAGE_RECOGNITION_V2
from airflow_provider_faceid.api.actions.mobile_status import ACTION as MOBILE_STATUS
from airflow_provider_faceid.api.fields import FIELD_OF_RULE, OPTIONAL, InputRules, skipped_rules
from airflow_provider_faceid.api.id_card import Check
from airflow_provider_faceid.api.messages import Pieces
from airflow_provider_faceid.exceptions import ConfigurationError, InvalidInputError

STRICT = InputRules(date(2026, 11, 21), Check.STRICT)
FORMAT = InputRules(date(2026, 11, 21), Check.FORMAT)
NUMBER, NAME = "11010519491231002X", "韦小宝"
PICTURE = b"\xff\xd8\xff\xda" + bytes(20) + b"\xff\xd9"


def refused(action, values, rules=STRICT):
    with pytest.raises(InvalidInputError) as caught:
        request_fields(action, values, rules)
    return caught.value.rule


def request_fields(action, values, rules):
    return rules.request_fields(action.fields, values)


def checked(head):
    """Return 17 digits with their check character."""
    return head + id_card.check_character([int(digit) for digit in head])


def test_no_rule_stands_twice():
    fields = dict.fromkeys(FIELD_OF_RULE.values())
    names = [rule.name for field in fields for rule in field.rules]
    assert len(set(names)) == len(names)


def test_only_rules_that_may_be_wrong_about_somebody_can_be_switched_off():
    assert OPTIONAL == (
        "id_card_province",
        "id_card_birth_date",
        "id_card_check_digit",
        "name_missing_text",
        "phone_prefix",
        "bank_card_luhn",
    )


REFUSED_BY = {
    "id_card_province": (
        ID_CARD_VERIFICATION,
        {"IdCard": checked("00010519491231002"), "Name": NAME},
    ),
    "id_card_birth_date": (
        ID_CARD_VERIFICATION,
        {"IdCard": checked("11010519491331002"), "Name": NAME},
    ),
    "id_card_check_digit": (ID_CARD_VERIFICATION, {"IdCard": "110105194912310021", "Name": NAME}),
    "name_missing_text": (ID_CARD_VERIFICATION, {"IdCard": NUMBER, "Name": "Null"}),
    "phone_prefix": (MOBILE_STATUS, {"Mobile": "12800138000"}),
}
"""Action and values, by the optional rule that refuses them."""


def test_an_optional_rule_refuses_or_warns():
    warnings = {
        rule.name for field in FIELD_OF_RULE.values() for rule in field.rules if rule.is_warning
    }
    assert warnings == {"bank_card_luhn"}
    assert {*REFUSED_BY} | warnings == {*OPTIONAL}


@pytest.mark.parametrize("rule", REFUSED_BY)
def test_a_rule_that_is_switched_off_is_not_asked(rule):
    action, values = REFUSED_BY[rule]
    assert refused(action, values) == rule
    lenient = InputRules(STRICT.today, skipped=skipped_rules([rule]))
    assert request_fields(action, values, lenient) == values


def test_a_warning_is_told_of_the_request_and_refuses_nothing():
    values = {"BankCard": "6222021234567890120"}
    request = request_fields(CHECK_BANK_CARD, values, STRICT)
    assert request == values
    assert [*STRICT.warnings(CHECK_BANK_CARD.fields, request)] == ["bank_card_luhn"]
    fits = request_fields(CHECK_BANK_CARD, {"BankCard": "6222021234567890128"}, STRICT)
    assert [*STRICT.warnings(CHECK_BANK_CARD.fields, fits)] == []
    off = InputRules(STRICT.today, skipped=skipped_rules(["bank_card_luhn"]))
    assert [*off.warnings(CHECK_BANK_CARD.fields, request)] == []


def test_a_constant_is_sent_although_no_row_holds_it():
    values = {"IdCard": NUMBER, "Name": NAME, "BankCard": "6222021234567890128"}
    request = request_fields(BANK_CARD_VERIFICATION, values, STRICT)
    assert request["CertType"] == 0
    assert [*request] == ["IdCard", "Name", "BankCard", "CertType"]


DATES = {"IdCard": NUMBER, "Name": NAME, "ValidityBegin": "20200101"}


@pytest.mark.parametrize(
    ("end", "is_broken"),
    [
        ("20191231", True),
        ("20200101", True),
        ("20200102", False),
        ("00000000", False),
        ("长期", False),
    ],
)
def test_a_validity_ends_after_it_begins(end, is_broken):
    asked, values = CHECK_ID_NAME_DATE, DATES | {"ValidityEnd": end}
    if not is_broken:
        STRICT.request_fields(asked.fields, values, asked.row_rules)
        return
    with pytest.raises(InvalidInputError) as caught:
        STRICT.request_fields(asked.fields, values, asked.row_rules)
    assert caught.value.rule == "validity_order"
    assert end not in str(caught.value)


def test_a_rule_of_a_row_is_asked_of_values_that_keep_their_own_rules():
    values = DATES | {"ValidityEnd": "20190231"}
    with pytest.raises(InvalidInputError) as caught:
        STRICT.request_fields(CHECK_ID_NAME_DATE.fields, values, CHECK_ID_NAME_DATE.row_rules)
    assert caught.value.rule == "end_date_format"


def test_a_rule_of_a_row_that_lacks_a_value_is_not_broken():
    (rule,) = CHECK_ID_NAME_DATE.row_rules
    assert not rule.is_broken({"ValidityBegin": "20200101"})
    assert not rule.is_broken({})


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["name_missing_txt"], "Did you mean 'name_missing_text'"),
        (["id_card_length"], "'id_card_length' is no rule that can be switched off"),
        ("name_missing_text", "it is a list of names"),
    ],
    ids=["misspelt", "a rule the service needs", "no list"],
)
def test_what_cannot_be_switched_off_is_refused_by_name(names, told):
    with pytest.raises(ConfigurationError, match=told):
        skipped_rules(names)


def test_fields_are_normalised_and_in_the_order_of_the_page():
    values = {"ImageBase64": PICTURE, "Name": " 韦 小 宝 ", "IdCard": NUMBER.lower()}
    fields = request_fields(IMAGE_RECOGNITION_V2, values, STRICT)
    assert list(fields.items()) == [
        ("IdCard", NUMBER),
        ("Name", NAME),
        ("ImageBase64", Pieces([b64encode(PICTURE)])),
    ]


def test_what_the_action_has_no_field_for_is_left_out():
    values = {"IdCard": NUMBER, "Name": NAME, "ImageBase64": PICTURE}
    assert request_fields(ID_CARD_VERIFICATION, values, STRICT).keys() == {"IdCard", "Name"}


def test_text_is_made_of_anything_and_objects_are_passed_on():
    person = {"IdCard": NUMBER, "Name": NAME, "ImageBase64": PICTURE}
    more = {"Extra": 7, "Optional": None, "Encryption": {"Iv": "x"}}
    fields = request_fields(IMAGE_RECOGNITION_V2, person | more, STRICT)
    assert {name: fields[name] for name in more} == {
        "Extra": "7",
        "Optional": None,
        "Encryption": {"Iv": "x"},
    }


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"IdCard": None, "Name": NAME}, "id_card_missing"),
        ({"IdCard": 110105194912310021, "Name": NAME}, "id_card_not_text"),
        ({"IdCard": NUMBER, "Name": None}, "name_missing"),
        ({"IdCard": NUMBER, "Name": 7}, "name_not_text"),
        ({"IdCard": NUMBER[:-1], "Name": None}, "id_card_length"),
    ],
)
def test_the_first_rule_that_is_broken_is_named(values, rule):
    assert refused(ID_CARD_VERIFICATION, values) == rule


def test_a_photo_is_judged_by_its_own_rules():
    person = {"IdCard": NUMBER, "Name": NAME}
    assert refused(IMAGE_RECOGNITION_V2, person | {"ImageBase64": b"GIF89a\xff"}) == "photo_format"
    assert refused(IMAGE_RECOGNITION_V2, person | {"ImageBase64": None}) == "photo_missing"


def test_the_check_decides_how_strictly_a_number_is_read():
    values = {"IdCard": NUMBER[:-1] + "1", "Name": NAME}
    assert refused(ID_CARD_VERIFICATION, values) == "id_card_check_digit"
    assert request_fields(ID_CARD_VERIFICATION, values, FORMAT)["IdCard"] == values["IdCard"]


def test_nobody_is_born_after_the_day_of_the_rules():
    born = {"IdCard": "110105202611220019", "Name": NAME}
    rule = refused(ID_CARD_VERIFICATION, born)
    assert rule == "id_card_birth_date"
    later = InputRules(date(2026, 11, 22), Check.STRICT)
    assert refused(ID_CARD_VERIFICATION, born, later) == "id_card_check_digit"
