"""What our tables say of a person."""

from __future__ import annotations

import re

import pytest

from airflow_provider_faceid.batch.inputs import Row
from airflow_provider_faceid.service.actions import ACTIONS, ID_CARD_VERIFICATION
from airflow_provider_faceid.service.pseudonyms import identity_columns

PARAMS = {"IdCard": "440305199505132561", "Name": "张三"}
SECRET = "a secret of the hashes"


def test_a_person_is_known_by_a_hash_and_the_ends_of_the_number():
    columns = identity_columns(ID_CARD_VERIFICATION, SECRET, PARAMS)
    assert columns.keys() == {"id_card_hash", "id_card_masked"}
    assert re.fullmatch("[0-9a-f]{32}", columns["id_card_hash"])
    assert columns["id_card_masked"] == "44**************61"


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_the_hash_is_that_of_the_number_alone(action):
    first = identity_columns(ID_CARD_VERIFICATION, SECRET, PARAMS)
    assert identity_columns(action, SECRET, {**PARAMS, "Name": "李四"}) == first


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
