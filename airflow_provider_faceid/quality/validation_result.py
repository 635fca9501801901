"""Validation results in Great Expectations' JSON: counts over all pages, without values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ..clock import utc_text
from .validator import Validator


def result_document(
    validators: Iterable[Validator], suite_name: str, moment: float
) -> dict[str, Any]:
    """
    Return the result of a validation over all pages as Great Expectations has one.

    It holds counts and the suite, and nothing of a row.

    :param validators: whose counts are the result, one behind the other.
    :param suite_name: name of the suite.
    :param moment: when the validation ended, in Unix seconds.
    """
    validators = list(validators)
    results = [
        {
            "success": count.success,
            "expectation_config": {
                "type": one["type"],
                "kwargs": one.get("kwargs", {}),
                "meta": one.get("meta", {}),
                "severity": count.severity,
            },
            "result": {
                "element_count": count.evaluated,
                "unexpected_count": count.unexpected,
                "unexpected_percent": 100.0 * count.unexpected / (count.evaluated or 1),
            },
            "exception_info": {},
        }
        for validator in validators
        for one, count in zip(validator.expectations, validator.counts, strict=True)
    ]
    met = sum(count.success for validator in validators for count in validator.counts)
    version = validators[0].version if validators else ""
    return {
        "success": met == len(results),
        "results": results,
        "suite_name": suite_name,
        "suite_parameters": {},
        "statistics": {
            "evaluated_expectations": len(results),
            "successful_expectations": met,
            "unsuccessful_expectations": len(results) - met,
            "success_percent": 100.0 * met / (len(results) or 1),
        },
        "meta": {"great_expectations_version": version, "run_time": utc_text(moment)},
        "id": None,
    }


def result_json(document: dict[str, Any]) -> str:
    """Return a result as the text of a file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
