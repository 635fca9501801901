"""Scripts outside of the package, such as benchmarks: what they import is there, though nobody runs them daily."""

from __future__ import annotations

import ast
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(
    script
    for folder in ("bench", "codegen", "demo", "docs")
    for script in (PROJECT / folder).glob("*.py")
)


def missing(source: str) -> list[str]:
    """Return names of our package that a script imports and that are not there."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "airflow_provider_faceid"
        ):
            module = import_module(node.module)
            found += [
                f"{node.module}.{alias.name}"
                for alias in node.names
                if not hasattr(module, alias.name)
                and find_spec(f"{node.module}.{alias.name}") is None
            ]
    return found


@pytest.mark.parametrize(
    "script", SCRIPTS, ids=lambda script: f"{script.parent.name}/{script.name}"
)
def test_a_script_imports_what_is_there(script):
    assert missing(script.read_text()) == []


def test_a_name_that_has_gone_is_noticed():
    source = "def late():\n    from airflow_provider_faceid.api.actions import NOBODY, ACTIONS\n"
    assert missing(source) == ["airflow_provider_faceid.api.actions.NOBODY"]
