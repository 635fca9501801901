"""Operators for one person."""

from __future__ import annotations

import base64
import json
import socket
from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_faceid.compat import reschedule_at
from airflow_provider_faceid.exceptions import NotSentError, StateStoreError, UnavailableError
from airflow_provider_faceid.hooks.faceid import FaceIdHook
from airflow_provider_faceid.operators.verify import (
    IdCardVerificationOperator,
    ImageRecognitionV2Operator,
)
from airflow_provider_faceid.simulator.people import FACE, ID_CARD
from airflow_provider_faceid.state.call_table import CallTable

REFERENCE = {"source_conn_id": "warehouse", "source": "people", "key": 7}


def photo_of(bench, person):
    return bench.server.account.gallery.submitted(person)


def check_result(result, person):
    text = json.dumps(result, ensure_ascii=False)
    assert len(text) < 2000
    assert person.id_card not in text
    assert person.name not in text


def test_a_person_is_named_by_reference(bench, context, told):
    person = bench.ordinary[0]
    bench.fill([(6, "x", "y"), (7, person.id_card, person.name)])
    result = IdCardVerificationOperator(task_id="t", **REFERENCE).execute(context)
    assert (result["outcome"], result["code"], result["charged"]) == ("match", "0", True)
    assert bench.server.account.ledger.bill["IdCardVerification"] == 1
    check_result(result, person)
    text = told()
    assert person.id_card not in text
    assert person.name not in text


def test_a_person_is_named_literally(bench, context):
    person = bench.ordinary[0]
    operator = IdCardVerificationOperator(task_id="t", id_card=person.id_card, name=person.name)
    check_result(operator.execute(context), person)


@pytest.mark.parametrize("form", ["bytes", "text", "path"])
def test_a_photo_is_given_literally_or_by_path(bench, context, tmp_path, monkeypatch, *, form):
    monkeypatch.setenv("AIRFLOW__FACEID__PHOTO_ROOTS", str(tmp_path))
    person = bench.ordinary[0]
    photo = photo_of(bench, person)
    (tmp_path / "photo.jpg").write_bytes(photo)
    given = {
        "bytes": {"photo": photo},
        "text": {"photo": base64.b64encode(photo).decode()},
        "path": {"photo_path": f"file://{tmp_path}/photo.jpg"},
    }[form]
    operator = ImageRecognitionV2Operator(
        task_id="t", id_card=person.id_card, name=person.name, **given
    )
    result = operator.execute(context)
    assert (result["outcome"], result["similarity"]) == ("match", 100.0)
    check_result(result, person)


@pytest.mark.parametrize("is_path", [True, False])
def test_a_photo_is_given_by_reference(bench, context, tmp_path, monkeypatch, *, is_path):
    monkeypatch.setenv("AIRFLOW__FACEID__PHOTO_ROOTS", str(tmp_path))
    person = bench.ordinary[0]
    photo = photo_of(bench, person)
    (tmp_path / "photo.jpg").write_bytes(photo)
    bench.fill(
        [(7, person.id_card, person.name, f"file://{tmp_path}/photo.jpg" if is_path else photo)]
    )
    operator = ImageRecognitionV2Operator(task_id="t", photo_is_path=is_path, **REFERENCE)
    assert operator.execute(context)["outcome"] == "match"


def test_columns_may_have_other_names(bench, context):
    person = bench.ordinary[0]
    bench.fill([(7, person.id_card, person.name)])
    bench.query('ALTER TABLE people RENAME COLUMN id_card TO "the no"')
    bench.query("ALTER TABLE people RENAME COLUMN name TO 姓名")
    operator = IdCardVerificationOperator(
        task_id="t", id_card_column="the no", name_column="姓名", key_column="id", **REFERENCE
    )
    assert operator.execute(context)["outcome"] == "match"


@pytest.mark.parametrize(
    "person",
    [
        {},
        {"source": "people", "key": 7},
        {"source_conn_id": "warehouse", "key": 7},
        REFERENCE | {"id_card": "1"},
        REFERENCE | {"name": "x"},
    ],
    ids=["neither", "no connection", "no table", "both", "reference and name"],
)
@pytest.mark.parametrize("kind", [IdCardVerificationOperator, ImageRecognitionV2Operator])
def test_neither_or_both_ways_to_name_a_person_are_refused(bench, context, kind, person):
    with pytest.raises(
        AirflowFailException, match="either by source_conn_id, source and key, or lit"
    ):
        kind(task_id="t", **person).execute(context)
    assert bench.calls == 0


def test_a_key_nobody_has_fails_at_once(bench, context):
    bench.fill([(1, "x", "y")])
    with pytest.raises(AirflowFailException, match="no row with this key"):
        IdCardVerificationOperator(task_id="t", **REFERENCE).execute(context)


def test_bad_input_fails_at_once_by_the_name_of_its_rule(bench, context):
    operator = IdCardVerificationOperator(task_id="t", id_card="440305199505132562", name="Li Si")
    with pytest.raises(AirflowFailException, match="rule id_card_check_digit") as caught:
        operator.execute(context)
    assert "440305" not in str(caught.value)
    assert bench.calls == 0


def test_a_wrong_key_fails_at_once(bench, context):
    bench.faceid(password="wrong")
    person = bench.ordinary[0]
    operator = IdCardVerificationOperator(task_id="t", id_card=person.id_card, name=person.name)
    with pytest.raises(AirflowFailException, match=r"'faceid_default'.*SecretKey is wrong"):
        operator.execute(context)


def test_an_account_that_may_not_call_fails_at_once(bench, context):
    person = bench.special("FailedOperation.StsUnAuthErrError")
    operator = IdCardVerificationOperator(task_id="t", id_card=person.id_card, name=person.name)
    with pytest.raises(AirflowFailException, match="not authorized"):
        operator.execute(context)


def test_a_call_without_an_answer_fails_at_once_so_that_it_is_not_repeated(bench, context):
    person = bench.ordinary[0]
    bench.faceid(host=bench.server.url.replace("http://", "http://localhost.invalid@") + "/_sim")
    with pytest.raises(AirflowFailException):
        IdCardVerificationOperator(task_id="t", id_card=person.id_card, name=person.name).execute(
            context
        )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bench.connect(
            "faceid_default",
            conn_type="faceid",
            host=f"http://127.0.0.1:{silent.getsockname()[1]}",
            login="a",
            password="b",
            extra={"timeout": 1},
        )
        operator = IdCardVerificationOperator(task_id="t", id_card=person.id_card, name=person.name)
        with pytest.raises(AirflowFailException, match="may have been processed") as caught:
            operator.execute(context)
    assert person.id_card not in str(caught.value)


def test_a_cleared_task_uses_the_answer_and_another_campaign_calls_again(bench, context):
    person = bench.ordinary[0]
    one = {"task_id": "t", "id_card": person.id_card, "name": person.name}
    first = IdCardVerificationOperator(**one).execute(context)
    again = IdCardVerificationOperator(**one).execute(context)
    assert again["request_id"] == first["request_id"]
    assert bench.calls == 1
    other = IdCardVerificationOperator(campaign="another", **one).execute(context)
    assert other["request_id"] != first["request_id"]
    assert bench.calls == 2


def test_another_campaign_may_reuse_the_answer(bench, context):
    person = bench.ordinary[0]
    one = {"task_id": "t", "id_card": person.id_card, "name": person.name}
    first = IdCardVerificationOperator(campaign="spring", **one).execute(context)
    again = IdCardVerificationOperator(
        campaign="autumn", reuse_within=timedelta(days=1), **one
    ).execute(context)
    assert (again["request_id"], again["charged"]) == (first["request_id"], False)
    assert bench.calls == 1


def test_a_person_asked_about_too_often_lets_the_task_come_back_later(bench, context):
    bench.faceid(extra={"identity_limits": {ID_CARD: {"id_card_per_day": 1}}})
    person = bench.ordinary[0]
    one = {"task_id": "t", "id_card": person.id_card, "name": person.name}
    IdCardVerificationOperator(campaign="spring", **one).execute(context)
    later = type(reschedule_at(datetime.now(UTC)))
    with pytest.raises(later) as rescheduled:
        IdCardVerificationOperator(campaign="autumn", **one).execute(context)
    assert rescheduled.value.reschedule_date > datetime.now(UTC)
    assert bench.calls == 1


def test_a_try_that_died_on_the_way_is_not_repeated_unasked(bench, context, monkeypatch):
    person = bench.ordinary[0]
    one = {"task_id": "t", "id_card": person.id_card, "name": person.name}

    def die(*_, attempt, **__):
        attempt.sending = True
        raise SystemExit

    with monkeypatch.context() as dying:
        dying.setattr(FaceIdHook, "_call", die)
        with pytest.raises(SystemExit):
            IdCardVerificationOperator(**one).execute(context)
    with pytest.raises(AirflowFailException, match="may have been charged"):
        IdCardVerificationOperator(**one).execute(context)
    assert bench.calls == 0
    asked = IdCardVerificationOperator(on_in_doubt="retry", **one).execute(context)
    assert asked["outcome"] == "match"


def test_an_answer_the_ledger_cannot_take_is_returned_and_not_asked_for_again(
    bench, context, monkeypatch
):
    person = bench.ordinary[0]
    one = {"task_id": "t", "id_card": person.id_card, "name": person.name}
    write = CallTable.record

    def full(table, cursor, holder, records, now):
        if records:
            raise StateStoreError("the disk is full")
        return write(table, cursor, holder, records, now)

    with monkeypatch.context() as broken:
        broken.setattr(CallTable, "record", full)
        assert IdCardVerificationOperator(**one).execute(context)["outcome"] == "match"
    with pytest.raises(AirflowFailException, match="may have been charged"):
        IdCardVerificationOperator(**one).execute(context)
    assert bench.calls == 1


def test_what_was_not_sent_is_left_to_airflows_retries(bench, context):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    fields = {"host": f"http://127.0.0.1:{port}", "login": "a", "password": "b"}
    bench.connect("faceid_default", conn_type="faceid", extra={"max_attempts": 1}, **fields)
    person = bench.ordinary[0]
    operator = IdCardVerificationOperator(task_id="t", id_card=person.id_card, name=person.name)
    with pytest.raises(NotSentError):
        operator.execute(context)


def test_a_service_that_cannot_answer_now_is_left_to_airflows_retries(bench, context):
    person = bench.special("FailedOperation.CompareSystemError", FACE)
    bench.connect(
        "faceid_default",
        conn_type="faceid",
        host=bench.server.url,
        login="simulator-id",
        password="simulator-key",
        extra={"max_attempts": 1},
    )
    operator = ImageRecognitionV2Operator(
        task_id="t", id_card=person.id_card, name=person.name, photo=photo_of(bench, person)
    )
    with pytest.raises(UnavailableError):
        operator.execute(context)


def test_a_connection_of_another_kind_is_refused(bench, context):
    bench.connect("elsewhere", conn_type="http", host="example.com")
    with pytest.raises(AirflowFailException, match="sqlite, postgres, duckdb"):
        IdCardVerificationOperator(
            task_id="t", source_conn_id="elsewhere", source="people", key=1
        ).execute(context)
