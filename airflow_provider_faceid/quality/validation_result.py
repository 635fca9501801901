"""Validation results as Great Expectations writes them, JSON and Data Docs: counts over all pages, without values.

The site builder of Data Docs gets counts only. It was never given a row, so the site cannot show one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
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


SITE = "faceid"
_NO_EXCEPTION = {
    "raised_exception": False,
    "exception_message": None,
    "exception_traceback": None,
}


def build_data_docs(
    folder: Path, validators: Sequence[Validator], suite_name: str, run_name: str, moment: float
) -> None:
    """
    Build the site of one validation: index, suite, result.

    :param folder: an empty folder for it.
    :param validators: whose suites and counts are shown, one behind the other.
    :param suite_name: name of the suite, such as the Action's.
    :param run_name: name of the run, such as the DAG run's.
    :param moment: when the validation ended, in Unix seconds.
    """
    import great_expectations as gx  # noqa: PLC0415 - takes seconds
    from great_expectations.core.expectation_validation_result import (  # noqa: PLC0415
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.core.run_identifier import RunIdentifier  # noqa: PLC0415
    from great_expectations.data_context.types import base  # noqa: PLC0415
    from great_expectations.data_context.types.resource_identifiers import (  # noqa: PLC0415
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )
    from great_expectations.expectations.expectation_configuration import (  # noqa: PLC0415
        ExpectationConfiguration,
    )

    document = result_document(validators, suite_name, moment)
    configurations = [
        ExpectationConfiguration(**result["expectation_config"]) for result in document["results"]
    ]
    run = RunIdentifier(run_name=run_name, run_time=datetime.fromtimestamp(moment, UTC))
    results = [
        ExpectationValidationResult(
            success=result["success"],
            expectation_config=configuration,
            result=result["result"],
            exception_info=_NO_EXCEPTION,
        )
        for result, configuration in zip(document["results"], configurations, strict=True)
    ]
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = base.ProgressBarsConfig(globally=False)
    built = [configuration.to_domain_obj() for configuration in configurations]
    context.suites.add(gx.ExpectationSuite(name=suite_name, expectations=built))
    context.validation_results_store.set(
        ValidationResultIdentifier(ExpectationSuiteIdentifier(suite_name), run, SITE),
        ExpectationSuiteValidationResult(
            success=document["success"],
            results=results,
            suite_name=suite_name,
            statistics=document["statistics"],
            meta={**document["meta"], "run_id": run.to_json_dict()},
        ),
    )
    context.add_data_docs_site(site_name=SITE, site_config=site_config(folder))
    context.build_data_docs(site_names=[SITE])


def site_config(folder: Path) -> dict[str, Any]:
    """Return what Great Expectations takes as the configuration of a site in a folder."""
    return {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(folder),
        },
        "show_how_to_buttons": False,
    }
