"""Every example DAG and much trouble, then a search of all that was written: nobody is in it."""

from __future__ import annotations

import base64
import json
from collections import Counter

import pytest

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.messages import MALFORMED
from airflow_provider_faceid.simulator.people import FACE, ID_CARD
from tests.pii_scan.conftest import ASKED, HELD, IN_FLIGHT
from tests.support.airflow_home import DAGS, LINEAGE
from tests.support.marked_people import APPLICANTS, BAD, BAD_OTHERWISE
from tests.support.openlineage_schemas import faults

pytestmark = pytest.mark.long

SUCCESS, FAILED, NOT_REACHED = {"success"}, {"failed"}, {"upstream_failed"}
OTHERS = [name for name in ACTIONS if name not in {ID_CARD, FACE}]
VALIDATED = ("PhoneVerification", "BankCard4EVerification", "CheckIdNameDate")
VERIFIED = dict.fromkeys(("validate", "verify", "check_results", "summarise"), SUCCESS)
TASKS = {
    "crash": VERIFIED,
    "fatal": {
        "validate": SUCCESS,
        "verify": FAILED,
        "check_results": NOT_REACHED,
        "summarise": NOT_REACHED,
    },
    "retries": VERIFIED | {"plan": SUCCESS},
    "faces": VERIFIED,
    "one person": {
        **dict.fromkeys(("by_reference", "by_face", "uses_the_hook", "release"), SUCCESS),
        **dict.fromkeys(("of_nobody", "of_a_bad_row"), FAILED),
        **dict.fromkeys(("echoed_error", "echoed_page", "echoed_table"), FAILED),
        "tomorrow": {"up_for_reschedule"},
    },
    "family": {
        **dict.fromkeys(("uses_the_hook", "echoed_numbers"), SUCCESS),
        **{f"validate_{name}": SUCCESS for name in VALIDATED},
        **{f"{kind}_{name}": SUCCESS for name in OTHERS for kind in ("table", "single")},
        **dict.fromkeys(("of_a_short_phone", "of_turned_dates", "not_encrypted_so"), FAILED),
        **dict.fromkeys(("echoed_page", "echoed_table"), FAILED),
    },
    "in a row": dict.fromkeys(
        ("validate", "id_card", "phone", "bank_card", "face", "funnel", "report"), SUCCESS
    ),
    "pipeline": dict.fromkeys(
        ("validate", "plan", "verify", "check_results", "views", "export", "report"), SUCCESS
    ),
    "report": dict.fromkeys(("views", "report"), SUCCESS),
    "files": dict.fromkeys(("validate", "verify", "check_results"), SUCCESS),
    "by eight": dict.fromkeys(("validate", "verify"), SUCCESS),
}
"""States of all task instances, by run and task."""


@pytest.mark.parametrize(("run", "tasks"), TASKS.items(), ids=TASKS)
def test_tasks_end_as_they_should(story, run, tasks):
    assert story.tasks[run] == tasks


def test_every_example_dag_is_run(story):
    """That of reviews waits for people: integration/airflow/test_review.py gives their answers."""
    run = {run.dag_id for run in story.runs.values()}
    assert run >= {file.stem for file in DAGS["examples"].glob("*.py")} - {"review"}


def test_a_killed_task_had_calls_in_flight_and_its_retry_did_the_rest(story):
    late = [call for call in story.calls if call["fault"] == "delay"]
    assert len(late) == IN_FLIGHT <= story.held < APPLICANTS / 2
    assert not any(call["answered"] for call in late)
    assert story.tries["crash"]["verify"] == 2


def test_a_fatal_error_is_not_retried(story):
    refused = [c["action"] for c in story.calls if c["error"] == "UnauthorizedOperation.Arrears"]
    assert refused == [FACE]
    assert story.tries["fatal"]["verify"] == 1


def test_shards_are_retried_when_the_service_was_away(story):
    away = {call["action"] for call in story.calls if call["fault"] == "status"}
    assert away == {ID_CARD, "PhoneVerification"}
    assert story.tries["retries"]["verify"] > 1


def test_rows_are_answered_quarantined_postponed_and_released(story):
    results = Counter(s for (s,) in story.query("SELECT status FROM faceid_results"))
    assert results["answered"] > 90
    assert results["postponed"] > IN_FLIGHT
    held = {*story.query("SELECT action, source_key FROM faceid_results WHERE status = 'held'")}
    assert held == {("BankCardVerification", f"{HELD}")}  # all others were released
    rules = {rule for (rule,) in story.query("SELECT rule FROM faceid_quarantine")}
    assert rules > {*BAD.values(), *BAD_OTHERWISE.values()} - {"bank_card_luhn"}
    assert any(rule.startswith("service:") for rule in rules)


def test_people_were_said_back_in_errors_in_pages_and_in_results(story):
    number = story.source.people[33].id_card.encode()
    photo = base64.b64encode(story.source.markers["photo 13"])
    assert any(number in body for body in story.echoed)
    assert any(photo in body for body in story.echoed)
    more = story.source.people[ASKED].columns()
    assert any(f": {more['phone']}".encode() in body for body in story.echoed)  # no text, a number
    assert any(f": {more['bank_card']}".encode() in body for body in story.echoed)
    assert sum(call["result"] == "FailedOperation.Unheard" for call in story.calls) == 2


@pytest.mark.parametrize("action", OTHERS)
def test_every_action_was_asked_about_a_table_and_one_by_one(story, action):
    called = [call for call in story.calls if call["action"] == action]
    assert len(called) > APPLICANTS / 2
    assert sum(call["charged"] for call in called) > APPLICANTS / 4


def test_numbers_were_said_back_in_outputs_and_none_was_kept(story):
    outputs = ", ".join(output.column for action in ACTIONS.values() for output in action.outputs)
    kept = story.query(
        f"SELECT {outputs} FROM faceid_results WHERE campaign = 'family' "
        f"AND source_key IN ('{ASKED}', '{ASKED + 1}')"
    )
    values = [value for row in kept for value in row if value is not None]
    assert values
    assert set(values) == {MALFORMED}


def test_a_number_leaves_its_hash_and_its_mask(story):
    for row_key, mask in story.query(
        "SELECT source_key, phone_masked FROM faceid_results WHERE phone_masked IS NOT NULL"
    ):
        phone = story.source.people[int(row_key)].columns()["phone"]
        assert mask == f"{phone[:3]}****{phone[-4:]}"
    for _, mask in story.query(
        "SELECT source_key, bank_card_masked FROM faceid_results WHERE bank_card_masked IS NOT NULL"
    ):
        assert mask.startswith("****")
        assert len(mask) == len("****4242")
    ((phones, cards),) = story.query(
        "SELECT COUNT(DISTINCT phone_hash), COUNT(DISTINCT bank_card_hash) FROM faceid_results"
    )
    assert min(phones, cards) > APPLICANTS / 2


def test_a_card_that_fails_luhn_was_asked_about(story):
    ((key,),) = [[key] for key, rule in BAD_OTHERWISE.items() if rule == "bank_card_luhn"]
    (status,) = {
        status
        for (status,) in story.query(
            f"SELECT status FROM faceid_results WHERE source_key = '{key}' AND campaign = 'family' "
            "AND action = 'CheckBankCardInformation'"
        )
    }
    assert status == "answered"


def test_nobody_is_anywhere_but_in_the_source(story):
    assert len(story.source.markers) == 155 + 4 * APPLICANTS + 5
    pii_scan = story.search(story.source.markers)
    assert pii_scan.hits == []
    assert pii_scan.searched.missed == []


def test_lineage_tells_of_every_task_that_ran(story):
    lines = (story.folder / LINEAGE).read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert {event["job"]["name"]: [*faults(event)] for event in events if [*faults(event)]} == {}
    jobs = {event["job"]["name"] for event in events}
    for name, run in story.runs.items():
        ran = {task for task, states in story.tasks[name].items() if states != NOT_REACHED}
        assert jobs >= {f"{run.dag_id}.{task}" for task in ran}


def test_no_secret_of_the_connection_is_anywhere(story):
    assert story.search(story.secrets).hits == []


def test_the_search_looks_at_everything(story):
    searched = story.search(story.source.markers).searched
    assert searched.tables > 60
    assert searched.rows > 500
    assert searched.files > 40
    assert searched.bytes > 5_000_000


def test_what_may_be_known_is_found_wherever_it_is(story):
    number = story.source.people[5].id_card
    requests = [c["request_id"] for c in story.calls if c["id_card"] == number]
    known = {"campaign": "verify_id_cards", "source": "applicants"}
    known |= {f"request {n}": request for n, request in enumerate(requests)}
    hits = story.search(known).hits
    places = {
        (hit.marker.partition(" ")[0], hit.place.removeprefix(f"{story.folder}/")) for hit in hits
    }
    assert places >= {
        ("request", "warehouse.sqlite:faceid_results.request_id"),
        ("request", "faceid_state.sqlite:faceid_calls.answer"),
        ("request", "airflow.db:xcom.value"),
        ("request", "scheduler.log"),
        ("campaign", "warehouse.sqlite:faceid_runs.campaign"),
        ("campaign", "warehouse.sqlite:faceid_quarantine.campaign"),
        ("campaign", "airflow.db:xcom.value"),
        ("campaign", "airflow.db:asset_event.extra"),
        ("campaign", "airflow.db:dag_run.conf"),
        ("campaign", "airflow.db:log.extra"),
        ("campaign", "scheduler.log"),
        ("campaign", "airflow/airflow.db"),
        ("campaign", "airflow/faceid_reports/rolling_report.html"),
        ("campaign", "airflow/faceid_reports/rolling_report.json"),
        ("source", "airflow.db:rendered_task_instance_fields.rendered_fields"),
        ("source", "airflow.db:serialized_dag.data"),
        ("source", "airflow.db:dag_code.source_code"),
    }
    state = {"task": "/verify/-1"}  # of the ledger's owners
    assert {hit.place.rpartition("/")[2] for hit in story.search(state).hits} >= {
        "faceid_state.sqlite",
        "faceid_state.sqlite:faceid_calls.owner",
        "faceid_state.sqlite:faceid_tries.owner",
    }


def test_every_task_that_ran_and_every_part_has_a_log_at_the_level_debug(story):
    logs = story.folder / "airflow" / "logs"
    for name, run in story.runs.items():
        for task_id, states in story.tasks[name].items():
            files = list(
                logs.glob(f"dag_id={run.dag_id}/run_id={run.run_id}/task_id={task_id}/**/*.log")
            )
            assert bool(files) is (states != {"upstream_failed"}), (name, task_id)
    (log, *_) = logs.glob("dag_id=verify_id_cards/*/task_id=verify/attempt=2.log")
    assert '"level":"debug"' in log.read_text()
    for part in ("api-server", "scheduler", "dag-processor", "migration"):
        assert (story.folder / f"{part}.log").stat().st_size > 0
