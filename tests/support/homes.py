"""Which databases the tests that hold for all of them run on."""

from __future__ import annotations

import os

import pytest

VARIABLE = "FACEID_TEST_HOMES"
"""Names the databases instead of the usual ones, with blanks between them: ``make test-databases``."""
USUAL = ("sqlite", "postgresql", "duckdb")
"""Those that need nothing but Python."""
HOMES = tuple(os.environ.get(VARIABLE, "").split()) or USUAL


WAREHOUSES_ONLY = ("clickhouse",)
"""Those that are no sources: tests of sources do not run there."""

WITH_TRANSACTIONS = ("sqlite", "postgresql", "duckdb", "mariadb")
"""Those that can roll a transaction back."""


def homes(*names: str) -> pytest.MarkDecorator:
    """Let a test run on some of the databases only."""
    return pytest.mark.parametrize("home", [n for n in names if n in HOMES], indirect=True)


def is_about_homes(item: pytest.Item) -> bool:
    """Say whether a test runs on a database that the variable names, and is meant to."""
    callspec = getattr(item, "callspec", None)
    home = callspec.params.get("home") if callspec is not None else None
    has_source = item.get_closest_marker("source") is not None
    return home in HOMES and not (has_source and home in WAREHOUSES_ONLY)
