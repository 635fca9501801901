"""Synchronous transport: calls over requests, one at a time, with a total deadline.

Its HTTP adapter keeps connections alive in a pool, sends photos in chunks as their upload demands it,
reports when a request's connection is established, and closes connections that were idle for long.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ReadTimeoutError

from .. import process as forks
from ..api.messages import MAX_ANSWER, Reply
from ..api.verdict import Verdict
from ..clock import SYSTEM_CLOCK, OffsetClock
from ..exceptions import FaceIdError, ThrottledError, UncertainError
from .call import (
    Answer,
    Attempt,
    GetCredentials,
    Pause,
    RateLimiter,
    RefreshCredentials,
    RequestEnded,
    Send,
    TakeSlot,
    call_flow,
)
from .credentials.refresh import SigningCredentials, signing_credentials
from .delivery import NO_CERTIFICATES, Ending, SendGuard, error_of, error_of_transport
from .request import IDLE_SECONDS, headers_of, reply_of
from .settings import Encrypt, Settings, proxy_of
from .timeouts import until
from .upload import Upload, error_of_upload, poll_intervals, socket_options, unsent_bytes

if TYPE_CHECKING:
    from requests import Response, Session

KEEP_ALIVE_IDLE, KEEP_ALIVE_COUNT, KEEP_ALIVE_INTERVAL = 120, 20, 30
"""TCP keep-alive: idle seconds, probes, seconds between probes; the values of :class:`HttpHook`."""

_THREAD = threading.local()


@contextmanager
def reporting_to(guard: SendGuard) -> Iterator[None]:
    """Make the connections of this thread report to a guard."""
    _THREAD.guard = guard
    try:
        yield
    finally:
        _THREAD.guard = None


def _guard() -> SendGuard | None:
    return getattr(_THREAD, "guard", None)


class UploadBody:
    """
    A large body as an iterable for requests.

    :ivar connection: the connection that sends it; set when sending begins.
    """

    def __init__(self, upload: Upload) -> None:
        self.connection: HTTPConnection | None = None
        self._upload = upload

    def __len__(self) -> int:
        """Return the length, which requests sends as ``Content-Length``."""
        return self._upload.length

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body in chunks, and the last byte when all bytes before it have left."""
        upload = self._upload
        connection = None if self.connection is None else self.connection.sock
        if connection is not None:
            connection.settimeout(upload.timeout)  # so far it was the connect timeout
        yield from upload.parts()
        for pause in poll_intervals():
            if connection is None or not upload.must_wait(unsent_bytes(connection)):
                break
            time.sleep(pause)
        yield upload.last_byte()


class _ReportingConnection(HTTPConnection):
    """A connection that reports to the thread's guard when it is established, past tunnel and TLS."""

    _is_connecting = False

    def connect(self) -> None:
        """Connect; bytes sent meanwhile belong to the proxy's tunnel."""
        self._is_connecting = True
        try:
            super().connect()
        finally:
            self._is_connecting = False

    def request(self, method: str, url: str, body: Any = None, *args: Any, **kwargs: Any) -> None:
        """Send a request."""
        if isinstance(body, UploadBody):
            body.connection = self
        super().request(method, url, body, *args, **kwargs)

    def send(self, data: Any) -> None:
        """Send a part of a request, which counts as sent from now on."""
        if self.sock is None and not self._is_connecting:
            self.connect()  # super().send() would connect after the guard was notified
        guard = _guard()
        if guard is not None and not self._is_connecting:
            guard.begin_send()
        super().send(data)


class _Connection(_ReportingConnection):
    pass


class _TLSConnection(_ReportingConnection, HTTPSConnection):
    pass


class _IdleDroppingPool(HTTPConnectionPool):
    """A connection pool that closes a connection idle for too long; it reconnects when it is used."""

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection: Any = super()._get_conn(timeout)
        since = getattr(connection, "idle_since", None)
        if since is not None and SYSTEM_CLOCK.monotonic() - since > IDLE_SECONDS:
            connection.close()
        return connection

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = SYSTEM_CLOCK.monotonic()
        super()._put_conn(conn)


class _Pool(_IdleDroppingPool):
    ConnectionCls = _Connection


class _TLSPool(_IdleDroppingPool, HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class KeepAliveAdapter(HTTPAdapter):
    """
    HTTP adapter of requests: pooled keep-alive connections with socket options for uploads.

    A forked child opens connections of its own: two processes on one connection would read each
    other's answers.
    """

    def __init__(self) -> None:
        self._of_parent: list[Any] = []
        super().__init__()
        forks.register_fork_hook(self)

    def after_fork(self, *, is_child: bool) -> None:
        """Leave the parent's connections open in a child, and use new pools."""
        if is_child:
            self._of_parent += [self.poolmanager, self.proxy_manager]
            self.proxy_manager = {}
            self.init_poolmanager(DEFAULT_POOLSIZE, DEFAULT_POOLSIZE)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the connection pools of the service."""
        super().init_poolmanager(*args, **kwargs, socket_options=_options())
        _use_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Return the connection pools of a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs, socket_options=_options())
        if (
            type(manager) is ProxyManager
        ):  # SOCKS, possible in a user's own requests, has its own pools
            _use_pools(manager)
        return manager

    def send(self, *args: Any, **kwargs: Any) -> Any:
        """Send a request; until its connection is established, it counts as not sent."""
        guard = _guard()
        if guard is not None:
            guard.connecting()
        return super().send(*args, **kwargs)


def mount_adapter(session: Session, url: str) -> None:
    """Mount a :class:`KeepAliveAdapter` for an address, unless the session has one."""
    if not isinstance(session.get_adapter(url), KeepAliveAdapter):
        session.mount(url, KeepAliveAdapter())


def _use_pools(manager: Any) -> None:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}


def _options() -> list[tuple[int, int, int | bytes]]:
    options = [*socket_options(), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in (
        ("TCP_KEEPIDLE", KEEP_ALIVE_IDLE),
        ("TCP_KEEPCNT", KEEP_ALIVE_COUNT),
        ("TCP_KEEPINTVL", KEEP_ALIVE_INTERVAL),
    ):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options


READ_BYTES = 2**16
"""Bytes of an answer read at a time."""


def call(
    action: str,
    params: Mapping[str, object],
    *,
    session: Session,
    settings: Settings,
    pace: RateLimiter,
    clock: OffsetClock,
    keys: SigningCredentials | None = None,
    encrypt: Encrypt | None = None,
    attempt: Attempt | None = None,
) -> Verdict:
    """
    Make one call.

    :param action: the API Action.
    :param params: its request fields.
    :param session: sends the requests; its own ``auth`` is ignored, and its adapter replaced.
    :param settings: the account.
    :param pace: the rate limiter.
    :param clock: the clock that signs requests.
    :param keys: the credentials that sign; those of the settings if not given.
    :param encrypt: as for :func:`~.call.call_flow`.
    :param attempt: as for :func:`~.call.call_flow`.
    :raises FaceIdError: there is no answer.
    """
    keys, attempt = keys or signing_credentials(settings.credentials), attempt or Attempt()
    mount_adapter(session, settings.url)
    flow = call_flow(action, params, settings, clock, encrypt, attempt=attempt)
    effect = next(flow)
    while True:
        answer: Answer = None
        try:
            match effect:
                case TakeSlot():
                    pace.wait()
                case GetCredentials():
                    answer = keys.ready()
                case Send():
                    answer = _send(session, settings, effect, clock, attempt)
                case RequestEnded(ThrottledError()):
                    pace.slow_down()
                case Pause(seconds):
                    clock.sleep(seconds)
                case RefreshCredentials(refused):
                    answer = keys.wait(settings.conn_id, refused)
        except FaceIdError as error:
            effect = flow.throw(error)
            continue
        try:
            effect = flow.send(answer)
        except StopIteration as stop:
            verdict: Verdict = stop.value
            return verdict


def _send(
    session: Session, settings: Settings, send: Send, clock: OffsetClock, attempt: Attempt
) -> Reply:
    headers = headers_of(send, settings, clock)
    upload = Upload(send.body, send.timeout, time.monotonic, attempt.traffic)
    guard = SendGuard()

    def exchange() -> tuple[Response, bytes]:
        with (
            reporting_to(guard),
            session.post(
                settings.url + "/",
                data=UploadBody(upload) if upload.is_large else bytes(send.body),
                headers=headers,
                auth=lambda request: request,  # signed; a netrc must not touch our Authorization
                timeout=(send.connect_timeout, send.timeout),
                allow_redirects=False,
                stream=True,
                # Passed per request: the environment overrules the session's own values.
                verify=settings.verify,
                proxies=dict(settings.proxies),
            ) as response,
        ):
            return response, read_body(response)

    try:
        response, body = until(lambda: upload.end, exchange)
        return reply_of(send, response.status_code, body, response.headers, settings)
    except UncertainError as error:
        raise error_of_upload(error, upload, send.action) from None
    except (TimeoutError, ReadTimeoutError, requests.ReadTimeout):
        guard.cancel()  # the abandoned thread must not send it any more
        ending = Ending.NO_CONNECTION if guard.is_unsent else Ending.NO_ANSWER
        problem = error_of(send.action, ending, f"timeout of {send.timeout:g} s")
    except (HTTPError, requests.RequestException) as error:
        proxied = proxy_of(settings.url, settings.proxies) is not None
        problem = error_of_transport(send.action, error, guard, proxied=proxied)
    except OSError:  # the only one requests does not wrap: REQUESTS_CA_BUNDLE names no file
        ending = Ending.UNTRUSTED if guard.is_unsent else Ending.NO_ANSWER
        problem = error_of(send.action, ending, NO_CERTIFICATES)
    finally:
        attempt.uploaded(upload)
    raise error_of_upload(problem, upload, send.action) from None


def read_body(response: Response) -> bytes:
    """
    Return the body of an answer as received, cut off once it is longer than :data:`MAX_ANSWER`.

    :raises HTTPError: the connection broke.
    """
    body = bytearray()
    while len(body) <= MAX_ANSWER:
        part = response.raw.read(READ_BYTES, decode_content=False)
        if not part:
            break
        body += part
    return bytes(body)
