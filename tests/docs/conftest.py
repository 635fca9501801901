"""A world for the docs' examples: a simulator, a warehouse, an Airflow home, its connections."""

from __future__ import annotations

import base64
import csv
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.warehouse.migrations import (
    prepare,
    prepare_checks,
    prepare_review_log,
)
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql.database import SQLITE, Database
from tests.support.patience import PATIENCE, UNHURRIED

PEOPLE, PHOTOS = 60, 4
FIRST_RUN = """
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
verify = IdCardVerificationBatchOperator(
    task_id="verify", source_conn_id="faceid_warehouse", source="applicants", key_column="applicant_id"
)
"""
"""The run that examples of reports are about."""


@dataclass
class World:
    """Where the examples run."""

    home: Path
    env: dict[str, str]
    simulator: SimulatorServer

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse.sqlite"

    def run(self, command: list[str], stdin: str = "", seconds: float = 3 * PATIENCE) -> str:
        """Run a command and return what it printed; a failure shows it."""
        done = subprocess.run(
            command,
            input=stdin,
            env=self.env,
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("docs")
    (home / "dags").mkdir()
    with SimulatorServer(people=PEOPLE + 20, seed=3) as simulator:
        env = {
            **{name: value for name, value in os.environ.items() if "AIRFLOW" not in name},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            **UNHURRIED,
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW_CONN_FACEID_DEFAULT": json.dumps(
                {
                    "conn_type": "faceid",
                    "host": simulator.url,
                    "login": "simulator-id",
                    "password": "simulator-key",
                }
            ),
            "AIRFLOW_CONN_FACEID_WAREHOUSE": json.dumps(
                {"conn_type": "sqlite", "host": str(home / "warehouse.sqlite")}
            ),
            "AIRFLOW_CONN_FACEID_FILES": json.dumps({"conn_type": "duckdb"}),
            "AIRFLOW_CONN_ICEBERG_CATALOG": json.dumps(
                {"conn_type": "generic", "extra": {"uri": f"sqlite:///{home}/catalog.db"}}
            ),
        }
        world = World(home, env, simulator)
        _fill(world)
        world.run([sys.executable, "-m", "airflow", "db", "migrate"])
        yield world


@pytest.fixture(scope="session")
def run_example(world: World) -> Iterator[Callable[[str, str], str]]:
    """Run an example of a title and a text; return what it printed."""
    output = world.home / "printed"
    with subprocess.Popen(
        [sys.executable, "-m", "tests.docs.zygote"],
        env=world.env | {"PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=world.home,  # some examples write files
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def run(title: str, text: str) -> str:
            here = text.replace("/data/applicants", str(world.home / "applicants"))
            job = {"title": title, "text": here, "output": str(output)}
            print(json.dumps(job), file=process.stdin, flush=True)
            code, printed = process.stdout.readline(), output.read_text(encoding="utf-8")
            assert code == "0\n", printed[-4000:]
            return printed

        run("first run", FIRST_RUN)
        yield run
        process.stdin.close()


def _fill(world: World) -> None:
    """Make the source, and the tables that are there once a DAG has run: tests run in any order."""
    warehouse = Database(lambda: sqlite3.connect(world.warehouse), SQLITE, "docs")
    prepare(warehouse, Names())
    prepare_checks(warehouse, Names())
    prepare_review_log(warehouse, Names())
    warehouse.close()
    account = world.simulator.account
    ordinary = [person for person in account.people.listed if not person.persona][:PEOPLE]
    with closing(sqlite3.connect(world.warehouse)) as connection, connection:
        columns = [name for name in ordinary[0].columns() if name not in {"name", "id_card"}]
        connection.execute(
            "CREATE TABLE applicants (applicant_id INTEGER PRIMARY KEY, name TEXT, id_card TEXT, "
            f"photo TEXT, tel TEXT, {' TEXT, '.join(columns)} TEXT)"
        )
        marks = ", ".join("?" * (5 + len(columns)))
        for number, person in enumerate(ordinary, 1):
            photo = None
            if number <= PHOTOS:
                photo = base64.b64encode(account.gallery.submitted(person)).decode()
            known = person.columns()
            first = (number, person.name, person.id_card, photo, known["phone"])
            connection.execute(
                f"INSERT INTO applicants VALUES ({marks})",
                (*first, *(known[name] for name in columns)),
            )
        connection.execute("UPDATE applicants SET name = NULL WHERE applicant_id = 9")
        rows = connection.execute(
            "SELECT applicant_id, name, id_card, phone FROM applicants"
        ).fetchall()
    files = world.home / "applicants"
    files.mkdir()
    for number in (0, 1):
        with (files / f"{number}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["applicant_id", "name", "id_card", "phone"])
            writer.writerows(rows[number::2])
