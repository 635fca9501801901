"""What never reached the service is repeated and never held, whatever was in the way, by both clients."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from airflow_provider_faceid.client import delivery
from airflow_provider_faceid.client.call import Attempt
from airflow_provider_faceid.client.request import IDLE_SECONDS
from airflow_provider_faceid.client.settings import proxy_of
from airflow_provider_faceid.client.transport_async import AsyncClient
from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.exceptions import ConfigurationError, NotSentError

ID_CARD = "IdCardVerification"
PARAMS = {"IdCard": "11010519491231002X", "Name": "韦小宝"}
PHOTO = PARAMS | {"ImageBase64": b"\xff\xd8" + bytes(200_000)}
ENDPOINT = "https://faceid.example"
STOOD = b"HTTP/1.1 200 Connection established\r\n\r\n"

unverified = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")


class Host:
    """A host that does something of its own to each connection; stopped by the test's end."""

    def __init__(self, treat: Callable[[socket.socket], object]) -> None:
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._treat = treat
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                line, _ = self._listener.accept()
                self.connections += 1
                line.settimeout(5)
                with line, suppress(OSError):
                    self._treat(line)

    def stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@pytest.fixture
def host():
    hosts: list[Host] = []

    def make(treat: Callable[[socket.socket], object]) -> Host:
        hosts.append(Host(treat))
        return hosts[-1]

    yield make
    for one in hosts:
        one.stop()


def reset(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def after_connect(answer: bytes, *, then_reset: bool = False, hello: bool = False):
    """Read CONNECT, say something, hang up; ``hello`` awaits the first message of TLS."""

    def treat(line: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += line.recv(65536) or b"\r\n\r\n"
        line.sendall(answer)
        if hello:
            line.recv(65536)
        if then_reset:
            reset(line)

    return treat


TUNNELS = {
    "closed": after_connect(b""),
    "reset": after_connect(b"", then_reset=True),
    "another protocol": after_connect(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "half an answer": after_connect(b"HTTP/1.1 200"),
    "407": after_connect(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"),
    "502": after_connect(b"HTTP/1.1 502 No\r\nContent-Length: 2\r\n\r\nno"),
    "stood, then closed": after_connect(STOOD),
    "stood, then reset": after_connect(STOOD, then_reset=True, hello=True),
    "stood, then another protocol": after_connect(STOOD + b"HTTP/1.1 400 No\r\n\r\n", hello=True),
}


@pytest.mark.usefixtures("short_pauses")
@pytest.mark.parametrize("way", TUNNELS.values(), ids=TUNNELS)
def test_a_proxy_whose_tunnel_never_stood_has_sent_nothing(client, connect, host, way):
    proxy = host(way)
    hook = connect(ENDPOINT, proxies={"https": f"http://{proxy.address}"}, max_attempts=2)
    with pytest.raises(NotSentError, match="nothing was sent") as error:
        client.ask(hook, ID_CARD, PARAMS)
    assert error.value.requests == proxy.connections == 2


@pytest.mark.parametrize("status", ["407", "502"])
def test_what_a_proxy_answers_to_connect_is_said(client, connect, host, status):
    proxy = host(TUNNELS[status])
    hook = connect(ENDPOINT, proxies={"https": f"http://{proxy.address}"}, max_attempts=1)
    with pytest.raises(NotSentError, match=f"CONNECT answered with HTTP {status}"):
        client.ask(hook, ID_CARD, PARAMS)


def in_handshake(answer: bytes, *, then_reset: bool = False):
    """Read the client's hello, say something, hang up."""

    def treat(line: socket.socket) -> None:
        line.recv(65536)
        line.sendall(answer)
        if then_reset:
            reset(line)

    return treat


HANDSHAKES = {
    "closed": in_handshake(b""),
    "closed before it began": lambda _: None,
    "reset": in_handshake(b"", then_reset=True),
    "an alert": in_handshake(b"\x15\x03\x03\x00\x02\x02\x50"),
    "half a hello": in_handshake(b"\x16\x03\x03\x00\x7a\x02\x00"),
}


@pytest.mark.usefixtures("short_pauses")
@pytest.mark.parametrize("way", HANDSHAKES.values(), ids=HANDSHAKES)
def test_a_tls_handshake_the_server_ends_has_sent_nothing(client, connect, host, way):
    balancer = host(way)
    hook = connect(f"https://{balancer.address}", max_attempts=2)
    with pytest.raises(NotSentError, match="nothing was sent") as error:
        client.ask(hook, ID_CARD, PARAMS)
    assert error.value.requests == balancer.connections == 2


def test_a_name_that_resolves_too_late_has_sent_nothing(connect, server_of_match, monkeypatch):
    """The thread that is left behind does not send it afterwards either."""
    released, looked_up = threading.Event(), threading.Event()
    look_up = socket.getaddrinfo

    def resolve(name, *parts, **more):
        if name != "slow.example":
            return look_up(name, *parts, **more)
        released.wait(10)
        try:
            return look_up("127.0.0.1", *parts, **more)
        finally:
            looked_up.set()

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    port = server_of_match.server_address[1]
    hook = connect(f"http://slow.example:{port}", timeout=1, max_attempts=1)
    with pytest.raises(NotSentError, match="nothing was sent"):
        hook.call(ID_CARD, PARAMS)
    released.set()
    assert looked_up.wait(10)
    for thread in threading.enumerate():
        if thread.name == "faceid-call":
            thread.join(10)
    assert server_of_match.requests == []


@pytest.mark.usefixtures("short_pauses")
@pytest.mark.parametrize("params", [PARAMS, PHOTO], ids=["small", "photo"])
def test_a_process_that_was_stopped_before_its_request_left_asks_whether_it_still_may(
    connect, server_of_match, monkeypatch, params
):
    """Its successor may have begun: what it had not handed over yet does not leave any more."""
    monkeypatch.setattr(delivery, "STALL_SECONDS", 0.0)
    port = server_of_match.server_address[1]
    hook = connect(f"http://127.0.0.1:{port}", max_attempts=1)
    attempt = Attempt(may_leave=lambda: False)

    async def call() -> None:
        async with AsyncClient(hook.settings, hook.rate_limiter(ID_CARD)) as client:
            await client.call("ImageRecognitionV2" if params is PHOTO else ID_CARD, params, attempt)

    with pytest.raises(NotSentError, match="was stopped before the request left"):
        asyncio.run(call())
    assert not attempt.sent
    assert server_of_match.requests == []


@pytest.fixture
def server_of_match(serve, match):
    return serve(lambda line: line.say(match))


class TestIdleConnections:
    """A NAT may have forgotten them: they are not taken again."""

    @pytest.fixture
    def later(self, monkeypatch):
        """Return what lets time pass for the pool."""
        ahead = [0.0]
        monotonic = SYSTEM_CLOCK.monotonic
        monkeypatch.setattr(SYSTEM_CLOCK, "monotonic", lambda: monotonic() + ahead[0])

        def pass_(seconds: float) -> None:
            ahead[0] += seconds

        return pass_

    @pytest.mark.parametrize(("seconds", "connections"), [(10, 1), (IDLE_SECONDS + 1, 2)])
    def test_the_hook_drops_them_as_a_batch_does(
        self, connect, server_of_match, later, seconds, connections
    ):
        hook = connect(server_of_match.url)
        for _ in range(2):
            assert hook.call(ID_CARD, PARAMS).is_match
            later(seconds)
        assert server_of_match.connections == connections

    def test_a_tunnel_is_made_anew(self, connect, host, later):
        """A connection through a proxy is opened as a whole: tunnel, handshake, request."""
        proxy = host(TUNNELS["closed"])
        hook = connect(ENDPOINT, proxies={"https": f"http://{proxy.address}"}, max_attempts=1)
        manager = hook._session.get_adapter(ENDPOINT).proxy_manager_for(f"http://{proxy.address}")
        connections = manager.connection_from_url(ENDPOINT)
        first = connections._get_conn()
        first.sock = socket.create_connection(proxy.address.split(":"))
        connections._put_conn(first)
        later(IDLE_SECONDS + 1)
        again = connections._get_conn()
        assert again is first
        assert again.is_closed  # urllib3 makes the tunnel before it sends

    def test_threads_of_one_hook_drop_them_too(self, connect, server_of_match, later):
        hook = connect(server_of_match.url)
        hook.call(ID_CARD, PARAMS)

        def ask() -> None:
            threads = [threading.Thread(target=hook.call, args=(ID_CARD, PARAMS)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)

        ask()
        before = server_of_match.connections
        later(IDLE_SECONDS + 1)
        ask()
        assert server_of_match.connections > before
        assert len(server_of_match.requests) == 9


def test_cookies_are_neither_kept_nor_sent_back(client, connect, serve, headers_of, match):
    server = serve(lambda line: line.say(match, "200 OK", "Set-Cookie: seen=before; Path=/"))
    hook = connect(server.url)
    client.ask_all(hook, [(ID_CARD, PARAMS)] * 3)
    assert [headers_of(request).get("cookie") for request in server.requests] == [None] * 3
    assert not list(hook._session.cookies)


def test_cookies_of_a_users_own_request_are_not_kept_either(connect, serve, headers_of, match):
    server = serve(lambda line: line.say(match, "200 OK", "Set-Cookie: seen=before; Path=/"))
    session = connect(server.url).get_conn()
    for _ in range(2):
        session.post(server.url, json={}, headers={"X-TC-Action": ID_CARD}, timeout=5)
    assert "cookie" not in headers_of(server.requests[1])


REFUSED = {
    "SOCKS": {"https": "socks5://127.0.0.1:1080"},
    "SOCKS, for all": {"all": "socks5h://user:hush@127.0.0.1:1080"},
    "of no scheme we know": {"http": "hush://127.0.0.1:1080"},
    "a port that is none": {"http": "http://proxy:hush"},
    "no host": {"http": "http://"},
    "for a variable's name": {"https_proxy": "http://127.0.0.1:3128"},
}


@pytest.mark.parametrize("proxies", REFUSED.values(), ids=REFUSED)
def test_a_proxy_that_cannot_be_used_is_refused_when_the_connection_is_read(connect, proxies):
    hook = connect("http://faceid.example", proxies=proxies)
    with pytest.raises(ConfigurationError, match=r"http://proxy:3128") as error:
        hook.settings  # noqa: B018 - it is read
    assert "hush" not in str(error.value)


def test_a_proxy_of_the_environment_is_refused_alike(connect, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://user:hush@127.0.0.1:1080")
    with pytest.raises(ConfigurationError, match=r"is SOCKS5.*ALL_PROXY") as error:
        connect("http://faceid.example").settings  # noqa: B018 - it is read
    assert "hush" not in str(error.value)
    monkeypatch.setenv("NO_PROXY", "faceid.example")
    assert connect("http://faceid.example").settings.proxies == {}


def test_an_empty_proxy_is_none():
    assert proxy_of("https://faceid.example", {"https": ""}) is None
