"""Faults that only a real Airflow brings about: a task that is ended, a check that fails."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.faults import FaultRule, Nth
from airflow_provider_faceid.simulator.faults.effects import Code
from tests.support.patience import PATIENCE, UNHURRIED

from .invariants import Facts, hold
from .plant import ACTION, RATE, Worker

pytestmark = pytest.mark.long

ROWS = 200

DAG = """
from airflow.sdk import DAG
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
from tests.support.patience import UNHURRIED

people = {"source_conn_id": "warehouse", "source": "people", "campaign": "campaign"}
with DAG("verify") as dag:
    check = FaceIdValidateOperator(task_id="check", max_bad_fraction=0.01, **people)
    check >> IdCardVerificationBatchOperator(task_id="verify", **people)
"""
FAILING = """
from airflow.sdk import DAG, task
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator

people = {"source_conn_id": "warehouse", "source": "people", "campaign": "campaign"}

@task(trigger_rule="all_done")
def tell(check, verify):
    import json
    print("\\nTOLD", json.dumps({"check": check, "verify": verify}))

with DAG("verify"):
    check = FaceIdValidateOperator(task_id="check", max_bad_fraction=0, **people)
    verify = IdCardVerificationBatchOperator(task_id="verify", **people)
    tell(check=check.output, verify=verify.output)
"""
DRIVER = """
import sys, warnings
warnings.simplefilter("ignore")
from airflow.utils.db import initdb
initdb()
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag
run = DagBag(sys.argv[1]).dags["verify"].test()
states = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
print("\\nSTATES", str(run.state), states.get("check"), states.get("verify"))
"""


class Home:
    """
    An Airflow with one DAG: check a table of people, then verify it.

    :ivar server: the service, whose ledger is the truth.
    """

    def __init__(self, folder: Path, server: SimulatorServer) -> None:
        self.folder, self.server = folder, server
        self.output = ""
        self._running: list[subprocess.Popen[str]] = []
        (folder / "dags").mkdir()
        (folder / "dags" / "verify.py").write_text(DAG)
        self.people = [p for p in server.account.people.listed if not p.persona][:ROWS]
        self.query("CREATE TABLE people (id INTEGER PRIMARY KEY, id_card TEXT, name TEXT)")
        for key, person in enumerate(self.people):
            self.query("INSERT INTO people VALUES (?, ?, ?)", key, person.id_card, person.name)

    def write(self, dag: str) -> None:
        """Put another DAG of the same name in place of ours."""
        (self.folder / "dags" / "verify.py").write_text(dag)

    def query(self, sql: str, *values: Any, file: str = "warehouse") -> list[tuple[Any, ...]]:
        """Run a statement in the warehouse, or in another file."""
        with closing(sqlite3.connect(self.folder / file, timeout=30)) as connection, connection:
            return connection.execute(sql, values).fetchall()

    def start(self) -> subprocess.Popen[str]:
        """Start a run of the DAG."""
        process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(self.folder / "dags")],
            env=self._environment(),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._running.append(process)
        return process

    def states(self, process: subprocess.Popen[str]) -> list[str]:
        """Wait for the end; return the states of run, check and verification."""
        output, _ = process.communicate(timeout=PATIENCE)
        self.output += output
        assert "\nSTATES " in output, output[-3000:]
        return output.rpartition("\nSTATES ")[2].split()

    def finish(self) -> int:
        """Do what is left as another task would, without waiting for an Airflow."""
        job = {
            "url": self.server.url,
            "warehouse": str(self.folder / "warehouse"),
            "state": f"sqlite:///{self.folder / 'airflow' / 'faceid_state.sqlite'}",
            "owner": "another",
            "rate": RATE,
            "log": str(self.folder / "log"),
        }
        return Worker(**job).wait()

    def hold(self) -> None:
        """Assert all invariants, with one more run to see that it calls nobody."""
        calls = list(self.server.account.ledger.rows())
        charged = self.query("SELECT SUM(charged) FROM faceid_runs")[0][0]
        assert self.finish() == 0
        people = self.query("SELECT id, id_card, name FROM people")
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        facts = Facts(
            source={str(key): number for key, number, _ in people},
            results=self.query("SELECT source_key, status FROM faceid_results"),
            quarantine=[key for (key,) in self.query("SELECT source_key FROM faceid_quarantine")],
            calls=calls,
            texts={
                **{f.name: f.read_bytes() for f in files if "warehouse" not in f.name},
                "output": self.output.encode(),
            },
            identities=[text for _, number, name in people for text in (number, name) if text],
            charged=charged,
            calls_again=len(self.server.account.ledger) - len(calls),
        )
        hold(facts)

    def stop(self) -> None:
        """End what still runs."""
        for process in self._running:
            process.kill()
            process.communicate()

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        faceid = {
            "conn_type": "faceid",
            "host": self.server.url,
            "login": "simulator-id",
            "password": "simulator-key",
        }
        warehouse = {"conn_type": "sqlite", "host": str(self.folder / "warehouse")}
        return kept | {
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.folder / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            **UNHURRIED,
            "AIRFLOW_CONN_FACEID_DEFAULT": json.dumps(faceid),
            "AIRFLOW_CONN_WAREHOUSE": json.dumps(warehouse),
            "PYTHONDONTWRITEBYTECODE": "1",
        }


@pytest.fixture
def home(tmp_path) -> Iterator[Home]:
    with SimulatorServer(people=ROWS + 40, quotas={ACTION: 0}, latency_ms=(200, 400)) as server:
        one = Home(tmp_path, server)
        yield one
        one.stop()


@pytest.mark.fault(24)
def test_a_task_that_is_ended_keeps_what_is_in_flight(home, measured):
    process = home.start()
    while len(home.server.account.ledger) < ROWS // 4 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert home.states(process) == ["failed", "success", "failed"]
    called = len(home.server.account.ledger)
    assert called < ROWS
    statuses = home.query("SELECT status, COUNT(*) FROM faceid_results GROUP BY status")
    assert statuses == [("answered", called)]
    assert home.states(home.start()) == ["success"] * 3
    assert len(home.server.account.ledger) == ROWS
    home.hold()
    measured(f"an Airflow task: 0 in doubt, {ROWS} rows and {ROWS} calls after the next run")


@pytest.mark.fault(40)
def test_a_check_that_fails_keeps_what_comes_after_from_running(home, measured):
    bad = 10
    home.query("UPDATE people SET name = 'R2D2' WHERE id < ?", bad)
    states = home.states(home.start())
    assert states == ["failed", "failed", "upstream_failed"]
    called = len(home.server.account.ledger)
    assert called == 0
    assert f"{bad} of {ROWS} rows are bad" in home.output
    assert home.finish() == 0
    assert len(home.server.account.ledger) == ROWS - bad
    home.hold()
    measured(f"{bad} of {ROWS} rows bad: {called} calls, the values in no log")


@pytest.mark.fault(17)
def test_a_task_after_one_that_failed_meets_its_manifest(home, measured):
    home.write(FAILING)
    home.query("UPDATE people SET name = 'R2D2' WHERE id = 0")
    late = Nth(first=ROWS // 2, last=None)
    home.server.faults.add(FaultRule(Code("UnauthorizedOperation.Arrears", "error"), nth=late))
    _, *states = home.states(home.start())
    assert states == ["failed", "failed"]
    told = json.loads(home.output.partition("\nTOLD ")[2].splitlines()[0])
    check, verify = told["check"], told["verify"]
    assert (check["success"], check["quarantined_rows"]) == (False, 1)
    assert check["error"].startswith(f"1 of {ROWS} rows are bad")
    assert not verify["success"]
    assert "arrears" in verify["error"]
    charged = home.server.account.ledger.bill[ACTION]
    assert verify["charged"] == verify["answered"] == charged == ROWS // 2 - 1
    home.server.faults.clear()
    assert home.finish() == 0
    home.hold()
    measured(f"a failed task's manifest says why, and {charged} charges")
