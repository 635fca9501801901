"""A running simulator, and a caller that signs as the client does."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest
import requests

from airflow_provider_faceid.api import signing
from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.clock import Clock
from airflow_provider_faceid.simulator import SimulatorServer

UNLIMITED = dict.fromkeys(ACTIONS, 0)
NOON = 1_780_286_400.0  # 2026-06-01 12:00 in Beijing


class ManualClock(Clock):
    """Stands still until it is moved."""

    def __init__(self, now: float = NOON) -> None:
        self.seconds = now

    def now(self) -> float:
        return self.seconds

    async def asleep(self, seconds: float) -> None:
        self.seconds += seconds


class Caller:
    """Signs and sends calls to one simulator; every part of a request can be changed."""

    def __init__(self, server: SimulatorServer, clock: Clock) -> None:
        self.server, self.clock = server, clock
        self.url = server.url + "/"
        self.host = server.url.removeprefix("http://")

    def headers(
        self,
        action: str,
        body: bytes,
        *,
        secret_id: str = "simulator-id",
        secret_key: str = "simulator-key",
        timestamp: int | None = None,
        signed: Mapping[str, str] | None = None,
        method: str = "POST",
        query: str = "",
        hashed: str | None = None,
    ) -> dict[str, str]:
        moment = int(self.clock.now()) if timestamp is None else timestamp
        signed = {"Content-Type": "application/json", "Host": self.host} | dict(signed or {})
        authorization = signing.authorization(
            secret_id=secret_id,
            secret_key=secret_key,
            timestamp=moment,
            service="faceid",
            headers=signed,
            hashed_payload=hashed or signing.payload_hash(body),
            method=method,
            query=query,
        )
        return signed | {
            "X-TC-Action": action,
            "X-TC-Version": "2018-03-01",
            "X-TC-Timestamp": str(moment),
            "Authorization": authorization,
        }

    def post(
        self,
        action: str,
        params: object,
        changes: Mapping[str, str | None] | None = None,
        **signing_parts: object,
    ) -> dict[str, object]:
        """Send a call and return ``Response``; ``changes`` come after signing, None removes."""
        body = params if isinstance(params, bytes) else json.dumps(params).encode()
        headers = self.headers(action, body, **signing_parts) | dict(changes or {})
        return self.send("POST", body, headers)

    def code(self, *parts: object, **more: object) -> str:
        """Send the same and return ``Error.Code``."""
        return self.post(*parts, **more)["Error"]["Code"]

    def send(
        self, method: str, body: bytes, headers: Mapping[str, str | None], query: str = ""
    ) -> dict[str, object]:
        answer = requests.request(
            method, self.url + query, data=body, headers=dict(headers), timeout=10
        )
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/json"
        return answer.json()["Response"]

    def id_card(self, number: str, name: str) -> dict[str, object]:
        return self.post("IdCardVerification", {"IdCard": number, "Name": name})

    def face(self, number: str, name: str, photo: bytes | str, **more: str) -> dict[str, object]:
        text = photo if isinstance(photo, str) else b64encode(photo).decode()
        return self.post(
            "ImageRecognitionV2", {"IdCard": number, "Name": name, "ImageBase64": text, **more}
        )

    def get(self, path: str) -> object:
        answer = requests.get(self.server.url + path, timeout=10)
        answer.raise_for_status()
        return answer.json()


@pytest.fixture(scope="session")
def shared_clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def running(shared_clock: ManualClock) -> Iterator[SimulatorServer]:
    with SimulatorServer(people=60, clock=shared_clock) as server:
        yield server


@pytest.fixture
def clock(shared_clock: ManualClock) -> ManualClock:
    shared_clock.seconds = NOON
    return shared_clock


@pytest.fixture
def server(running: SimulatorServer, clock: ManualClock) -> SimulatorServer:
    """One server for all tests, fresh and without quotas for each of them."""
    running.account.reset()
    running.account.windows.quotas.update(UNLIMITED)
    return running


@pytest.fixture
def caller(server: SimulatorServer, clock: ManualClock) -> Caller:
    return Caller(server, clock)


@pytest.fixture
def caller_at() -> Iterator[Callable[[float, Mapping[str, str]], Caller]]:
    """Start a server that lives at another time and knows other keys."""
    with ExitStack() as servers:

        def start(now: float, keys: Mapping[str, str]) -> Caller:
            clock = ManualClock(now)
            return Caller(
                servers.enter_context(SimulatorServer(people=20, clock=clock, keys=keys)), clock
            )

        yield start


@pytest.fixture
def ordinary(server: SimulatorServer):
    """Somebody who matches."""
    return next(person for person in server.account.people.listed if not person.persona)
