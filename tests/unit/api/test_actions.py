"""The list of Actions: which are refused by name, and what all that are listed have in common."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.api.actions import ACTIONS, ANSWERS_ARE_PEOPLE, listed
from airflow_provider_faceid.api.fields import NAME
from airflow_provider_faceid.exceptions import ConfigurationError


@pytest.mark.parametrize("name", ANSWERS_ARE_PEOPLE)
def test_an_action_whose_answers_are_people_is_refused_by_name(name):
    assert name not in ACTIONS
    with pytest.raises(ConfigurationError, match=f"{name} is refused: its answer is a person") as e:
        listed(name)
    assert "hook.call" in str(e.value)
    assert "docs/security.md" in str(e.value)


def test_the_two_that_are_refused_are_those_that_read_a_card():
    assert {*ANSWERS_ARE_PEOPLE} == {"IdCardOCRVerification", "CheckIdCardInformation"}


def test_a_name_that_is_misspelt_leads_to_the_nearest():
    with pytest.raises(ConfigurationError, match="PhoneVerification"):
        listed("PhoneVerfication")


@pytest.mark.parametrize("name", ACTIONS)
def test_a_listed_action_is_returned(name):
    assert listed(name) is ACTIONS[name]


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_every_value_that_tells_of_a_person_may_be_encrypted(action):
    personal = {f.name for f in action.fields if f.type.mask or f.type is NAME}
    assert personal == {*action.encryptable}


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_an_action_has_one_code_of_success(action):
    assert action.results[action.success_code].outcome in {"match", "found"}
    assert ({"match", "mismatch"} <= {r.outcome for r in action.results.values()}) is (
        action.results[action.success_code].outcome == "match"
    )
