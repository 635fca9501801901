"""The server: data plane and control plane on one loopback port."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from aiohttp import web

from ..api.action import IdentityLimits
from ..clock import SYSTEM_CLOCK, Clock
from .account import LIKELIEST, Assumptions, log_request
from .account.account import Account, VirtualClock
from .api.call import MAX_GET, MAX_POST
from .api.data_plane import DataPlane, Latency
from .control import (
    ControlPlane,
    ControlSettings,
    add_headers,
    guarded,
    is_for_page,
    page_routes,
    redirect_to_page,
)
from .faults import FaultRule, Faults
from .people import DEFAULT_PEOPLE, DEFAULT_SEED, ID_CARD, People, Person, expects

HOST = "127.0.0.1"
"""The only address it listens on: people, key and control plane are not for other hosts."""

STOP_SECONDS = 1.0
"""Time for open calls to end when the server stops."""


def build_app(
    account: Account, latency: Latency = (0, 0), *, log_requests: bool = False
) -> web.Application:
    """Return both planes as one application."""
    app = web.Application(client_max_size=MAX_POST + 1)
    app.on_response_prepare.append(add_headers)
    for routes in (
        ControlPlane(account).routes(),
        ControlSettings(account).routes(),
        page_routes(),
    ):
        app.add_routes(map(guarded, routes))
    plane = DataPlane(account, latency, log_request if log_requests else None)

    async def handle(request: web.Request) -> web.StreamResponse:
        return redirect_to_page() if is_for_page(request) else await plane.handle(request)

    app.router.add_route("*", "/", handle)
    return app


@asynccontextmanager
async def serve(app: web.Application, port: int = 0) -> AsyncIterator[str]:
    """
    Serve while the block runs; yields the address.

    :param port: 0 takes a free one.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=STOP_SECONDS,
        read_bufsize=MAX_POST,  # a body need not wait in pieces
        auto_decompress=False,  # the signature is of the body as sent
        max_line_size=2 * MAX_GET,  # so that the gateway itself refuses a long query
    )
    bytes(MAX_POST)  # malloc keeps the memory of large bodies from now on
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class SimulatorServer:
    """
    The simulator in a thread of this process, for tests and notebooks.

    Use it as a context manager, or call :meth:`start` and :meth:`stop`.

    :param people: how many people to list.
    :param seed: decides all about them.
    :param latency_ms: shortest and longest time a call takes.
    :param quotas: calls per second by Action, over the documented ones; 0 means unlimited.
    :param identity_limits: limits per identity by Action; None for the documented ones, an empty
        mapping for none.
    :param clock: shows the right time.
    :param faults: fault rules at the start.
    :param keys: SecretKey by SecretId; each SecretId is a sub-account with quotas of its own.
    :param assumptions: assumed behaviour of the service where no page confirms it.
    :param port: 0 takes a free one.
    :param log_requests: log a line per request, see :mod:`.account`.
    """

    def __init__(
        self,
        *,
        people: int = DEFAULT_PEOPLE,
        seed: int = DEFAULT_SEED,
        latency_ms: Latency = (0, 0),
        quotas: Mapping[str, int] | None = None,
        identity_limits: Mapping[str, IdentityLimits] | None = None,
        clock: Clock = SYSTEM_CLOCK,
        faults: Sequence[FaultRule] = (),
        keys: Mapping[str, str] | None = None,
        assumptions: Assumptions = LIKELIEST,
        port: int = 0,
        log_requests: bool = False,
    ) -> None:
        self.account = Account(
            People(people, seed),
            quotas,
            identity_limits,
            clock=clock,
            faults=faults,
            keys=keys,
            assumptions=assumptions,
        )
        self.url = ""
        """Address while the server runs."""
        self._app = build_app(self.account, latency_ms, log_requests=log_requests)
        self._port = port
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    @property
    def faults(self) -> Faults:
        """Return the fault rules; any thread may add some."""
        return self.account.faults

    @property
    def clock(self) -> VirtualClock:
        """Return the right time: advance it, and give it to clients that should follow."""
        return self.account.time

    def person(self, action: str = ID_CARD, code: str | None = None) -> Person:
        """
        Return a person to verify.

        :param code: the ``Result`` or ``Error.Code`` of the answer; None for a person who matches, in
            every Action and from the first call on.
        :raises LookupError: no listed person gets this code.
        """
        for person in self.account.people.listed:
            if person.persona is None if code is None else expects(person)[action] == code:
                return person
        raise LookupError(f"No listed person gets {code} from {action}")

    def photo(self, person: Person) -> bytes:
        """Return the picture of a person to send, a JPEG."""
        return self.account.gallery.submitted(person)

    def start(self) -> Self:
        """
        Serve until :meth:`stop`; returns when the port is open.

        :raises OSError: the port is taken.
        """
        started: Future[str] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(started)), name="faceid-simulator", daemon=True
        )
        self._thread.start()
        try:
            self.url = started.result()
        except BaseException:
            self._thread.join()
            self._thread = None
            raise
        return self

    def stop(self) -> None:
        """Stop serving; returns when everything is closed."""
        if self._thread is None or self._loop is None or self._stopping is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def _run(self, started: Future[str]) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with serve(self._app, self._port) as url:
                started.set_result(url)
                await self._stopping.wait()
        except BaseException as error:  # the port is taken, for example
            if started.done():
                raise
            started.set_exception(error)
