from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_faceid.api import phone
from airflow_provider_faceid.api.fields import PHONE
from airflow_provider_faceid.exceptions import InvalidInputError

TODAY = date(2026, 11, 21)
NUMBER = "13800138000"


def broken(value):
    rule = phone.FIELD.first_broken(value, TODAY)
    return None if rule is None else rule.name


@pytest.mark.parametrize(
    "value",
    [
        NUMBER,
        f" {NUMBER}\r\n",
        "138 0013 8000",
        "138-0013-8000",
        "138.0013.8000",
        "(138)00138000",
        "138\u00a00013\u30008000",
        f"+86{NUMBER}",
        f"+86 {NUMBER}",
        "+86-138-0013-8000",
        "(+86) 138 0013 8000",
        f"0086{NUMBER}",
        f"86{NUMBER}",
        NUMBER.translate({48 + digit: 0xFF10 + digit for digit in range(10)}),
        f"\uff0b86{NUMBER}",
        f"\ufeff{NUMBER}\u200b",
        f"\u202d{NUMBER}\u202c",
        13800138000,
        8613800138000,
    ],
    ids=ascii,
)
def test_a_number_is_sent_as_its_digits_alone(value):
    assert phone.FIELD.prepare(value, TODAY) == NUMBER
    assert PHONE.text_of(value) == NUMBER


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (None, "phone_missing"),
        ("", "phone_missing"),
        (" - ", "phone_missing"),
        ("NULL", "phone_missing"),
        ("nan", "phone_missing"),
        (13800138000.0, "phone_not_text"),
        (True, "phone_not_text"),
        (NUMBER.encode(), "phone_not_text"),
        (f"{NUMBER}x", "phone_characters"),
        ("1380013800O", "phone_characters"),
        (f"++86{NUMBER}", "phone_characters"),
        ("13800138000.0e", "phone_characters"),
        ("1380013800", "phone_length"),
        ("138001380000", "phone_length"),
        (f"8686{NUMBER}", "phone_length"),
        (f"123861{NUMBER[1:]}", "phone_length"),
        (f"85{NUMBER}", "phone_length"),
        (0, "phone_length"),
        ("12800138000", "phone_prefix"),
        ("23800138000", "phone_prefix"),
        ("00000000000", "phone_prefix"),
    ],
    ids=ascii,
)
def test_a_malformed_number_breaks_the_rule_of_its_fault(value, rule):
    assert broken(value) == rule


@pytest.mark.parametrize("second", "3456789")
def test_no_range_in_use_is_refused(second):
    assert broken(f"1{second}000000000") is None


@given(st.text("0123456789+86 -().·\uff0b\uff10\u200b\n", max_size=20))
@settings(max_examples=500, deadline=None)
def test_what_is_normalised_stays_as_it_is(text):
    once = phone.normalise(text)
    assert phone.normalise(once) == once


@given(st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_a_sample_keeps_the_rules(chance):
    assert broken(phone.sample(chance)) is None


def test_a_mask_shows_three_digits_and_four():
    assert phone.masked("13812348888") == "138****8888"


@pytest.mark.parametrize("value", ["1380013800", f"{NUMBER}x", 13800138000.0, 138001380000])
def test_a_refused_number_names_its_rule_and_not_its_value(value):
    with pytest.raises(InvalidInputError) as caught:
        phone.FIELD.prepare(value, TODAY)
    assert "138" not in repr(caught.value)
    assert caught.value.rule in phone.RULES
