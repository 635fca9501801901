from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_faceid.api import bank_card
from airflow_provider_faceid.api.fields import BANK_CARD
from airflow_provider_faceid.exceptions import InvalidInputError

TODAY = date(2026, 11, 21)
NUMBER = "6222021234567890128"
OF_THE_NORM = "4242424242424242"


def broken(value):
    rule = bank_card.FIELD.first_broken(value, TODAY)
    return None if rule is None else rule.name


def warned(value):
    read = bank_card.FIELD.prepare(value, TODAY)
    return [rule.name for rule in bank_card.FIELD.warnings(read, TODAY)]


@pytest.mark.parametrize(
    "value",
    [
        NUMBER,
        f"\t{NUMBER} ",
        "6222 0212 3456 7890 128",
        "6222-0212-3456-7890-128",
        "6222\u00a00212\u30003456\u20097890128",
        NUMBER.translate({48 + digit: 0xFF10 + digit for digit in range(10)}),
        f"\ufeff{NUMBER}\u200b",
        int(NUMBER),
    ],
    ids=ascii,
)
def test_a_number_is_sent_as_its_digits_alone(value):
    assert bank_card.FIELD.prepare(value, TODAY) == NUMBER
    assert BANK_CARD.text_of(value) == NUMBER


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (None, "bank_card_missing"),
        ("", "bank_card_missing"),
        (" ", "bank_card_missing"),
        ("None", "bank_card_missing"),
        (6.222021234567890e18, "bank_card_not_text"),
        (False, "bank_card_not_text"),
        (NUMBER.encode(), "bank_card_not_text"),
        ("6.22202E+18", "bank_card_characters"),
        (f"{NUMBER[:-1]}X", "bank_card_characters"),
        ("****0128", "bank_card_characters"),
        ("62220212345", "bank_card_length"),
        (f"{NUMBER}1", "bank_card_length"),
        (0, "bank_card_length"),
    ],
    ids=ascii,
)
def test_a_malformed_number_breaks_the_rule_of_its_fault(value, rule):
    assert broken(value) == rule


@pytest.mark.parametrize("length", range(12, 20))
def test_every_length_from_12_to_19_digits_is_sent(length):
    assert broken("1" * length) is None


@pytest.mark.parametrize(
    ("number", "fits"),
    [
        (OF_THE_NORM, True),
        (NUMBER, True),
        ("79927398713", True),
        ("79927398710", False),
        ("4242424242424241", False),
        ("0" * 16, True),
    ],
)
def test_the_check_digit_is_that_of_luhn(number, fits):
    assert bank_card.luhn_fits(number) is fits


def by_the_norm(number):
    """Say whether a number passes ISO/IEC 7812-1: every second digit from the right, doubled."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value // 10 + value % 10
    return total % 10 == 0


@given(st.text("0123456789", min_size=12, max_size=19))
@settings(max_examples=300, deadline=None)
def test_luhn_agrees_with_the_norm(number):
    assert bank_card.luhn_fits(number) is by_the_norm(number)
    assert warned(number) == ([] if by_the_norm(number) else ["bank_card_luhn"])


def test_a_number_that_fails_luhn_is_sent_with_a_warning():
    assert broken("4242424242424241") is None
    assert warned("4242424242424241") == ["bank_card_luhn"]
    skipped = frozenset({"bank_card_luhn"})
    assert [*bank_card.FIELD.warnings("4242424242424241", TODAY, skipped)] == []


@given(st.text("0123456789 -\uff10\u200b\n", max_size=25))
@settings(max_examples=300, deadline=None)
def test_what_is_normalised_stays_as_it_is(text):
    once = bank_card.normalise(text)
    assert bank_card.normalise(once) == once


@given(st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_a_sample_keeps_the_rules_and_passes_luhn(chance):
    number = bank_card.sample(chance)
    assert broken(number) is None
    assert warned(number) == []


@pytest.mark.parametrize("number", [OF_THE_NORM, f"424242424{'0' * 6}4242", "123456784242"])
def test_a_mask_shows_four_digits_and_no_length(number):
    assert bank_card.masked(number) == "****4242"


@pytest.mark.parametrize("value", [f"{NUMBER}1", "6.22202E+18", float(NUMBER), int(NUMBER) * 100])
def test_a_refused_number_names_its_rule_and_not_its_value(value):
    with pytest.raises(InvalidInputError) as caught:
        bank_card.FIELD.prepare(value, TODAY)
    assert "222" not in repr(caught.value)
    assert caught.value.rule in bank_card.RULES
