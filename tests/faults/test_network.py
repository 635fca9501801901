"""Between us and the service: nobody there, no answer, half an answer, a gateway of its own mind."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from airflow_provider_faceid.exceptions import ConfigurationError, OutageError
from airflow_provider_faceid.simulator.faults import FaultRule, Nth, read_nth
from airflow_provider_faceid.simulator.faults.effects import (
    Delay,
    Dribble,
    DropAfter,
    DropBefore,
    HtmlAfter,
    HtmlBefore,
    ResetAfter,
    ResetBefore,
    Status,
    StatusAfter,
    Truncate,
)
from airflow_provider_faceid.simulator.people import ID_CARD

from .trial import Trial
from .tunnels import FAILURES, Tunnels

pytestmark = pytest.mark.long

ROWS, HIT = 60, (6, 20, 33)
"""Rows of a table, and the places of those that get no answer."""
PATIENT = 1.5
"""Seconds a request may take."""
LATE = 30.0
"""Far more than that."""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def nobody(port: int) -> Iterator[None]:
    """Nobody listens: connections are refused."""
    yield


@contextmanager
def full(port: int) -> Iterator[None]:
    """Somebody listens and never accepts: connecting goes on until it is given up."""
    with socket.create_server(("127.0.0.1", port), backlog=0), socket.socket() as first:
        first.connect(("127.0.0.1", port))
        with socket.socket() as second:
            second.settimeout(0)
            second.connect_ex(("127.0.0.1", port))
            yield


@pytest.mark.parametrize(
    ("hole", "seconds"),
    [
        pytest.param(nobody, 20, marks=pytest.mark.fault(1)),
        pytest.param(full, 5, marks=pytest.mark.fault(4)),
    ],
)
def test_an_endpoint_that_is_not_there_yet_is_waited_for(trials, thorough, measured, hole, seconds):
    away, port = (seconds if thorough else 3), free_port()
    trial = trials(start=False, port=port)
    trial.url = f"http://127.0.0.1:{port}"
    trial.fill_with(trial.ordinary[:ROWS])

    def come_back() -> None:
        with hole(port):
            ready.set()
            time.sleep(away)
        trial.server.start()

    ready = threading.Event()
    service = threading.Thread(target=come_back)
    service.start()
    ready.wait()
    began = time.monotonic()
    manifest = trial.run(settings={"connect_timeout": 1.0})
    waited = time.monotonic() - began
    service.join()
    assert manifest["answered"] == len(trial.calls()) == ROWS
    assert manifest["held"] == 0
    assert waited > away
    trial.hold()
    measured(f"away for {away} s: {ROWS} of {ROWS} answered, {ROWS} calls, 0 in doubt")


@pytest.fixture
def names(monkeypatch) -> dict[str, str]:
    """Addresses by name, for names that end in .test; there is no DNS server to break."""
    known: dict[str, str] = {}
    look_up = socket.getaddrinfo

    def resolve(host, *parts, **more):
        if str(host).endswith(".test"):
            if host not in known:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            host = known[host]
        return look_up(host, *parts, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


@pytest.mark.fault(2)
def test_a_name_without_an_address_is_waited_for_and_said_if_it_stays(trial, names, measured):
    trial.fill_with(trial.ordinary[:ROWS])
    port = trial.url.rpartition(":")[2]
    trial.url = f"http://faceid.test:{port}"
    error, manifest = trial.fail(OutageError, settings={"outage_patience": 2.0, "max_attempts": 2})
    assert "DNS" in str(error)
    assert "nothing was sent" in str(error)
    assert trial.calls() == []
    assert manifest["held"] == 0
    timer = threading.Timer(2, names.__setitem__, ("faceid.test", "127.0.0.1"))
    timer.start()
    assert trial.run()["answered"] == ROWS
    timer.join()
    trial.hold()
    measured(f"0 calls while away, named in the error; once back {ROWS} of {ROWS} answered")


@pytest.mark.fault(3)
def test_a_certificate_nobody_trusts_stops_the_run_at_once(trial, stub, tls, measured):
    trial.fill_with(trial.ordinary[:ROWS])
    site = stub(b"{}")
    site._server.socket = tls.wrap_socket(site._server.socket, server_side=True)
    service, trial.url = trial.url, site.url.replace("http:", "https:")
    began = time.monotonic()
    error, manifest = trial.fail(ConfigurationError)
    seconds = time.monotonic() - began
    assert "certificate" in str(error)
    assert (site.calls, manifest["calls"], manifest["held"]) == (0, 1, 0)
    assert seconds < LATE
    trial.url = service
    assert trial.run()["answered"] == ROWS
    trial.hold()
    measured(f"{manifest['calls']} attempt, 0 rows touched")


def hit(trial: Trial, effect: object) -> None:
    """Let this happen to the first call for each of the rows that are hit."""
    people = [trial.ordinary[place] for place in HIT]
    trial.arm(*[FaultRule(effect, person=person.id_card, times=1) for person in people])


UNANSWERED = {
    5: (Delay(LATE),),
    6: (DropBefore(LATE),),
    7: (DropAfter(), ResetAfter(), ResetBefore()),
    8: (Truncate(), Truncate(keep=0, close=False), HtmlAfter(), HtmlBefore()),
    9: (Dribble(LATE),),
}


@pytest.mark.parametrize(
    "effect",
    [
        *[pytest.param(one, marks=pytest.mark.fault(5)) for one in UNANSWERED[5]],
        *[pytest.param(one, marks=pytest.mark.fault(6)) for one in UNANSWERED[6]],
        *[pytest.param(one, marks=pytest.mark.fault(7)) for one in UNANSWERED[7]],
        *[pytest.param(one, marks=pytest.mark.fault(8)) for one in UNANSWERED[8]],
        *[pytest.param(one, marks=pytest.mark.fault(9)) for one in UNANSWERED[9]],
    ],
    ids=repr,
)
def test_a_call_without_an_answer_is_held_and_repeated_only_on_request(trial, measured, effect):
    trial.fill_with(trial.ordinary[:ROWS])
    hit(trial, effect)
    settings = {"quotas": {ID_CARD: 200}, "timeout": PATIENT}
    began = time.monotonic()
    first = trial.run(settings=settings)
    seconds = time.monotonic() - began
    assert (first["held"], first["answered"]) == (len(HIT), ROWS - len(HIT))
    assert first["calls"] == len(trial.calls()) == ROWS
    assert seconds < LATE
    bill = trial.server.account.ledger.bill
    held = bill[ID_CARD]
    assert held - first["charged"] == len(HIT) * effect.processed
    assert trial.run(settings=settings)["calls"] == 0
    repeated = trial.run(settings=settings, retry_held=True)
    assert (repeated["calls"], repeated["answered"]) == (len(HIT), ROWS)
    assert bill[ID_CARD] == held + len(HIT)
    assert max(trial.called().values()) == 2
    assert not re.search(
        "<html|Bad gateway", trial.texts()["log and output"].decode(), re.IGNORECASE
    )
    trial.hold(retries=1)
    most = 1 + effect.processed
    measured(
        f"{len(HIT)} of {ROWS} held and charged {'once' if effect.processed else 'not at all'}; "
        f"with `retry` charged {'twice' if most == 2 else 'once'}"
    )


FULL_SECONDS = {502: 10, 503: 30, 504: 10}
"""How long each lasts when the table is made."""
OUTAGES = {
    "before": Status,
    "after": StatusAfter,
}


@pytest.mark.fault(10)
@pytest.mark.parametrize("status", FULL_SECONDS)
@pytest.mark.parametrize("when", OUTAGES)
def test_a_gateway_in_trouble_is_not_pressed(trial, thorough, measured, *, status, when):
    """What may have been processed is held, few rows of it; the others are all answered."""
    rows, away = (300, FULL_SECONDS[status]) if thorough else (150, 1)
    trial.fill_with(trial.ordinary[:rows])
    trial.arm(FaultRule(OUTAGES[when](status), nth=Nth(50), lasts_s=away))
    began = time.monotonic()
    manifest = trial.run(settings={"quotas": {ID_CARD: 100}})
    seconds, calls = time.monotonic() - began, len(trial.calls())
    assert seconds > away
    assert calls == rows
    assert manifest["answered"] + manifest["held"] == rows
    assert 0 < manifest["held"] == manifest["charge_unknown"] <= 0.1 * rows
    trial.hold(quota=100)
    paid = sum(call["charged"] and not call["answered"] for call in trial.calls())
    measured(
        f"{status} for {away} s, {when}: {manifest['held']} of {rows} held, {paid} of them paid"
    )


REFUSALS = {
    "503 with Retry-After": (Status(503, retry_after=1), {}),
    "502 of a gateway that never forwards": (Status(502), {"repeat_gateway_errors": True}),
}


@pytest.mark.fault(10)
@pytest.mark.parametrize(("effect", "more"), REFUSALS.values(), ids=REFUSALS)
def test_a_gateway_that_refuses_is_asked_again_without_pressing(trial, measured, effect, more):
    rows = 150
    trial.fill_with(trial.ordinary[:rows])
    trial.arm(FaultRule(effect, nth=Nth(50), lasts_s=1))
    manifest = trial.run(settings={"quotas": {ID_CARD: 100}, **more})
    repeated = len(trial.calls()) - rows
    assert (manifest["answered"], manifest["held"]) == (rows, 0)
    assert 0 < repeated == manifest["charge_unknown"] <= 0.1 * rows
    trial.hold(quota=100)
    measured(f"{effect.status} that refuses: {repeated / rows:.0%} more calls, 0 held")


LOST = {
    **{str(status): StatusAfter(status) for status in (500, 502, 503, 504)},
    "a reset": ResetAfter(),
}


@pytest.mark.fault(10)
@pytest.mark.parametrize("effect", LOST.values(), ids=LOST)
def test_a_gateway_that_loses_each_tenth_answer_pays_nobody_twice(trial, measured, effect):
    rows = 200
    trial.fill_with(trial.ordinary[:rows])
    trial.arm(FaultRule(effect, nth=read_nth({"every": 10})))
    manifest = trial.run()
    bill = trial.server.account.ledger.bill[ID_CARD]
    assert (manifest["answered"], manifest["held"]) == (rows - 20, 20)
    assert max(trial.called().values()) == 1
    assert (manifest["charged"], manifest["charge_unknown"]) == (rows - 20, 20)
    assert bill == rows
    trial.hold()
    measured(f"{effect.name} for each tenth: {rows} billed, 0 twice, 20 held")


@pytest.mark.fault(10)
@pytest.mark.parametrize(
    ("effect", "more"),
    [
        (StatusAfter(429), {}),
        (StatusAfter(503, retry_after=0), {}),
        (StatusAfter(502), {"repeat_gateway_errors": True}),
    ],
    ids=["429", "503 with Retry-After", "502, repeated"],
)
def test_a_gateway_that_refuses_what_it_forwarded_is_counted(trial, measured, effect, more):
    """Its word is all there is, so the call is repeated; the counts are not below the bill."""
    rows = 60
    trial.fill_with(trial.ordinary[:rows])
    trial.arm(FaultRule(effect, nth=read_nth({"every": 10})))
    manifest = trial.run(settings=more)
    bill = trial.server.account.ledger.bill[ID_CARD]
    assert (manifest["answered"], manifest["held"], manifest["charged"]) == (rows, 0, rows)
    assert manifest["charged"] + manifest["charge_unknown"] == bill > rows
    (stored,) = trial.rows(trial.ours[2], "charged, charge_unknown")
    assert sum(stored) == bill
    trial.hold(retries=1)
    measured(f"{effect.status} that lies: {bill - rows} billed besides, all counted")


@pytest.mark.fault(54)
def test_tunnels_and_handshakes_that_never_stood_have_sent_nothing(
    trial, tls, measured, monkeypatch
):
    monkeypatch.setattr(trial.clock, "jitter", lambda low, _: low / 25)  # short pauses
    rows = 40
    trial.fill_with(trial.ordinary[:rows])
    port = int(trial.url.rpartition(":")[2])
    trial.url = "https://faceid.example"
    with Tunnels(port, tls, FAILURES) as proxy:
        account = {"proxies": {"https": proxy.url}, "verify": False}
        manifest = trial.run(settings=account, max_in_flight=4)
        trial.hold(settings=account, max_in_flight=4)
    assert proxy.connections > len(FAILURES)
    assert (manifest["answered"], manifest["held"]) == (rows, 0)
    assert len(trial.calls()) == rows
    measured(f"{len(FAILURES)} connections failed: {rows} of {rows} answered, 0 held")
