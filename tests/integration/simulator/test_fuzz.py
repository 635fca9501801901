"""Malformed requests over a real socket: always an error in an envelope, never a 500, never a charge.

Every request of the first two tests is wrong in one way and right in all others: let through, it
would be answered and billed. ``FUZZ_EXAMPLES`` says how many there are, ``make fuzz`` asks for 5,000.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from uuid import UUID

import pytest
from hypothesis import given, settings

from airflow_provider_faceid.api.codes import COMMON
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.people import FACE, ID_CARD

from .malformed import ACTIONS, NO_HTTP, VERSION_1, VERSION_3
from .wrong import Wrong, WrongForm

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))
ANSWER_S, SILENCE_S = 20, 0.1
"""How long a request that is HTTP is waited for; how long one that may be none."""


def fuzz(share: float):
    """Run so many of the examples."""
    return settings(max_examples=max(1, int(EXAMPLES * share)), deadline=None, print_blob=True)


class Noise(logging.Handler):
    """Keeps what the server has to say, but for its complaints about what is no HTTP."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if getattr(error, "code", None) != 400:
            self.records.append(record.getMessage())


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatorServer]:
    quotas = {ID_CARD: 0, FACE: 0}
    with SimulatorServer(people=20, quotas=quotas, identity_limits={}) as running:
        yield running


@pytest.fixture(scope="module")
def noise() -> Iterator[Noise]:
    handler = Noise()
    loggers = [logging.getLogger(name) for name in ("aiohttp.server", "aiohttp.web", "asyncio")]
    for logger in loggers:
        logger.addHandler(handler)
    yield handler
    for logger in loggers:
        logger.removeHandler(handler)


def exchange(server: SimulatorServer, raw: bytes, seconds: float) -> tuple[int, bytes] | None:
    """Send bytes; return status and body, None if there is no answer."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=seconds) as line:
        try:
            line.sendall(raw)
            response = HTTPResponse(line)
            response.begin()
            return response.status, response.read()
        except (OSError, HTTPException):
            return None


def is_error(body: bytes) -> bool:
    response = json.loads(body)["Response"]
    error = response["Error"]
    return (
        set(response) == {"Error", "RequestId"}
        and str(UUID(response["RequestId"])) == response["RequestId"]
        and set(error) == {"Code", "Message"}
        and error["Code"] in COMMON
        and bool(error["Message"])
    )


def host_of(server: SimulatorServer) -> str:
    return server.url.removeprefix("http://")


def check(server: SimulatorServer, noise: Noise, wrong: Wrong | WrongForm) -> None:
    answer = exchange(server, wrong.raw(host_of(server)), ANSWER_S)
    assert answer is not None
    assert (answer[0], is_error(answer[1])) == (200, True)
    assert not server.account.ledger.bill
    assert not noise.records


def test_what_is_right_would_be_billed(server):
    for wrong in (Wrong(), Wrong(action=FACE), Wrong("GET"), WrongForm(), WrongForm("GET")):
        _, body = exchange(server, wrong.raw(host_of(server)), ANSWER_S)
        assert json.loads(body)["Response"]["Result"] in {"0", "Success"}
    assert server.account.ledger.bill == {ID_CARD: 4, FACE: 1}
    server.account.reset()


@fuzz(0.5)
@given(wrong=VERSION_3)
def test_a_wrong_request_is_refused_and_free(server, noise, wrong):
    check(server, noise, wrong)


@fuzz(0.3)
@given(wrong=VERSION_1)
def test_a_wrong_request_of_signature_version_1_is_refused_and_free(server, noise, wrong):
    check(server, noise, wrong)


@fuzz(0.2)
@given(cut=NO_HTTP, action=ACTIONS)
def test_what_may_be_no_http_is_refused_by_somebody_or_not_answered_and_free(
    server, noise, cut, action
):
    """The HTTP server says 400 or 417, or waits for the rest until the caller hangs up."""
    raw = Wrong(action=action, key=("simulator-id", "wrong")).raw(host_of(server))
    start = int(cut[0] * len(raw))
    answer = exchange(server, raw[:start] + cut[2] + raw[start + cut[1] :], SILENCE_S)
    if answer is not None and answer[0] == 200:
        assert is_error(answer[1])
    elif answer is not None:
        assert 400 <= answer[0] < 500
    assert not server.account.ledger.bill
    assert not noise.records
