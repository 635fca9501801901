"""The default suites: what an Action asks of its input, as plain data.

Columns are those of the page the validation reads: ``id_card``, ``name``, and for photos
``photo_length`` and ``photo_head`` (of the Base64 text) or ``photo_path``.
"""

from __future__ import annotations

from typing import Any

from ..service import id_card, name
from ..service.actions import MAX_PHOTO_BASE64, Action, Kind

PHOTO_HEADS = r"\A(?:/9j/|iVBORw0K)"
"""Base64 of the first bytes of a JPEG or PNG."""


def expectation(rule: str, expectation_type: str, **kwargs: Any) -> dict[str, Any]:
    """Return an expectation as data: the rule is the name its bad rows are quarantined under."""
    return {"type": expectation_type, "kwargs": kwargs, "meta": {"rule": rule}}


IDENTITY: list[dict[str, Any]] = [
    expectation("id_card_missing", "expect_column_values_to_not_be_null", column="id_card"),
    expectation("id_card_not_text", "expect_column_values_to_be_text", column="id_card"),
    expectation(
        "id_card_length",
        "expect_column_value_lengths_to_equal",
        column="id_card",
        value=id_card.LENGTH,
    ),
    expectation(
        "id_card_characters",
        "expect_column_values_to_match_regex",
        column="id_card",
        regex=r"\A[0-9]*[0-9X]\Z",
    ),
    expectation("name_missing", "expect_column_values_to_not_be_null", column="name"),
    expectation("name_not_text", "expect_column_values_to_be_text", column="name"),
    expectation(
        "name_length",
        "expect_column_value_lengths_to_be_between",
        column="name",
        min_value=1,
        max_value=name.MAX_LENGTH,
    ),
    expectation("name_characters", "expect_column_values_to_be_person_names", column="name"),
]
STRICT: list[dict[str, Any]] = [
    expectation(
        "id_card_province", "expect_column_values_to_have_id_card_province", column="id_card"
    ),
    expectation(
        "id_card_birth_date", "expect_column_values_to_have_id_card_birth_date", column="id_card"
    ),
    expectation(
        "id_card_check_digit", "expect_column_values_to_have_id_card_check_digit", column="id_card"
    ),
]
PHOTO_TEXT: list[dict[str, Any]] = [
    expectation("photo_missing", "expect_column_values_to_not_be_null", column="photo_length"),
    expectation(
        "photo_size",
        "expect_column_values_to_be_between",
        column="photo_length",
        min_value=1,
        max_value=MAX_PHOTO_BASE64,
    ),
    expectation(
        "photo_format",
        "expect_column_values_to_match_regex",
        column="photo_head",
        regex=PHOTO_HEADS,
    ),
]
PHOTO_PATH: list[dict[str, Any]] = [
    expectation("photo_missing", "expect_column_values_to_not_be_null", column="photo_path"),
]


def default_suite(action: Action, *, strict: bool, photo_path: bool) -> list[dict[str, Any]]:
    """
    Return the expectations of an Action.

    :param strict: whether ID numbers must carry a province, a birth date and a check digit.
    :param photo_path: whether photos are given by path and not in the table.
    """
    photos = PHOTO_PATH if photo_path else PHOTO_TEXT
    return [
        *IDENTITY,
        *(STRICT if strict else []),
        *(photos if action.field_of(Kind.PHOTO) else []),
    ]
