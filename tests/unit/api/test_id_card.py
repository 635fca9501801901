from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_faceid.api import id_card
from airflow_provider_faceid.api.id_card import Check
from airflow_provider_faceid.exceptions import InvalidInputError

TODAY = date(2026, 11, 21)
VALID = "440305199505132561"
VALID_X = "11010519491231002X"


def fits(number):
    """Say whether a number satisfies ISO 7064 MOD 11-2 as the norm puts it: a sum that leaves 1."""
    values = [10 if character == "X" else int(character) for character in number]
    return sum(value << (17 - place) for place, value in enumerate(values)) % 11 == 1


def complete(head):
    """Return 17 digits with the character that makes them fit."""
    return next(head + last for last in "0123456789X" if fits(head + last))


def born(day, area="110105", sequence="002"):
    """Return a made-up number with a birth date, given as YYYYMMDD, and a fitting check digit."""
    return complete(f"{area}{day}{sequence}")


@st.composite
def valid_numbers(draw):
    county = draw(st.integers(0, 9999))
    province = draw(st.sampled_from(sorted(id_card.PROVINCES)))
    day = draw(st.dates(date(1900, 1, 1), TODAY))
    return born(f"{day:%Y%m%d}", f"{province}{county:04}", f"{draw(st.integers(0, 999)):03}")


@pytest.mark.parametrize(
    ("number", "check_character", "strict"),
    [
        ("11204416541220243X", "4", "id_card_birth_date"),
        ("440305199505132561", "1", None),
        ("340103202308176095", "5", None),
        ("621103145623471011", "9", "id_card_birth_date"),
        ("440111111111111111", "6", "id_card_birth_date"),
        ("11010519491231002X", "X", None),
        ("440524188001010014", "4", "id_card_birth_date"),
    ],
)
def test_documented_samples(number, check_character, strict):
    assert id_card.check_character([int(digit) for digit in number[:17]]) == check_character
    assert id_card.check_digit_fits(number) is (number[-1] == check_character)
    assert id_card.broken_rule(number, TODAY) == strict
    assert id_card.broken_rule(number, TODAY, Check.FORMAT) is None


@pytest.mark.parametrize("check", Check)
@pytest.mark.parametrize(
    ("value", "rule"),
    [
        pytest.param(None, "id_card_missing", id="None"),
        pytest.param("", "id_card_missing", id="empty"),
        pytest.param(" \t\n", "id_card_missing", id="blanks"),
        pytest.param("\u3000\u00a0", "id_card_missing", id="wide blanks"),
        pytest.param(440305199505132561, "id_card_not_text", id="int"),
        pytest.param(4.40305199505132561e17, "id_card_not_text", id="float"),
        pytest.param(VALID.encode(), "id_card_not_text", id="bytes"),
        pytest.param(VALID[:-1], "id_card_length", id="17 characters"),
        pytest.param(VALID + "1", "id_card_length", id="19 characters"),
        pytest.param(
            "440305950513256", "id_card_length", id="15 digits of a first-generation card"
        ),
        pytest.param("440305 19950513 2561", "id_card_length", id="inner blanks"),
        pytest.param(VALID + ".0", "id_card_length", id="number column read as text"),
        pytest.param("44030519950513256Y", "id_card_characters", id="another letter at the end"),
        pytest.param("4403051995051325X1", "id_card_characters", id="X before the end"),
        pytest.param("X40305199505132561", "id_card_characters", id="X at the start"),
        pytest.param("44030519950513-561", "id_card_characters", id="hyphen"),
        pytest.param("44030519950513 561", "id_card_characters", id="inner blank in 18 characters"),
        pytest.param("+40305199505132561", "id_card_characters", id="sign"),
        pytest.param(
            VALID.translate({48 + digit: 0x660 + digit for digit in range(10)}),
            "id_card_characters",
            id="Arabic-Indic digits",
        ),
    ],
)
def test_what_is_no_number_in_either_check(value, rule, check):
    assert id_card.broken_rule(value, TODAY, check) == rule


@pytest.mark.parametrize(
    "mark",
    ["\u200b", "\ufeff", "\u202d", "\u202e", "\u2066", "\u200e", "\u200d", "\u00ad", "\u2060"],
    ids=lambda mark: f"U+{ord(mark):04X}",
)
@pytest.mark.parametrize("form", ["{0}{1}", "{1}{0}", "{0}{1}{0}", " {0}{1} {0}", "{2}{0}{3}"])
def test_an_invisible_mark_in_a_number_goes(mark, form):
    given = form.format(mark, VALID, VALID[:6], VALID[6:])
    assert id_card.prepare(given, TODAY) == VALID


@pytest.mark.parametrize("mark", ["\0", "\x7f", "\x01"], ids=["NUL", "delete", "SOH"])
def test_a_number_that_looks_long_enough_is_not_told_to_have_18_characters(mark):
    assert id_card.broken_rule(VALID + mark, TODAY) == "id_card_characters"
    assert id_card.broken_rule(VALID[:-1] + mark, TODAY) == "id_card_characters"


@pytest.mark.parametrize("value", ["nan", "NaN", "None", "NULL", "null", "<NA>", "NaT"])
def test_the_text_of_a_missing_value_is_no_number(value):
    assert id_card.broken_rule(value, TODAY) == "id_card_missing"


@pytest.mark.parametrize(
    ("number", "rule"),
    [
        pytest.param(born("19950513", "000105"), "id_card_province", id="province 00"),
        pytest.param(born("19950513", "160105"), "id_card_province", id="province 16"),
        pytest.param(born("19950513", "840105"), "id_card_province", id="province 84"),
        pytest.param(born("19951301"), "id_card_birth_date", id="month 13"),
        pytest.param(born("19950001"), "id_card_birth_date", id="month 0"),
        pytest.param(born("19950431"), "id_card_birth_date", id="31 April"),
        pytest.param(born("19950500"), "id_card_birth_date", id="day 0"),
        pytest.param(born("00000101"), "id_card_birth_date", id="year 0"),
        pytest.param(born("18991231"), "id_card_birth_date", id="before 1900"),
        pytest.param("440305199505132562", "id_card_check_digit", id="check digit"),
        pytest.param("44030519950513256X", "id_card_check_digit", id="check X"),
    ],
)
def test_what_only_the_strict_check_refuses(number, rule):
    assert id_card.broken_rule(number, TODAY, Check.STRICT) == rule
    assert id_card.broken_rule(number, TODAY, Check.FORMAT) is None


def test_the_first_broken_rule_is_named():
    everything_wrong = "009999999999999990"
    assert not fits(everything_wrong)
    assert id_card.broken_rule(everything_wrong, TODAY) == "id_card_province"


@pytest.mark.parametrize(
    ("day", "valid"),
    [
        ("19000101", True),
        ("19000228", True),
        ("19000229", False),
        ("20000229", True),
        ("20230229", False),
        ("20240229", True),
    ],
)
def test_leap_days(day, valid):
    assert (id_card.broken_rule(born(day), TODAY) is None) is valid


def test_nobody_is_born_after_today():
    tomorrow = TODAY + timedelta(days=1)
    assert id_card.broken_rule(born(f"{TODAY:%Y%m%d}"), TODAY) is None
    assert id_card.broken_rule(born(f"{tomorrow:%Y%m%d}"), TODAY) == "id_card_birth_date"
    assert id_card.broken_rule(born(f"{tomorrow:%Y%m%d}"), tomorrow) is None


@pytest.mark.parametrize(
    "area",
    ["110000", "710000", "810000", "820000", "830000", "911124", "999999"],
    ids=[
        "Beijing",
        "Taiwan",
        "Hong Kong",
        "Macao",
        "residence permit of Taiwan residents",
        "permanent resident from abroad",
        "permanent resident of any code",
    ],
)
def test_areas_that_are_accepted(area):
    assert id_card.broken_rule(born("19950513", area), TODAY) is None


@pytest.mark.parametrize(
    ("value", "number"),
    [
        pytest.param(VALID_X.lower(), VALID_X, id="lower-case x"),
        pytest.param(f"  {VALID}\r\n", VALID, id="outer blanks"),
        pytest.param(f"\u3000{VALID}\u00a0", VALID, id="wide outer blanks"),
        pytest.param(
            VALID.translate({48 + digit: 0xFF10 + digit for digit in range(10)}),
            VALID,
            id="full-width digits",
        ),
        pytest.param(VALID_X[:-1] + "Ｘ", VALID_X, id="full-width X"),
        pytest.param(VALID_X[:-1] + "ｘ", VALID_X, id="full-width x"),
        pytest.param(VALID_X[:-1] + "Ⅹ", VALID_X, id="Roman ten"),
    ],
)
@pytest.mark.parametrize("check", Check)
def test_a_number_is_sent_half_width_upper_case_and_bare(value, number, check):
    assert id_card.prepare(value, TODAY, check) == number


@given(valid_numbers())
@settings(max_examples=60, deadline=None)
def test_a_valid_number_is_sent_unchanged(number):
    assert id_card.prepare(number, TODAY) == number


@given(valid_numbers())
@settings(max_examples=30, deadline=None)
def test_one_wrong_character_is_always_found(number):
    for place, right in enumerate(number):
        for wrong in "0123456789X" if place == 17 else "0123456789":
            if wrong != right:
                changed = number[:place] + wrong + number[place + 1 :]
                assert not id_card.check_digit_fits(changed)
                assert id_card.broken_rule(changed, TODAY) is not None


@given(valid_numbers(), st.integers(0, 15))
@settings(max_examples=60, deadline=None)
def test_two_neighbours_swapped_are_always_found(number, place):
    left, right = number[place : place + 2]
    swapped = number[:place] + right + left + number[place + 2 :]
    assert id_card.check_digit_fits(swapped) is (left == right)


@given(valid_numbers())
@settings(max_examples=60, deadline=None)
def test_the_birth_date_is_read_from_the_number(number):
    assert f"{id_card.birth_date(number):%Y%m%d}" == number[6:14]


def test_the_check_is_strict_unless_told():
    assert id_card.broken_rule(VALID[:-1] + "2", TODAY) == "id_card_check_digit"


def test_a_refused_number_names_its_rule_and_not_its_value():
    with pytest.raises(InvalidInputError) as caught:
        id_card.prepare("440305199505132562", TODAY)
    assert caught.value.rule == "id_card_check_digit"
    assert str(caught.value) == f"{id_card.RULES['id_card_check_digit']} [rule id_card_check_digit]"
    assert "440305" not in repr(caught.value)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("440305199505132561", "44**************61"),
        ("11204416541220243X", "11**************3X"),
        ("11204416541220243x", "11**************3x"),
        ("Wei Xiaobao", "***********"),
        ("x" * 5000, "*" * 18),
        ("", ""),
    ],
)
def test_a_number_is_masked_and_what_is_none_is_not_shown_at_all(number, shown):
    assert id_card.masked(number) == shown
