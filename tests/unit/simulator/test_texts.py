from __future__ import annotations

import pytest

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.codes import COMMON
from airflow_provider_faceid.simulator import api as texts
from airflow_provider_faceid.simulator.api import ERRORS

OWN_CODES = {name: action.results for name, action in ACTIONS.items()}
"""Result codes by Action."""


@pytest.mark.parametrize("action", OWN_CODES)
@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_result_of_the_outcome_table_is_described(action, language):
    described = {
        code: texts.description_of(action, code, language)
        for code in OWN_CODES[action]
        # An older spelling, which no page describes.
        if code != "InternalError.CompareLowSimilarity"
    }
    assert all(described.values())
    assert len({*described.values()}) == len(described)


@pytest.mark.parametrize("action", texts.DESCRIPTIONS)
def test_a_description_is_of_a_result_the_action_has(action):
    assert set(texts.DESCRIPTIONS[action]) <= set(OWN_CODES[action])


@pytest.mark.parametrize("action", ["IdCardVerification", "ImageRecognitionV2"])
def test_the_descriptions_of_the_api_pages_are_all_there(action):
    missing = set(OWN_CODES[action]) - set(texts.DESCRIPTIONS[action])
    assert missing <= {"InternalError.CompareLowSimilarity"}


def test_every_error_is_a_code_the_outcome_table_knows():
    codes = {key.partition(":")[0] for key in texts.REFUSALS}
    assert codes <= set(COMMON)
    assert codes >= ERRORS
