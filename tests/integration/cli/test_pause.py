"""``airflow faceid pause`` and ``resume``: who stops what for whom, what single calls meet, what is refused."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime

import pytest

from airflow_provider_faceid.compat import reschedule_at
from airflow_provider_faceid.exceptions import PausedError
from airflow_provider_faceid.hooks.faceid import FaceIdHook
from airflow_provider_faceid.hooks.single_call import Idempotency
from airflow_provider_faceid.operators.verify import FaceIdVerifyOperator
from airflow_provider_faceid.simulator.people import ID_CARD

WORK = Idempotency(owner="work", campaign="c")


def ask(bench, number: int = 0, **more):
    person = bench.ordinary[number]
    values = {"IdCard": person.id_card, "Name": person.name}
    return FaceIdHook().verify(ID_CARD, values, idempotency=WORK, **more)


def pauses(bench) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(bench.warehouse.with_name("state.sqlite"))) as state:
        return state.execute(
            "SELECT paused_by, reason, resumed_by, resumed_at IS NULL FROM faceid_pauses ORDER BY paused_at"
        ).fetchall()


@pytest.mark.parametrize("what", [ID_CARD, "all"])
@pytest.mark.parametrize("priority", [False, True])
def test_a_single_call_is_refused_until_it_is_resumed(bench, run, what, priority):
    ask(bench)
    done = run("pause", what, "--reason", "the  bill\nis wrong")
    assert (done.code, done.err) == (0, "")
    assert "the bill is wrong" in done.out
    with pytest.raises(PausedError, match="the bill is wrong") as caught:
        ask(bench, 1, priority=priority)
    assert time.time() + 200 < caught.value.not_before < time.time() + 400
    assert ask(bench).charged is True  # what is known needs no call
    assert len(list(bench.server.account.ledger.rows())) == 1
    done = run("resume", what, "--output", "json")
    assert done.data["action"] == ("*" if what == "all" else what)
    assert done.data["reason"] == "the bill is wrong"
    assert done.data["resumed_by"]
    time.sleep(0.6)  # a pause that was read counts for half a second
    assert ask(bench, 1, priority=priority).charged is True
    ((by, reason, resumed_by, is_in_force),) = pauses(bench)
    assert ("@" in by, reason, resumed_by, is_in_force) == (True, "the bill is wrong", by, 0)


def test_a_single_task_comes_back_later_and_uses_up_no_try(bench, run, context):
    person = bench.ordinary[0]
    run("pause", ID_CARD, "--reason", "maintenance")
    task = FaceIdVerifyOperator(
        task_id="ask", action=ID_CARD, values={"IdCard": person.id_card, "Name": person.name}
    )
    with pytest.raises(type(reschedule_at(datetime.now(UTC)))) as caught:
        task.execute(context)
    assert 200 < caught.value.reschedule_date.timestamp() - time.time() < 400
    assert list(bench.server.account.ledger.rows()) == []


def test_status_shows_who_paused_and_why(bench, run):
    ask(bench)
    run("pause", "all", "--reason", "maintenance")
    data = run("status", "--output", "json").data
    ((one,), (action,)) = data["pauses"], data["actions"]
    assert (one["action"], one["reason"], action["paused"]) == ("*", "maintenance", True)


def test_another_action_is_not_paused(bench, run):
    run("pause", "MobileStatus", "--reason", "maintenance")
    assert ask(bench).charged is True


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pause", ID_CARD, "--reason", "again"), "was paused by"),
        (("pause", "IdCardVerificaton", "--reason", "x"), "did you mean 'IdCardVerification'"),
        (("pause", "MobileStatus", "--reason", "  "), "A pause needs a reason"),
        (("resume", "MobileStatus"), "No pause of MobileStatus is in force; nothing was changed"),
        (("resume", "all"), "No pause of all Actions is in force; nothing was changed"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(bench, run, arguments, said):
    run("pause", ID_CARD, "--reason", "the first")
    before = pauses(bench)
    done = run(*arguments)
    assert (done.code, done.out) == (1, "")
    assert said in done.err
    assert pauses(bench) == before


def test_one_action_cannot_be_resumed_out_of_a_pause_of_all(bench, run):
    run("pause", "all", "--reason", "the first")
    done = run("resume", ID_CARD)
    assert done.code == 1
    assert f"{ID_CARD} alone cannot be resumed: resume all" in done.err


@pytest.mark.parametrize("command", [("pause", ID_CARD, "--reason", "x"), ("resume", ID_CARD)])
def test_without_the_state_store_it_says_so_and_does_nothing(bench, run, command, tmp_path):
    bench.connect("away", conn_type="sqlite", host=str(tmp_path / "nowhere" / "state.sqlite"))
    done = run(*command, "--state-conn-id", "away")
    assert (done.code, done.out) == (1, "")
    assert "cannot be used" in done.err
    assert "Check state_conn_id" in done.err
    assert not (tmp_path / "nowhere").exists()
