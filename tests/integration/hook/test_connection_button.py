"""The Test button: quick, free, and without a secret in its words."""

from __future__ import annotations

import json
import socket
import time

import pytest
from airflow.sdk import Connection

from airflow_provider_faceid.hooks.faceid import FaceIdHook
from tests.support.patience import SOON

SECRETS = ("simulator-key", "hush-hush", "simulator-token")


@pytest.fixture
def press(connect):
    """Press the button of a connection; return the answer and how long it took."""

    def press(url, **fields):
        began = time.monotonic()
        works, message = connect(url, max_attempts=6, **fields).test_connection()
        assert not any(secret in message for secret in SECRETS)
        return works, message, time.monotonic() - began

    return press


def test_a_right_key_is_proved_for_free(press, simulator, ledger):
    works, message, seconds = press(simulator.url, session_token="simulator-token")
    (row,) = ledger()
    assert works
    assert message == (
        f"SecretId, SecretKey and signature are accepted by {simulator.url[7:]} "
        f"(free call, code -2, RequestId {row['request_id']})"
    )
    assert (row["result"], row["charged"]) == ("-2", False)
    assert seconds < SOON


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"hash_secert": "hush-hush"}, "unknown extra field 'hash_secert' (did you mean 'hash_sec"),
        ({"similarity_treshold": 95}, "(did you mean 'similarity_threshold'?)"),
        ({"timeout": 200, "deadline": 100}, "'timeout' (200 s) must be at most 'deadline' (100 s)"),
    ],
)
def test_a_setting_that_would_not_hold_is_refused_before_a_call(
    press, ledger, simulator, fields, words
):
    works, message, _ = press(simulator.url, **fields)
    assert not works
    assert words in message
    assert ledger() == []


@pytest.mark.parametrize("extra", ['{"timeout": 20,}', "timeout=20", '["timeout"]', "20", "null"])
def test_an_extra_that_is_no_json_object_is_refused(monkeypatch, extra):
    # Not from the environment: Airflow 3.1 takes such a connection for none there.
    broken = Connection(conn_id="broken", conn_type="faceid", login="x", password="x", extra=extra)
    monkeypatch.setattr(FaceIdHook, "get_connection", lambda *_: broken)
    assert FaceIdHook("broken").test_connection() == (
        False,
        "Connection 'broken': Extra is no JSON object",
    )


def test_a_busy_account_is_said_to_be_at_once(press, serve):
    error = {"Code": "RequestLimitExceeded", "Message": "too fast"}
    body = json.dumps({"Response": {"Error": error, "RequestId": "r-1"}}).encode()
    server = serve(lambda line: line.say(body))
    works, message, seconds = press(server.url)
    assert not works
    assert "more calls per second than the quota" in message
    assert len(server.requests) == 1
    assert seconds < SOON


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"password": "hush-hush"}, "the SecretKey is wrong"),
        ({"login": "nobody"}, "the SecretId is unknown"),
        ({"session_token": "hush-hush"}, "token is wrong or has expired"),
    ],
)
def test_a_wrong_key_is_said_to_be(press, simulator, ledger, fields, words):
    works, message, seconds = press(simulator.url, **fields)
    assert not works
    assert words in message
    assert len(ledger()) == 1
    assert seconds < SOON


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"password": ""}, "SecretKey is empty"),
        ({"login": " an-id"}, "SecretId has a space"),
        ({"timeout": 0}, "extra field 'timeout' must be a valid number from 1 to 300"),
        ({"session_token": "hush-hush\n"}, "'session_token' must be ASCII text without spaces"),
        ({"session_token": "hush-hush", "hash_secret": ""}, "need the extra field 'hash_secret'"),
    ],
)
def test_a_bad_field_is_named(press, simulator, ledger, fields, words):
    works, message, _ = press(simulator.url, **fields)
    assert not works
    assert words in message
    assert ledger() == []


def test_a_port_nobody_listens_on_is_unreachable(press):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        works, message, seconds = press(f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert not works
    assert "the Endpoint cannot be reached" in message
    assert "nothing was sent" in message
    assert seconds < SOON


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("200 OK", "200 with 21 bytes that are no Face ID answer"),
        ("404 Not Found", "nothing answers at this address"),
        ("302 Found", "the endpoint sends elsewhere"),
        ("503 Service Unavailable", "If your gateway never forwards a call that it answers so"),
        ("500 Oops", "If every call ends so, the connection's Endpoint is not Face ID"),
    ],
)
def test_a_server_of_something_else_is_told_from_face_id(press, serve, status, words):
    page = b"<html>hush-hush</html>"[:21]
    works, message, seconds = press(serve(lambda line: line.say(page, status)).url)
    assert not works
    assert words in message
    assert seconds < SOON


@pytest.mark.parametrize(
    "response",
    [
        {"Result": "0", "RequestId": "r-1"},
        {"Result": "SomethingNew", "RequestId": "r-1"},
        {"RequestId": "r-1"},
    ],
)
def test_an_answer_that_is_none_to_the_question_is_no_success(press, serve, response):
    body = json.dumps({"Response": response}).encode()
    works, message, _ = press(serve(lambda line: line.say(body)).url)
    assert not works
    assert "unexpected code" in message


def test_a_gateway_that_refuses_for_size_is_no_success(press, serve):
    works, _, _ = press(serve(lambda line: line.say(b"", "413 Too Large")).url)
    assert not works


def test_airflow_presses_it_the_same_way(connect, simulator):
    connect(simulator.url)
    works, message = Connection.get("faceid_test").test_connection()
    assert works, message
