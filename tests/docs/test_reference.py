"""The reference has every public name, and the public names are all that examples import."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
PAGE = (DOCS / "reference.md").read_text(encoding="utf-8")
IMPORT = re.compile(r"from (airflow_provider_faceid[\w.]*) import ([\w, ]+)")
WHOLE = (
    "operators.verify_batch",
    "operators.verify",
    "operators.validate",
    "operators.shards",
    "operators.release",
    "operators.forget",
    "operators.review_decide",
    "operators.review_queue",
    "operators.funnel",
    "operators.views",
    "operators.reconcile",
    "operators.export",
    "operators.report",
    "notifications.faceid",
    "hooks.faceid",
    "exceptions",
)
"""Modules of which every class without an underscore is public, unless it is about the inside."""
INSIDE = {"UploadRateLimiter"}


@pytest.fixture(scope="module")
def reference():
    sys.path.insert(0, str(DOCS))
    try:
        return importlib.import_module("reference_tables")
    finally:
        sys.path.remove(str(DOCS))


def names_in(text: str) -> set[tuple[str, str]]:
    return {
        (module, name.strip())
        for module, names in IMPORT.findall(text)
        for name in names.split(",")
        if name.strip()
    }


def test_every_public_name_is_there_and_says_what_it_is(reference):
    for module, names in reference.PUBLIC.items():
        for name in names:
            value = reference.public(module, name)
            assert name == "KEY" or inspect.getdoc(value) or module == "testing"


def test_the_list_is_what_the_reference_documents(reference):
    section = PAGE.split("## What semantic versioning promises", 1)[1].split("\n## ", 1)[0]
    listed = {
        (module, name)
        for module, names in re.findall(r"^\| `(airflow[\w.]+)` \| (.+) \|$", section, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    }
    assert listed == {
        (f"airflow_provider_faceid.{module}", name)
        for module, names in reference.PUBLIC.items()
        for name in names
    }
    sections = names_in(PAGE)
    rows = set(re.findall(r"^\| `(\w+)` \| ", PAGE, re.MULTILINE))
    undocumented = [
        name for module, name in listed - sections if name not in rows and name != "KEY"
    ]
    assert undocumented == []
    assert sections <= listed


def test_no_class_of_a_public_module_is_left_out(reference):
    for module in WHOLE:
        loaded = importlib.import_module(f"airflow_provider_faceid.{module}")
        exports = hasattr(loaded, "__all__")  # classes of other modules
        found = {
            name
            for name, value in vars(loaded).items()
            if inspect.isclass(value)
            and (exports or value.__module__ == loaded.__name__)
            and not name.startswith("_")
        }
        assert found - INSIDE == set(reference.PUBLIC[module])
    for module in ("simulator", "pii_scan"):
        loaded = importlib.import_module(f"airflow_provider_faceid.{module}")
        assert set(loaded.__all__) == set(reference.PUBLIC[module])
    effects = importlib.import_module("airflow_provider_faceid.simulator.faults.effects")
    named = {effect.__name__ for effect in effects.EFFECTS.values()}
    assert named == set(reference.PUBLIC["simulator.faults.effects"])


def test_every_fixture_is_public(reference):
    testing = importlib.import_module("airflow_provider_faceid.testing")
    fixtures = {name for name in vars(testing) if name.startswith("faceid_")}
    assert fixtures == set(reference.PUBLIC["testing"])


def test_examples_import_public_names_only(reference):
    pages = [PROJECT / "README.md", *DOCS.glob("*.md"), *(PROJECT / "example_dags").glob("*.py")]
    used = set().union(*(names_in(page.read_text(encoding="utf-8")) for page in pages))
    public = {
        (f"airflow_provider_faceid.{module}", name)
        for module, names in reference.PUBLIC.items()
        for name in names
    }
    assert len(used) > 10
    assert used - public == set()
