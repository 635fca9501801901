"""The deadline of a call: over all its requests and pauses, whatever each of them does."""

from __future__ import annotations

import socket
import time

import pytest

from airflow_provider_faceid.exceptions import NotSentError, UnavailableError, UncertainError
from tests.support.patience import SOON

ID_CARD = "IdCardVerification"
PARAMS = {"IdCard": "11010519491231002X", "Name": "韦小宝"}


@pytest.fixture
def give_up(client, connect):
    """Ask until the deadline; return the error and how long it took."""

    def give_up(url, kind, deadline=2):
        hook = connect(url, deadline=deadline, max_attempts=10)
        began = time.monotonic()
        with pytest.raises(kind) as error:
            client.ask(hook, ID_CARD, PARAMS)
        return error.value, time.monotonic() - began

    return give_up


def test_a_service_that_stays_away_is_given_up_with_the_last_problem(give_up, serve):
    server = serve(lambda line: line.say(b"<html>", "503 Service Unavailable", "Retry-After: 0"))
    error, seconds = give_up(server.url, UnavailableError)
    assert error.code == "http:503"
    assert error.requests == len(server.requests) in {2, 3}  # by chance of the pauses
    assert seconds < SOON


@pytest.mark.usefixtures("short_pauses")
def test_the_last_request_has_only_what_is_left(give_up, serve):
    def answer(line):
        if len(line.server.requests) == 1:
            line.server.stopping.wait(0.5)
            return line.say(b"<html>", "503 Service Unavailable", "Retry-After: 0")
        return line.dribble(b"HTTP/1.1 200 OK\r\nX: y")

    server = serve(answer)
    error, seconds = give_up(server.url, UncertainError, deadline=5)
    assert error.requests == len(server.requests) == 2
    assert 4.9 <= seconds < SOON


def test_who_cannot_connect_before_it_has_sent_nothing(give_up):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        error, seconds = give_up(f"https://127.0.0.1:{deaf.getsockname()[1]}", NotSentError)
    assert error.requests == 1
    assert 0.9 <= seconds < SOON
