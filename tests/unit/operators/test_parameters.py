"""What a template renders to, as text or as a Python object, is the same parameter."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from functools import partial

import pytest

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.operators import _common as parameters
from airflow_provider_faceid.operators._common import READERS, read_parameters, reader_of
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
from tests.unit.operators.conftest import OPERATORS

MONTH = timedelta(days=30)
PASSED = {"action": "IdCardVerification", "outcomes": ["match", "found"]}
REVIEWED = {"action": "MobileStatus", "outcomes": ["match", "review"]}
PRICE = {"action": "IdCardVerification", "price": 0.5, "currency": "USD"}
DATED = {**PRICE, "valid_from": date(2026, 1, 1)}
COUNTED = {"answered": 3, "postponed": 0, "held": 0, "quarantined": 1}
PEOPLE = {column for action in ACTIONS.values() for column in action.columns.values()}
COLUMNS = {f"{column}_column" for column in PEOPLE}


@pytest.mark.parametrize(
    ("name", "given", "read"),
    [
        ("max_charged", 5000, 5000),
        ("max_charged", "5000", 5000),
        ("max_charged", " 5_000\n", 5000),
        ("max_charged", "None", None),
        ("max_charged", "", None),
        ("max_charged", "0", 0),
        ("max_changed", "0.5", 0.5),
        ("max_changed", 1, 1.0),
        ("min_rows", "1", 1),
        ("is_dry_run", "False", False),
        ("is_dry_run", "true", True),
        ("is_dry_run", 0, False),
        ("valid_for", MONTH, MONTH),
        ("valid_for", str(MONTH), MONTH),
        ("valid_for", "P30D", MONTH),
        ("valid_for", "P1DT12H", timedelta(days=1, hours=12)),
        ("valid_for", "30 days", MONTH),
        ("valid_for", "1 day, 2:03:04", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("valid_for", "0:30:00", timedelta(minutes=30)),
        ("valid_for", "None", None),
        ("campaign", "None", None),
        ("campaign", "", None),
        ("campaign", 2026, "2026"),
        ("source_keys", "['1', 2]", ["1", 2]),
        ("source_keys", '["a", "b"]', ["a", "b"]),
        ("source_keys", ("a", 3), ["a", 3]),
        ("source_keys", None, None),
        ("expectations", '[{"type": "x"}]', [{"type": "x"}]),
        ("action", "IdCardVerification", "IdCardVerification"),
        ("actions", "['IdCardVerification']", ["IdCardVerification"]),
        ("actions", "None", None),
        ("on_difference", "warn", "warn"),
        ("bill", '[{"day": "2026-11-28"}]', [{"day": "2026-11-28"}]),
        ("bill_columns", "{'day': '日期'}", {"day": "日期"}),
        (
            "bill_action_names",
            {"身份证二要素": "IdCardVerification"},
            {"身份证二要素": "IdCardVerification"},
        ),
        ("price_list", [], []),
        ("price_list", str([PRICE]), [PRICE]),
        ("price_list", [PRICE | {"price": "0.5", "valid_from": "2026-01-01"}], [DATED]),
        ("price_list", [PRICE | {"valid_from": DATED["valid_from"], "valid_to": None}], [DATED]),
        ("after", "IdCardVerification", [PASSED]),
        ("after", {"action": "IdCardVerification"}, [PASSED]),
        ("after", ["IdCardVerification", REVIEWED], [PASSED, REVIEWED]),
        ("after", str(["IdCardVerification", REVIEWED]), [PASSED, REVIEWED]),
        ("after", [PASSED], [PASSED]),
        ("after", [], []),
        ("after", "None", None),
        ("after", None, None),
        ("steps", '["IdCardVerification"]', [PASSED]),
        ("prices", '{"MobileStatus": 0.1}', {"MobileStatus": Decimal("0.1")}),
        ("prices", {"MobileStatus": "2"}, {"MobileStatus": Decimal(2)}),
        ("prices", "None", None),
        ("id_card_column", "id_card", "id_card"),
        ("on_incomplete", "fail", "fail"),
        ("check_results", "True", True),
        ("check_results", False, False),
        ("check_results", "None", None),
        ("check_results", "s3://bucket/suite.json", "s3://bucket/suite.json"),
        ("check_results", print, print),
        ("manifest", COUNTED, [COUNTED]),
        ("manifest", str([COUNTED, COUNTED]), [COUNTED, COUNTED]),
        ("manifest", (COUNTED,), [COUNTED]),
        ("manifest", "None", None),
    ],
)
def test_a_parameter_is_read_from_text_and_from_objects(name, given, read):
    found = reader_of(name)(given)
    assert (found, type(found)) == (read, type(read))


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("max_charged", "many", "a whole number from 0"),
        ("max_charged", -1, "a whole number from 0"),
        ("max_charged", 2.5, "a whole number from 0"),
        ("max_charged", True, "a whole number from 0"),
        ("shards", "0", "a whole number from 1"),
        ("max_changed", "20 %", "a share from 0 to 1"),
        ("max_changed", 20, "a share from 0 to 1"),
        ("max_changed", "nan", "a share from 0 to 1"),
        ("valid_for", "30", "a timedelta"),
        ("valid_for", 30, "a timedelta"),
        ("valid_for", "P", "a timedelta"),
        ("valid_for", "0:00:00", "a timedelta"),
        ("valid_for", "-1 day, 0:00:00", "a timedelta"),
        ("is_dry_run", "maybe", "True or False"),
        ("is_dry_run", "", "True or False"),
        ("id_card_column", "None", "must not be empty"),
        ("id_card_column", 1.5, "it is text, not float"),
        ("source_keys", "12", "it is a list"),
        ("source_keys", "abc", "it is a list"),
        ("expectations", "[1]", "a list of dicts"),
        ("action", "IdCardVerfication", "did you mean 'IdCardVerification'"),
        ("on_incomplete", "fial", "did you mean 'fail'"),
        ("after", "IdCardVerfication", "did you mean 'IdCardVerification'"),
        ("after", {"outcomes": ["match"]}, "it is the name of an Action, or"),
        (
            "after",
            {"action": "MobileStatus", "outcome": "found"},
            "it is the name of an Action, or",
        ),
        ("after", 7, "it is the name of an Action, or"),
        ("after", [7], "it is the name of an Action, or"),
        ("after", {"action": "MobileStatus", "outcomes": ["macth"]}, "outcomes are among match,"),
        ("after", "CheckIdCardInformation", "CheckIdCardInformation"),
        ("steps", None, "it is the name of an Action, or"),
        ("prices", {"MobileStatus": -1}, "a dict of prices from 0"),
        (
            "price_list",
            [{"action": "MobileStatus", "price": 1}],
            "a list of dicts with action, price",
        ),
        ("price_list", [PRICE | {"until": "2026-01-01"}], "a list of dicts with action, price"),
        ("price_list", [PRICE | {"price": -1}], "prices from 0"),
        ("price_list", [PRICE | {"valid_to": "soon"}], "a day is written as 2026-11-28"),
        ("price_list", PRICE, "it is a list"),
        ("bill_columns", "day", "it is a dict of names by names"),
        ("on_difference", "cry", "'ignore', 'warn' or 'fail'"),
        ("prices", {"MobileStatus": "free"}, "a dict of prices from 0"),
        ("prices", {"MobileStatus": "nan"}, "a dict of prices from 0"),
        ("prices", "0.5", "a dict of prices from 0"),
        ("check_results", 2.5, "it is text, not float"),
        ("manifest", "many", "it is the manifest of a task"),
        ("manifest", 7, "it is the manifest of a task"),
        ("manifest", [COUNTED, 7], "it is the manifest of a task"),
        ("manifest", COUNTED | {"held": "1"}, "it is the manifest of a task"),
        ("prices", {"MobileStats": 1}, "did you mean 'MobileStatus'"),
    ],
)
def test_what_it_cannot_be_is_said(name, given, said):
    with pytest.raises(ValueError, match=said):
        reader_of(name)(given)


def test_all_that_is_wrong_is_said_at_once_and_by_name():
    task = IdCardVerificationBatchOperator(
        task_id="verify",
        source_conn_id="warehouse",
        source="None",
        max_charged="many",
        dry_run="perhaps",
    )
    with pytest.raises(ConfigurationError) as caught:
        read_parameters(task, "source_conn_id", "source")
    message = str(caught.value)
    assert message.startswith("Task 'verify': ")
    assert "max_charged='many': it is a whole number from 0" in message
    assert "dry_run='perhaps': it is True or False" in message
    assert "source='None': it is text, and must not be empty" in message


def test_a_long_value_is_not_repeated_whole():
    task = IdCardVerificationBatchOperator(
        task_id="t", source_conn_id="w", source="people", max_charged="x" * 500
    )
    with pytest.raises(ConfigurationError) as caught:
        read_parameters(task)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("operator", OPERATORS)
def test_whatever_is_templated_has_a_reader_and_no_person_is_templated(operator):
    assert set(operator.template_fields) <= READERS.keys() | COLUMNS
    assert not {*PEOPLE, "photo_path", "values"} & set(operator.template_fields)
    assert operator.template_ext == (".sql",)


def test_every_reader_is_used():
    used = {name for operator in OPERATORS for name in operator.template_fields}
    assert used == READERS.keys() | COLUMNS


def test_the_column_of_any_field_is_text():
    for name in COLUMNS:
        assert reader_of(name)(name) == name
        with pytest.raises(ValueError, match="must not be empty"):
            reader_of(name)("None")


def test_what_a_users_operator_adds_is_left_as_it_is():
    class Mine(IdCardVerificationBatchOperator):
        template_fields = (*IdCardVerificationBatchOperator.template_fields, "region")
        region = ("north", 1)

    task = Mine(task_id="t", source_conn_id="w", source="people")
    read_parameters(task)
    assert task.region == ("north", 1)


def test_readers_are_functions_of_a_value():
    for reader in READERS.values():
        inner = reader.func if isinstance(reader, partial) else reader
        assert getattr(parameters, inner.__name__) is inner
