"""Calls over requests: one at a time, with a deadline over everything."""

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
from urllib3.exceptions import HTTPError

from .. import process as forks
from ..api.messages import MAX_ANSWER, Reply
from ..api.verdict import Verdict
from ..clock import SYSTEM_CLOCK, OffsetClock
from ..exceptions import FaceIdError, ThrottledError, UncertainError
from .call import (
    Answer,
    Attempt,
    Pause,
    RateLimiter,
    RenewKey,
    Seen,
    Send,
    TakeKey,
    TakeSlot,
    call_flow,
)
from .credentials.refresh import SigningCredentials, signing_credentials
from .delivery import NO_CERTIFICATES, Ending, Handover, error_of, problem_of
from .request import IDLE_SECONDS, headers_of, reply_of
from .settings import Encrypt, Settings, proxy_of
from .timeouts import until
from .upload import Upload, of_upload, polls, socket_options, unsent_bytes

# The connections of the blocking transport.
#
# They upload a photo as its upload wants it, tell when a request is handed over, and are dropped when
# they were idle for long.
#


if TYPE_CHECKING:
    from requests import Session

KEEP_ALIVE_IDLE, KEEP_ALIVE_COUNT, KEEP_ALIVE_INTERVAL = 120, 20, 30
"""Seconds, probes and seconds, as :class:`HttpHook` keeps its connections alive."""

_HERE = threading.local()


@contextmanager
def watched(handover: Handover) -> Iterator[None]:
    """Tell a hand-over what becomes of the request that this thread makes meanwhile."""
    _HERE.handover = handover
    try:
        yield
    finally:
        _HERE.handover = None


def _handover() -> Handover | None:
    return getattr(_HERE, "handover", None)


class UploadBody:
    """
    A large body as requests takes it.

    :ivar connection: what it goes out through, known when it begins.
    """

    def __init__(self, upload: Upload) -> None:
        self.connection: HTTPConnection | None = None
        self._upload = upload

    def __len__(self) -> int:
        """Return the length, by which requests names it to the service."""
        return self._upload.length

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body part by part, and its last byte once everything before it has left."""
        upload = self._upload
        connection = None if self.connection is None else self.connection.sock
        if connection is not None:
            connection.settimeout(upload.timeout)  # it was the one for connecting so far
        yield from upload.parts()
        for pause in polls():
            if connection is None or not upload.waits_for(unsent_bytes(connection)):
                break
            time.sleep(pause)
        yield upload.last_byte()


class _Tells(HTTPConnection):
    """Makes itself known to what it uploads; tells when it stands, past tunnel and TLS handshake."""

    _is_connecting = False

    def connect(self) -> None:
        """Connect; what is sent meanwhile is the tunnel's."""
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
        """Send a part of a request, which may reach the service from now on."""
        if self.sock is None and not self._is_connecting:
            self.connect()  # http.client would do it in here
        handover = _handover()
        if handover is not None and not self._is_connecting:
            handover.begin()
        super().send(data)


class _Connection(_Tells):
    pass


class _TLSConnection(_Tells, HTTPSConnection):
    pass


class _DropsIdle(HTTPConnectionPool):
    """Closes a connection that was idle for too long before it is taken; it opens itself anew."""

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


class _Pool(_DropsIdle):
    ConnectionCls = _Connection


class _TLSPool(_DropsIdle, HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class Connections(HTTPAdapter):
    """
    Connections for uploads: they are kept alive, hold little back, and reset when they close.

    A forked child makes its own: two processes that read from one connection take each other's
    answers.
    """

    def __init__(self) -> None:
        self._of_parents: list[Any] = []
        super().__init__()
        forks.concerns(self)

    def after_fork(self, *, is_child: bool) -> None:
        """Leave the connections that are there to the parent, open as they are."""
        if is_child:
            self._of_parents += [self.poolmanager, self.proxy_manager]
            self.proxy_manager = {}
            self.init_poolmanager(DEFAULT_POOLSIZE, DEFAULT_POOLSIZE)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the connections to the service."""
        super().init_poolmanager(*args, **kwargs, socket_options=_options())
        _use_our_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Return the connections to a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs, socket_options=_options())
        if type(manager) is ProxyManager:  # one of SOCKS, for a user's own requests, has its own
            _use_our_pools(manager)
        return manager

    def send(self, *args: Any, **kwargs: Any) -> Any:
        """Send a request; until its connection stands, nothing has left."""
        handover = _handover()
        if handover is not None:
            handover.connect()
        return super().send(*args, **kwargs)


def use_ours(session: Session, url: str) -> None:
    """Let a session take our connections to an address."""
    if not isinstance(session.get_adapter(url), Connections):
        session.mount(url, Connections())


def _use_our_pools(manager: Any) -> None:
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


if TYPE_CHECKING:
    from requests import Response, Session

READ_BYTES = 2**16
"""Bytes of an answer that are read at a time."""


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

    :param session: sends; whatever it would sign with is left aside. It gets our adapter.
    :param clock: the one requests are signed by.
    :param keys: what they are signed with; those of the settings if not given.
    :param encrypt: as for :func:`~.flow.call_flow`.
    :param attempt: likewise.
    :raises FaceIdError: there is no answer.
    """
    keys, attempt = keys or signing_credentials(settings.credentials), attempt or Attempt()
    use_ours(session, settings.url)
    flow = call_flow(action, params, settings, clock, encrypt, attempt=attempt)
    effect = next(flow)
    while True:
        answer: Answer = None
        try:
            match effect:
                case TakeSlot():
                    pace.wait()
                case TakeKey():
                    answer = keys.ready()
                case Send():
                    answer = _send(session, settings, effect, clock, attempt)
                case Seen(ThrottledError()):
                    pace.slow_down()
                case Pause(seconds):
                    clock.sleep(seconds)
                case RenewKey(refused):
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
    handover = Handover()

    def exchange() -> tuple[Response, bytes]:
        with (
            watched(handover),
            session.post(
                settings.url + "/",
                data=UploadBody(upload) if upload.is_large else bytes(send.body),
                headers=headers,
                auth=lambda request: request,  # signed; a netrc must not touch our Authorization
                timeout=(send.connect_timeout, send.timeout),
                allow_redirects=False,
                stream=True,
                # Said again, because the environment overrules what only the session says.
                verify=settings.verify,
                proxies=dict(settings.proxies),
            ) as response,
        ):
            return response, read_body(response)

    try:
        response, body = until(lambda: upload.end, exchange)
        return reply_of(send, response.status_code, body, response.headers, settings)
    except UncertainError as error:
        raise of_upload(error, upload, send.action) from None
    except (HTTPError, requests.RequestException) as error:
        proxied = proxy_of(settings.url, settings.proxies) is not None
        problem = problem_of(send.action, error, handover, proxied=proxied)
    except TimeoutError:
        handover.give_up()  # the thread that is left behind may not send it any more
        ending = Ending.NO_CONNECTION if handover.never_left else Ending.NO_ANSWER
        problem = error_of(send.action, ending, f"timeout of {send.timeout:g} s")
    except OSError:  # the only one requests does not wrap: REQUESTS_CA_BUNDLE names no file
        ending = Ending.UNTRUSTED if handover.never_left else Ending.NO_ANSWER
        problem = error_of(send.action, ending, NO_CERTIFICATES)
    finally:
        attempt.uploaded(upload)
    raise of_upload(problem, upload, send.action) from None


def read_body(response: Response) -> bytes:
    """
    Return the body of an answer as it came, or its beginning if it is too long to be one.

    :raises HTTPError: the connection broke.
    """
    body = bytearray()
    while len(body) <= MAX_ANSWER:
        part = response.raw.read(READ_BYTES, decode_content=False)
        if not part:
            break
        body += part
    return bytes(body)
