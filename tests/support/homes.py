"""Which databases the tests that hold for all of them run on."""

from __future__ import annotations

import os

import pytest

VARIABLE = "FACEID_TEST_HOMES"
"""Names the databases instead of the usual ones, with blanks between them: ``make test-databases``."""
USUAL = ("sqlite", "postgresql", "duckdb")
"""Those that need nothing but Python."""
HOMES = tuple(os.environ.get(VARIABLE, "").split()) or USUAL


def homes(*names: str) -> pytest.MarkDecorator:
    """Let a test run on some of the databases only."""
    return pytest.mark.parametrize("home", [n for n in names if n in HOMES], indirect=True)


def is_about_homes(item: pytest.Item) -> bool:
    """Say whether a test runs on a database that the variable names."""
    callspec = getattr(item, "callspec", None)
    return callspec is not None and callspec.params.get("home") in HOMES
