"""Suites travel between a file data context of Great Expectations and the validation."""

from __future__ import annotations

import json

import pytest

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.fields import InputRules
from airflow_provider_faceid.clock import SYSTEM_CLOCK, beijing_date
from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.quality import default_suite
from airflow_provider_faceid.quality.suites import call_suite, read_suite, write_suite

RULES = InputRules(beijing_date(SYSTEM_CLOCK.now()))
OWN = {
    "type": "expect_column_values_to_be_in_set",
    "kwargs": {"column": "gender", "value_set": ["M", "F"]},
    "severity": "warning",
}


@pytest.fixture
def context(great_expectations, tmp_path):
    return great_expectations.get_context(mode="file", project_root_dir=tmp_path)


@pytest.fixture
def suite(great_expectations):
    gxe = great_expectations.expectations
    expected = gxe.ExpectColumnValuesToBeInSet(
        column="gender", value_set=["M", "F"], severity="warning"
    )
    return great_expectations.ExpectationSuite(name="own", expectations=[expected])


def test_a_suite_of_a_file_context_is_read(context, suite, tmp_path):
    context.suites.add(suite)
    (file,) = tmp_path.rglob("expectations/own.json")
    (found,) = read_suite(file.read_bytes(), file.name)
    assert {field: found[field] for field in OWN} == OWN


@pytest.mark.parametrize("made", [None, [OWN], {"expectations": [OWN]}])
def test_a_function_gives_a_suite_or_a_list(suite, made):
    (found,) = call_suite(lambda: made or suite, "make")
    assert {field: found[field] for field in OWN} == OWN


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_our_suite_is_one_of_great_expectations(context, tmp_path, action):
    ours = default_suite(action, RULES)
    folder = next(iter(tmp_path.rglob("expectations")))
    (folder / "ours.json").write_text(write_suite(ours, "ours"), encoding="utf-8")
    suite = context.suites.get("ours")
    assert [one.expectation_type for one in suite.expectations] == [one["type"] for one in ours]
    again = read_suite(json.dumps(suite.to_json_dict()), "ours")
    assert [(one["type"], one["meta"], one["severity"]) for one in again] == [
        (one["type"], one["meta"], one.get("severity", "critical")) for one in ours
    ]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"expectations": [{"kwargs": {}}]}', "1"])
def test_a_file_that_is_no_suite_is_refused_without_its_content(content):
    with pytest.raises(ConfigurationError, match=r"The suite 'x.json'"):
        read_suite(content, "x.json")
