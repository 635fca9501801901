"""What our tables say of a person."""

from __future__ import annotations

import re

import pytest

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.actions.id_card_verification import ACTION as ID_CARD_VERIFICATION
from airflow_provider_faceid.api.fields import BANK_CARD, ID_CARD, PHONE
from airflow_provider_faceid.api.pseudonyms import (
    identifying_values,
    identity_columns,
    question_hash,
    row_hasher,
    value_hash,
)
from airflow_provider_faceid.batch.inputs import Row

PARAMS = {"IdCard": "440305199505132561", "Name": "张三"}
SECRET = "a secret of the hashes"


def test_a_person_is_known_by_a_hash_and_the_ends_of_the_number():
    columns = identity_columns(ID_CARD_VERIFICATION, SECRET, PARAMS)
    assert columns.keys() == {"id_card_hash", "id_card_masked"}
    assert re.fullmatch("[0-9a-f]{32}", columns["id_card_hash"])
    assert columns["id_card_masked"] == "44**************61"


NUMBERS = {ID_CARD: PARAMS["IdCard"], PHONE: "13800138000", BANK_CARD: "6222021234567890128"}
"""A number of each type that has pseudonyms."""


def numbers_of(action):
    """Return a request's numbers by field; a number is the same whatever the Action calls it."""
    return {field.name: NUMBERS[field.type] for field in action.pseudonyms}


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_a_hash_is_that_of_the_number_alone_whatever_the_action(action):
    columns = identity_columns(action, SECRET, numbers_of(action) | {"Name": "李四"})
    assert columns
    assert columns == {
        column: shown
        for field in action.pseudonyms
        for column, shown in zip(
            field.type.pseudonym_columns,
            (
                value_hash(SECRET, field.type, NUMBERS[field.type]),
                field.type.mask(NUMBERS[field.type]),
            ),
            strict=True,
        )
    }


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_a_number_has_no_trace_but_its_hash_and_mask(action):
    shown = {
        ID_CARD: "44**************61",
        PHONE: "138****8000",
        BANK_CARD: "****0128",
    }
    columns = identity_columns(action, SECRET, numbers_of(action))
    masks = {value for column, value in columns.items() if column.endswith("_masked")}
    assert masks == {shown[field.type] for field in action.pseudonyms}
    hashes = [value for column, value in columns.items() if column.endswith("_hash")]
    assert all(re.fullmatch("[0-9a-f]{32}", value) for value in hashes)
    assert len({*hashes}) == len(hashes) == len(masks)
    assert {*columns} <= {"id_card_hash", "id_card_masked"} | {
        added.column for added in action.result_columns
    }


def test_the_same_digits_as_another_kind_of_number_have_another_hash():
    hashes = {value_hash(SECRET, type_, "440305199505132561") for type_ in NUMBERS}
    assert len(hashes) == len(NUMBERS)


@pytest.mark.parametrize("type_", NUMBERS, ids=lambda type_: type_.name)
@pytest.mark.parametrize("text", ["Wei Xiaobao", "1234567", "", "x" * 5000, "1380013800o"])
def test_of_what_is_no_number_nothing_is_shown(type_, text):
    assert {*type_.mask(text)} <= {"*"}


def test_another_number_or_secret_makes_another_hash():
    hashes = {
        identity_columns(ID_CARD_VERIFICATION, secret, {"IdCard": number})["id_card_hash"]
        for secret in (SECRET, SECRET + "!")
        for number in ("440305199505132561", "440305199505132562")
    }
    assert len(hashes) == 4


def test_without_a_number_there_is_nothing_to_say():
    assert identity_columns(ID_CARD_VERIFICATION, SECRET, {"Name": "张三"}) == {}


def test_printing_a_row_shows_nobody():
    row = Row("7", ("7", PARAMS["IdCard"], PARAMS["Name"]))
    assert repr(row) == f"{row}" == "<row 7>"


HASHES_OF_0_2_0 = {
    "张三": ("v25fcc1414751c4afcbe7ce0", "v24ce45ef85273684bebe8ad"),
    "阿卜杜拉·买买提": ("v26bf51337c7a96d4b0f7c0f", "v242c32d17747127c4f26d57"),
    "Wei Xiaobao": ("v29a8c670bbcdb1fe33e783a", "v256c48b3d9c4718c4f78a38"),
    "Nguyễn Thị Ánh": ("v2ed9f73b439e57d75cc3777", "v2b305d521cbc6f1b26dd403"),
    "\U00020bb7小": ("v2c808697a191955449011fc", "v23c57a94ccb4587653afd21"),
    "ئابدۇللا": ("v29819df89b4e385eda10eae", "v244bb3bf6a7f39cbdce0963"),
    "O'Neil-Smith, Jr.": ("v2fd0e0802a7e649f6e8eed8", "v2d31c7d2b36aa307faba6e1"),
    "\uf92c三": ("v220f0a7a36457696ee215f3", "v25d4bb965def9046d0a581f"),
}
"""Hashes that tables and ledgers hold: under others, everybody would be asked about anew."""


@pytest.mark.parametrize("called", HASHES_OF_0_2_0, ids=ascii)
def test_an_ordinary_name_keeps_its_hashes(called):
    hash_row = row_hasher(SECRET, ID_CARD_VERIFICATION, ["IdCard", "Name"])
    values = identifying_values(ID_CARD_VERIFICATION.name, {**PARAMS, "Name": called})
    question = question_hash(SECRET, ID_CARD_VERIFICATION.name, values)
    assert (question, hash_row((PARAMS["IdCard"], called), None)) == HASHES_OF_0_2_0[called]


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("\ufeff张三\u200b", "张三"),
        ("阿卜杜拉\u1427买买提", "阿卜杜拉·买买提"),
        ("Ｗｅｉ　Ｘｉａｏｂａｏ", "Wei Xiaobao"),
        ("Nguye\u0302\u0303n Thi\u0323 A\u0301nh", "Nguyễn Thị Ánh"),
    ],
    ids=["invisible marks", "another dot", "full width", "decomposed"],
)
def test_a_name_typed_in_another_form_is_the_same_question(typed, sent):
    hash_row = row_hasher(SECRET, ID_CARD_VERIFICATION, ["IdCard", "Name"])
    number = f"\u202d{PARAMS['IdCard']}\u202c"
    assert hash_row((number, typed), None) == hash_row((PARAMS["IdCard"], sent), None)
    assert identifying_values(
        ID_CARD_VERIFICATION.name, {"IdCard": number, "Name": typed}
    ) == identifying_values(ID_CARD_VERIFICATION.name, {**PARAMS, "Name": sent})


def test_a_photo_is_the_same_question_with_and_without_what_shows_nothing():
    def digest(photo):
        params = {**PARAMS, "ImageBase64": photo}
        return identifying_values("ImageRecognitionV2", params)["ImageBase64"]

    assert digest("/9j/AAAA") == digest("\ufeff/9j/\r\nAAAA\n") == digest(b"\xef\xbb\xbf/9j/AAAA")
