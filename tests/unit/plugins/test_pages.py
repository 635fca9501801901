"""The pages show what is there, to whom Airflow permits it, as text; what cannot be read is said."""

from __future__ import annotations

import json
import sqlite3
import threading
from urllib.parse import quote

import pytest

from airflow_provider_faceid.plugins.pages import reading
from airflow_provider_faceid.state.schema import migrate
from airflow_provider_faceid.warehouse.overview import KEYS_SHOWN
from tests.support import auth_manager
from tests.unit.plugins.conftest import HOSTILE, ONE

RUN = "/run?conn=wh&dag_id={}&run_id={}&map_index=-1"
CAMPAIGN = "/campaign?conn=wh&name={}"
PAGES = ("/", RUN.format("open", "r1"), CAMPAIGN.format("c"))


@pytest.mark.parametrize("page", [*PAGES, "/report?dag_id=open&run_id=r1&task_id=t"])
def test_who_is_logged_out_sees_nothing(warehouse, visit, page):
    warehouse.run()
    answer = visit(page, role=None)
    assert answer.status_code == 401
    assert "Log in" in answer.text
    assert "r1" not in answer.text.replace(quote(page, safe=""), "")


def test_a_running_run_is_shown_with_its_progress(warehouse, visit):
    warehouse.run()
    warehouse.result("1")
    warehouse.result("2", outcome="mismatch")
    for page in PAGES:
        text = visit(page, "viewer").text
        assert "<strong>43</strong> of 100 rows" in text
        assert "11 s" in text  # 57 rows at 5 a second
        assert "mismatch <b>1</b>" in text
        assert 'data-live="5"' in text


def test_an_ended_run_keeps_no_page_busy(warehouse, visit):
    warehouse.run(state="success", finished_at="2026-11-29T10:00:00.000+00:00")
    for page in PAGES:
        assert "data-live" not in visit(page).text


def test_a_run_that_was_killed_is_called_silent(warehouse, visit):
    warehouse.run(updated_at="2026-11-29T08:00:00.000+00:00")
    text = visit(RUN.format("open", "r1")).text
    assert "silent since 2026-11-29 08:00:00" in text
    assert "No run is going on." in visit("/").text


def test_whoever_may_not_read_a_dag_sees_nothing_of_it(warehouse, visit, monkeypatch):
    monkeypatch.setenv(auth_manager.HIDDEN_DAGS, "secret")
    warehouse.run(campaign="ours")
    hidden = {"campaign": "theirs", "dag_id": "secret", "run_id": "hidden-run"}
    warehouse.run(**hidden)
    warehouse.result("hidden-key", **hidden, status="held", outcome="uncertain")
    warehouse.refused("hidden-key", **hidden, rule="hidden-rule")
    pages = ("/", RUN.format("secret", "hidden-run"), CAMPAIGN.format("theirs"))
    for page in pages:
        seen = visit(page, "admin")
        assert seen.status_code == 200
        assert "theirs" in seen.text
    assert "hidden-key" in visit(pages[2], "admin").text
    assert "hidden-rule" in visit("/", "admin").text
    for page, status in zip(pages, (200, 404, 404), strict=True):
        seen = visit(page, "viewer")
        assert seen.status_code == status
        for word in ("theirs", "hidden-run", "hidden-key", "hidden-rule", "secret"):
            assert word not in seen.text
    assert "ours" in visit("/", "viewer").text


def test_a_campaign_of_two_dags_is_for_whom_may_read_both(warehouse, visit, monkeypatch):
    monkeypatch.setenv(auth_manager.HIDDEN_DAGS, "secret")
    warehouse.run(campaign="shared", run_id="own-run")
    warehouse.refused("1", campaign="shared", dag_id="secret")
    assert visit(CAMPAIGN.format("shared"), "admin").status_code == 200
    assert visit(CAMPAIGN.format("shared"), "viewer").status_code == 404
    assert "own-run" in visit("/", "viewer").text
    assert "name=shared" not in visit(RUN.format("open", "own-run"), "viewer").text


def test_a_dag_airflow_does_not_list_is_nobodys(warehouse, visit):
    warehouse.run(dag_id="gone", campaign="of-gone")
    assert visit(RUN.format("gone", "r1"), "admin").status_code == 404
    assert "of-gone" not in visit("/", "admin").text


def test_keys_are_for_whom_may_read_what_tasks_hand_on(warehouse, visit, monkeypatch):
    monkeypatch.setenv(auth_manager.HIDDEN_KEYS, "open")
    warehouse.run()
    warehouse.refused("key-1", rule="the-rule")
    assert "key-1" in visit(CAMPAIGN.format("c"), "admin").text
    seen = visit(CAMPAIGN.format("c"), "viewer").text
    assert "key-1" not in seen
    assert "the-rule" in seen
    assert "keys are not shown" in seen


def test_hostile_names_are_text(warehouse, visit):
    hostile = {"campaign": HOSTILE, "run_id": HOSTILE, "dag_id": "open", "source": HOSTILE}
    warehouse.run(**hostile)
    warehouse.result(HOSTILE, **hostile, status="held", outcome=HOSTILE, code=HOSTILE)
    warehouse.result("2", **hostile, outcome=HOSTILE)
    del hostile["source"]
    warehouse.refused(HOSTILE, **hostile, rule=HOSTILE, stage=HOSTILE)
    name = quote(HOSTILE, safe="")
    for page in ("/", RUN.format("open", name), CAMPAIGN.format(name)):
        answer = visit(page)
        assert answer.status_code == 200
        assert "&lt;script&gt;alert" in answer.text
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text
        assert str(7777 * 7777) not in answer.text
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
    missing = visit(f"/run?conn={name}&dag_id=open&run_id=x")
    assert "<script>alert" not in missing.text


def test_a_warehouse_that_is_not_configured_is_not_opened(warehouse, visit, monkeypatch, tmp_path):
    other = tmp_path / "other.sqlite"
    monkeypatch.setenv(
        "AIRFLOW_CONN_OTHER", json.dumps({"conn_type": "sqlite", "host": str(other)})
    )
    answer = visit("/run?conn=other&dag_id=open&run_id=r1")
    assert answer.status_code == 404
    assert "not among [faceid] pages_warehouses" in answer.text
    assert not other.exists()


def test_a_file_that_is_not_there_is_said_and_not_made(warehouse, visit, monkeypatch, tmp_path):
    other = tmp_path / "other.sqlite"
    monkeypatch.setenv(
        "AIRFLOW_CONN_OTHER", json.dumps({"conn_type": "sqlite", "host": str(other)})
    )
    monkeypatch.setenv("AIRFLOW__FACEID__PAGES_WAREHOUSES", "wh, other, missing")
    warehouse.run()
    text = visit("/").text
    assert "other cannot be read" in text
    assert "is not there yet" in text
    assert "missing cannot be read" in text
    assert "<strong>43</strong> of 100 rows" in text
    assert not other.exists()
    assert not (tmp_path / "faceid_state.sqlite").exists()
    assert "There is no faceid_state.sqlite" in text


def test_a_database_that_hangs_costs_a_message(warehouse, visit, monkeypatch):
    go_on = threading.Event()

    def hang(_):
        go_on.wait(60)
        raise ConnectionError

    monkeypatch.setattr(reading, "WAIT_SECONDS", 0.1)
    visit.app.state.reader._database = hang
    try:
        text = visit("/").text
    finally:
        go_on.set()
    assert "has not answered within 0.1 s" in text


def test_other_table_names_are_configured_as_json(warehouse, visit, monkeypatch):
    said = [{"conn_id": "wh", "run_table": "my_runs"}]
    monkeypatch.setenv("AIRFLOW__FACEID__PAGES_WAREHOUSES", json.dumps(said))
    assert "There is no table &#39;my_runs&#39;" in visit("/").text
    for wrong in ('[{"conn": "wh"}]', "[1]", '["wh"', '[{"run_table": "x"}]'):
        monkeypatch.setenv("AIRFLOW__FACEID__PAGES_WAREHOUSES", wrong)
        answer = visit("/")
        assert answer.status_code == 503
        assert "[faceid] pages_warehouses" in answer.text


def test_without_a_configuration_the_page_says_what_to_configure(visit, monkeypatch):
    monkeypatch.delenv("AIRFLOW__FACEID__PAGES_WAREHOUSES", raising=False)
    assert "pages_warehouses = my_warehouse" in visit("/").text


def test_the_quota_in_use_is_that_of_the_state_store(warehouse, visit, tmp_path):
    store = sqlite3.connect(tmp_path / "faceid_state.sqlite", isolation_level=None)
    migrate(store.cursor(), is_sqlite=True)
    now = reading.SYSTEM_CLOCK.now()
    # As of an hour from now: nothing changes with the time the test takes.
    row = (f"faceid.example 0123456789abcdef {ONE}", now + 3600, 0.5, now + 3600)
    store.execute("INSERT INTO faceid_pace VALUES (?, ?, ?, ?, NULL)", row)
    store.close()
    warehouse.run()
    text = visit("/").text
    assert "faceid.example · account 012345" in text
    assert "in use</span> by 1 run" in text
    assert "50.0 % of the pace is in use" in text  # 5 of the 10 calls a second of the plan
    assert "50.0 % of the pace</span> since" in text


def test_a_pause_is_shown_with_who_and_why(warehouse, visit, tmp_path):
    store = sqlite3.connect(tmp_path / "faceid_state.sqlite", isolation_level=None)
    migrate(store.cursor(), is_sqlite=True)
    account = "faceid.example 0123456789abcdef"
    store.execute("INSERT INTO faceid_pace VALUES (?, 0, 1, 0, NULL)", (f"{account} {ONE}",))
    pause = "INSERT INTO faceid_pauses VALUES (?, ?, 'ann@host', ?, NULL, NULL)"
    store.execute(pause, (f"{account} {ONE}", 1_700_000_000, "the <bill> is wrong"))
    store.execute(pause, ("elsewhere 99 *", 1_700_000_000, "maintenance"))
    store.close()
    warehouse.run()
    text = visit("/").text
    assert text.count("paused</span> by ann@host since") == 2
    assert "the &lt;bill&gt; is wrong" in text
    assert "all Actions" in text


def test_no_more_keys_than_a_page_holds(warehouse, visit):
    warehouse.run()
    for key in range(KEYS_SHOWN + 1):
        warehouse.refused(f"key-{key}")
    text = visit(CAMPAIGN.format("c")).text
    assert text.count("<code>key-") == KEYS_SHOWN
    assert f"The newest {KEYS_SHOWN} of each kind" in text


def test_reading_writes_nothing(warehouse, visit, tmp_path):
    warehouse.run()
    before = (tmp_path / "warehouse.sqlite").read_bytes()
    for page in PAGES:
        assert visit(page).status_code == 200
    assert (tmp_path / "warehouse.sqlite").read_bytes() == before


def test_style_and_script_are_ours_and_need_no_login(visit):
    assert "--ground" in visit("/style.css", role=None).text
    assert "DOMParser" in visit("/live.js", role=None).text
    assert visit("/../view.py", role=None).status_code == 404
    assert visit("/nothing", role=None).status_code == 404
    for page in ("/docs", "/openapi.json", "/redoc"):
        assert visit(page).status_code == 404


def test_a_fault_of_ours_is_a_page(warehouse, visit, monkeypatch):
    def fail(*_):
        raise RuntimeError("someone's name")

    monkeypatch.setattr(type(visit.app.state.reader), "seen", fail)
    answer = visit("/")
    assert answer.status_code == 500
    assert "RuntimeError" in answer.text
    assert "someone" not in answer.text
