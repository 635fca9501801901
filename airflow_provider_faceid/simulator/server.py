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

from ..clock import SYSTEM_CLOCK, Clock
from ..service.actions import IdentityLimits
from . import gateway
from .account import Account
from .control import ControlPlane
from .data_plane import DataPlane, Latency
from .faults import Faults
from .levers import Levers
from .limits import IDENTITY_LIMITS
from .people import DEFAULT_PEOPLE, DEFAULT_SEED, People
from .rule import Rule
from .virtual_clock import VirtualClock

HOST = "127.0.0.1"
"""The only address ever listened on: people, key and control plane are not for others."""

STOP_SECONDS = 1.0
"""How long calls that are being answered may take to end when the server stops."""


def build_app(account: Account, latency: Latency = (0, 0)) -> web.Application:
    """Return both planes as one application."""
    app = web.Application(client_max_size=gateway.MAX_POST + 1)
    app.add_routes(ControlPlane(account).routes())
    app.add_routes(Levers(account).routes())
    app.router.add_route("*", "/", DataPlane(account, latency).handle)
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
        max_line_size=2 * gateway.MAX_GET,  # so that the gateway itself refuses a long query
    )
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

    :param people: how many people the authority knows.
    :param seed: decides who they are.
    :param latency_ms: shortest and longest time a call takes.
    :param quotas: calls per second by Action, over the documented ones; 0 means unlimited.
    :param identity_limits: limits per identity by Action; an empty mapping means none.
    :param clock: shows the right time.
    :param faults: fault rules there are from the start.
    :param port: 0 takes a free one.
    """

    def __init__(
        self,
        *,
        people: int = DEFAULT_PEOPLE,
        seed: int = DEFAULT_SEED,
        latency_ms: Latency = (0, 0),
        quotas: Mapping[str, int] | None = None,
        identity_limits: Mapping[str, IdentityLimits] = IDENTITY_LIMITS,
        clock: Clock = SYSTEM_CLOCK,
        faults: Sequence[Rule] = (),
        port: int = 0,
    ) -> None:
        self.account = Account(People(people, seed), quotas, identity_limits, clock, faults)
        self.url = ""
        """Address while the server runs."""
        self._app = build_app(self.account, latency_ms)
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
        """Return the right time: put it forward, and give it to clients that should follow."""
        return self.account.time

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
