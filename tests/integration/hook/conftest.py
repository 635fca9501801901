"""KeepAliveAdapter to local servers, and both clients behind one face."""

from __future__ import annotations

import asyncio
import json
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, repeat

import pytest

from airflow_provider_faceid.api import signing
from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.verdict import Verdict
from airflow_provider_faceid.client.transport_async import AsyncClient
from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.hooks import state_store as state
from airflow_provider_faceid.hooks.faceid import FaceIdHook
from airflow_provider_faceid.simulator import SimulatorServer
from tests.unit.hooks.conftest import airflow_has_warned

__all__ = ["airflow_has_warned"]

ID_CARD, FACE = "IdCardVerification", "ImageRecognitionV2"
CONN_ID = "faceid_test"
HASH_SECRET = "hush-hush-hashes"
Connect = Callable[..., FaceIdHook]


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch):
    """Proxies, certificates and netrc of whoever runs the tests are none of theirs."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _a_state_store_of_its_own(monkeypatch, tmp_path_factory):
    """Ports are used again and some tests set the clock: no test may meet another's slots."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setattr(state, "_paces", {})
    yield
    for pace in state._paces.values():
        pace._row._store.close()


@pytest.fixture
def connect(monkeypatch) -> Connect:
    """Return a hook on a connection to an address; other arguments are fields of its Extra."""

    def connect(
        host: str, *, login: str = "simulator-id", password: str = "simulator-key", **extra: object
    ) -> FaceIdHook:
        connection = {
            "conn_type": "faceid",
            "host": host,
            "login": login,
            "password": password,
            "extra": {
                "id_card_verification_quota": 10_000,
                "image_recognition_v2_quota": 10_000,
                "quotas": dict.fromkeys(ACTIONS.keys() - {ID_CARD, FACE}, 10_000),
                "hash_secret": HASH_SECRET,
                **extra,
            },
        }
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(connection))
        return FaceIdHook(CONN_ID)

    return connect


class Blocking:
    """Calls through the hook."""

    name = "blocking"

    def ask_all(self, hook: FaceIdHook, calls: list[tuple[str, Mapping[str, object]]]):
        return [hook.call(action, params) for action, params in calls]

    def ask(self, hook: FaceIdHook, action: str, params: Mapping[str, object]) -> Verdict:
        return self.ask_all(hook, [(action, params)])[0]


class Asyncio(Blocking):
    """The same calls through the client of the batch engine."""

    name = "asyncio"

    def ask_all(self, hook: FaceIdHook, calls: list[tuple[str, Mapping[str, object]]]):
        async def run() -> list[Verdict]:
            async with AsyncClient(hook.settings, hook.rate_limiter(calls[0][0])) as client:
                return [await client.call(action, params) for action, params in calls]

        return asyncio.run(run())


@pytest.fixture(params=[Blocking, Asyncio], ids=lambda client: client.name)
def client(request) -> Blocking:
    return request.param()


@pytest.fixture(scope="session")
def running() -> Iterator[SimulatorServer]:
    with SimulatorServer(people=60) as server:
        yield server


@pytest.fixture
def simulator(running: SimulatorServer) -> SimulatorServer:
    """One server for all tests, fresh and without quotas for each of them."""
    running.account.reset()
    running.account.windows.quotas.update({ID_CARD: 0, FACE: 0})
    return running


@pytest.fixture
def hook(connect: Connect, simulator: SimulatorServer) -> FaceIdHook:
    return connect(simulator.url)


@pytest.fixture
def ledger(simulator: SimulatorServer) -> Callable[[], list[dict[str, object]]]:
    """Return what the service saw."""
    return lambda: list(simulator.account.ledger.rows())


@pytest.fixture
def ordinary(simulator: SimulatorServer):
    """Somebody who matches."""
    return next(person for person in simulator.account.people.listed if not person.persona)


@pytest.fixture
def photo(simulator: SimulatorServer, ordinary) -> bytes:
    return simulator.account.gallery.submitted(ordinary)


@pytest.fixture
def short_pauses(monkeypatch):
    """Keep pauses before a retry short: chance always takes a fiftieth."""
    monkeypatch.setattr(SYSTEM_CLOCK, "jitter", lambda low, high: low / 25)


class RawServer(socketserver.ThreadingTCPServer):
    """
    A server that reads whole requests and answers them with bytes of the test's own.

    :param answer: is given the connection and writes what it likes; False ends the connection.
    :ivar requests: every request as it came in.
    :ivar connections: how many were opened.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, answer: Callable[[Line], object], tls: ssl.SSLContext | None = None) -> None:
        self.answer, self.tls = answer, tls
        self.requests: list[bytes] = []
        self.connections = 0
        self.stopping = threading.Event()
        super().__init__(("127.0.0.1", 0), Line)
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        """Clients that hang up are what many of these tests are about."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Line(socketserver.BaseRequestHandler):
    """One connection."""

    server: RawServer
    request: socket.socket

    def setup(self):
        self.server.connections += 1
        self.request.settimeout(10)
        if self.server.tls:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)

    def handle(self):
        while (request := self._read()) is not None:
            self.server.requests.append(request)
            if self.server.answer(self) is False:
                return

    def finish(self):
        self.request.close()

    def send(self, data: bytes) -> None:
        self.request.sendall(data)

    def say(self, body: bytes, status: str = "200 OK", *headers: str) -> None:
        """Write an answer of HTTP."""
        lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", "")
        self.send("\r\n".join(lines).encode() + body)

    def dribble(self, data: bytes) -> None:
        """Write a byte every 0.2 s until the server stops; the last one for half a minute."""
        for byte in chain(data, repeat(data[-1], 150)):
            with suppress(OSError):
                self.send(bytes([byte]))
            if self.server.stopping.wait(0.2):
                return

    def reset(self) -> None:
        """Hang up without a goodbye."""
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.request.close()

    def _read(self) -> bytes | None:
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := self.request.recv(65536)):
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        ]
        while len(body) < (lengths or [0])[0]:
            if not (more := self.request.recv(65536)):
                return None
            body += more
        return head + b"\r\n\r\n" + body


@pytest.fixture
def serve():
    """Start a raw server."""
    servers: list[tuple[RawServer, threading.Thread]] = []

    def serve(answer: Callable[[Line], object], tls: ssl.SSLContext | None = None) -> RawServer:
        server = RawServer(answer, tls)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        servers.append((server, thread))
        return server

    yield serve
    for server, thread in servers:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
        assert not thread.is_alive()


@pytest.fixture
def headers_of() -> Callable[[bytes], dict[str, str]]:
    """Return what reads the headers of a request, their names in lower case."""

    def headers_of(request: bytes) -> dict[str, str]:
        lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}

    return headers_of


@pytest.fixture
def assert_signed(headers_of) -> Callable[[bytes], None]:
    """Return what asserts that a request is signed as a whole, with the key of the tests."""

    def assert_signed(request: bytes) -> None:
        headers = headers_of(request)
        body = request.partition(b"\r\n\r\n")[2]
        assert headers["content-length"] == str(len(body))
        assert headers["authorization"] == signing.authorization(
            secret_id="simulator-id",
            secret_key="simulator-key",
            timestamp=int(headers["x-tc-timestamp"]),
            service="faceid",
            headers={"content-type": "application/json", "host": headers["host"]},
            hashed_payload=signing.payload_hash(body),
        )

    return assert_signed


@pytest.fixture
def match() -> bytes:
    """Return the body of an answer that says ``match``."""
    response = {"Result": "0", "Description": "match", "RequestId": "r-1"}
    return json.dumps({"Response": response}).encode()
