from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter

import pytest

from airflow_provider_faceid.api.codes import Step, look_up
from airflow_provider_faceid.simulator.people import FACE, ID_CARD, expects
from tests.integration.dags.conftest import ACTIONS, APPLICANTS, DAGS, PHOTOS

pytestmark = pytest.mark.long

EACH = pytest.mark.parametrize(("dag", "action"), ACTIONS.items())


def test_the_dags_import_without_errors(story):
    assert story.facts["errors"] == {}
    assert story.facts["dags"].keys() == ACTIONS.keys()


@EACH
def test_a_dag_is_documented_retried_and_says_what_it_made(story, dag, action):
    facts = story.facts["dags"][dag]
    assert facts["doc"].startswith("\n### Verify")
    assert set(facts["retries"].values()) == {2}
    assert len(facts["outlets"]) == 1


@pytest.mark.parametrize("file", sorted(DAGS.glob("*.py")), ids=lambda file: file.stem)
def test_a_dag_file_holds_no_secret_and_nobody(file):
    text = file.read_text()
    assert not re.search(r"password|secret|AKID|simulator-key", text, re.IGNORECASE)
    assert not re.search(r"\b[1-9]\d{16}[\dX]\b", text)


def test_all_dags_succeed_twice(story):
    assert [state[:2] for state in story.facts["states"]] == [
        [dag, "success"] for dag in ACTIONS
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
        elif look_up(action, code).step is Step.QUARANTINE:
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
        f"WHERE campaign = '{dag}' GROUP BY run_id ORDER BY MIN(started_at)"
    )
    charged = Counter(call["id_card"] for call in seen if call["charged"])
    succeeded = ("success", "success")
    assert runs == [(len(seen), charged.total(), *succeeded), (0, 0, *succeeded)]
    assert set(charged.values()) == {1}
    bad = {story.people[key].id_card for key in story.bad}
    assert action == FACE or not bad & {call["id_card"] for call in seen}


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
    assert dict(events) == dict.fromkeys(ACTIONS, 2)


def forms(story):
    """Return every way a planted identity could be written down."""
    for key, person in story.people.items():
        yield person.id_card
        yield person.id_card[1:17]
        yield person.name
        yield json.dumps(person.name)[1:-1]
        if key in story.photos:
            middle = len(story.photos[key]) // 2
            yield story.photos[key][middle : middle + 40]


def test_nobody_is_in_airflows_database_logs_or_output(story):
    kept = {"output": story.output}
    connection = sqlite3.connect(story.home / "airflow" / "airflow.db")
    connection.text_factory = lambda data: data.decode(errors="replace")
    for (table,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table'"
    ).fetchall():
        rows = connection.execute(f'SELECT * FROM "{table}"').fetchall()
        cells = [
            cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell)
            for row in rows
            for cell in row
        ]
        kept[table] = "\n".join(cells)
    connection.close()
    logs = [
        path
        for path in (story.home / "airflow").rglob("*")
        if path.is_file() and path.suffix != ".db"
    ]
    kept |= {str(path): path.read_bytes().decode(errors="replace") for path in logs}
    assert kept["xcom"]
    assert "rows_in" in kept["xcom"]
    assert "IdCardVerification" in kept["output"] + "".join(kept.values())
    found = [
        (place, len(form)) for form in forms(story) for place, text in kept.items() if form in text
    ]
    assert found == []


def test_nobody_is_in_the_tables_we_write(story):
    tables = ("faceid_results", "faceid_history", "faceid_quarantine", "faceid_runs")
    text = repr([story.query(f"SELECT * FROM {table}") for table in tables])
    assert [len(form) for form in forms(story) if form in text] == []
