"""Hook method, single operator, batch operator and validation of each Action, against the simulator."""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_faceid.api.actions import ACTIONS, ANSWERS_ARE_PEOPLE
from airflow_provider_faceid.api.codes import Outcome
from airflow_provider_faceid.api.fields import BANK_CARD, ID_CARD, PHONE, PHOTO
from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.hooks.faceid import FaceIdHook
from airflow_provider_faceid.operators import verify, verify_batch
from airflow_provider_faceid.operators.release import FaceIdReleaseOperator
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator

APPLICANTS = {"source_conn_id": "warehouse", "source": "applicants"}
EACH = pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
MASKED = {ID_CARD: "id_card", PHONE: "phone", BANK_CARD: "bank_card"}


def one_of(action):
    return getattr(verify, f"{action.name}Operator")


def batch_of(action):
    return getattr(verify_batch, f"{action.name}BatchOperator")


def values_of(bench, action, person):
    """Return what an Action asks about a person, by column."""
    gallery = bench.server.account.gallery
    return {
        field.column: gallery.submitted(person) if field.type is PHOTO else person.value(field)
        for field in action.fields
        if field.column
    }


def said(bench, person, *texts):
    """Return which of a person's values a text shows, photos apart."""
    known = person.columns().values()
    return [value for text in texts for value in known if value in text and value != "00000000"]


@EACH
def test_the_hooks_method_asks_it(bench, action):
    method = getattr(FaceIdHook(), one_of(action).__module__.rpartition(".")[2])
    verdict = method(**values_of(bench, action, bench.ordinary[0]))
    assert (verdict.action, verdict.code) == (action.name, action.success_code)
    assert verdict.outcome in {Outcome.MATCH, Outcome.FOUND}
    assert set(verdict.outputs) == {output.column for output in action.outputs}
    assert None not in verdict.outputs.values()
    assert bench.server.account.ledger.bill == {action.name: 1}


@EACH
def test_its_operator_asks_about_a_row_and_about_literal_values(bench, context, action, told):
    bench.applicants(bench.ordinary[:2])
    outcome = Outcome.FOUND if action.code_of(Outcome.FOUND) else Outcome.MATCH
    referenced = one_of(action)(task_id="one", key=1, **APPLICANTS).execute(context)
    values = values_of(bench, action, bench.ordinary[0])
    literal = one_of(action)(task_id="other", **values).execute(context)
    again = one_of(action)(task_id="again", key=0, **APPLICANTS).execute(context)
    for found in (referenced, literal, again):
        assert (found["action"], found["outcome"]) == (action.name, outcome)
        assert {output.column for output in action.outputs} <= found.keys()
    assert again["request_id"] == literal["request_id"]  # a row asks what the values have asked
    assert bench.server.account.ledger.bill == {action.name: 2}
    texts = [json.dumps(found, ensure_ascii=False) for found in (referenced, literal)]
    assert not [v for person in bench.ordinary[:2] for v in said(bench, person, *texts, told())]


@EACH
def test_its_batch_operator_asks_about_each_row_once(
    bench, context, action, told, great_expectations
):
    del great_expectations
    people = [*bench.ordinary[:6], bench.ordinary[0]]
    bench.applicants(people)
    first = next(field for field in action.fields if field.column)
    bench.query(f"UPDATE applicants SET {first.column} = NULL WHERE id = 5")
    missing = f"{first.type.name}_missing"
    outcome = "found" if action.code_of(Outcome.FOUND) else "match"
    named = {"columns": {first.name: first.column}}
    validated = FaceIdValidateOperator(
        task_id="v", action=action.name, max_bad_fraction=0.5, **named, **APPLICANTS
    ).execute(context)
    assert (validated["rows"], validated["quarantined_rows"]) == (7, 1)
    verified = batch_of(action)(task_id="t", **APPLICANTS).execute(context)
    assert verified["outcomes"] == {outcome: 6}
    assert (verified["calls"], verified["reused"]) == (5, 1)
    assert verified["quarantined_by_rule"] == {missing: 1}
    assert verified["charged"] == bench.server.account.ledger.bill[action.name] == 5
    rows = bench.query("SELECT outcome, code FROM faceid_results")
    assert rows == [(outcome, action.success_code)] * 6
    for column in action.result_columns:
        kept = bench.query(f"SELECT {column.column} FROM faceid_results WHERE source_key = '1'")
        assert kept != [(None,)], column.column
    generic = verify_batch.FaceIdVerifyTableOperator(
        task_id="g", action=action.name, **named, **APPLICANTS
    ).execute(context)
    assert (generic["calls"], generic["outcomes"]) == (0, {outcome: 6})
    texts = [json.dumps(facts, ensure_ascii=False) for facts in (validated, verified, generic)]
    tables = [
        str(bench.query(f"SELECT * FROM {table}"))
        for table in ("faceid_results", "faceid_history", "faceid_quarantine", "faceid_runs")
    ]
    assert not [v for one in people for v in said(bench, one, *texts, *tables, told())]


@EACH
def test_its_columns_may_have_any_name(bench, context, action):
    bench.applicants(bench.ordinary[:3])
    columns = [field.column for field in action.fields if field.column]
    aliases = ", ".join(f"{column} AS their_{column}" for column in columns)
    source = {**APPLICANTS, "source": f"SELECT id, {aliases} FROM applicants"}
    named = {f"{column}_column": f"their_{column}" for column in columns}
    manifest = batch_of(action)(task_id="t", **source, **named).execute(context)
    assert manifest["answered"] == 3
    one = one_of(action)(task_id="o", key=2, **source, **named).execute(context)
    assert one["action"] == action.name
    assert bench.server.account.ledger.bill == {action.name: 3}  # the row was asked about already


@EACH
def test_its_quota_and_limits_are_the_connections(bench, action):
    column = next(iter(action.identity_limits)).removesuffix("_per_day")
    bench.faceid(
        extra={
            "quotas": {action.name: 7},
            "identity_limits": {action.name: {f"{column}_per_day": 3}},
        }
    )
    settings = FaceIdHook().settings
    assert settings.quota(action.name) == 7
    assert settings.limits(action.name)[f"{column}_per_day"] == 3
    others = [a for a in ACTIONS if a != action.name]
    assert [settings.quota(a) for a in others] == [ACTIONS[a].quota for a in others]


@pytest.mark.parametrize("name", ANSWERS_ARE_PEOPLE)
def test_an_action_whose_answer_is_a_person_is_refused_by_name(bench, context, name):
    bench.applicants(bench.ordinary[:1])
    refused = [
        verify.FaceIdVerifyOperator(task_id="a", key=0, action=name, **APPLICANTS),
        verify_batch.FaceIdVerifyTableOperator(task_id="b", action=name, **APPLICANTS),
        verify_batch.IdCardVerificationBatchOperator(task_id="c", after=name, **APPLICANTS),
        FaceIdValidateOperator(task_id="d", action=name, **APPLICANTS),
        FaceIdReleaseOperator(task_id="e", action=name, warehouse_conn_id="warehouse"),
    ]
    reason = f"{name} is refused: its answer is a person .*docs/security.md"
    for operator in refused:
        with pytest.raises(AirflowFailException, match=reason):
            operator.execute(context)
    with pytest.raises(ConfigurationError, match=reason):
        FaceIdHook().verify(name, {"ImageBase64": "x"})
    assert bench.calls == 0
