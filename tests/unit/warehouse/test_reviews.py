"""Rules and refusals of the review queue that take no database."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.warehouse.review.decisions import checked_note
from airflow_provider_faceid.warehouse.review.repository import ReviewsRepository
from airflow_provider_faceid.warehouse.review.rules import URGENCY, review_id
from airflow_provider_faceid.warehouse.sql.database import CLICKHOUSE, Database


def test_every_code_of_a_reason_is_one_that_face_comparison_answers_with():
    codes = {code for urgency in URGENCY.values() for code in urgency.codes}
    faces = ACTIONS["ImageRecognitionV2"].results
    assert codes
    assert {faces[code].outcome.value for code in codes} == {"review"}


def test_a_warehouse_without_transactions_is_refused_by_name():
    def connect() -> None:
        raise AssertionError("it is not even opened")

    repository = ReviewsRepository(Database(connect, CLICKHOUSE, "wh"), SYSTEM_CLOCK)
    with pytest.raises(ConfigurationError, match="'wh' is a clickhouse warehouse, which has no"):
        repository.open()


def test_the_id_of_a_case_tells_its_parts_apart():
    assert review_id("a", "b", "c", "d") == review_id("a", "b", "c", "d")
    assert review_id("a", "b", "c", "d") != review_id("a", "b", "cd", "")


@pytest.mark.parametrize(
    "note", ["13812345678", "4401 0119 9001 0123 45", "no. ６２２２０２１２３４５"]
)
def test_a_note_with_a_number_of_somebody_is_refused_without_quoting_it(note):
    with pytest.raises(ConfigurationError) as caught:
        checked_note(note)
    assert note not in str(caught.value)


@pytest.mark.parametrize("note", ["case 1234, 2 of 3 photos", "", "ok"])
def test_other_notes_are_kept(note):
    assert checked_note(note) == (note or None)
