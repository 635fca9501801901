"""Asynchronous transport: calls over aiohttp with a connection pool, many at a time in an event loop."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import aiohttp
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from ..api.messages import MAX_ANSWER, Reply
from ..api.verdict import Verdict
from ..clock import SYSTEM_CLOCK, Clock, OffsetClock
from ..exceptions import FaceIdError, ThrottledError, UncertainError
from .call import (
    Answer,
    Attempt,
    CallFlow,
    GetCredentials,
    Pause,
    RateLimiter,
    RefreshCredentials,
    RequestEnded,
    Send,
    TakeSlot,
    call_flow,
)
from .credentials.refresh import signing_credentials
from .delivery import NO_CERTIFICATES, Ending, SendGuard, error_of, error_of_transport
from .request import IDLE_SECONDS, headers_of, reply_of
from .settings import Settings, encrypt_of, proxy_of
from .timeouts import deadline_async
from .upload import Upload, error_of_upload, new_socket, poll_intervals, unsent_bytes

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter


class AsyncClient:
    """
    A client of one Face ID account with a connection pool; use it as an async context manager.

    :param settings: the account.
    :param pace: the rate limiter.
    :param clock: the machine's clock.
    :param watch: called in the event loop when a request has ended, before anything else happens:
        with its error, or None if it was answered, and with the attempt it belongs to, which may still
        retry.
    :raises ConfigurationError: the settings for field encryption are malformed.
    """

    def __init__(
        self,
        settings: Settings,
        pace: RateLimiter,
        clock: Clock = SYSTEM_CLOCK,
        watch: Callable[[FaceIdError | None, Attempt], None] | None = None,
    ) -> None:
        self._settings = settings
        self._pace = pace
        self._clock = OffsetClock(clock)
        self._watch = watch
        self._keys = signing_credentials(settings.credentials, clock)
        self._encrypt = encrypt_of(settings, clock)

    async def __aenter__(self) -> Self:
        settings = self._settings
        self._proxy = proxy_of(settings.url, settings.proxies)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # the engine limits the calls in flight
                keepalive_timeout=IDLE_SECONDS,
                socket_factory=new_socket,
                ssl=tls_context(settings),
            ),
            trust_env=False,  # the proxy is passed by us; a netrc must not touch our Authorization
            auto_decompress=False,  # read_reply decompresses with a size limit
            cookie_jar=aiohttp.DummyCookieJar(),  # the service sets no cookies; none are returned
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def call(
        self,
        action: str,
        params: Mapping[str, object],
        attempt: Attempt | None = None,
        pace: RateLimiter | None = None,
    ) -> Verdict:
        """
        Make one call.

        :param action: the API Action.
        :param params: its request fields.
        :param attempt: shows the caller whether anything was sent.
        :param pace: rate limiter of this call, in place of the client's.
        :raises FaceIdError: there is no answer.
        """
        attempt, pace = attempt or Attempt(), pace or self._pace
        flow = call_flow(
            action, params, self._settings, self._clock, self._encrypt, attempt=attempt
        )
        try:
            return await self._drive(flow, attempt, pace)
        finally:
            flow.close()

    async def _drive(self, flow: CallFlow, attempt: Attempt, pace: RateLimiter) -> Verdict:
        effect = next(flow)
        while True:
            answer: Answer = None
            try:
                match effect:
                    case TakeSlot():
                        await pace.wait_async()
                    case GetCredentials():
                        answer = self._keys.ready()
                    case Send():
                        answer = await self._send(effect, attempt)
                    case RequestEnded(problem):
                        await self._request_ended(problem, attempt, pace)
                    case Pause(seconds):
                        await self._clock.asleep(seconds)
                    case RefreshCredentials(refused):
                        answer = await self._keys.wait_async(self._settings.conn_id, refused)
            except FaceIdError as error:
                effect = flow.throw(error)
                continue
            try:
                effect = flow.send(answer)
            except StopIteration as stop:
                verdict: Verdict = stop.value
                return verdict

    async def _request_ended(
        self, problem: FaceIdError | None, attempt: Attempt, pace: RateLimiter
    ) -> None:
        if self._watch is not None:
            self._watch(problem, attempt)
        if isinstance(problem, ThrottledError):
            await asyncio.to_thread(pace.slow_down)

    async def _send(self, send: Send, attempt: Attempt) -> Reply:
        settings = self._settings
        headers = headers_of(send, settings, self._clock)
        now = asyncio.get_running_loop().time
        upload = Upload(send.body, send.timeout, now, attempt.traffic)
        guard = SendGuard(attempt.may_leave)
        guard.connecting()
        data = Body(upload, guard)
        try:
            async with (
                deadline_async(lambda: upload.end),
                self._session.post(
                    settings.url + "/",
                    data=data,
                    headers={**headers, "Content-Length": str(upload.length)},
                    proxy=self._proxy,
                    allow_redirects=False,
                    timeout=timeouts(send.connect_timeout),
                ) as response,
            ):
                body = bytearray()
                while len(body) <= MAX_ANSWER and (part := await response.content.readany()):
                    body += part
            return reply_of(send, response.status, body, response.headers, settings)
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError, OSError) as error:
            problem = error_of_transport(send.action, error, guard, proxied=self._proxy is not None)
            raise error_of_upload(problem, upload, send.action) from None
        except UncertainError as error:
            raise error_of_upload(error, upload, send.action) from None
        finally:
            attempt.uploaded(upload)
            if not upload.is_complete:
                data.reset()


class Body(aiohttp.Payload):
    """
    The body of a request as an aiohttp payload.

    aiohttp writes it when the request has a connection, and holds the headers back until then. So
    writing the body is the moment from which the request counts as sent.
    """

    def __init__(self, upload: Upload, guard: SendGuard) -> None:
        super().__init__(upload, content_type="application/json")
        self._upload, self._size, self._guard = upload, upload.length, guard
        self._transport: asyncio.WriteTransport | None = None

    async def write(self, writer: AbstractStreamWriter) -> None:
        """
        Write a short body at once, and a large one in chunks.

        The last byte of a large one follows when all bytes before it have left this machine.
        """
        upload = self._upload
        self._guard.begin_send()
        if not upload.is_large:
            await writer.write(upload.whole())
            return
        # With a high-water mark of 1, drain() returns when the kernel has taken all bytes. With 0 it
        # would never return over TLS.
        self._transport = transport = getattr(writer, "transport", None)
        if transport is not None:
            transport.set_write_buffer_limits(high=1)
        for part in upload.parts():
            await writer.write(part)
            await writer.drain()
        connection = transport and transport.get_extra_info("socket")
        for pause in poll_intervals():
            if connection is None or not upload.must_wait(unsent_bytes(connection)):
                break
            await asyncio.sleep(pause)
        await writer.write(upload.last_byte())

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        """Write the body; its length is known."""
        del content_length
        await self.write(writer)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Refuse to decode the body, which may hold personal data: it is only ever sent."""
        del encoding, errors
        raise TypeError("the body of an upload is not shown")

    def reset(self) -> None:
        """Reset the connection and discard all unsent bytes."""
        if self._transport is not None:
            self._transport.abort()


@lru_cache(maxsize=2)
def timeouts(connect_timeout: float) -> aiohttp.ClientTimeout:
    """Return aiohttp's timeouts: only for connecting. The whole has a deadline of our own."""
    return aiohttp.ClientTimeout(total=None, connect=connect_timeout, sock_connect=connect_timeout)


def tls_context(settings: Settings) -> ssl.SSLContext | bool:
    """
    Return the TLS context with the CA bundle that requests would use, so that both clients agree.

    :return: False to skip the verification; True without TLS: reading a bundle takes 20 ms of CPU.
    :raises ConfigurationError: the environment names a CA bundle that does not exist.
    """
    if not settings.verify:
        return False
    if not settings.url.startswith("https:"):
        return True
    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    path = Path(named or DEFAULT_CA_BUNDLE_PATH)
    try:
        if path.is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError:
        raise error_of("Every Action", Ending.UNTRUSTED, NO_CERTIFICATES) from None
