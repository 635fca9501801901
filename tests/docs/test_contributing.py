"""What those who carry on are told to run is there: targets, hooks, templates, paths."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
CONTRIBUTING = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")


def test_every_target_exists():
    targets = set(re.findall(r"`?\bmake ([a-z-]+)", CONTRIBUTING)) - {"are"}
    assert {"test-unit", "lint", "docs", "test", "faults"} <= targets
    assert [name for name in targets if not re.search(rf"^{name}:", MAKEFILE, re.MULTILINE)] == []


def test_every_path_exists():
    paths = re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", CONTRIBUTING)
    assert len(paths) > 10
    below = (PROJECT, PROJECT / "airflow_provider_faceid")
    assert [p for p in paths if not any((base / p).exists() for base in below)] == []


def test_hooks_are_the_projects_own_linters():
    told = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repo["repo"] for repo in told["repos"]] == ["local"]
    hooks = {hook["id"]: hook for hook in told["repos"][0]["hooks"]}
    assert {"ruff", "ruff-format", "mypy", "layers"} <= set(hooks)
    for hook in hooks.values():
        assert hook["entry"].startswith(".venv/bin/")
        assert hook["language"] == "system"


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_templates_of_issues_can_be_filled_in(name):
    path = PROJECT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml"
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form["name"]
    assert form["description"]
    fields = [part for part in form["body"] if part["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields) >= 3
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_the_container_has_what_the_project_needs():
    path = PROJECT / ".devcontainer" / "devcontainer.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["image"] == "mcr.microsoft.com/devcontainers/python:3.11"
    assert "make" in told["postCreateCommand"]


def test_what_is_renamed_is_in_changelog_and_upgrading():
    for page in ("CHANGELOG.md", "docs/upgrading.md"):
        text = (PROJECT / page).read_text(encoding="utf-8")
        for old, new in (
            ("Once", "Idempotency"),
            ("once", "idempotency"),
            ("hook.pace(", "hook.rate_limiter("),
            ("airflow_provider_faceid.canary", "airflow_provider_faceid.pii_scan"),
            ("airflow_provider_faceid.service", "airflow_provider_faceid.api"),
        ):
            assert f"`{old}" in text, f"{old} is not in {page}"
            assert f"`{new}" in text, f"{new} is not in {page}"
