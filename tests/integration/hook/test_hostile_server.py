"""Servers that mean harm: too much, without end, packed, redirected. What was asked is uncertain."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from airflow_provider_faceid.api.messages import MAX_ANSWER
from airflow_provider_faceid.exceptions import RequestRefusedError, UncertainError
from tests.support.hostile import gzip_bomb
from tests.support.patience import PATIENCE, SOON, soon

ID_CARD = "IdCardVerification"
PARAMS = {"IdCard": "11010519491231002X", "Name": "韦小宝"}
OK = b"HTTP/1.1 200 OK\r\n"
MB = b"x" * 2**20


def flood(line, data, times=100):
    """Write until it is enough or the client has gone."""
    with suppress(OSError):
        for _ in range(times):
            line.send(data)
    return False


def long_body(line):
    line.send(OK + b"Content-Length: %d\r\n\r\n" % (100 * 2**20))
    return flood(line, MB)


def body_without_length(line):
    line.send(OK + b"Connection: close\r\n\r\n")
    return flood(line, MB)


def chunks(line):
    line.send(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    return flood(line, b"100000\r\n" + MB + b"\r\n")


def one_chunk(line):
    line.send(OK + b"Transfer-Encoding: chunked\r\n\r\n6400000\r\n")
    return flood(line, MB)


def bomb(line):
    line.say(gzip_bomb(), "200 OK", "Content-Encoding: gzip")
    return False


def answer_before_the_flood(line):
    """An answer that is complete is none if more follows."""
    line.send(OK + b"Content-Length: %d\r\n\r\n" % (100 * 2**20))
    line.send(b'{"Response": {"Result": "0"}}')
    return flood(line, b" " * 2**20)


TOO_LONG = f"more than {MAX_ANSWER} bytes"
TOO_MUCH = {
    "100 MB of known length": (long_body, TOO_LONG),
    "100 MB of unknown length": (body_without_length, TOO_LONG),
    "100 chunks of 1 MB": (chunks, TOO_LONG),
    "a chunk of 100 MB": (one_chunk, TOO_LONG),
    "100 MB in 100 KB of gzip": (bomb, "do not unpack"),
    "an answer, and 100 MB of blanks": (answer_before_the_flood, TOO_LONG),
}


@pytest.mark.parametrize(("answer", "why"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_an_answer_that_is_too_long_leaves_doubt_and_is_not_read(
    client, connect, serve, *, answer, why
):
    server = serve(answer)
    with pytest.raises(UncertainError, match=f"{why}.*may have been processed") as error:
        client.ask(connect(server.url), ID_CARD, PARAMS)
    assert error.value.requests == len(server.requests) == 1
    assert "xxx" not in str(error.value)


@pytest.mark.parametrize("answer", [long_body, chunks, bomb])
def test_memory_stays_small_while_a_server_sends_100_megabytes(client, serve, match, answer):
    """In a process of its own, because a peak of memory is one of the whole process."""
    harmless, harmful = serve(lambda line: line.say(match)), serve(answer)
    done = subprocess.run(
        [
            sys.executable,
            Path(__file__).with_name("memory.py"),
            client.name,
            harmless.url,
            harmful.url,
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    told, grown_mb = done.stdout.splitlines()
    assert told.startswith("UncertainError")
    assert float(grown_mb) < 10


def test_the_next_call_is_answered_over_a_connection_of_its_own(client, connect, serve, match):
    """What is left of a long answer must not be read as the next one."""

    def answer(line):
        if line.server.connections == 1:
            return long_body(line)
        return line.say(match)

    server = serve(answer)
    hook = connect(server.url)
    with pytest.raises(UncertainError):
        client.ask(hook, ID_CARD, PARAMS)
    assert client.ask(hook, ID_CARD, PARAMS).is_match
    assert server.connections == 2


@pytest.mark.usefixtures("short_pauses")
def test_a_gateway_that_says_it_is_away_is_believed_whatever_it_writes(
    client, connect, serve, match
):
    def answer(line):
        if len(line.server.requests) == 1:
            line.send(b"HTTP/1.1 503 Away\r\nRetry-After: 0\r\nContent-Length: %d\r\n\r\n" % 10**8)
            return flood(line, MB)
        return line.say(match)

    verdict = client.ask(connect(serve(answer).url), ID_CARD, PARAMS)
    assert (verdict.is_match, verdict.attempts) == (True, 2)


HEADERS = {
    "lines without end": b"X-A: b\r\n" * 10_000,
    "one line without end": b"x" * 2**20,
    "interim answers without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
}


@pytest.mark.parametrize("data", HEADERS.values(), ids=HEADERS)
def test_headers_without_end_are_given_up(client, connect, serve, data):
    def answer(line):
        line.send(data if data.startswith(b"HTTP") else OK + b"X: ")
        return flood(line, data, times=10_000)

    server = serve(answer)
    began = time.monotonic()
    with pytest.raises(UncertainError, match="may have been processed"):
        client.ask(connect(server.url, timeout=1), ID_CARD, PARAMS)
    assert time.monotonic() - began < SOON  # some minutes if it were read
    assert len(server.requests) == 1
    assert soon(lambda: all(thread.name != "faceid-call" for thread in threading.enumerate()))


@pytest.mark.parametrize("body", [b"[" * 10**6, b'{"Response": ' * 10**5], ids=["list", "object"])
def test_json_that_is_nested_too_deep_leaves_doubt(client, connect, serve, body):
    server = serve(lambda line: line.say(body[:MAX_ANSWER]))
    with pytest.raises(UncertainError):
        client.ask(connect(server.url), ID_CARD, PARAMS)


def test_nothing_the_service_says_starts_a_line_of_a_log_or_error(client, connect, serve, caplog):
    forged = "r-1\n2026-11-21 INFO - all is well\x1b[2J\0\ud800"
    error = {"Code": f"AuthFailure.{forged}", "Message": forged}
    body = json.dumps({"Response": {"Error": error, "RequestId": forged}}).encode()
    hook = connect(serve(lambda line: line.say(body)).url)
    with caplog.at_level("DEBUG"):
        verdict = client.ask(hook, ID_CARD, PARAMS)
    assert (verdict.code, verdict.request_id) == ("(malformed)", "(malformed)")
    assert "all is well" not in caplog.text
    assert repr(verdict).isprintable()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("where", ["another port", "another name", "//", "no http"])
def test_a_redirect_takes_no_key_and_no_person_elsewhere(
    client, connect, serve, match, *, status, where
):
    elsewhere = serve(lambda line: line.say(match))
    port = elsewhere.server_address[1]
    location = {
        "another port": f"{elsewhere.url}/",
        "another name": f"http://localhost:{port}/",
        "//": f"//127.0.0.1:{port}/",
        "no http": "file:///etc/passwd",
    }[where]
    server = serve(lambda line: line.say(b"", f"{status} Moved", f"Location: {location}"))
    with pytest.raises(RequestRefusedError, match=f"sends elsewhere.*code http:{status}"):
        client.ask(connect(server.url), ID_CARD, PARAMS)
    assert (len(server.requests), elsewhere.connections) == (1, 0)


def test_a_session_of_the_hook_follows_no_redirect_either(connect, serve, match):
    elsewhere = serve(lambda line: line.say(match))
    server = serve(lambda line: line.say(b"", "307 Moved", f"Location: {elsewhere.url}/"))
    session = connect(server.url).get_conn()
    answer = session.post(server.url, json=PARAMS, headers={"X-TC-Action": ID_CARD})
    assert answer.status_code == 307
    assert (len(server.requests), elsewhere.connections) == (1, 0)
