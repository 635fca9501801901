"""The commands as they are typed: a process of Airflow's, or of Python's where Airflow takes none of ours."""

from __future__ import annotations

import json
import subprocess

import pytest

from airflow_provider_faceid.simulator.people import ID_CARD
from tests.support.airflow_home import FACEID, TAKES_COMMANDS
from tests.support.patience import PATIENCE

pytestmark = pytest.mark.long

CAMPAIGN = ("--action", ID_CARD, "--campaign", "dag")


@pytest.fixture
def type_(held, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")

    def type_(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*FACEID, *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    return type_


def test_status(type_):
    done = type_("status", "--warehouse-conn-id", "warehouse", "--output", "json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert (data["open_calls"][0]["in_doubt"], data["problems"]) == (3, [])


def test_estimate(type_):
    done = type_(
        "estimate", *CAMPAIGN, "--source-conn-id", "warehouse", "--source", "people", "-o", "json"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["still_valid"] == 5


def test_release(type_):
    done = type_("release", *CAMPAIGN, "--warehouse-conn-id", "warehouse", "--all")
    assert (done.returncode, done.stdout[:24]) == (0, "Released 3 held rows of ")


def test_report(type_, tmp_path):
    page = tmp_path / "kyc.html"
    done = type_("report", "--warehouse-conn-id", "warehouse", "--days", "1", "--path", str(page))
    assert done.returncode == 0, done.stderr
    assert f"Report about 8 rows: {page}" in done.stdout
    assert page.exists()


def test_an_error_is_a_line_and_an_exit_code(type_):
    done = type_("release", *CAMPAIGN, "--warehouse-conn-id", "no_such", "--all")
    assert (done.returncode, done.stdout) == (1, "")
    assert "faceid release: The conn_id `no_such` isn't defined. Create it" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not TAKES_COMMANDS, reason="Airflow 3.1 takes no commands of providers")
def test_airflow_lists_them(type_):
    done = type_("--help")
    assert done.returncode == 0, done.stderr
    for name in ("status", "estimate", "release", "report"):
        assert name in done.stdout
