"""Servers that are slow, gone, or something else: what is certain, and what is not."""

from __future__ import annotations

import gc
import json
import socket
import time
import warnings

import pytest

from airflow_provider_faceid.exceptions import (
    NotSentError,
    RequestRefusedError,
    UnavailableError,
    UncertainError,
)
from airflow_provider_faceid.state.rate import THROTTLE_PAUSE_SECONDS
from tests.support.patience import SOON

ID_CARD = "IdCardVerification"
PARAMS = {"IdCard": "11010519491231002X", "Name": "韦小宝"}


@pytest.fixture
def ask(client, connect):
    def ask(url, **fields):
        return client.ask(connect(url, **fields), ID_CARD, PARAMS)

    return ask


def uncertain(ask, url, **fields) -> str:
    with pytest.raises(UncertainError) as error:
        ask(url, **fields)
    assert error.value.requests == 1
    assert not set(PARAMS.values()) & set(str(error.value).split())
    return str(error.value)


class TestDeadline:
    """A timeout of one second is over everything, however busy the server seems."""

    @pytest.fixture
    def give_up(self, ask):
        def give_up(url):
            began = time.monotonic()
            message = uncertain(ask, url, timeout=1)
            seconds = time.monotonic() - began
            assert 0.9 <= seconds < SOON
            assert "The call may have been processed" in message

        return give_up

    def test_headers_that_dribble_are_given_up(self, give_up, serve):
        server = serve(lambda line: line.dribble(b"HTTP/1.1 200 OK\r\nX: y"))
        give_up(server.url)
        assert len(server.requests) == 1

    def test_a_body_that_dribbles_is_given_up(self, give_up, serve, match):
        def answer(line):
            line.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(match))
            line.dribble(match)

        server = serve(answer)
        give_up(server.url)
        assert len(server.requests) == 1

    def test_silence_is_given_up(self, give_up):
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            give_up(f"http://127.0.0.1:{deaf.getsockname()[1]}")

    def test_a_server_that_does_not_read_has_not_got_the_photo(self, client, connect):
        """Its buffers take some of it, then nothing moves."""
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
            hook = connect(url, timeout=1, max_attempts=1)
            began = time.monotonic()
            with pytest.raises(NotSentError, match="upload stalled"):
                client.ask(hook, "ImageRecognitionV2", {"ImageBase64": b"A" * 9_000_000})
            assert time.monotonic() - began < SOON
            with warnings.catch_warnings(action="ignore", category=ResourceWarning):
                gc.collect()  # what could not be sent keeps the transport of asyncio open

    def test_a_tls_handshake_that_never_ends_has_sent_nothing(self, ask):
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            began = time.monotonic()
            with pytest.raises(NotSentError):
                ask(
                    f"https://127.0.0.1:{deaf.getsockname()[1]}",
                    connect_timeout=0.3,
                    max_attempts=1,
                )
            assert time.monotonic() - began < SOON


def test_a_port_nobody_listens_on_has_sent_nothing(ask):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(NotSentError, match="nothing was sent") as error:
            ask(f"http://127.0.0.1:{unused.getsockname()[1]}", max_attempts=1)
    assert error.value.requests == 1


@pytest.mark.usefixtures("short_pauses")
def test_a_port_nobody_listens_on_is_tried_as_often_as_the_connection_says(ask):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(NotSentError) as error:
            ask(url, max_attempts=3)
    assert error.value.requests == 3


@pytest.mark.parametrize("end", ["reset", "close"])
def test_a_server_that_hangs_up_after_the_request_leaves_doubt(ask, serve, end):
    server = serve(lambda line: (line.reset() if end == "reset" else None) or False)
    assert "The call may have been processed" in uncertain(ask, server.url)
    assert len(server.requests) == 1


def test_a_server_that_hangs_up_in_mid_answer_leaves_doubt(ask, serve, match):
    def answer(line):
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(match) + match[:-9])
        return False

    server = serve(answer)
    uncertain(ask, server.url)
    assert len(server.requests) == 1


BODIES = {
    "truncated JSON": b'{"Response": {"Result": "0", "Desc',
    "HTML": b"<html><body>Login</body></html>",
    "empty": b"",
    "no object": b"[]",
    "no Response": b'{"Result": "0"}',
    "another encoding": '{"Response": {"Result": "0"}}'.encode("utf-16")[:-1],
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_an_answer_that_cannot_be_read_leaves_doubt(ask, serve, body):
    server = serve(lambda line: line.say(body))
    message = uncertain(ask, server.url)
    assert f"HTTP 200 with {len(body)} bytes that are no Face ID answer" in message
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "status",
    [
        "500 Oops",
        "502 Bad Gateway",
        "503 Service Unavailable",
        "504 Gateway Timeout",
        "303 See Other",
        "418 Tea",
    ],
)
def test_a_status_that_proves_nothing_leaves_doubt(ask, serve, status):
    server = serve(lambda line: line.say(b"<html>", status))
    uncertain(ask, server.url)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "data",
    [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"\0" * 50],
    ids=["SSH", "bad length", "zeros"],
)
def test_what_is_no_http_leaves_doubt(ask, serve, data):
    server = serve(lambda line: line.send(data) or False)
    uncertain(ask, server.url)
    assert len(server.requests) == 1


def test_an_answer_that_cannot_be_unpacked_leaves_doubt(ask, serve):
    server = serve(lambda line: line.say(b"no gzip", "200 OK", "Content-Encoding: gzip"))
    uncertain(ask, server.url)


REFUSED = {
    "503 with Retry-After": ("503 Service Unavailable\r\nRetry-After: 0", {}),
    "502, and the connection says it": ("502 Bad Gateway", {"repeat_gateway_errors": True}),
    "503, and the connection says it": ("503 Unavailable", {"repeat_gateway_errors": True}),
}


@pytest.mark.usefixtures("short_pauses")
@pytest.mark.parametrize(("status", "fields"), REFUSED.values(), ids=REFUSED)
class TestGateways:
    def test_one_that_did_not_forward_the_call_is_asked_again(
        self, ask, serve, match, status, fields
    ):
        def answer(line):
            missed = len(line.server.requests) < 3
            line.say(b"<html>" if missed else match, status if missed else "200 OK")

        verdict = ask(serve(answer).url, **fields)
        assert (verdict.is_match, verdict.attempts, verdict.gateway_refusals) == (True, 3, 2)

    def test_one_that_never_does_is_given_up(self, ask, serve, status, fields):
        server = serve(lambda line: line.say(b"<html>", status))
        with pytest.raises(UnavailableError, match=f"code http:{status[:3]}") as error:
            ask(server.url, max_attempts=4, **fields)
        assert error.value.requests == len(server.requests) == 4
        assert error.value.gateway_refusals == 4


def test_a_gateway_is_not_asked_before_the_moment_it_names(ask, serve, match):
    came = []

    def answer(line):
        came.append(time.monotonic())
        first = len(came) == 1
        status = "503 Unavailable\r\nRetry-After: 2" if first else "200 OK"
        line.say(b"" if first else match, status)

    assert ask(serve(answer).url).is_match
    assert came[1] - came[0] >= 2


@pytest.mark.usefixtures("short_pauses")
def test_a_gateway_that_asks_for_fewer_requests_slows_us_down(ask, serve, match):
    def answer(line):
        first = len(line.server.requests) == 1
        line.say(b"" if first else match, "429 Too Many Requests" if first else "200 OK")

    began = time.monotonic()
    verdict = ask(serve(answer).url, max_attempts=1)
    assert (verdict.attempts, verdict.throttled) == (2, 1)
    assert time.monotonic() - began >= THROTTLE_PAUSE_SECONDS


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 407])
def test_a_gateway_that_refuses_ends_it(ask, serve, status):
    server = serve(lambda line: line.say(b"<html>", f"{status} No"))
    with pytest.raises(RequestRefusedError, match=f"code http:{status}"):
        ask(server.url)
    assert len(server.requests) == 1


def test_an_answer_counts_whatever_the_status(ask, serve):
    """A refusal the service itself wrote is not the gateway's."""
    body = json.dumps({"Response": {"Result": "-1", "RequestId": "r-1"}}).encode()
    server = serve(lambda line: line.say(body, "500 Oops"))
    assert ask(server.url).code == "-1"
