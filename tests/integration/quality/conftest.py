"""The three databases, and Great Expectations imported once; its own warnings are not ours."""

from __future__ import annotations

import warnings

import pytest

from tests.integration.warehouse.conftest import home

__all__ = ["home"]


@pytest.fixture(scope="session", autouse=True)
def great_expectations():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations  # noqa: PLC0415 - takes seconds

        from airflow_provider_faceid.quality import expectations  # noqa: F401, PLC0415 - registers
    return great_expectations
