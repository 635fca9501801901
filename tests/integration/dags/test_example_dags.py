from __future__ import annotations

import base64
import json
import re
import sqlite3
from collections import Counter
from itertools import pairwise

import pytest

from airflow_provider_faceid.api.actions import code_row
from airflow_provider_faceid.api.codes import Step
from airflow_provider_faceid.pii_scan import PiiScan
from airflow_provider_faceid.simulator.people import FACE, ID_CARD, expects
from tests.integration.dags.conftest import (
    ACTIONS,
    ANSWERED_BY_PEOPLE,
    APPLICANTS,
    DAG_IDS,
    DAGS,
    IN_A_ROW,
    PHOTOS,
    ROLLING,
)

pytestmark = pytest.mark.long

EACH = pytest.mark.parametrize(("dag", "action"), ACTIONS.items())


def test_the_dags_import_without_errors(story):
    assert story.facts["errors"] == {}
    assert story.facts["dags"].keys() == set(DAG_IDS) | ANSWERED_BY_PEOPLE


@pytest.mark.parametrize("dag", DAG_IDS)
def test_a_dag_is_documented_retried_and_says_what_it_made(story, dag):
    facts = story.facts["dags"][dag]
    assert facts["doc"].startswith("\n### Report" if dag == ROLLING else "\n### Verify")
    assert set(facts["retries"].values()) == {2}
    assert len(facts["outlets"]) == 1


@pytest.mark.parametrize("file", sorted(DAGS.glob("*.py")), ids=lambda file: file.stem)
def test_a_dag_file_holds_no_secret_and_nobody(file):
    text = file.read_text()
    assert not re.search(r"password|secret|AKID|simulator-key", text, re.IGNORECASE)
    assert not re.search(r"\b[1-9]\d{16}[\dX]\b", text)


def test_all_dags_succeed_twice(story):
    assert [state[:2] for state in story.facts["states"]] == [
        [dag, "success"] for dag in DAG_IDS
    ] * 2


@EACH
def test_every_row_is_in_the_place_the_service_says(story, dag, action):
    answered = dict(
        story.query(
            f"SELECT CAST(source_key AS INTEGER), code FROM faceid_results WHERE campaign = '{dag}'"
        )
    )
    bad = dict(
        story.query(
            "SELECT CAST(source_key AS INTEGER), rule FROM faceid_quarantine "
            f"WHERE campaign = '{dag}'"
        )
    )
    rows = range(1, (PHOTOS if action == FACE else APPLICANTS) + 1)
    assert sorted([*answered, *bad]) == list(rows)
    for key in rows:
        code = expects(story.people[key])[action]
        if action == ID_CARD and key in story.bad:
            assert bad[key] == story.bad[key]
        elif code_row(action, code).step is Step.QUARANTINE:
            assert bad[key] == f"service:{code}"
        else:
            assert answered[key] == code


@EACH
def test_the_counts_are_the_services_own_and_a_rerun_calls_nobody(story, dag, action):
    """The runs' own numbers against the ledger of the service."""
    seen, again = story.calls_of(dag)
    assert {call["action"] for call in seen} == {action}
    assert again == []
    runs = story.query(
        "SELECT SUM(calls), SUM(charged), MIN(state), MAX(state) FROM faceid_runs "
        f"WHERE campaign = '{dag}' AND state <> 'planned' GROUP BY run_id ORDER BY MIN(started_at)"
    )
    charged = Counter(call["id_card"] for call in seen if call["charged"])
    succeeded = ("success", "success")
    assert runs == [(len(seen), charged.total(), *succeeded), (0, 0, *succeeded)]
    assert set(charged.values()) == {1}
    bad = {story.people[key].id_card for key in story.bad}
    assert action == FACE or not bad & {call["id_card"] for call in seen}


def test_checks_in_a_row_are_asked_about_matches_only_and_a_rerun_calls_nobody(story):
    seen, again = story.calls_of(IN_A_ROW)
    assert again == []
    keys = {person.id_card: key for key, person in story.people.items()}
    called: dict[str, set[int]] = {}
    for call in seen:
        called.setdefault(call["action"], set()).add(keys[call["id_card"]])
    steps = list(called)
    assert len(steps) == 4
    assert called[steps[0]] == story.people.keys() - story.bad.keys()
    for step, following in pairwise(steps):
        codes = {key: expects(story.people[key])[step] for key in called[step]}
        matches = {key for key, code in codes.items() if code_row(step, code).outcome == "match"}
        without_photo = set(range(PHOTOS + 1, APPLICANTS + 1)) if following == FACE else set()
        assert called[following] == matches - without_photo


def test_mapped_tasks_verify_a_quarter_each_and_say_which(story):
    ran = (
        "SELECT map_index, rows_in FROM faceid_runs WHERE campaign = 'verify_in_shards' ORDER BY 1"
    )
    assert story.query(ran) == [(shard, APPLICANTS // 4) for shard in range(4) for _ in "ab"]
    others = "SELECT DISTINCT map_index FROM faceid_runs WHERE campaign <> 'verify_in_shards'"
    assert story.query(others) == [(-1,)]


def test_a_run_tells_of_its_results_once_however_many_shards_it_had(story):
    connection = sqlite3.connect(story.home / "airflow" / "airflow.db")
    events = connection.execute(
        "SELECT source_dag_id, COUNT(*) FROM asset_event GROUP BY source_dag_id"
    ).fetchall()
    connection.close()
    assert dict(events) == dict.fromkeys(DAG_IDS, 2)


@pytest.mark.parametrize("name", ["full_pipeline", IN_A_ROW, ROLLING])
def test_a_report_ends_it_whose_parts_sum_to_the_rows_in(story, name):
    file = story.home / "airflow" / "faceid_reports" / f"{name}.json"
    numbers = json.loads(file.read_text(encoding="utf-8"))
    campaigns = set(DAG_IDS) - {ROLLING} if name == ROLLING else {name}
    assert {row["campaign"] for row in numbers["rows"]} == campaigns
    parts = ("answers", "answered_before", "quarantined", "postponed", "held", "left")
    for row in numbers["rows"]:
        assert sum(row[part] for part in parts) == row["rows_in"] > 0
    assert numbers["kind"] == ("days" if name == ROLLING else "run")
    assert "</html>" in file.with_suffix(".html").read_text(encoding="utf-8")
    if name == ROLLING:
        assert numbers["headline"]["requests"] == len(story.calls)
        assert all(line["currency"] == "USD" for line in numbers["money"]["totals"])


def scan_for(story) -> PiiScan:
    """Return a search for every planted identity."""
    markers = {}
    for key, person in story.people.items():
        markers |= {f"name {key}": person.name, f"number {key}": person.id_card}
        values = person.columns()
        markers |= {f"phone {key}": values["phone"], f"card {key}": values["bank_card"]}
        if key in story.photos:
            markers[f"photo {key}"] = base64.b64decode(story.photos[key])
    return PiiScan(markers)


def search(story, scan: PiiScan) -> set[str]:
    """Search Airflow's database, logs and output, and return the places of hits."""
    airflow = story.home / "airflow"
    scan.search_text("output", story.output)
    scan.search_database(f"sqlite:///{airflow / 'airflow.db'}")
    scan.search_folder(airflow)
    assert scan.searched.missed == []
    return {hit.place for hit in scan.hits}


def test_no_identity_is_in_airflows_database_logs_or_output(story):
    assert search(story, scan_for(story)) == set()
    known = PiiScan({"count": "rows_in", "action": "IdCardVerification"})
    assert search(story, known) >= {"airflow.db:xcom.value", "output"}


def test_no_identity_is_in_the_tables_we_write(story):
    tables = ("faceid_results", "faceid_history", "faceid_quarantine", "faceid_runs")
    scan = scan_for(story)
    for table in tables:
        scan.search_text(table, repr(story.query(f"SELECT * FROM {table}")))
    assert scan.hits == []
