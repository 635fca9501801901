"""One question, whoever asks: batch, single operator, hook, another thread. One charge."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.definitions._internal import contextmanager as current

from airflow_provider_faceid.exceptions import NotSentError
from airflow_provider_faceid.hooks.faceid import FaceIdHook
from airflow_provider_faceid.hooks.single_call import Idempotency
from airflow_provider_faceid.operators.verify import (
    IdCardVerificationOperator,
    ImageRecognitionV2Operator,
)
from airflow_provider_faceid.operators.verify_batch import ImageRecognitionV2BatchOperator
from airflow_provider_faceid.simulator.people import FACE, ID_CARD

from .conftest import TaskInstance, make_context

PEOPLE = {"source_conn_id": "warehouse", "source": "people"}


@contextmanager
def running(task_id: str = "task", run_id: str = "manual__1"):
    """Pose as a running task."""
    ti = TaskInstance()
    ti.task_id, ti.run_id = task_id, run_id
    context = make_context(ti=ti, run_id=run_id)
    current._CURRENT_CONTEXT.append(context)
    try:
        yield context
    finally:
        current._CURRENT_CONTEXT.remove(context)


@pytest.fixture
def face(bench):
    """One person with a photo."""
    person = bench.ordinary[0]
    photo = bench.server.account.gallery.submitted(person)
    bench.fill([(7, person.id_card, person.name, photo)])
    return SimpleNamespace(person=person, photo=photo, bench=bench)


def test_a_face_in_a_batch_an_operator_a_hook_and_a_thread_is_one_charge(face, context):
    person, bill = face.person, face.bench.server.account.ledger.bill
    batch = ImageRecognitionV2BatchOperator(task_id="batch", **PEOPLE).execute(context)
    single = ImageRecognitionV2Operator(task_id="single", key=7, **PEOPLE).execute(context)
    asked = (person.id_card, person.name, face.photo)
    with running("hook"):
        hook = FaceIdHook().image_recognition_v2(*asked, idempotency=Idempotency(campaign="dag"))
    with running("another"), ThreadPoolExecutor(1) as thread:
        other = thread.submit(
            FaceIdHook().image_recognition_v2,
            *asked,
            "a note",
            idempotency=Idempotency(campaign="dag"),
        ).result()
    assert bill[FACE] == face.bench.calls == 1
    assert batch["outcomes"] == {"match": 1}
    ((code, similarity, request_id, question),) = face.bench.query(
        "SELECT code, similarity, request_id, question_hash FROM faceid_latest"
    )
    answers = [(single["code"], single["similarity"], single["request_id"])]
    answers += [(v.code, v.similarity, v.request_id) for v in (hook, other)]
    assert set(answers) == {(code, similarity, request_id)}
    assert question.startswith("v2")


@pytest.mark.parametrize(
    ("action", "first", "second"),
    [
        (
            ID_CARD,
            {"IdCard": "11010119900307899x", "Name": "王 小明"},
            {"Name": "王小明", "IdCard": " 11010119900307899X", "Encryption": None},
        ),
        (
            FACE,
            {"IdCard": "1", "Name": "x", "ImageBase64": b"aGVsbG8="},
            {"Name": "x", "ImageBase64": "aGVs\nbG8=", "Extra": "n", "IdCard": "1"},
        ),
        (
            "PhoneVerification",
            {"Phone": "1", "Name": "x"},
            {"Name": "x", "Phone": "1", "Extra": ""},
        ),
    ],
    ids=["spelling", "photo and note", "another Action"],
)
def test_what_is_written_otherwise_is_the_same_question(bench, action, first, second):
    from airflow_provider_faceid.state.call_table import call_key  # noqa: PLC0415

    keys = {call_key("secret", action, "c", params) for params in (first, second)}
    assert len(keys) == 1
    assert call_key("secret", action, "c", {**first, "Name": "another"}) not in keys


def test_in_a_task_the_hook_asks_once_per_dag_run(bench):
    person = bench.ordinary[0]

    def ask(**more):
        return FaceIdHook().id_card_verification(person.id_card, person.name, **more)

    for run, calls in (("scheduled__1", 1), ("scheduled__1", 1), ("scheduled__2", 2)):
        with running(run_id=run):
            assert ask().is_match
        assert bench.calls == calls
    with running(run_id="scheduled__2"):
        ask(idempotency=None)  # anyway
        assert bench.calls == 3
        ask(idempotency=Idempotency(campaign="review 2026"))
    with running(run_id="scheduled__3"):
        ask(idempotency=Idempotency(campaign="review 2026"))
    assert bench.calls == 4
    ask(idempotency=Idempotency(campaign="review 2026"))  # outside of any task
    assert bench.calls == 4
    ask()
    ask()
    assert bench.calls == 6


def test_threads_of_one_task_share_the_answer(bench):
    """The second one waits for it; neither supersedes the other."""
    person, others = bench.ordinary[0], bench.ordinary[1:5]
    start = threading.Barrier(8)

    def ask(one):
        start.wait()
        return FaceIdHook().id_card_verification(one.id_card, one.name)

    with running(), ThreadPoolExecutor(8) as threads:
        verdicts = list(threads.map(ask, [person, *others, person, person, others[0]]))
    assert all(verdict.is_match for verdict in verdicts)
    assert bench.server.account.ledger.bill[ID_CARD] == bench.calls == 5


def test_an_answer_that_has_expired_is_asked_for_again(bench, context):
    person = bench.ordinary[0]
    one = {"task_id": "t", "id_card": person.id_card, "name": person.name}
    IdCardVerificationOperator(**one).execute(context)
    IdCardVerificationOperator(**one, valid_for=timedelta(days=1)).execute(context)
    assert bench.calls == 1
    IdCardVerificationOperator(**one, valid_for=timedelta(microseconds=1)).execute(context)
    assert bench.calls == 2


@pytest.mark.parametrize("idempotency", [None, Idempotency(campaign="c")], ids=["plain", "once"])
def test_calls_that_never_left_use_up_no_limit(bench, idempotency):
    """The person may be asked about twice a day; fifteen calls meet an endpoint that is not there."""
    person = bench.ordinary[0]
    limits = {"identity_limits": {ID_CARD: {"name_per_day": 2}}, "max_attempts": 1}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{free.getsockname()[1]}"
    bench.faceid(host=away, extra=limits)
    for _ in range(15):
        with pytest.raises(NotSentError):
            FaceIdHook().id_card_verification(person.id_card, person.name, idempotency=idempotency)
    bench.faceid(extra=limits)
    assert (
        FaceIdHook()
        .id_card_verification(person.id_card, person.name, idempotency=idempotency)
        .is_match
    )
