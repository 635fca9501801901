"""Rules of result rows follow from the tables of codes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.codes import COMMON, Outcome
from airflow_provider_faceid.quality.result_rules import (
    RESULT_RULES,
    count_suite,
    known_outcomes,
    result_suite,
)

FACES = ACTIONS["ImageRecognitionV2"]
PLACES = {"answered": 5, "postponed": 2, "held": 1, "quarantined": 3}


def keeps(rule, action, *values):
    return RESULT_RULES[rule].keeps(action, *values)


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_each_code_of_an_action_is_known_with_its_own_outcome_and_charge(action):
    for code, row in (COMMON | action.results).items():
        charged = {"yes": 1, "no": 0, "unknown": None}[row.charged]
        assert keeps("result_code", action, "answered", code)
        for outcome in Outcome:
            also = {"review", "error"} if (action.compares_faces and row.outcome == "match") else {}
            is_its_own = outcome == row.outcome or outcome in also
            assert keeps("result_outcome", action, "answered", code, outcome.value) is is_its_own
        for given in (1, 0, None):
            assert keeps("result_charged", action, "answered", code, 1, given) is (given == charged)
            assert keeps("result_charged", action, "answered", code, 0, given) is (given == 0)


@pytest.mark.parametrize("code", ["", None, 7, "-999", "FailedOperation.New", "http:500"])
def test_a_code_no_table_lists_is_not_known(code):
    assert not keeps("result_code", FACES, "answered", code)
    assert keeps("result_code", FACES, "held", code)


def test_a_member_of_a_listed_family_is_known():
    assert keeps("result_code", FACES, "answered", "InternalError.Something")


@pytest.mark.parametrize(
    ("similarity", "kept"),
    [
        (0, True),
        (100.0, True),
        (Decimal("70.5"), True),
        (100.01, False),
        (-0.01, False),
        (float("nan"), False),
        ("88", False),
        (None, False),
    ],
)
def test_a_face_match_has_a_similarity_from_0_to_100(similarity, kept):
    assert keeps("result_similarity", FACES, "answered", "match", similarity) is kept


def test_no_other_action_has_a_similarity():
    for action in ACTIONS.values():
        if action is not FACES:
            assert keeps("result_similarity", action, "answered", "match", None)
            assert not keeps("result_similarity", action, "answered", "match", 88.0)
    assert keeps("result_similarity", FACES, "answered", "mismatch", None)
    assert keeps("result_similarity", FACES, "held", "uncertain", None)


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        (("answered", "m", "d", None), True),
        (("answered", None, "d", None), False),
        (("answered", "m", None, None), False),
        (("postponed", None, None, "m"), True),
        (("postponed", None, None, None), False),
        (("held", None, None, None), True),
        (("held", "m", "d", None), False),
    ],
)
def test_only_answers_have_a_moment_and_a_postponed_row_waits_for_one(values, kept):
    assert keeps("result_moments", FACES, *values) is kept


def test_a_row_without_an_answer_is_not_charged_yet():
    assert keeps("result_charged", FACES, "held", "no_answer", 1, None)
    assert not keeps("result_charged", FACES, "held", "no_answer", 1, 1)


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_the_suite_names_columns_of_the_rules(action):
    suite = {one["meta"]["rule"]: one for one in result_suite(action)}
    assert RESULT_RULES.keys() <= suite.keys()
    assert set(known_outcomes(action)) <= set(Outcome)
    assert ("found" in known_outcomes(action)) is bool(action.code_of(Outcome.FOUND))
    assert ("match" in known_outcomes(action)) is bool(action.code_of(Outcome.MATCH))


def test_counts_have_a_lower_bound_that_is_critical_and_an_upper_one_that_warns():
    bounds = {
        one["kwargs"]["column"]: (one["kwargs"].get("min_value"), one["kwargs"].get("max_value"))
        for one in count_suite(PLACES)[1:]
    }
    assert bounds == {
        "answered": (5, None),
        "postponed": (2, None),
        "held": (1, None),
        "quarantined": (3, None),
        "answered_of_run": (None, 5),
        "postponed_of_run": (None, 2),
        "held_of_run": (None, 1),
    }
    assert len(count_suite(None)) == 1
