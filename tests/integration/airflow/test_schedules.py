"""A real scheduler, and everything that starts a DAG over people who do not change: paid for once."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.people import ID_CARD
from tests.support.airflow_home import RUN_SECONDS, Home, Run

pytestmark = pytest.mark.long

PEOPLE, MISSED_DAYS, BACKFILLED = 30, 5, 3
DAGS = {"tests": Path(__file__).with_name("dags")}
RUNS = "/api/v2/dags/applicants/dagRuns"


@pytest.fixture
def service():
    with SimulatorServer(people=100) as server:
        yield server


@pytest.fixture
def home(tmp_path, service):
    """An Airflow whose scheduler keeps the days."""
    warehouse = tmp_path / "warehouse.sqlite"
    people = [person for person in service.account.people.listed if not person.persona][:PEOPLE]
    with sqlite3.connect(warehouse) as connection:
        connection.execute(
            "CREATE TABLE applicants (applicant_id INTEGER PRIMARY KEY, name TEXT, id_card TEXT)"
        )
        rows = [(key, p.name, p.id_card) for key, p in enumerate(people)]
        connection.executemany("INSERT INTO applicants VALUES (?, ?, ?)", rows)
    connection.close()
    faceid = {"conn_type": "faceid", "host": service.url}
    key = {"login": "simulator-id", "password": "simulator-key"}
    first = datetime.now(UTC).date() - timedelta(days=MISSED_DAYS - 1)
    home = Home(
        tmp_path,
        {
            "faceid_default": {**faceid, **key},
            "faceid_warehouse": {"conn_type": "sqlite", "host": str(warehouse)},
        },
        bundles=DAGS,
        settings={
            "AIRFLOW__CORE__DEFAULT_TIMEZONE": "UTC",
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",
            "FIRST_DAY": first.isoformat(),
            # Nothing here looks at lineage or logs, and both take their part of every task.
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            "AIRFLOW__OPENLINEAGE__DISABLED": "True",
        },
    )
    with ExitStack() as stack:
        stack.callback(home.parts.stop)
        home.start()
        yield home


def runs_of(home: Home, kind: str) -> list[Run]:
    """Return the runs of a kind that have ended well."""
    found = home.api.ask(f"{RUNS}?limit=100&run_type={kind}")["dag_runs"]
    assert not [run for run in found if run["state"] == "failed"], home.errors()
    return [run for run in found if run["state"] == "success"]


def wait_for_runs(home: Home, kind: str, count: int) -> None:
    home.parts.wait_for(
        f"{count} runs by {kind}", lambda: len(runs_of(home, kind)) >= count, 2 * RUN_SECONDS
    )


def test_whatever_starts_the_dag_thirty_people_are_thirty_calls(home, service):
    home.parts.wait_for("DAG", lambda: home.api.has("/api/v2/dags/applicants"), RUN_SECONDS)
    wait_for_runs(home, "scheduled", MISSED_DAYS)
    (asset,) = home.api.ask("/api/v2/assets?name_pattern=applicants_changed")["assets"]
    for number in range(1, 3):
        home.api.ask("/api/v2/assets/events", {"asset_id": asset["id"], "extra": {}})
        wait_for_runs(home, "asset_triggered", number)
    for _ in range(2):
        home.api.ask(RUNS, {"logical_date": None})
    last = datetime.now(UTC).date()
    backfill = {
        "dag_id": "applicants",
        "from_date": f"{last - timedelta(days=BACKFILLED)}T00:00:00Z",
        "to_date": f"{last - timedelta(days=1)}T00:00:00Z",
        "reprocess_behavior": "completed",
        "max_active_runs": 2,
    }
    home.api.ask("/api/v2/backfills", backfill)
    wait_for_runs(home, "manual", 2)
    wait_for_runs(home, "backfill", BACKFILLED)
    home.restart(AIRFLOW__CORE__DEFAULT_TIMEZONE="Asia/Shanghai")
    home.api.ask(RUNS, {"logical_date": None})
    wait_for_runs(home, "manual", 3)
    assert service.account.ledger.bill[ID_CARD] == len(service.account.ledger) == PEOPLE
    with sqlite3.connect(home.folder / "warehouse.sqlite") as connection:
        campaigns = connection.execute(
            "SELECT campaign, COUNT(*) FROM faceid_results WHERE status = 'answered' GROUP BY 1"
        ).fetchall()
        planned = connection.execute(
            "SELECT COUNT(*), SUM(charged) FROM faceid_runs WHERE state = 'success'"
        ).fetchone()
    connection.close()
    assert campaigns == [("applicants", PEOPLE)]
    assert planned[0] >= MISSED_DAYS + 2 + 2 + BACKFILLED + 1
    assert planned[1] == PEOPLE
