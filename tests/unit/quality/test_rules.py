"""Validation and sending judge alike: the default suite finds exactly the rows that are refused."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from airflow_provider_faceid.clock import SYSTEM_CLOCK, beijing_date
from airflow_provider_faceid.quality import rules
from airflow_provider_faceid.quality.page import Projection, frames
from airflow_provider_faceid.quality.suites import (
    IDENTITY,
    PHOTO_PATH,
    PHOTO_TEXT,
    STRICT,
    default_suite,
)
from airflow_provider_faceid.quality.validator import Validator
from airflow_provider_faceid.service import id_card, name, photo
from airflow_provider_faceid.service.actions import ID_CARD_VERIFICATION, IMAGE_RECOGNITION_V2
from airflow_provider_faceid.service.id_card import Check
from airflow_provider_faceid.simulator.names import AREAS
from airflow_provider_faceid.warehouse.database import SQLITE

TODAY = date(2026, 11, 21)
NUMBER, NAME = "11010519491231002X", "韦小宝"
COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck)}
A_FEW_PAGES = settings(
    max_examples=6,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a page takes 0.2 s: nothing is shrunk
    **COMMON,
)


class Rows:
    """A source that gives Python values as they are."""

    def __init__(self, rows):
        self.rows, self.database = rows, self
        self.dialect = SQLITE

    def pages(self, expressions, size):
        del expressions
        for start in range(0, len(self.rows), size):
            yield self.rows[start : start + size]


@st.composite
def numbers(draw):
    """Numbers that fit, and such with a character changed, added or missing."""
    day = draw(st.dates(date(1890, 1, 1), date(2035, 1, 1)))
    area = draw(st.sampled_from([*AREAS, "000000", "990101", "161111"]))
    head = f"{area}{day:%Y%m%d}{draw(st.integers(0, 999)):03}"
    number = head + id_card.check_character([int(digit) for digit in head])
    place = draw(st.integers(0, 17))
    extra = draw(st.sampled_from("0123456789Xx ０Ⅹ٣\0\n-"))
    return draw(
        st.sampled_from(
            [
                number,
                number,
                number.lower(),
                f"  {number}\u3000",
                number.translate({48 + digit: 0xFF10 + digit for digit in range(10)}),
                number[:place] + extra + number[place + 1 :],
                number[:place] + extra + number[place:],
                number[:place],
                number + extra,
            ]
        )
    )


odd = st.one_of(
    st.none(),
    st.integers(),
    st.integers(10**17, 10**18 - 1),
    st.floats(),
    st.booleans(),
    st.binary(max_size=18),
    st.decimals(allow_nan=False),
    st.dates(),
    st.sampled_from(["", " ", "\u3000", "nan", "None", "\0", "0" * 18, Decimal("NaN")]),
    st.text(max_size=60),
    st.text("0123456789X", min_size=17, max_size=19),
)
names = st.one_of(
    st.text("王小明阿依古丽·•. -'Abc\u3000\t7", max_size=12),
    st.text("王·", min_size=45, max_size=55),
    st.text(
        st.characters(exclude_categories=["Cs"]), max_size=12
    ),  # no database holds half a character
    odd,
)


@given(st.lists(st.one_of(numbers(), odd), max_size=30))
@settings(max_examples=150, **COMMON)
def test_the_vectorised_rules_are_those_of_the_service(values):
    texts = [rules.normalised("id_card", value) for value in values]
    formed = [isinstance(text, str) and id_card.well_formed(text) for text in texts]
    for judge, rule in (
        (rules.check_digit_fits, id_card.check_digit_fits),
        (
            lambda column: rules.birth_date_fits(column, TODAY),
            lambda n: id_card.birth_date_fits(n, TODAY),
        ),
        (rules.province_fits, id_card.province_fits),
    ):
        expected = [not ok or rule(text) for ok, text in zip(formed, texts, strict=True)]
        found = judge(texts)
        assert found.dtype == np.bool_
        assert found.tolist() == expected


@pytest.mark.parametrize("check", Check)
def test_the_suite_refuses_exactly_the_numbers_that_would_not_be_sent(check):
    suite = default_suite(ID_CARD_VERIFICATION, strict=check is Check.STRICT, photo_path=False)
    validator = Validator(suite)
    today = beijing_date(SYSTEM_CLOCK.now())

    @given(st.lists(st.one_of(numbers(), odd), min_size=100, max_size=150))
    @A_FEW_PAGES
    def judge_alike(values):
        source = Rows([(key, value, NAME) for key, value in enumerate(values)])
        expected = {
            key for key, value in enumerate(values) if id_card.broken_rule(value, today, check)
        }
        differing = found_bad(validator, source) ^ expected
        assert [values[key] for key in differing] == []

    judge_alike()


def test_the_suite_refuses_exactly_the_names_that_would_not_be_sent():
    validator = Validator(IDENTITY)

    @given(st.lists(names, min_size=100, max_size=150))
    @A_FEW_PAGES
    def judge_alike(values):
        source = Rows([(key, NUMBER, value) for key, value in enumerate(values)])
        expected = {key for key, value in enumerate(values) if name.broken_rule(value)}
        differing = found_bad(validator, source) ^ expected
        assert [values[key] for key in differing] == []

    judge_alike()


def found_bad(validator, source):
    """Return the keys of bad rows."""
    projection = Projection("id_card", "name")
    return {
        key for frame in frames(source, projection, 1000) for key, _ in validator.bad_rows(frame)
    }


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("id_card", None, "id_card_missing"),
        ("id_card", 110105194912310021, "id_card_not_text"),
        ("id_card", NUMBER[:-1], "id_card_length"),
        ("id_card", "A" + NUMBER[1:], "id_card_characters"),
        ("id_card", "000105194912310025", "id_card_province"),
        ("id_card", "110105194913310021", "id_card_birth_date"),
        ("id_card", "110105194912310021", "id_card_check_digit"),
        ("name", "", "name_missing"),
        ("name", 7, "name_not_text"),
        ("name", "王" * 51, "name_length"),
        ("name", "王2", "name_characters"),
    ],
    ids=lambda part: part if isinstance(part, str) and part.isascii() and "_" in part else "",
)
def test_a_bad_row_is_found_under_the_name_of_its_rule(column, value, rule):
    row = (7, value, NAME) if column == "id_card" else (7, NUMBER, value)
    validator = Validator([*IDENTITY, *STRICT])
    (frame,) = frames(Rows([(1, NUMBER, NAME), row]), Projection("id_card", "name"), 10)
    found = validator.bad_rows(frame)
    assert (7, rule) in found
    assert {key for key, _ in found} == {7}


def test_every_rule_of_the_suites_is_a_rule_of_the_service():
    known = {*id_card.RULES, *name.RULES, *photo.RULES}
    named = [e["meta"]["rule"] for e in [*IDENTITY, *STRICT, *PHOTO_TEXT, *PHOTO_PATH]]
    assert set(named) <= known
    assert {*id_card.RULES, *name.RULES} <= set(named)


@pytest.mark.parametrize("photo_path", [True, False])
def test_only_actions_with_photos_ask_for_photos(photo_path):
    def columns(action):
        suite = default_suite(action, strict=True, photo_path=photo_path)
        return {e["kwargs"]["column"] for e in suite}

    assert columns(ID_CARD_VERIFICATION) == {"id_card", "name"}
    assert columns(IMAGE_RECOGNITION_V2) - columns(ID_CARD_VERIFICATION) == (
        {"photo_path"} if photo_path else {"photo_length", "photo_head"}
    )
