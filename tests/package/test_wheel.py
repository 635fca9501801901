"""What a release holds, and that Airflow finds it where only the wheel is installed."""

from __future__ import annotations

import json
import re
import zipfile
from email import message_from_bytes
from email.message import Message

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .conftest import NAME, PROJECT, Environment, Release

DIST = "airflow-provider-faceid"
SAMPLE = ("tests/unit/api/test_signing.py", "tests/unit/test_exceptions.py")
"""Unit tests the unpacked sdist is tried with."""

IMPORTS = f"""
import importlib.util, json, pkgutil, warnings
from importlib import metadata, resources
warnings.simplefilter("ignore")
import {NAME} as package
names = [one.name for one in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
files = {{
    name: importlib.util.find_spec(name).origin for name in [package.__name__, *names]
}}
from airflow.providers_manager import ProvidersManager
manager = ProvidersManager()
print("\\nFACTS " + json.dumps({{
    "files": files,
    "dists": [one.version for one in metadata.distributions(name="{DIST}")],
    "provider": manager.providers["{DIST}"].version,
    "hook": manager.hooks["faceid"].hook_class_name,
    "page": len(resources.files(package).joinpath("simulator/control/page.html").read_text()),
}}))
"""

KINDS = {".css", ".html", ".js", ".py", ".typed"}
"""What the package is made of: code, pages with their style and script, the marker of types."""


@pytest.fixture(scope="module")
def wheel(release: Release) -> set[str]:
    with zipfile.ZipFile(release.wheel) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


@pytest.fixture(scope="module")
def metadata(release: Release) -> Message:
    with zipfile.ZipFile(release.wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def source() -> set[str]:
    """Return the files of the package, without what Python or an editor leaves there."""
    files = (file for file in (PROJECT / NAME).rglob("*") if file.is_file())
    kept = (file for file in files if file.suffix in KINDS)
    return {str(file.relative_to(PROJECT)) for file in kept}


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel):
    dist_info = {name for name in wheel if ".dist-info/" in name}
    assert wheel - dist_info == source()
    assert {f"{NAME}/py.typed", f"{NAME}/simulator/control/page.html"} <= wheel
    assert {name.split("/", 1)[1] for name in dist_info} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
    }


def test_the_package_holds_no_file_the_wheel_test_would_overlook():
    suffixes = {file.suffix for file in (PROJECT / NAME).rglob("*") if file.is_file()}
    assert suffixes - {".pyc"} == KINDS


def test_the_wheel_asks_for_nothing_only_developers_need(metadata):
    names = {Requirement(text).name for text in metadata.get_all("Requires-Dist")}
    assert not names & {"hypothesis", "moto", "mypy", "pytest", "pytest-xdist", "ruff", "selenium"}
    assert "apache-airflow" in names


@pytest.mark.parametrize(
    ("page", "not_tested"),
    [
        ("constraints.txt", set()),
        ("constraints-oldest.txt", {"apache-airflow-providers-openlineage"}),
    ],
)
def test_the_versions_of_the_constraints_fit_what_the_wheel_asks_for(metadata, page, not_tested):
    lines = (PROJECT / page).read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    pinned = {canonicalize_name(name): version for name, version in pins}
    requirements = [Requirement(text) for text in metadata.get_all("Requires-Dist")]
    assert {one.name for one in requirements if one.name not in pinned} == not_tested
    assert [
        str(one)
        for one in requirements
        if one.name in pinned and not one.specifier.contains(pinned[one.name])
    ] == []


def test_every_module_comes_from_the_wheel_and_airflow_finds_the_provider(
    installed: Environment, wheel
):
    facts = json.loads(installed.run("-c", IMPORTS).rpartition("\nFACTS ")[2])
    within = str(installed.folder)
    assert [name for name, file in facts["files"].items() if not file.startswith(within)] == []
    assert len(facts["files"]) == sum(name.endswith(".py") for name in wheel)
    (version,) = facts["dists"]
    assert facts["provider"] == version
    assert facts["hook"] == f"{NAME}.hooks.faceid.FaceIdHook"
    assert facts["page"] > 1000


def test_the_unpacked_sdist_runs_its_tests(dependencies_only: Environment, release: Release):
    """Python looks for the package in the current folder first, which is the unpacked archive."""
    command = ("-m", "pytest", "-q", "-p", "no:cacheprovider", *SAMPLE)
    printed = dependencies_only.run(*command, cwd=release.unpacked)
    assert re.search(r"\d{2,} passed", printed)
    assert "failed" not in printed
