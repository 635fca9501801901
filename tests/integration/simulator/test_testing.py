"""The fixtures for users' own tests, in a user's own tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.patience import PATIENCE

pytestmark = pytest.mark.long

CONFTEST = 'pytest_plugins = ["airflow_provider_faceid.testing"]\n'

TESTS = """
import os

import pytest

from airflow_provider_faceid.hooks.faceid import FaceIdHook


def test_a_match(faceid_simulator, faceid_connection):
    person = faceid_simulator.person()
    hook = FaceIdHook(faceid_connection)
    assert hook.id_card_verification(person.id_card, person.name).outcome == "match"
    photo = faceid_simulator.photo(person)
    assert hook.image_recognition_v2(person.id_card, person.name, photo).outcome == "match"
    assert faceid_simulator.account.ledger.bill.total() == 2


@pytest.mark.parametrize("again", [1, 2])
def test_a_mismatch_on_a_simulator_that_has_forgotten_the_test_before(
    faceid_simulator, faceid_connection, again
):
    person = faceid_simulator.person(code="-1")
    assert FaceIdHook().id_card_verification(person.id_card, person.name).outcome == "mismatch"
    assert len(faceid_simulator.account.ledger) == 1
    assert len(faceid_simulator.account.people.listed) == 30


def test_the_connection_is_gone():
    assert "AIRFLOW_CONN_FACEID_DEFAULT" not in os.environ
"""
OPTIONS = """
import pytest


@pytest.fixture(scope="session")
def faceid_simulator_options():
    return {"people": 30}
"""


def run(folder, *options):
    """Run the tests of a folder as their owner would, without anything of ours."""
    kept = {name: value for name, value in os.environ.items() if "AIRFLOW" not in name}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, str(folder)],
        capture_output=True,
        cwd=folder,
        env=kept | {"AIRFLOW_HOME": str(folder / "home")},
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_a_users_tests_call_the_simulator_through_the_hook(tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST + OPTIONS)
    (tmp_path / "test_mine.py").write_text(TESTS)
    done = run(tmp_path, "-p", "no:randomly")
    assert "4 passed" in done.stdout, done.stdout[-3000:]


def test_nobody_gets_the_fixtures_unasked(tmp_path):
    (tmp_path / "test_mine.py").write_text("def test_mine(faceid_simulator): pass\n")
    assert "fixture 'faceid_simulator' not found" in run(tmp_path).stdout


@pytest.mark.parametrize("module", ["airflow", "PIL", "aiohttp", "numpy"])
def test_the_plugin_is_light(module):
    code = f"import sys, airflow_provider_faceid.testing; assert {module!r} not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)


def test_the_example_of_the_docs_runs(tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text(encoding="utf-8")
    section = page.split("## In your own tests")[1]
    (tmp_path / "conftest.py").write_text(re.search(r"`(pytest_plugins = .*?)`", section)[1])
    (tmp_path / "test_docs.py").write_text(re.search(r"(?s)```python\n(.*?)```", section)[1])
    assert "1 passed" in run(tmp_path).stdout
