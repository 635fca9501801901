"""Calls over aiohttp: many at a time in one event loop."""

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
    Pause,
    RateLimiter,
    RenewKey,
    Seen,
    Send,
    TakeKey,
    TakeSlot,
    call_flow,
)
from .credentials.refresh import signing_credentials
from .delivery import NO_CERTIFICATES, Ending, Handover, error_of, problem_of
from .request import IDLE_SECONDS, headers_of, reply_of
from .settings import Settings, encrypt_of, proxy_of
from .timeouts import until_async
from .upload import Upload, new_socket, of_upload, polls, unsent_bytes

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter


class AsyncClient:
    """
    A pool of connections to one Face ID account; use it as an async context manager.

    :param settings: the account.
    :param pace: hands out the moments at which calls may leave.
    :param watch: called in the event loop whenever a request has ended, before anything else
        happens: with why it is no answer, or None if it is one, and the attempt it belongs to, which
        may yet get over it.
    :raises ConfigurationError: fields cannot be encrypted as the settings want it.
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
                limit=0,  # the engine bounds what is in flight
                keepalive_timeout=IDLE_SECONDS,
                socket_factory=new_socket,
                ssl=trust_of(settings),
            ),
            trust_env=False,  # proxies are ours to find; a netrc must not touch our Authorization
            auto_decompress=False,  # what unpacks an answer knows when to stop
            cookie_jar=aiohttp.DummyCookieJar(),  # the service has none: others' are not sent back
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

        :param attempt: carries to the caller whether anything was sent.
        :param pace: for this call, in place of the client's.
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
                    case TakeKey():
                        answer = self._keys.ready()
                    case Send():
                        answer = await self._send(effect, attempt)
                    case Seen(problem):
                        await self._saw(problem, attempt, pace)
                    case Pause(seconds):
                        await self._clock.asleep(seconds)
                    case RenewKey(refused):
                        answer = await self._keys.wait_async(self._settings.conn_id, refused)
            except FaceIdError as error:
                effect = flow.throw(error)
                continue
            try:
                effect = flow.send(answer)
            except StopIteration as stop:
                verdict: Verdict = stop.value
                return verdict

    async def _saw(self, problem: FaceIdError | None, attempt: Attempt, pace: RateLimiter) -> None:
        if self._watch is not None:
            self._watch(problem, attempt)
        if isinstance(problem, ThrottledError):
            await asyncio.to_thread(pace.slow_down)

    async def _send(self, send: Send, attempt: Attempt) -> Reply:
        settings = self._settings
        headers = headers_of(send, settings, self._clock)
        now = asyncio.get_running_loop().time
        upload = Upload(send.body, send.timeout, now, attempt.traffic)
        handover = Handover(attempt.may_leave)
        handover.connect()
        data = Body(upload, handover)
        try:
            async with (
                until_async(lambda: upload.end),
                self._session.post(
                    settings.url + "/",
                    data=data,
                    headers={**headers, "Content-Length": str(upload.length)},
                    proxy=self._proxy,
                    allow_redirects=False,
                    timeout=limits(send.connect_timeout),
                ) as response,
            ):
                body = bytearray()
                while len(body) <= MAX_ANSWER and (part := await response.content.readany()):
                    body += part
            return reply_of(send, response.status, body, response.headers, settings)
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError, OSError) as error:
            problem = problem_of(send.action, error, handover, proxied=self._proxy is not None)
            raise of_upload(problem, upload, send.action) from None
        except UncertainError as error:
            raise of_upload(error, upload, send.action) from None
        finally:
            attempt.uploaded(upload)
            if not upload.is_complete:
                data.reset()


class Body(aiohttp.Payload):
    """
    The body of a request as aiohttp takes it, once the request has a connection.

    aiohttp holds the headers back until the body comes, and a request without its body is none: the
    request is handed over here.
    """

    def __init__(self, upload: Upload, handover: Handover) -> None:
        super().__init__(upload, content_type="application/json")
        self._upload, self._size, self._handover = upload, upload.length, handover
        self._transport: asyncio.WriteTransport | None = None

    async def write(self, writer: AbstractStreamWriter) -> None:
        """
        Write a short body at once.

        Write a large one part by part, and its last byte once everything before it has left.
        """
        upload = self._upload
        self._handover.begin()
        if not upload.is_large:
            await writer.write(upload.whole())
            return
        # Drained at one byte, the transport has handed all to the kernel. At 0, TLS would wait for ever.
        self._transport = transport = getattr(writer, "transport", None)
        if transport is not None:
            transport.set_write_buffer_limits(high=1)
        for part in upload.parts():
            await writer.write(part)
            await writer.drain()
        connection = transport and transport.get_extra_info("socket")
        for pause in polls():
            if connection is None or not upload.waits_for(unsent_bytes(connection)):
                break
            await asyncio.sleep(pause)
        await writer.write(upload.last_byte())

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        """Write the body, of which aiohttp knows the length."""
        del content_length
        await self.write(writer)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Refuse to be read: a body is sent once and never shown."""
        del encoding, errors
        raise TypeError("the body of an upload is not shown")

    def reset(self) -> None:
        """Reset the connection: nothing that is still here shall leave."""
        if self._transport is not None:
            self._transport.abort()


@lru_cache(maxsize=2)
def limits(connect_timeout: float) -> aiohttp.ClientTimeout:
    """Return what aiohttp is to watch: the time to connect; the whole is watched by ourselves."""
    return aiohttp.ClientTimeout(total=None, connect=connect_timeout, sock_connect=connect_timeout)


def trust_of(settings: Settings) -> ssl.SSLContext | bool:
    """
    Return which certificates to trust: those requests would, so that both clients agree.

    :raises ConfigurationError: the environment names a file of certificates that is not there.
    """
    if not settings.verify:
        return False
    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    path = Path(named or DEFAULT_CA_BUNDLE_PATH)
    try:
        if path.is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError:
        raise error_of("Every Action", Ending.UNTRUSTED, NO_CERTIFICATES) from None
