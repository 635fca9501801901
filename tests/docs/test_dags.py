"""Every DAG of the docs runs, the README's for four dates; so do those of the demo."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_faceid.simulator import SimulatorServer
from tests.docs.blocks import blocks, python_blocks

pytestmark = pytest.mark.long

WAITS = ("HITLOperator", "PartitionedAssetTimetable")
"""What a DAG that waits for people, or for another DAG, is known by: it is read, and not run."""

RUN_DAGS = """
import os, sys
from datetime import datetime, timezone
from airflow.models.dagbag import DagBag  # the place both 3.1 and 3.3 know
bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
assert not bag.import_errors, bag.import_errors
for dag_id in sys.argv[1:]:
    run = bag.dags[dag_id].test(logical_date=datetime(2026, 6, 1, tzinfo=timezone.utc))
    assert run.state == "success", (dag_id, run.state)
"""


def test_dags_run(world):
    found = [param.values[0] for param in python_blocks(dags=True)]
    names = []
    for block in found:
        name = re.search(r'with DAG\((?:dag_id=)?\s*"(\w+)"', block.text)[1]
        (world.home / "dags" / f"{name}.py").write_text(block.text, encoding="utf-8")
        if not any(word in block.text for word in WAITS):
            names.append(name)
    world.run([sys.executable, "-c", RUN_DAGS, *names])

    assert len(names) == 5
    with closing(sqlite3.connect(world.warehouse)) as connection:
        answers = dict(
            connection.execute(
                "SELECT campaign, COUNT(*) FROM faceid_results WHERE status = 'answered' GROUP BY 1"
            ).fetchall()
        )
        bad = connection.execute("SELECT rule, source_key FROM faceid_quarantine").fetchall()
    assert answers["first_verification"] == 59
    assert answers["my_applicants"] == 19
    assert answers["in_shards"] == 59
    assert answers["in_a_row"] == 3 * 59
    assert ("name_missing", "9") in bad


FOUR_DATES = """
import json, os, sqlite3, sys
from datetime import datetime, timezone
from urllib.request import urlopen
from airflow.models.dagbag import DagBag
dag_id, url, warehouse = sys.argv[1:]
dag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags[dag_id]
seen = 0
for day in range(1, 5):
    if day == 4:
        with sqlite3.connect(warehouse) as connection:
            connection.executescript(sys.stdin.read())
    run = dag.test(logical_date=datetime(2026, 6, day, tzinfo=timezone.utc))
    assert run.state == "success", run.state
    with urlopen(url + "/_sim/ledger", timeout=30) as answer:
        calls = len(json.load(answer))
    print("CALLS", calls - seen)
    seen = calls
"""


def test_the_first_dag_of_the_readme_pays_for_what_is_new_or_changed(world, tmp_path):
    """Four dates, 50 people; before the fourth one has changed and three are new."""
    (block,) = [b for b in blocks("python") if b.page.name == "README.md" and "with DAG(" in b.text]
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "first.py").write_text(block.text, encoding="utf-8")
    warehouse = tmp_path / "warehouse.sqlite"
    with SimulatorServer(people=80) as service:
        people = [p for p in service.account.people.listed if not p.persona]
        insert = "INSERT INTO applicants VALUES ({}, '{}', '{}');"
        with closing(sqlite3.connect(warehouse)) as connection, connection:
            connection.execute(
                "CREATE TABLE applicants (applicant_id INTEGER PRIMARY KEY, name TEXT, id_card TEXT)"
            )
            for key, person in enumerate(people[:50]):
                connection.execute(insert.format(key, person.name, person.id_card))
        changes = [insert.format(n, people[n].name, people[n].id_card) for n in range(50, 53)]
        other = people[53]
        changes.append(
            f"UPDATE applicants SET name = '{other.name}', id_card = '{other.id_card}' "
            "WHERE applicant_id = 7;"
        )
        here = {
            "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
            "AIRFLOW_CONN_FACEID_WAREHOUSE": json.dumps(
                {"conn_type": "sqlite", "host": str(warehouse)}
            ),
            "AIRFLOW_CONN_FACEID_DEFAULT": json.dumps(
                json.loads(world.env["AIRFLOW_CONN_FACEID_DEFAULT"]) | {"host": service.url}
            ),
        }
        one = replace(world, env=world.env | here)
        command = [sys.executable, "-c", FOUR_DATES, "first_verification", service.url]
        printed = one.run([*command, str(warehouse)], stdin="\n".join(changes))
    assert re.findall(r"^CALLS (\d+)", printed, re.MULTILINE) == ["50", "0", "0", "4"]


def test_make_demo_passes_and_says_where_things_are(world):
    home = world.home / "demo"
    home.mkdir()
    (home / "warehouse.sqlite").write_text("of an earlier demo")
    here = replace(world, env=world.env | {"FACEID_DEMO_HOME": str(home)})
    printed = here.run([sys.executable, "demo/run.py"])

    assert re.search(r"^demo: PASS", printed, re.MULTILINE)
    assert str(home / "warehouse.sqlite") in printed
    assert "make ui" in printed
    report = Path(
        re.fullmatch(r"report: (\S+) \(open it in a browser\)", printed.split("\n")[-2])[1]
    )
    assert "</html>" in report.read_text(encoding="utf-8")
    assert json.loads(report.with_suffix(".json").read_text(encoding="utf-8"))["kind"] == "days"
    kept = Path(re.search(r"are kept in (\S+)", printed)[1])
    assert (kept / "warehouse.sqlite").read_text() == "of an earlier demo"
