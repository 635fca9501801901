"""Every effect of a fault rule, seen by an HTTP client, and what the ledger says of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, IncompleteRead, RemoteDisconnected

import pytest

from airflow_provider_faceid.api import signing
from airflow_provider_faceid.api.action import IdentityLimits
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.faults import FaultRule, Nth
from airflow_provider_faceid.simulator.faults.effects import (
    EFFECTS,
    AccountState,
    ClockOffset,
    Code,
    Delay,
    Dribble,
    DropAfter,
    DropBefore,
    Effect,
    HtmlAfter,
    HtmlBefore,
    Quota,
    ResetAfter,
    ResetBefore,
    Status,
    StatusAfter,
    Truncate,
)
from airflow_provider_faceid.simulator.people import FACE, ID_CARD
from tests.support.patience import soon

NUMBER, NAME = "11204416541220243X", "Wei Xiaobao"


@dataclass(frozen=True)
class Seen:
    """What a client saw of one call."""

    error: str = ""
    status: int = 0
    content_type: str = ""
    body: bytes = b""
    seconds: float = 0.0
    date: str = ""
    retry_after: str | None = None

    @property
    def result(self) -> str:
        response = json.loads(self.body)["Response"]
        return response["Error"]["Code"] if "Error" in response else response["Result"]


@dataclass(frozen=True)
class Client:
    """Sends one call about one person and takes whatever comes."""

    server: SimulatorServer

    def send(self, number: str, timeout: float, moment: float) -> HTTPConnection:
        """Send a call and return the connection its answer will come on."""
        host = self.server.url.removeprefix("http://")
        body = json.dumps({"IdCard": number, "Name": NAME}).encode()
        second = int(moment or time.time())
        signed = {"Content-Type": "application/json", "Host": host}
        headers = signed | {
            "X-TC-Action": ID_CARD,
            "X-TC-Version": "2018-03-01",
            "X-TC-Timestamp": str(second),
            "Authorization": signing.authorization(
                secret_id="simulator-id",
                secret_key="simulator-key",
                timestamp=second,
                service="faceid",
                headers=signed,
                hashed_payload=signing.payload_hash(body),
            ),
        }
        connection = HTTPConnection(host, timeout=timeout)
        connection.request("POST", "/", body, headers)
        return connection

    def ask(self, number: str = NUMBER, *, timeout: float = 10, moment: float = 0) -> Seen:
        """Call and wait for the answer, at most so many seconds for each of its parts."""
        start = time.monotonic()
        with closing(self.send(number, timeout, moment)) as connection:
            error = ""
            try:
                answer = connection.getresponse()
                read = answer.read()
            except IncompleteRead as broken:
                read, error = broken.partial, "incomplete"
            except ConnectionError as broken:
                return Seen(type(broken).__name__, seconds=time.monotonic() - start)
        seconds, headers = time.monotonic() - start, answer.headers
        return Seen(
            error,
            answer.status,
            headers["Content-Type"],
            read,
            seconds,
            headers["Date"],
            headers["Retry-After"],
        )

    def ask_and_leave(self) -> None:
        """Call, and hang up when the service has the call."""
        with closing(self.send(NUMBER, 10, 0)):
            assert soon(self.rows)

    def rows(self) -> list[dict[str, object]]:
        return list(self.server.account.ledger.rows())

    def truth(self) -> dict[str, tuple[bool, bool, bool]]:
        """Return processed, charged, answered of the only request, by the fault's name."""
        (row,) = self.rows()
        return {str(row["fault"]): (row["processed"], row["charged"], row["answered"])}


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatorServer]:
    quotas = {ID_CARD: 0, FACE: 0}
    with SimulatorServer(people=60, quotas=quotas, identity_limits={}) as running:
        yield running


@pytest.fixture
def client(server: SimulatorServer) -> Client:
    server.account.reset()
    return Client(server)


def page(seen: Seen) -> bool:
    return seen.content_type == "text/html" and seen.body.startswith(b"<html>")


NOTHING, LOST, ALL = (False, False, False), (True, True, False), (True, True, True)
REFUSED = (False, False, True)
GONE, BROKEN = RemoteDisconnected.__name__, ConnectionResetError.__name__

CASES: list[tuple[Effect, Callable[[Seen], bool], tuple[bool, bool, bool]]] = [
    (Delay(0.3), lambda seen: seen.result == "0" and seen.seconds >= 0.3, ALL),
    (Dribble(0.3), lambda seen: seen.result == "0" and seen.seconds >= 0.3, ALL),
    (DropBefore(), lambda seen: seen.error == GONE, NOTHING),
    (DropBefore(0.2), lambda seen: seen.error == GONE and seen.seconds >= 0.2, NOTHING),
    (DropAfter(), lambda seen: seen.error == GONE, LOST),
    (DropAfter(0.2), lambda seen: seen.error == GONE and seen.seconds >= 0.2, LOST),
    (ResetBefore(), lambda seen: seen.error == BROKEN, NOTHING),
    (ResetAfter(), lambda seen: seen.error == BROKEN, LOST),
    (Truncate(), lambda seen: seen.error == "incomplete" and seen.body.startswith(b'{"Re'), LOST),
    (Truncate(0), lambda seen: seen.error == "incomplete" and not seen.body, LOST),
    (
        Truncate(0.5, close=False),
        lambda seen: (seen.error, seen.status) == ("", 200) and seen.body.count(b"}") == 0 < len(seen.body),
        LOST,
    ),
    (Truncate(0, close=False), lambda seen: (seen.status, seen.body) == (200, b""), LOST),
    (HtmlBefore(), lambda seen: seen.status == 200 and page(seen), NOTHING),
    (HtmlAfter(), lambda seen: seen.status == 200 and page(seen), LOST),
    (Status(502), lambda seen: seen.status == 502 and page(seen), NOTHING),
    (Status(307), lambda seen: seen.status == 307 and page(seen), NOTHING),
    (
        Status(503, retry_after=7),
        lambda seen: seen.retry_after == "7" and page(seen),
        NOTHING,
    ),
    (Status(599), lambda seen: seen.status == 599 and page(seen), NOTHING),
    (StatusAfter(504), lambda seen: seen.status == 504 and page(seen), LOST),
    (Code("-1"), lambda seen: seen.result == "-1", ALL),
    (Code("-4"), lambda seen: seen.result == "-4", (True, False, True)),
    (Code("InternalError"), lambda seen: seen.result == "InternalError", REFUSED),
    (ClockOffset(600), lambda seen: seen.result == "AuthFailure.SignatureExpire", REFUSED),
    (AccountState("arrears"), lambda seen: seen.result == "UnauthorizedOperation.Arrears", REFUSED),
    (Quota({ID_CARD: 5}), lambda seen: seen.result == "0", ALL),
]  # fmt: skip


@pytest.mark.parametrize(
    ("effect", "expected", "truth"), [pytest.param(*case, id=repr(case[0])) for case in CASES]
)
def test_the_client_sees_the_fault_and_the_ledger_tells_the_truth(client, effect, expected, truth):
    client.server.faults.add(FaultRule(effect))
    seen = client.ask()
    assert expected(seen), seen
    assert client.truth() == {effect.name: truth}
    assert client.server.account.ledger.bill[ID_CARD] == truth[1]


def test_every_effect_is_tried():
    assert {effect.name for effect, *_ in CASES} == set(EFFECTS)


@pytest.mark.parametrize("effect", [effect for effect, *_ in CASES], ids=repr)
def test_the_next_call_is_answered_as_if_nothing_had_been(client, effect):
    client.server.faults.add(FaultRule(effect, times=1))
    client.ask()
    client.server.account.reset()
    assert client.ask().result == "0"
    assert client.truth() == {"": ALL}


@pytest.mark.parametrize("effect", [Delay(1.0), Dribble(1.0)], ids=repr)
def test_who_does_not_wait_has_paid_and_got_nothing(client, effect):
    client.server.faults.add(FaultRule(effect, nth=Nth(1, 1)), FaultRule(Delay(1.5), nth=Nth(2, 2)))
    client.ask_and_leave()
    assert client.ask().result == "0"  # so much later that the first answer is over, too
    assert [row["answered"] for row in client.rows()] == [False, True]
    assert [row["charged"] for row in client.rows()] == [True, True]


def test_a_dribble_is_faster_than_any_time_limit_between_two_bytes(client):
    client.server.faults.add(FaultRule(Dribble(1.0)))
    with closing(client.send(NUMBER, 10, 0)) as connection:
        answer = connection.getresponse()
        pieces = list(iter(lambda: answer.read1(1000), b""))
    assert json.loads(b"".join(pieces))["Response"]["Result"] == "0"
    assert len(pieces) > 10


def test_calls_pass_a_dropped_one_by(client):
    client.server.faults.add(FaultRule(DropAfter(3), person=NUMBER))
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(client.ask)
        assert soon(client.rows)
        assert client.ask("440305199505132561").result == "-1"
        assert not slow.done()
        assert slow.result().error == GONE


def test_the_same_people_lose_their_answer_however_many_call_at_once(client):
    people = [person.id_card for person in client.server.account.people.listed]

    def victims(workers: int) -> set[str]:
        client.server.account.reset()
        client.server.faults.add(FaultRule(DropAfter(), probability=0.3, seed=11))
        with ThreadPoolExecutor(workers) as pool:
            seen = list(pool.map(client.ask, people))
        lost = {number for number, one in zip(people, seen, strict=True) if one.error == GONE}
        assert lost == {row["id_card"] for row in client.rows() if not row["answered"]}
        return lost

    one_by_one = victims(1)
    assert 5 <= len(one_by_one) <= 35
    assert victims(16) == victims(5) == one_by_one


def test_an_outage_lasts_and_ends(client):
    client.server.faults.add(FaultRule(Status(503), nth=Nth(3), lasts_s=30))
    statuses = [client.ask().status for _ in range(5)]
    client.server.clock.advance(31)
    moment = client.server.clock.now()
    assert [*statuses, client.ask(moment=moment).status] == [200, 200, 503, 503, 503, 200]


def test_a_halved_quota_throttles_from_the_call_it_was_halved(client):
    client.server.faults.add(FaultRule(Quota({ID_CARD: 1}), nth=Nth(4, 4)))
    with ThreadPoolExecutor(8) as pool:
        results = [one.result for one in pool.map(lambda _: client.ask(), range(16))]
    assert 3 <= results.count("0") <= 8
    assert results.count("RequestLimitExceeded") == 16 - results.count("0")


def test_tomorrow_is_one_call_and_a_client_follows_the_date_of_the_answers():
    limits = {ID_CARD: IdentityLimits(id_card_per_day=1, name_per_day=0)}
    with SimulatorServer(people=20, identity_limits=limits) as server:
        client = Client(server)
        assert [client.ask().result for _ in range(2)] == ["0", "-7"]
        server.clock.advance(86_400)
        refused = client.ask()
        assert refused.result == "AuthFailure.SignatureExpire"
        service_time = parsedate_to_datetime(refused.date).timestamp()
        assert service_time - time.time() == pytest.approx(86_400, abs=5)
        assert client.ask(moment=service_time).result == "0"
        assert client.ask(moment=server.clock.now()).result == "-7"
