"""Our expectations in a Great Expectations project of somebody's own."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pandas as pd
import pytest

from tests.support.patience import PATIENCE

PEOPLE = pd.DataFrame(
    {
        "guardian": ["11010519491231002X", "110105194912310021", None, "123"],
        "called": ["王小明", "nan", "李四", "7"],
        "from_day": ["20200101", "20200101", "20200101", "soon"],
        "to_day": ["20300101", "20190101", "00000000", "20300101"],
    }
)


@pytest.fixture
def ours(great_expectations):
    """Return the module; Great Expectations is imported by then, with its warnings."""
    return importlib.import_module("airflow_provider_faceid.quality.expectations")


@pytest.fixture
def batch(great_expectations):
    context = great_expectations.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("people").add_dataframe_asset("people")
    definition = asset.add_batch_definition_whole_dataframe("all")
    return definition.get_batch(batch_parameters={"dataframe": PEOPLE})


@pytest.mark.parametrize(
    ("column", "rule", "bad"),
    [
        ("guardian", "id_card_check_digit", [1]),
        ("guardian", "id_card_missing", [2]),
        ("guardian", "id_card_length", [3]),
        ("called", "name_missing_text", [1]),
        ("called", "name_characters", [3]),
        ("from_day", "date_format", [3]),
    ],
)
def test_an_input_rule_is_asked_of_any_column(ours, batch, column, rule, bad):
    expectation = ours.ExpectColumnValuesToKeepInputRule(column=column, rule=rule)
    found = batch.validate(expectation, result_format="COMPLETE")
    assert (found.success, found.result["unexpected_index_list"]) == (False, bad)
    assert batch.validate(expectation.copy(update={"mostly": 0.6})).success


RESULT = ("status", "code", "attempts", "charged")


def test_a_rule_of_results_is_asked_of_a_table_of_ones_own(ours, great_expectations):
    answers = pd.DataFrame(
        [("answered", "0", 1, 1), ("answered", "-5", 1, 1), ("answered", "-5", 1, 0)],
        columns=["state", "code", "tries", "paid"],
    )
    context = great_expectations.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("answers").add_dataframe_asset("answers")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": answers})
    expectation = ours.ExpectMulticolumnValuesToKeepResultRule(
        column_list=["state", "code", "tries", "paid"],
        rule="result_charged",
        action="IdCardVerification",
    )
    found = batch.validate(expectation, result_format="COMPLETE")
    assert found.result["unexpected_index_list"] == [1]


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        (
            "ExpectColumnValuesToKeepInputRule",
            {"column": "a", "rule": "id_card_lenght"},
            "no input",
        ),
        (
            "ExpectMulticolumnValuesToKeepResultRule",
            {"column_list": list(RESULT), "rule": "result_charge", "action": "MobileStatus"},
            "no rule of result rows",
        ),
        (
            "ExpectMulticolumnValuesToKeepResultRule",
            {"column_list": list(RESULT), "rule": "result_charged", "action": "MobileState"},
            "no listed Action",
        ),
        (
            "ExpectMulticolumnValuesToKeepResultRule",
            {"column_list": ["code"], "rule": "result_charged", "action": "MobileStatus"},
            "the rule takes the columns status, code, attempts, charged",
        ),
        (
            "ExpectMulticolumnValuesToKeepRowRule",
            {"column_list": ["a", "b"], "rule": "validity", "action": "CheckIdNameDate"},
            "no row rule",
        ),
        (
            "ExpectMulticolumnValuesToKeepRowRule",
            {"column_list": ["a", "b"], "rule": "validity_order", "action": "MobileStatus"},
            "no row rule",
        ),
    ],
)
def test_an_unknown_rule_or_action_is_refused_when_it_is_written_down(ours, kind, given, said):
    with pytest.raises(ValueError, match=said):
        getattr(ours, kind)(**given)


LOADS = """
import warnings; warnings.simplefilter("ignore")
import json, great_expectations as gx
suite = {"name": "people", "expectations": [{"type": "expect_column_values_to_keep_input_rule",
    "kwargs": {"column": "guardian", "rule": "id_card_length"}, "meta": {}}]}
context = gx.get_context(mode="file", project_root_dir=".")
with open("gx/expectations/people.json", "w") as file:
    json.dump(suite, file)
print("before:", len(context.suites.get("people").expectations))
import airflow_provider_faceid.quality.expectations
print("after:", len(context.suites.get("people").expectations))
"""


def test_a_suite_in_json_loads_once_the_module_is_imported(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LOADS],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    # Great Expectations leaves out what it does not know, with a line in its log.
    assert done.stdout.splitlines() == ["before: 0", "after: 1"], done.stdout + done.stderr
