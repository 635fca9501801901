import inspect
import re

import pytest

from airflow_provider_faceid import exceptions
from airflow_provider_faceid.exceptions import FaceIdError, InvalidInputError

TREE = {
    "FaceIdError": "Exception",
    "FatalError": "FaceIdError",
    "ConfigurationError": "FatalError",
    "CredentialsError": "FatalError",
    "AccountError": "FatalError",
    "RequestRefusedError": "FatalError",
    "SupersededError": "FatalError",
    "BudgetError": "FatalError",
    "AlertError": "FatalError",
    "PlanRefusedError": "FatalError",
    "IncompleteError": "FatalError",
    "ReconciliationError": "FatalError",
    "ReviewError": "FatalError",
    "ClosedReviewError": "ReviewError",
    "NotAReviewerError": "ReviewError",
    "ReviewConflictError": "ReviewError",
    "RetryError": "FaceIdError",
    "NotSentError": "RetryError",
    "SlowUploadError": "NotSentError",
    "StateStoreError": "RetryError",
    "PhotoStoreError": "RetryError",
    "ExportError": "RetryError",
    "ThrottledError": "RetryError",
    "UnavailableError": "RetryError",
    "InFlightError": "RetryError",
    "OutageError": "RetryError",
    "DeferError": "FaceIdError",
    "IdentityLimitError": "DeferError",
    "PausedError": "DeferError",
    "QuarantineError": "FaceIdError",
    "InvalidInputError": "QuarantineError",
    "DataQualityError": "QuarantineError",
    "WarehouseError": "FaceIdError",
    "UncertainError": "FaceIdError",
    "InternalError": "FaceIdError",
}
CLASSES = dict(inspect.getmembers(exceptions, inspect.isclass))


def test_the_tree():
    assert {name: error.__base__.__name__ for name, error in CLASSES.items()} == TREE


def test_the_module_draws_every_error_and_no_other():
    assert set(re.findall(r"\w+Error", exceptions.__doc__)) == set(CLASSES)


def test_every_name_ends_in_error():
    assert [name for name in CLASSES if not name.endswith("Error")] == []


@pytest.mark.parametrize(
    ("marks", "text"),
    [
        ({}, "check the key"),
        ({"code": "AuthFailure"}, "check the key [code AuthFailure]"),
        ({"request_id": "r-1"}, "check the key [RequestId r-1]"),
        (
            {"code": "AuthFailure", "request_id": "r-1"},
            "check the key [code AuthFailure, RequestId r-1]",
        ),
    ],
    ids=["bare", "code", "RequestId", "both"],
)
@pytest.mark.parametrize(
    "error", [error for error in CLASSES.values() if error is not InvalidInputError]
)
def test_a_message_carries_the_code_and_the_request_id(error, marks, text):
    raised = error("check the key", **marks)
    assert str(raised) == text
    assert (raised.code, raised.request_id) == (marks.get("code", ""), marks.get("request_id", ""))


def test_an_input_error_carries_its_rule():
    error = InvalidInputError("name_missing", "a name is needed")
    assert error.rule == "name_missing"
    assert str(error) == "a name is needed [rule name_missing]"
    assert (error.code, error.request_id) == ("", "")


@pytest.mark.parametrize("error", CLASSES.values())
def test_one_except_clause_catches_all(error):
    assert issubclass(error, FaceIdError)
