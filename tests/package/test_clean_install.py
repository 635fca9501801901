"""The wheel in a clean environment, with the dependencies an installer finds for it."""

from __future__ import annotations

import json
import sys

import pytest

from .conftest import NAME, PROJECT, Environment, Release, run

DIST = "airflow-provider-faceid"


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Environment:
    """Install the wheel as docs/install.md says, with the versions of constraints.txt."""
    home = tmp_path_factory.mktemp("clean")
    one = Environment(home / "env", home)
    run(sys.executable, "-m", "venv", "--without-pip", one.folder, cwd=home)
    run(
        *(sys.executable, "-m", "pip", "--python", one.python, "install", "--quiet"),
        *("--no-input", "--prefer-binary", "--no-compile"),
        *("-c", PROJECT / "constraints.txt", f"{release.wheel}[simulator]"),
        cwd=home,
    )
    return one


def test_airflow_lists_the_provider_and_its_connection_type(clean: Environment):
    listed = json.loads(clean.run("-m", "airflow", "providers", "list", "-o", "json"))
    assert DIST in {one["package_name"] for one in listed}
    hooks = json.loads(clean.run("-m", "airflow", "providers", "hooks", "-o", "json"))
    (ours,) = (one for one in hooks if one["connection_type"] == "faceid")
    assert ours["class"] == f"{NAME}.hooks.faceid.FaceIdHook"


def test_the_simulator_starts_with_its_extra(clean: Environment):
    assert "--port" in clean.run("-m", f"{NAME}.simulator", "--help")
    code = f"from {NAME}.simulator import SimulatorServer as s; s(people=5).start().stop()"
    clean.run("-c", code)


def test_no_dependency_is_missing_or_of_a_wrong_version(clean: Environment):
    run(sys.executable, "-m", "pip", "--python", clean.python, "check", cwd=clean.home)
