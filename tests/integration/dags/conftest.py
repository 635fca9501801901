"""All example DAGs, run unchanged and twice, in one process with an Airflow of its own."""

from __future__ import annotations

import base64
import csv
import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_faceid.api.actions import code_row
from airflow_provider_faceid.api.codes import Step
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.people import FACE, ID_CARD, Person, expects
from tests.support.patience import PATIENCE, UNHURRIED

PROJECT = Path(__file__).resolve().parents[3]
DAGS = PROJECT / "example_dags"
ACTIONS = {
    "verify_id_cards": ID_CARD,
    "verify_faces": FACE,
    "verify_in_shards": ID_CARD,
    "verify_files": ID_CARD,
    "verify_by_eight": ID_CARD,
    "full_pipeline": ID_CARD,
}
"""Action by DAG that asks one, in the order they are run."""
IN_A_ROW, ROLLING = "onboarding", "rolling_report"
DAG_IDS = (*ACTIONS, IN_A_ROW, ROLLING)
ANSWERED_BY_PEOPLE = {"review"}
"""DAGs that wait for people, and so run under a scheduler only: in tests/integration/airflow."""
APPLICANTS, PHOTOS = 60, 20

DRIVER = """
import json, sys
from datetime import UTC, datetime
from urllib.request import urlopen
from airflow.utils.db import initdb
initdb()
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag
bag = DagBag(sys.argv[1])
facts = {"errors": {str(k): str(v) for k, v in bag.import_errors.items()}, "states": [], "dags": {}}
for name, dag in bag.dags.items():
    facts["dags"][name] = {
        "doc": dag.doc_md,
        "retries": {task.task_id: task.retries for task in dag.tasks},
        "outlets": [outlet.name for task in dag.tasks for outlet in task.outlets],
    }
day = datetime.now(UTC).replace(microsecond=0)
for name in sys.argv[3:]:
    bag.dags[name].deadline = None  # a DAG that is run this way is not in the database, where Airflow looks it up
    state = str(bag.dags[name].test(logical_date=day).state)
    with urlopen(sys.argv[2] + "/_sim/ledger", timeout=300) as ledger:
        facts["states"].append([name, state, len(json.load(ledger))])
print("\\nFACTS " + json.dumps(facts))
"""


@dataclass
class Story:
    """What there was before the runs and after them."""

    home: Path
    people: dict[int, Person]
    photos: dict[int, str]
    bad: dict[int, str]
    facts: dict[str, Any] = field(default_factory=dict)
    output: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)

    def calls_of(self, dag: str) -> list[list[dict[str, Any]]]:
        """Return what the service saw while a DAG ran the first time, and the second."""
        began, seen = 0, []
        for name, _, ended in self.facts["states"]:
            seen += [self.calls[began:ended]] if name == dag else []
            began = ended
        return seen

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a query in the warehouse."""
        connection = sqlite3.connect(self.home / "warehouse.sqlite")
        rows = connection.execute(sql).fetchall()
        connection.close()
        return rows


@pytest.fixture(scope="session")
def story(tmp_path_factory) -> Story:
    home = tmp_path_factory.mktemp("home")
    with SimulatorServer(people=120, quotas={ID_CARD: 0, FACE: 0}) as server:
        one = Story(home, *_fill(home / "warehouse.sqlite", server))
        command = [sys.executable, "-c", DRIVER, str(DAGS), server.url, *DAG_IDS, *DAG_IDS]
        ran = subprocess.run(
            command,
            env=_environment(home, server.url),
            capture_output=True,
            text=True,
            timeout=3 * PATIENCE,
            check=False,
            cwd=home,
        )
        one.output = ran.stdout + ran.stderr
        assert ran.returncode == 0, one.output[-3000:]
        one.facts = json.loads(ran.stdout.rpartition("\nFACTS ")[2].splitlines()[0])
        one.calls = list(server.account.ledger.rows())
    return one


def _environment(home: Path, url: str) -> dict[str, str]:
    faceid = {
        "conn_type": "faceid",
        "host": url,
        "login": "simulator-id",
        "password": "simulator-key",
    }
    warehouse = {"conn_type": "sqlite", "host": str(home / "warehouse.sqlite")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return kept | {
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        **UNHURRIED,
        "AIRFLOW_CONN_FACEID_DEFAULT": json.dumps(faceid),
        "AIRFLOW_CONN_FACEID_WAREHOUSE": json.dumps(warehouse),
        "AIRFLOW_CONN_FACEID_FILES": json.dumps({"conn_type": "duckdb"}),
        "AIRFLOW_VAR_FACEID_FILES": str(home / "files" / "*.csv"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _fill(
    warehouse: Path, server: SimulatorServer
) -> tuple[dict[int, Person], dict[int, str], dict[int, str]]:
    """Make the table of people: 20 with a photo, 4 bad ones without."""
    everybody = sorted(server.account.people.listed, key=lambda person: person.persona is None)
    listed = [p for p in everybody if not _stops_a_run(p)]
    people = dict(enumerate(listed[:APPLICANTS], 1))
    photos = {
        key: base64.b64encode(server.account.gallery.submitted(people[key])).decode()
        for key in range(1, PHOTOS + 1)
    }
    bad = {
        57: "id_card_missing",
        58: "id_card_length",
        59: "id_card_check_digit",
        60: "name_characters",
    }
    rows = {
        key: [
            key,
            p.name,
            p.id_card,
            photos.get(key),
            p.columns()["phone"],
            p.columns()["bank_card"],
        ]
        for key, p in people.items()
    }
    rows[57][2] = None
    rows[58][2] = rows[58][2][1:]
    rows[59][2] = rows[59][2][:-1] + ("1" if rows[59][2][-1] != "1" else "2")
    rows[60][1] += "2"
    connection = sqlite3.connect(warehouse)
    connection.execute(
        "CREATE TABLE applicants "
        "(applicant_id INTEGER PRIMARY KEY, name TEXT, id_card TEXT, photo TEXT, phone TEXT, "
        "bank_card TEXT)"
    )
    connection.executemany("INSERT INTO applicants VALUES (?, ?, ?, ?, ?, ?)", rows.values())
    connection.commit()
    connection.close()
    files = warehouse.with_name("files")
    files.mkdir()
    for part in (0, 1):
        with (files / f"{part}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["applicant_id", "name", "id_card"])
            chosen = [row for key, row in rows.items() if key % 2 == part]
            writer.writerows((f"{key:04d}", name, number) for key, name, number, *_ in chosen)
    return people, photos, bad


def _stops_a_run(person: Person) -> bool:
    return any(code_row(a, code).step is Step.FATAL for a, code in expects(person).items())
