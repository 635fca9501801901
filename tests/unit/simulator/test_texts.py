from __future__ import annotations

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.codes import COMMON
from airflow_provider_faceid.simulator import api as texts
from airflow_provider_faceid.simulator.api import ERRORS

OWN_CODES = {name: action.results for name, action in ACTIONS.items()}
"""Result codes by Action."""


def test_every_result_of_the_outcome_table_is_described():
    for action, rows in OWN_CODES.items():
        missing = set(rows) - set(texts.DESCRIPTIONS[action])
        assert missing <= {"InternalError.CompareLowSimilarity"}
        assert set(texts.DESCRIPTIONS[action]) <= set(rows)


def test_every_error_is_a_code_the_outcome_table_knows():
    codes = {key.partition(":")[0] for key in texts.REFUSALS}
    assert codes <= set(COMMON)
    assert codes >= ERRORS
