"""The example from source to export on each database, killed between loading and checking."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.people import ID_CARD
from tests.integration.dags.conftest import DAGS
from tests.support.homes import homes
from tests.support.patience import PATIENCE, UNHURRIED
from tests.support.places import Place, place

pytestmark = [pytest.mark.long, homes("sqlite", "postgresql", "mariadb")]

CONNECTION = "applicants_db"
PEOPLE, NAMELESS, WRONG = 40, (3, 13), (5, 15, 25)
PRICE = 0.1

DRIVER = """
import json, os, signal, sys
from datetime import UTC, datetime
from urllib.request import urlopen
from airflow import settings
from airflow.utils.db import initdb
initdb()
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag
import great_expectations
from airflow_provider_faceid.operators.check_results import FaceIdCheckResultsOperator
url, file, conf = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
dag = DagBag(file).dags["full_pipeline"]
for task in dag.tasks:
    task.retries = 0  # a task that fails ends the test

def run():
    settings.configure_orm()
    return dag.test(logical_date=datetime(2026, 11, 1, tzinfo=UTC), run_conf=conf)

def calls():
    with urlopen(url + "/_sim/ledger", timeout=300) as ledger:
        return len(json.load(ledger))

settings.dispose_orm()
child = os.fork()
if not child:
    FaceIdCheckResultsOperator.execute = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
    run()
    os._exit(1)
_, status = os.waitpid(child, 0)
told = {"killed_by": os.WTERMSIG(status), "calls": [calls()], "xcoms": {}}
done = run()
told |= {"state": str(done.state), "calls": [*told["calls"], calls()]}
for ti in done.get_task_instances():
    told["xcoms"][ti.task_id] = ti.xcom_pull(task_ids=ti.task_id)
print("\\nTOLD " + json.dumps(told, default=str))
"""
"""Runs the DAG, is killed when its results are to be checked, and runs it again."""


class Pipeline:
    """The DAG over applicants in one database, in an Airflow of its own."""

    def __init__(self, where: Place, server: SimulatorServer, folder: Path) -> None:
        self.where, self.server, self.folder = where, server, folder
        self.lake, self.output = folder / "lake", ""
        self.people = [one for one in server.account.people.listed if one.persona is None][:PEOPLE]
        names = [one.name for one in self.people]
        for key in WRONG:
            names[key] = "王八"
        rows = [
            (str(key), one.id_card, None if key in NAMELESS else names[key])
            for key, one in enumerate(self.people)
        ]
        where.fill("applicants", ["applicant_id", "id_card", "name"], rows)

    def run(self) -> dict[str, Any]:
        """Run the DAG until it is killed, and again; return what the tasks told."""
        conf = {
            "source_conn_id": CONNECTION,
            "warehouse_conn_id": CONNECTION,
            "path": str(self.lake),
        }
        (self.folder / "dags").mkdir()
        file = self.folder / "dags" / "full_pipeline.py"
        file.symlink_to(DAGS / file.name)
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, self.server.url, str(file), json.dumps(conf)],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
            cwd=self.folder,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        self.output, _, told = done.stdout.rpartition("\nTOLD ")
        return json.loads(told.splitlines()[0])

    def _environment(self) -> dict[str, str]:
        faceid = {
            "conn_type": "faceid",
            "host": self.server.url,
            "login": "simulator-id",
            "password": "simulator-key",
        }
        mine = f"AIRFLOW_CONN_{CONNECTION.upper()}"
        kept = {k: v for k, v in os.environ.items() if k == mine or "AIRFLOW" not in k}
        return kept | {
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.folder / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            **UNHURRIED,
            "AIRFLOW_CONN_FACEID_DEFAULT": json.dumps(faceid),
            "PYTHONDONTWRITEBYTECODE": "1",
        }


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A database whose tables are found by their name alone."""
    return place(request.param, CONNECTION, request, tmp_path, usual=True)


@pytest.fixture
def pipeline(home: Place, tmp_path: Path) -> Iterator[Pipeline]:
    with SimulatorServer(people=2 * PEOPLE, quotas={ID_CARD: 0}) as server:
        yield Pipeline(home, server, tmp_path)


def test_a_run_that_is_killed_before_the_check_goes_on_without_a_call(pipeline):
    told, valid = pipeline.run(), PEOPLE - len(NAMELESS)
    assert (told["killed_by"], told["state"]) == (signal.SIGKILL, "success"), pipeline.output
    assert told["calls"] == [valid, valid]
    xcoms = told["xcoms"]
    assert xcoms["validate"]["good_rows"] == valid
    assert (xcoms["plan"]["calls"], xcoms["plan"]["planned_calls"]) == (0, 0)
    assert (xcoms["verify"]["answered"], xcoms["verify"]["calls"]) == (valid, 0)
    assert (xcoms["check_results"]["success"], xcoms["check_results"]["rows"]) == (True, valid)
    assert xcoms["views"]["prices"] == 1
    assert xcoms["export"]["rows"] == valid

    answers = dict(pipeline.where.query("faceid_results", "source_key, outcome"))
    expected = {str(k): "mismatch" if k in WRONG else "match" for k in range(PEOPLE)}
    assert answers == {k: v for k, v in expected.items() if int(k) not in NAMELESS}
    assert exported(pipeline.lake) == answers
    ((rows_in, matched, mismatched, quarantined),) = pipeline.where.query(
        "faceid_funnel", "rows_in, matched, mismatched, quarantined"
    )
    assert (rows_in, mismatched, quarantined) == (PEOPLE, len(WRONG), len(NAMELESS))
    assert matched == valid - len(WRONG)
    ((charged, amount),) = pipeline.where.query("faceid_costs", "charged, amount")
    assert charged == pipeline.server.account.ledger.bill[ID_CARD]
    assert amount == pytest.approx(charged * PRICE)
    refused = pipeline.where.query("faceid_quarantine", "source_key")
    assert {key for (key,) in refused} == set(map(str, NAMELESS))


def exported(lake: Path) -> dict[str, str]:
    """Return the outcome by key in the files of the campaign."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - comes with the extra export

    found = pq.read_table(lake, columns=["campaign", "action", "source_key", "outcome"]).to_pylist()
    assert {(row["campaign"], row["action"]) for row in found} == {("full_pipeline", ID_CARD)}
    assert len({row["source_key"] for row in found}) == len(found)
    return {row["source_key"]: row["outcome"] for row in found}
