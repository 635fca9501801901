"""Whatever prints the variables of a traceback's frames: it is shown nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_faceid.pii_scan import PiiScan
from airflow_provider_faceid.simulator import SimulatorServer
from tests.support.marked_people import plant

pytestmark = pytest.mark.long

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
SECONDS = 900
SECRET_KEY, HASH_SECRET = "qx-a-key-that-stands-nowhere", "qx-a-secret-that-stands-nowhere"


@pytest.fixture
def seen(tmp_path) -> tuple[Path, dict[str, str | bytes]]:
    """Return what the onlookers saw, a file for each, and the people and secrets there were."""
    home, folder = tmp_path, tmp_path / "seen"
    folder.mkdir()
    warehouse = home / "warehouse.sqlite"
    with SimulatorServer(people=100, keys={"an-id": SECRET_KEY}) as server:
        markers = plant(server, warehouse).markers
        account = {
            "conn_type": "faceid",
            "login": "an-id",
            "password": SECRET_KEY,
            "extra": {"hash_secret": HASH_SECRET, "max_attempts": 1, "timeout": 1},
        }
        connections = {
            "faceid_default": account | {"host": server.url},
            "faceid_away": account | {"host": "http://127.0.0.1:1"},
            "warehouse": {"conn_type": "sqlite", "host": str(warehouse)},
            "nowhere": {"conn_type": "sqlite", "host": str(home / "no folder" / "state.sqlite")},
        }
        done = subprocess.run(
            [sys.executable, "-W", "ignore", HERE / "onlookers.py", server.url, warehouse, folder],
            env={
                **os.environ,
                "AIRFLOW_HOME": str(home / "airflow"),
                "PYTHONPATH": str(PROJECT),
                "PYTHONIOENCODING": "utf-8",
                **{f"AIRFLOW_CONN_{n.upper()}": json.dumps(c) for n, c in connections.items()},
            },
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    (folder / "output").write_bytes(done.stdout + done.stderr)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return folder, markers | {"SecretKey": SECRET_KEY, "hash secret": HASH_SECRET}


STAYS = {
    "arrears, table": ["AirflowFailException", "AccountError", "RequestId", "call.py:"],
    "arrears, hook": ["AccountError", "RequestId", "raised at", "call.py:"],
    "bad input, single": ["InvalidInputError", "rule id_card_check_digit"],
    "no answer, hook": ["UncertainError", "timeout of"],
    "time limit, table": ["AirflowTaskTimeout", "time is up"],
    "fault of ours on a name, hook": ["InternalError", "KeyError at airflow_provider_faceid/"],
    "validation, too many bad rows": ["DataQualityError", "4 of 60 rows are bad"],
}
"""What must not be lost, by case: type, message and place."""


@pytest.mark.fault(56)
def test_an_error_tracker_or_a_traceback_with_locals_shows_nobody(seen, measured):
    """In one test, because what is looked at takes a while to come about."""
    folder, markers = seen
    pii_scan = PiiScan(markers)
    failures = [file for file in folder.iterdir() if not file.name.startswith("careless")]
    for file in failures:
        pii_scan.search_text(file.name, file.read_bytes())
    assert pii_scan.hits == []
    for onlooker in ("sentry", "rich", "locals", "frames"):
        assert_it_sees(onlooker, folder, markers)
        for case, words in STAYS.items():
            text = (folder / f"{case}.{onlooker}").read_text()
            assert [word for word in words if word not in text] == [], (case, onlooker)
    output = (folder / "output").read_text()
    assert "KeyError at airflow_provider_faceid/api/" in output
    assert "params = await self._inputs.request(row)" in output
    measured(f"{len({file.stem for file in failures})} failures: 0 hits")


def assert_it_sees(onlooker: str, folder: Path, markers: dict[str, str | bytes]) -> None:
    """Assert that an onlooker sees what a careless DAG holds."""
    pii_scan = PiiScan(markers)
    pii_scan.search_text(onlooker, (folder / f"careless.{onlooker}").read_bytes())
    assert {hit.marker for hit in pii_scan.hits} >= {"name 3", "number 3"}, onlooker
