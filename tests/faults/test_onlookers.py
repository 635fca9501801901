"""Whatever prints the variables of a traceback's frames: it is shown nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_faceid.canary import Canary
from airflow_provider_faceid.simulator import SimulatorServer
from tests.canary.people import plant

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
SECONDS = 180
SECRET_KEY, HASH_SECRET = "qx-a-key-that-stands-nowhere", "qx-a-secret-that-stands-nowhere"


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> tuple[Path, dict[str, str | bytes]]:
    """Return what the onlookers saw, a file for each, and the people and secrets there were."""
    home = tmp_path_factory.mktemp("onlookers")
    folder = home / "seen"
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


@pytest.mark.fault(56)
def test_an_error_tracker_or_a_traceback_with_locals_shows_nobody(seen, measured):
    folder, markers = seen
    canary = Canary(markers)
    for file in sorted(folder.iterdir()):
        if not file.name.startswith("careless"):
            canary.search_text(file.name, file.read_bytes())
    assert canary.hits == []
    measured(f"{len({f.stem for f in folder.iterdir()})} failures: 0 hits")


@pytest.mark.parametrize("onlooker", ["sentry", "rich", "locals"])
@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("arrears, table", ["AirflowFailException", "AccountError", "RequestId", "flow.py:"]),
        ("arrears, hook", ["AccountError", "RequestId", "raised at", "flow.py:"]),
        ("bad input, single", ["InvalidInputError", "rule id_card_check_digit"]),
        ("no answer, hook", ["UncertainError", "timeout of"]),
        ("time limit, table", ["AirflowTaskTimeout", "time is up"]),
        ("fault of ours on a name, hook", ["InternalError", "KeyError at", "faceid.py:"]),
        ("validation, too many bad rows", ["DataQualityError", "4 of 60 rows are bad"]),
    ],
)
def test_the_type_the_message_and_the_place_stay(seen, case, onlooker, words):
    text = (seen[0] / f"{case}.{onlooker}").read_text()
    assert [word for word in words if word not in text] == []


def test_the_stack_of_a_fault_of_ours_is_in_the_log(seen):
    output = (seen[0] / "output").read_text()
    assert "KeyError at airflow_provider_faceid/batch/prepare.py:" in output
    assert "in verify\n    params = await self._inputs.request(row)" in output


def test_the_onlookers_see_what_a_careless_dag_holds(seen):
    folder, markers = seen
    for onlooker in ("sentry", "rich", "locals", "frames"):
        canary = Canary(markers)
        canary.search_text(onlooker, (folder / f"careless.{onlooker}").read_bytes())
        assert {hit.marker for hit in canary.hits} >= {"name 3", "number 3"}, onlooker
