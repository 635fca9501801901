"""A real scheduler: whatever starts a DAG over people who do not change, or pauses it: paid for once."""

from __future__ import annotations

import sqlite3
import urllib.error
from collections import Counter
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import pytest

from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.people import ID_CARD
from tests.support.airflow_home import ENDED, RUN_SECONDS, Home, Run

pytestmark = pytest.mark.long

PEOPLE, MISSED_DAYS, BACKFILLED = 30, 5, 3
DAGS = {"tests": Path(__file__).with_name("dags")}
RUNS = "/api/v2/dags/applicants/dagRuns"
PHONE, OWNERS, SLOW, OUTAGE_SECONDS, ASKED_BEFORE = "PhoneVerification", 60, 1, 3, 3
"""Another Action than that of the days; a call a second leaves a minute for the command that pauses it."""


@pytest.fixture(scope="module")
def service():
    with SimulatorServer(people=100) as server:
        yield server


@pytest.fixture(scope="module")
def home(tmp_path_factory, service):
    """An Airflow whose scheduler keeps the days."""
    tmp_path = tmp_path_factory.mktemp("schedules")
    warehouse = tmp_path / "warehouse.sqlite"
    people = [person for person in service.account.people.listed if not person.persona][:OWNERS]
    with sqlite3.connect(warehouse) as connection:
        connection.execute(
            "CREATE TABLE applicants (applicant_id INTEGER PRIMARY KEY, name TEXT, id_card TEXT)"
        )
        rows = [(key, p.name, p.id_card) for key, p in enumerate(people[:PEOPLE])]
        connection.executemany("INSERT INTO applicants VALUES (?, ?, ?)", rows)
        connection.execute("CREATE TABLE owners (id INTEGER, name TEXT, id_card TEXT, phone TEXT)")
        owners = [(key, p.name, p.id_card, p.columns()["phone"]) for key, p in enumerate(people)]
        connection.executemany("INSERT INTO owners VALUES (?, ?, ?, ?)", owners)
    connection.close()
    faceid = {"conn_type": "faceid", "host": service.url}
    key = {"login": "simulator-id", "password": "simulator-key"}
    first = datetime.now(UTC).date() - timedelta(days=MISSED_DAYS - 1)
    home = Home(
        tmp_path,
        {
            "faceid_default": {**faceid, **key},
            "faceid_slow": {
                **faceid,
                **key,
                "extra": {"quotas": {PHONE: SLOW}, "outage_patience": OUTAGE_SECONDS},
            },
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


def asked(service: SimulatorServer, action: str) -> Counter[str]:
    """Return the calls of an Action by ID number."""
    calls = list(service.account.ledger.rows())
    return Counter(str(call["id_card"]) for call in calls if call["action"] == action)


def given_back(home: Home) -> int:
    """Return how often a task gave its slot back, by its log."""
    logs = (home.folder / "airflow" / "logs").glob("dag_id=owners/**/*.log")
    return sum(log.read_text().count("gives its worker slot back") for log in logs)


def test_a_task_paused_for_long_is_rescheduled_without_a_try_and_ends_after_resume(home, service):
    run = home.trigger("owners")
    wait = home.parts.wait_for
    wait("first calls", lambda: asked(service, PHONE).total() >= ASKED_BEFORE, RUN_SECONDS)
    account = ("--faceid-conn-id", "faceid_slow")
    home.type_("pause", PHONE, "--reason", "the bill is being looked into", *account)
    wait("task that gave its slot back", lambda: given_back(home) > 0, RUN_SECONDS)
    quiet = asked(service, PHONE).total()
    assert ASKED_BEFORE <= quiet < OWNERS
    wait("second process that finds the pause", lambda: given_back(home) > 1, RUN_SECONDS)
    assert run.state() not in ENDED
    assert asked(service, PHONE).total() == quiet
    home.type_("resume", PHONE, *account)
    assert run.until_ended() == "success", home.errors()
    (ti,) = run.tasks("verify")
    assert (ti["try_number"], ti["max_tries"]) == (1, 0)
    assert set(asked(service, PHONE).values()) == {1}
    assert service.account.ledger.bill[PHONE] == asked(service, PHONE).total() == OWNERS
    with closing(sqlite3.connect(home.folder / "warehouse.sqlite")) as connection:
        found = connection.execute(
            "SELECT status, COUNT(*) FROM faceid_results WHERE action = ? GROUP BY 1", (PHONE,)
        ).fetchall()
    assert found == [("answered", OWNERS)]


def test_whatever_starts_the_dag_thirty_people_are_thirty_calls(home, service):
    home.parts.wait_for("DAG", lambda: home.api.has("/api/v2/dags/applicants"), RUN_SECONDS)
    wait_for_runs(home, "scheduled", MISSED_DAYS)
    (asset,) = home.api.ask("/api/v2/assets?name_pattern=applicants_changed")["assets"]
    for number in range(1, 3):
        home.api.ask("/api/v2/assets/events", {"asset_id": asset["id"], "extra": {}})
        wait_for_runs(home, "asset_triggered", number)
    for _ in range(2):
        home.api.ask(RUNS, {"logical_date": None})
    wait_for_runs(home, "manual", 2)
    last = datetime.now(UTC).date()
    backfill = {
        "dag_id": "applicants",
        "from_date": f"{last - timedelta(days=BACKFILLED)}T00:00:00Z",
        "to_date": f"{last - timedelta(days=1)}T00:00:00Z",
        "reprocess_behavior": "completed",
        "max_active_runs": 2,
    }
    try:
        home.api.ask("/api/v2/backfills", backfill)
    except urllib.error.HTTPError as error:
        if (
            error.code != HTTPStatus.CONFLICT
        ):  # it is there since a try that was answered by an error
            raise
    assert home.api.ask("/api/v2/backfills?dag_id=applicants")["total_entries"] == 1
    wait_for_runs(home, "backfill", BACKFILLED)
    home.restart(AIRFLOW__CORE__DEFAULT_TIMEZONE="Asia/Shanghai")
    home.api.ask(RUNS, {"logical_date": None})
    wait_for_runs(home, "manual", 3)
    assert service.account.ledger.bill[ID_CARD] == sum(asked(service, ID_CARD).values()) == PEOPLE
    with sqlite3.connect(home.folder / "warehouse.sqlite") as connection:
        campaigns = connection.execute(
            "SELECT campaign, COUNT(*) FROM faceid_results WHERE status = 'answered' "
            "AND action = ? GROUP BY 1",
            (ID_CARD,),
        ).fetchall()
        planned = connection.execute(
            "SELECT COUNT(*), SUM(charged) FROM faceid_runs WHERE state = 'success' AND action = ?",
            (ID_CARD,),
        ).fetchone()
    connection.close()
    assert campaigns == [("applicants", PEOPLE)]
    assert planned[0] >= MISSED_DAYS + 2 + 2 + BACKFILLED + 1
    assert planned[1] == PEOPLE
