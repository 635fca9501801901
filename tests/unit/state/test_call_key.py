"""The key of a call."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.api.messages import Pieces
from airflow_provider_faceid.state.call_table import call_key

PARAMS = {"IdCard": "110101199003070000", "Name": "somebody", "ImageBase64": b"picture"}


def key(secret="secret", action="ImageRecognitionV2", campaign="dag/day", **changes) -> str:
    return call_key(secret, action, campaign, PARAMS | changes)


def test_the_same_question_has_the_same_key():
    assert key() == key()


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": "another"},
        {"action": "IdCardVerification"},
        {"campaign": "dag/another day"},
        {"IdCard": "110101199003070019"},
        {"Name": "somebody else"},
        {"ImageBase64": b"another"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_question_has_another_key(changes):
    assert key(**changes) != key()


def test_a_value_that_is_no_unicode_text_has_a_key_too():
    assert key(Name="\ud800") not in {key(), key(Name="?")}


def test_a_photo_in_pieces_is_the_same_photo():
    assert key(ImageBase64=Pieces([b"pic", b"ture"])) == key()


def test_values_do_not_run_into_each_other():
    assert key(IdCard="12", Name="3") != key(IdCard="1", Name="23")


def test_a_key_shows_nothing_and_is_short():
    assert len(key()) == 40
    assert set(key()) <= set("v0123456789abcdef")
