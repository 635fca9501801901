"""Checks in a row: each operator reads the rows with an earlier verdict, and no other."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_faceid.api.actions import code_row
from airflow_provider_faceid.api.codes import Step
from airflow_provider_faceid.operators.funnel import FaceIdFunnelOperator
from airflow_provider_faceid.operators.shards import FaceIdShardsOperator
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify_batch import (
    IdCardVerificationBatchOperator,
    PhoneVerificationBatchOperator,
)
from airflow_provider_faceid.simulator.people import ID_CARD
from tests.integration.operators.conftest import TaskInstance, make_context

PHONE = "PhoneVerification"
PEOPLE = 12
MISMATCHES = {3, 7}


@pytest.fixture
def table(bench):
    """Twelve people with phones; two are under somebody else's name."""
    people = bench.ordinary[:PEOPLE]
    bench.fill([(n, p.id_card, p.name) for n, p in enumerate(people)])
    bench.query("ALTER TABLE people ADD COLUMN phone TEXT")
    for key, person in enumerate(people):
        bench.query(
            f"UPDATE people SET phone = '{person.columns()['phone']}' WHERE id = {key}",
        )
    for key in MISMATCHES:
        bench.query(f"UPDATE people SET name = '{another_name(people, key)}' WHERE id = {key}")
    return bench


def another_name(people, key):
    return next(p.name for p in people if p.name not in people[key].known_as)


@pytest.fixture(params=["warehouse", "another database"])
def parameters(request, bench):
    """Return the connections: source and warehouse in one database, or in two."""
    where = "warehouse"
    if request.param != where:
        where = "results"
        bench.connect(where, conn_type="sqlite", host=str(bench.warehouse.with_name("results.db")))
    return {"source_conn_id": "warehouse", "source": "people", "warehouse_conn_id": where}


def first(parameters, **more):
    return IdCardVerificationBatchOperator(task_id="first", **parameters | more).execute(
        make_context()
    )


def second(parameters, number=-1, **more):
    operator = PhoneVerificationBatchOperator(
        task_id="second", **{"after": ID_CARD} | parameters | more
    )
    return operator.execute(make_context(ti=TaskInstance(number)))


def called(bench, action=PHONE):
    """Return how often each row was asked about."""
    keys = {person.id_card: key for key, person in enumerate(bench.ordinary)}
    calls = bench.server.account.ledger.rows()
    return Counter(keys[call["id_card"]] for call in calls if call["action"] == action)


MATCHES = dict.fromkeys(set(range(PEOPLE)) - MISMATCHES, 1)


def test_the_next_check_is_asked_about_the_matches_once(table, parameters):
    first(parameters)
    manifest = second(parameters)
    assert (manifest["rows_in"], manifest["calls"]) == (len(MATCHES), len(MATCHES))
    assert called(table) == MATCHES
    assert second(parameters)["calls"] == first(parameters)["calls"] == 0
    assert second(parameters, dry_run=True)["rows_in"] == len(MATCHES)


def test_while_nothing_was_verified_the_next_check_has_no_rows(table, parameters):
    manifest = second(parameters)
    assert (manifest["rows_in"], manifest["calls"], manifest["success"]) == (0, 0, True)
    with pytest.raises(AirflowFailException, match=f"0 rows with a current verdict of .*{ID_CARD}"):
        second(parameters, min_rows=1)
    assert table.calls == 0


def test_shards_are_cut_from_the_matches_and_verified_once(table, parameters):
    context = make_context()
    plan = FaceIdShardsOperator(task_id="plan", shards=3, after=ID_CARD, **parameters)
    assert plan.execute(context) == [{"after": None, "until": None}]
    first(parameters)
    shards = plan.execute(context)
    assert len(shards) == 3
    rows = [second(parameters, n, shard=shard)["rows_in"] for n, shard in enumerate(shards)]
    assert (sum(rows), max(rows) - min(rows)) == (len(MATCHES), 1)
    assert called(table) == MATCHES


def test_the_validation_checks_the_rows_with_a_verdict(table, parameters, great_expectations):
    del great_expectations
    first(parameters)
    table.query("UPDATE people SET phone = '123' WHERE id IN (2, 3)")  # 3 is no match
    operator = FaceIdValidateOperator(
        task_id="validate", action=PHONE, after=ID_CARD, max_bad_fraction=0.5, **parameters
    )
    report = operator.execute(make_context())
    assert (report["rows"], report["quarantined_rows"]) == (len(MATCHES), 1)
    assert second(parameters)["quarantined"] == 1
    assert called(table).keys() == MATCHES.keys() - {2}


@pytest.mark.parametrize("status", ["postponed", "held"])
def test_a_row_whose_earlier_check_has_no_answer_waits(table, parameters, status):
    first(parameters)
    with closing(sqlite3.connect(_file(table, parameters))) as connection, connection:
        connection.execute(f"UPDATE faceid_results SET status = '{status}' WHERE source_key = '5'")
    assert second(parameters)["rows_in"] == len(MATCHES) - 1
    assert called(table).keys() == MATCHES.keys() - {5}


def test_a_verdict_about_an_older_version_of_a_row_does_not_count(table, parameters):
    first(parameters)
    second(parameters)
    limited = next(
        person
        for person in table.server.account.people.personas
        if code_row(ID_CARD, person.persona.codes[ID_CARD]).step is Step.POSTPONE
    )
    table.query(
        f"UPDATE people SET id_card = '{limited.id_card}', name = '{limited.name}' WHERE id = 5"
    )
    changed = first(parameters)
    assert changed["planned_calls"] == changed["postponed"] == 1
    manifest = second(parameters)
    assert (manifest["rows_in"], manifest["calls"]) == (len(MATCHES) - 1, 0)
    mine = table.ordinary[5]
    table.query(f"UPDATE people SET id_card = '{mine.id_card}', name = 'Nobody' WHERE id = 5")
    assert first(parameters)["outcomes"]["mismatch"] == len(MISMATCHES) + 1
    assert second(parameters)["rows_in"] == len(MATCHES) - 1
    table.query(f"UPDATE people SET name = '{mine.name}' WHERE id = 5")
    first(parameters)
    assert second(parameters)["rows_in"] == len(MATCHES)
    assert called(table) == MATCHES


def test_other_outcomes_may_lead_to_the_next_check(table, parameters):
    first(parameters)
    mismatch = {"action": ID_CARD, "outcomes": ["mismatch"]}
    assert second(parameters, after=str(mismatch))["rows_in"] == len(MISMATCHES)
    assert called(table).keys() == MISMATCHES


def test_an_action_cannot_come_after_itself(table, parameters):
    with pytest.raises(AirflowFailException, match=f"{PHONE} cannot come after itself"):
        second(parameters, after=[ID_CARD, PHONE])
    assert table.calls == 0


def test_the_funnel_says_what_each_check_cost_and_saved(table, parameters, context, told):
    first(parameters)
    second(parameters)
    operator = FaceIdFunnelOperator(
        task_id="funnel",
        steps=[ID_CARD, PHONE],
        warehouse_conn_id=parameters["warehouse_conn_id"],
        prices={ID_CARD: 0.1, PHONE: 0.25},
        currency="USD",
    )
    report = operator.execute(context)
    assert (report["rows"], report["passed"]) == (PEOPLE, len(MATCHES))
    assert report["charged"] == sum(table.server.account.ledger.bill.values())
    assert (report["cost"], report["saved"]) == (3.7, 0.5)
    text = told()
    assert "10 of 12 rows passed every step; 22 charged, 3.70 USD; 0.50 saved at most" in text
    line = next(line for line in text.splitlines() if line.startswith(PHONE))
    assert line.split()[:9] == [PHONE, "10", "10", "0", "0", "10", "10", "2.50", "0.50"]
    assert not [person for person in table.ordinary if person.id_card in text]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": []}, "name at least one Action, and each once"),
        ({"steps": [PHONE, PHONE]}, "name at least one Action, and each once"),
        ({"result_table": "results"}, "has no such table: results"),
        ({"prices": {PHONE: "much"}}, "a dict of prices from 0"),
    ],
)
def test_a_funnel_that_cannot_be_read_fails_at_once(table, context, changes, said):
    given = {"steps": [ID_CARD], "warehouse_conn_id": "warehouse"}
    first({"source_conn_id": "warehouse", "source": "people"})
    with pytest.raises(AirflowFailException, match=said):
        FaceIdFunnelOperator(task_id="funnel", **given | changes).execute(context)
    assert table.calls == PEOPLE


def _file(bench, parameters):
    if parameters["warehouse_conn_id"] == "warehouse":
        return bench.warehouse
    return bench.warehouse.with_name("results.db")
