"""Reviews with the operators: what enters, what a human-in-the-loop answer records, what a recheck costs."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_faceid.operators.review_decide import FaceIdDecideReviewOperator
from airflow_provider_faceid.operators.review_queue import (
    FaceIdOpenReviewsOperator,
    FaceIdQueueReviewsOperator,
)
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
from airflow_provider_faceid.simulator.faults import FaultRule, Nth
from airflow_provider_faceid.simulator.faults.effects import DropAfter
from airflow_provider_faceid.simulator.people import ID_CARD

CASES = "SELECT source_key, reason, suggested, status, decision FROM faceid_reviews ORDER BY 1, 4"
ANSWERS = "SELECT COUNT(*) FROM faceid_history WHERE source_key = '1'"


def verify(context, **more):
    return IdCardVerificationBatchOperator(
        task_id="verify", source_conn_id="warehouse", source="people", **more
    ).execute(context)


def queue(context, **more):
    return FaceIdQueueReviewsOperator(
        task_id="queue", action=ID_CARD, warehouse_conn_id="warehouse", **more
    ).execute(context)


def listed(context, **more):
    return FaceIdOpenReviewsOperator(
        task_id="cases", warehouse_conn_id="warehouse", **more
    ).execute(context)


def decide(context, review_id, choice, user="ann", **more):
    answer = {
        "chosen_options": [choice],
        "params_input": {},
        "responded_at": "2026-11-29T00:00:00Z",
    }
    answer["responded_by_user"] = {"id": user, "name": user} if user else None
    return FaceIdDecideReviewOperator(
        task_id="decide",
        warehouse_conn_id="warehouse",
        review_id=review_id,
        answer=answer,
        **more,
    ).execute(context)


@pytest.fixture
def turned(bench, context):
    """Six people, one of whom is a match first and a mismatch later."""
    people = bench.ordinary[:6]
    bench.fill([(n, person.id_card, person.name) for n, person in enumerate(people)])
    assert verify(context)["outcomes"] == {"match": 6}
    bench.query(f"UPDATE people SET name = '{people[2].name}' WHERE id = 1")
    assert verify(context)["outcomes"] == {"match": 5, "mismatch": 1}
    assert bench.calls == 7
    return bench


def test_a_mismatch_after_a_match_is_asked_and_decided_beside_the_verdict(turned, context):
    entered = {"entered": 1, "mismatch_after_match": 1, "unresolved": 1, "overdue": 0}
    assert queue(context) == entered
    assert queue(context) == {"entered": 0, "unresolved": 1, "overdue": 0}
    (case,) = listed(context)
    assert set(case) == {"review_id", "subject", "body"}
    assert "- Key: `1`" in case["body"]
    done = decide(context, case["review_id"], "Approve")
    assert done == {
        "review_id": case["review_id"],
        "status": "resolved",
        "decision": "approve",
        "awaits_second": False,
    }
    assert decide(context, case["review_id"], "Approve") == done  # a retry of the task
    assert turned.query(CASES) == [("1", "mismatch_after_match", "reject", "resolved", "approve")]
    latest = "SELECT outcome, review_decision FROM faceid_latest WHERE source_key = '1'"
    assert turned.query(latest) == [("mismatch", "approve")]
    assert listed(context) == []
    assert turned.calls == 7


def test_a_recheck_asks_the_service_once_and_keeps_the_verdict_until_then(turned, context):
    queue(context)
    (case,) = listed(context)
    assert decide(context, case["review_id"], "recheck")["decision"] == "recheck"
    latest = "SELECT outcome, review_decision FROM faceid_latest WHERE source_key = '1'"
    assert turned.query(latest) == [("mismatch", "recheck")]
    assert verify(context, dry_run=True)["due_released"] == 1
    after = verify(context)
    assert (after["calls"], after["charged"], after["answered"]) == (1, 1, 6)
    assert turned.calls == 8
    assert turned.query(ANSWERS) == [(3,)]
    assert turned.query(latest) == [("mismatch", None)]
    assert verify(context)["calls"] == 0
    assert queue(context)["mismatch_after_match"] == 1  # another answer is another case


def test_a_recheck_without_an_answer_is_held_and_not_repeated_unasked(turned, context):
    queue(context)
    (case,) = listed(context)
    decide(context, case["review_id"], "recheck")
    turned.server.faults.add(FaultRule(DropAfter(), nth=Nth(1)))
    assert verify(context)["held"] == 1
    turned.server.faults.clear()
    assert (turned.calls, verify(context)["held"], turned.calls) == (8, 1, 8)
    assert queue(context)["in_doubt"] == 1
    (doubt,) = listed(context)
    decide(FreshContext(context, "other run"), doubt["review_id"], "recheck")
    assert (verify(context)["answered"], turned.calls) == (6, 9)
    assert turned.query("SELECT status FROM faceid_results WHERE source_key = '1'") == [
        ("answered",)
    ]


class FreshContext(dict):
    """The context of the same task in another DAG run."""

    def __init__(self, context, run_id: str) -> None:
        ti = type(context["ti"])()
        ti.run_id = run_id
        super().__init__({**context, "ti": ti, "task_instance": ti})


def test_bad_answers_fail_the_task_and_change_nothing(turned, context):
    queue(context)
    (case,) = listed(context)
    case_id, before = case["review_id"], turned.query(CASES)
    for choice, user, more, words in (
        ("approve", "", {}, "nobody has answered, and a time limit can only escalate"),
        ("approve", "eve", {"reviewers": ["ann"]}, "not among the reviewers"),
        ("perhaps", "ann", {}, "A decision is one of"),
        ("approve", "ann", {"note": "13812345678"}, "holds no people"),
    ):
        with pytest.raises(AirflowFailException, match=words):
            decide(context, case_id, choice, user, **more)
    with pytest.raises(AirflowFailException, match="no case 'x'"):
        decide(context, "x", "approve")
    with pytest.raises(AirflowFailException, match="either as answer or as decision"):
        FaceIdDecideReviewOperator(
            task_id="t", warehouse_conn_id="warehouse", review_id=case_id
        ).execute(context)
    with pytest.raises(AirflowFailException, match="what HITLOperator returns"):
        FaceIdDecideReviewOperator(
            task_id="t", warehouse_conn_id="warehouse", review_id=case_id, answer="approve"
        ).execute(context)
    assert turned.query(CASES) == before
    decide(context, case_id, "escalate", "")
    assert turned.query("SELECT status, priority FROM faceid_reviews") == [("open", 1)]
    decide(FreshContext(context, "second"), case_id, "reject")
    with pytest.raises(AirflowFailException, match="was resolved by 'ann'"):
        decide(FreshContext(context, "third"), case_id, "approve", "bob")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"reasons": ["likes"]}, "reasons are among"),
        ({"similarity_band": "[80, 60]"}, "lowest and the highest"),
        ({"priority": "0"}, "whole number from 1"),
        ({"priority": {"in_doubt": 12}}, "from 1 .first. to 9"),
        ({"due_hours": "soon"}, "it is a number"),
        ({"threshold": 170}, "from 0 to 100"),
        ({"four_eyes": "perhaps"}, "it is a list"),
        ({"result_table": "nobody"}, "no such table: nobody"),
    ],
)
def test_wrong_parameters_are_named(turned, context, more, words):
    with pytest.raises(AirflowFailException, match=words):
        queue(context, **more)


def test_parameters_may_be_what_templates_make_of_them(turned, context):
    text = {
        "reasons": "['mismatch_after_match']",
        "similarity_band": "[60, 80]",
        "threshold": "70",
        "priority": '{"mismatch_after_match": 7}',
        "due_hours": "0.5",
        "four_eyes": "True",
    }
    assert queue(context, **text)["entered"] == 1
    assert turned.query("SELECT priority, four_eyes FROM faceid_reviews") == [(7, 1)]
