"""What a page selects."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.api.actions.id_card_verification import ACTION as ID_CARD_VERIFICATION
from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.quality.page import Projection
from airflow_provider_faceid.warehouse.sql.database import SQLITE


def test_columns_of_ones_own_come_under_their_own_names():
    columns = Projection(
        ID_CARD_VERIFICATION, {"IdCard": "number", "Name": "called"}, others=["age", "called"]
    ).select(SQLITE)
    assert columns == {
        "id_card": '"number"',
        "name": '"called"',
        "age": '"age"',
        "called": '"called"',
    }


def test_the_same_column_may_be_asked_for_twice():
    assert (
        Projection(
            ID_CARD_VERIFICATION, {"IdCard": "id_card", "Name": "name"}, others=["name"]
        ).select(SQLITE)["name"]
        == '"name"'
    )


def test_another_column_under_a_name_of_the_page_is_refused():
    with pytest.raises(ConfigurationError, match="'name' is the page's name for another column"):
        Projection(
            ID_CARD_VERIFICATION, {"IdCard": "id_card", "Name": "called"}, others=["name"]
        ).select(SQLITE)
