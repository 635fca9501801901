"""``airflow faceid status``: quota, calls without an answer, runs, what waits, and what cannot be read."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import make_url

from airflow_provider_faceid.clock import SYSTEM_CLOCK, utc_text
from airflow_provider_faceid.simulator.people import ID_CARD
from airflow_provider_faceid.state.call_table import Claim
from airflow_provider_faceid.state.ledger import Ledger
from airflow_provider_faceid.state.store import StateStore
from tests.integration.state.conftest import postgres_url

__all__ = ["postgres_url"]

WAREHOUSE = ("status", "--warehouse-conn-id", "warehouse")
OWNER = "dag/manual__1/task/-1"


def test_a_machine_without_calls_says_so(bench, run, monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__FACEID__STATE_CONN_ID", "")
    done = run("status")
    assert done.code == 1
    assert done.out.startswith("State store: default\nIt cannot be read\n")
    assert "There is no faceid_state.sqlite in AIRFLOW_HOME of this host" in done.err
    assert not list(tmp_path.glob("*.sqlite"))


def test_calls_in_doubt_and_rows_that_wait_are_shown(held, run):
    data = run(*WAREHOUSE, "--faceid-conn-id", "faceid_default", "--output", "json").data
    ((action,), (calls,), (warehouse,)) = data["actions"], data["open_calls"], data["warehouses"]
    assert (action["action"], action["quota"], action["paused"]) == (ID_CARD, 2000, False)
    assert action["last_call_at"]
    assert (calls["owner"], calls["in_doubt"], calls["in_flight"]) == (OWNER, 3, 0)
    assert warehouse["running"] == []
    (waiting,) = warehouse["waiting"]
    assert (waiting["status"], waiting["waiting"]) == ("held", 3)
    assert data["problems"] == []
    text = run(*WAREHOUSE).out
    assert (
        "Calls without an answer: 0 in flight, 0 left by an attempt that is gone, 3 in doubt"
        in text
    )
    assert "Nothing runs" in text


def test_only_the_account_of_the_connection_is_shown(held, run):
    held.connect("other", conn_type="faceid", host=held.server.url, login="b", password="b" * 16)
    data = run("status", "--faceid-conn-id", "other", "--output", "json").data
    assert data["actions"] == []
    assert len(run("status", "--output", "json").data["actions"]) == 1


def test_a_run_shows_its_progress_and_the_time_left(held, run):
    now = SYSTEM_CLOCK.now()
    common = {"updated_at": utc_text(now), "started_at": utc_text(now - 60), "state": "running"}
    counts = {"rows_in": 1000, "answered": 250, "held": 10, "calls_per_second": 20.0}
    columns = {**common, **counts, "planned_calls": 1000, "planned_seconds": 50.0}
    held.query(
        "INSERT INTO faceid_runs (campaign, action, run_id, map_index, dag_id, provider_version, "
        f"{', '.join(columns)}) VALUES ('big\x1b[2J', '{ID_CARD}', 'now', -1, 'dag', '1', "
        f"{', '.join(repr(value) for value in columns.values())})"
    )
    held.query(
        "INSERT INTO faceid_runs (campaign, action, run_id, map_index, dag_id, provider_version, "
        "rows_in, state, started_at, updated_at) VALUES ('dead', 'MobileStatus', 'then', -1, 'dag', '1', "
        "5, 'running', '2020-01-01T00:00:00.000Z', '2020-01-01T00:00:00.000Z')"
    )
    data = run(*WAREHOUSE, "--output", "json").data
    live, dead = data["warehouses"][0]["running"]
    assert (live["done"], live["seconds_left"], live["is_silent"]) == (260, 37, False)
    assert (dead["done"], dead["seconds_left"], dead["is_silent"]) == (0, None, True)
    assert (data["actions"][0]["calls_per_second"], data["actions"][0]["runs"]) == (20.0, 1)
    text = run(*WAREHOUSE).out
    assert "\x1b" not in text
    assert "37 s" in text
    assert "silent" in text


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_calls_in_flight_are_told_from_those_left_behind(bench, run, kind, request):
    path = bench.warehouse.with_name("state.sqlite")
    url = f"sqlite:///{path}"
    if kind == "postgresql":
        url = request.getfixturevalue("postgres_url")
        parts = make_url(url)
        bench.connect(
            "state",
            conn_type="postgres",
            host=parts.query["host"],
            login=parts.username,
            schema=parts.database,
            extra={"options": parts.query["options"]},
        )
    store = StateStore(url)
    now = SYSTEM_CLOCK.now()
    for owner, count in (("alive", 2), ("gone", 3)):
        ledger = Ledger(store, owner)
        ledger.begin(now)
        ledger.step([], [Claim(f"{owner}{n}".ljust(40, "0"), f"row {n}") for n in range(count)])
    with store.transaction() as cursor:
        cursor.execute("UPDATE faceid_tries SET seen_at = seen_at - 600 WHERE owner = 'gone'")
        cursor.execute("COMMIT")
        cursor.execute("BEGIN")
    store.close()
    done = run("status", "--output", "json")
    assert (done.code, done.err) == (0, "")
    found = {one["owner"]: one for one in done.data["open_calls"]}
    assert (found["alive"]["in_flight"], found["alive"]["left_behind"]) == (2, 0)
    assert (found["gone"]["in_flight"], found["gone"]["left_behind"]) == (0, 3)


def test_what_cannot_be_read_is_said_beside_the_rest(held, run):
    nowhere = {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "a", "schema": "b"}
    held.connect("away", **nowhere)
    done = run(*WAREHOUSE, "--warehouse-conn-id", "away", "--state-conn-id", "away")
    assert done.code == 1
    assert done.err.count("faceid status: ") == 2
    assert done.err.count("away") >= 2
    assert "Traceback" not in done.err
    assert "held" in done.out


def test_configured_warehouses_are_shown_if_none_is_named(held, run, monkeypatch):
    named = [{"conn_id": "warehouse", "run_table": "faceid_runs"}]
    monkeypatch.setenv("AIRFLOW__FACEID__PAGES_WAREHOUSES", json.dumps(named))
    (shown,) = run("status", "--output", "json").data["warehouses"]
    assert shown["warehouse_conn_id"] == "warehouse"
    assert shown["waiting"]


def test_nothing_is_written(held, run):
    def everything() -> list[list[str]]:
        files = held.warehouse, held.warehouse.with_name("state.sqlite")
        dumps = []
        for file in files:
            with closing(sqlite3.connect(file)) as connection:
                dumps.append(list(connection.iterdump()))
        return dumps

    before = everything()
    assert run(*WAREHOUSE).code == 0
    assert everything() == before


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--faceid-conn-id", "no_such"), "The conn_id `no_such` isn't defined"),
        (("--faceid-conn-id", "broken"), "unknown"),
        (("--state-conn-id", "faceid_default"), "is of type 'faceid'"),
        (("--state-conn-id", "warehouse"), "faceid_pace"),
        (("--warehouse-conn-id", "no_such"), "The conn_id `no_such` isn't defined"),
        (("--warehouse-conn-id", "faceid_default"), "is of type 'faceid'"),
        (("--warehouse-conn-id", "elsewhere"), "is not there yet, or not on this host"),
        (("--warehouse-conn-id", "warehouse", "--run-table", "no such"), "no such"),
        (("--warehouse-conn-id", "a\x1b[2J\nb"), "a\\x1b[2J"),
    ],
)
def test_what_is_wrong_is_named_in_a_sentence(held, run, tmp_path, more, said):
    held.connect("broken", conn_type="faceid", login="id", password="key", extra={"tmieout": 3})
    held.connect("elsewhere", conn_type="sqlite", host=str(tmp_path / "not-made.sqlite"))
    done = run("status", *more)
    assert done.code == 1
    assert said in done.err
    assert "Traceback" not in done.err
    assert "\x1b" not in done.err + done.out
    assert not (tmp_path / "not-made.sqlite").exists()


def test_a_pause_shows_with_who_and_why(held, run):
    assert run("pause", ID_CARD, "--reason", "the vendor\x1b[2J asks").code == 0
    data = run("status", "--faceid-conn-id", "faceid_default", "--output", "json").data
    assert data["actions"][0]["paused"] is True
    (pause,) = data["pauses"]
    assert (pause["action"], pause["paused_by"] != "") == (ID_CARD, True)
    text = run("status").out
    assert f"{ID_CARD} of account {pause['account']} was paused by {pause['paused_by']}" in text
    assert "\x1b" not in text
    assert run("resume", ID_CARD).code == 0
    data = run("status", "--output", "json").data
    assert (data["actions"][0]["paused"], data["pauses"]) == (False, [])
