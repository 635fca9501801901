"""The batch engine: every row that still needs a call gets one, at the pace of the account.

One event loop; the source, the warehouse and the ledger work in threads of their own, so that a
slow query never delays a call.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from ..client.aio import AsyncClient
from ..client.flow import Pace
from ..client.settings import Settings
from ..clock import Clock
from ..exceptions import FaceIdError, StateStoreError, SupersededError, UnavailableError
from ..service.actions import Action
from ..state.ledger import Ledger
from ..warehouse.results import RELEASED, ResultsRepository
from ..warehouse.source import Source
from .aside import aside
from .claims import Claims
from .gate import Gate
from .halt import Halt
from .health import Health
from .inputs import Columns, Inputs, Row
from .later import Later
from .manifest import Manifest
from .places import Places
from .progress import Log, Progress
from .verification import Verification
from .writer import Writer

SECONDS_IN_FLIGHT = 2.0
"""Calls in flight at most: rate x this; a call takes 0.3 to 1.5 s."""
MAX_IN_FLIGHT = 800
"""But no more than these: a process may usually open 1,024 files, and each takes memory."""


class Batch:
    """
    One run over one table.

    :param action: the API Action.
    :param source: where the people are.
    :param columns: where their values are.
    :param store: where the answers go.
    :param settings: the account.
    :param pace: its pace.
    :param ledger: every call, written down before it leaves.
    :param min_rows: a source of fewer rows is an error.
    :param retry_held: whether rows that may have been charged are called again.
    :param max_in_flight: calls in flight at most, which is what a crash can leave in doubt; 0 for
        as many as the rate needs.
    """

    def __init__(
        self,
        *,
        action: Action,
        source: Source,
        columns: Columns,
        store: ResultsRepository,
        settings: Settings,
        pace: Pace,
        ledger: Ledger,
        clock: Clock,
        log: Log,
        min_rows: int = 1,
        retry_held: bool = False,
        max_in_flight: int = 0,
    ) -> None:
        self.manifest = Manifest()
        self._action, self._store = action, store
        self._settings, self._clock, self._log = settings, clock, log
        self._min_rows, self._retry_held = min_rows, retry_held
        wanted = math.ceil(settings.rate(action.name) * SECONDS_IN_FLIGHT)
        self._max_in_flight = max_in_flight or min(MAX_IN_FLIGHT, max(8, wanted))
        self._inputs = Inputs(action, source, columns, settings, clock)
        self._claims = Claims(
            ledger, action, settings, store.work.campaign, clock, in_flight=self._max_in_flight
        )
        self._halt = Halt(action.name, log)
        self._health = Health(settings.outage_patience, lambda: self._halt.is_on, clock, log)
        self._gate = Gate(pace, self._health, lambda: self._halt.is_on, self._claims.make_sure)
        self._later, self._places = Later(), Places(store, self.manifest)
        self._progress = Progress(action.name, log, clock)
        self._store_thread = ThreadPoolExecutor(1, "faceid-store")

    def run(self) -> Manifest:
        """
        Verify all rows and return the counts.

        :raises FaceIdError: the run could not go on; what was answered so far is written.
        :raises BaseException: a signal handler raised it, as for ``execution_timeout``; the calls
            in flight were waited for.
        """
        try:
            return aside(lambda: asyncio.run(self._run()), self._halt.fail)
        finally:
            self._inputs.close()
            self._store_thread.shutdown()

    def stop(self) -> None:
        """Call for no further rows; those in flight are waited for. Safe from a signal handler."""
        self._halt.stop()

    async def _run(self) -> Manifest:
        started = self._clock.now()
        try:
            await self._in_store(self._store.open)
            await self._claims.open()
            self.manifest.rows_in = await self._inputs.inspect(self._min_rows)
            await self._verify_all(started)
        finally:
            await self._in_store(self._store.database.close)
            await self._inputs.close_source()
        if self._halt.failure is not None:
            raise self._halt.failure
        if self._halt.is_on:
            raise UnavailableError("The run was stopped; run it again for the remaining rows")
        return self.manifest

    async def _verify_all(self, started: float) -> None:
        writer = Writer(
            self._store, self._in_store, self._halt.fail, clock=self._clock, log=self._log
        )
        finished = asyncio.Event()
        writing = asyncio.create_task(writer.keep_writing(finished))
        completed = False
        try:
            async with AsyncClient(
                self._settings, self._gate, self._clock, watch=self._health.saw
            ) as client:
                await self._verify_rows(self._verification(client))
            completed = True
        finally:
            finished.set()
            with suppress(asyncio.CancelledError):
                await writing
            await writer.write()  # what came in while it wrote for the last time
            with suppress(StateStoreError, SupersededError):  # what is not written is in doubt
                await self._claims.close()
            succeeded = completed and not self._halt.is_on
            await self._in_store(
                lambda: self._store.write_run(self.manifest.as_dict(), started, succeeded=succeeded)
            )
            self._progress.tick(self.manifest, final=True)

    def _verification(self, client: AsyncClient) -> Verification:
        return Verification(
            self._action,
            client=client,
            inputs=self._inputs,
            claims=self._claims,
            gate=self._gate,
            health=self._health,
            halt=self._halt,
            later=self._later,
            places=self._places,
            manifest=self.manifest,
            clock=self._clock,
        )

    async def _verify_rows(self, verification: Verification) -> None:
        permits = asyncio.Semaphore(self._max_in_flight)
        tasks: set[asyncio.Task[None]] = set()

        def done(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            permits.release()

        async def start(row: Row) -> None:
            await permits.acquire()
            task = asyncio.create_task(verification.verify(row))
            tasks.add(task)
            task.add_done_callback(done)

        try:
            async for row in self._rows_to_call():
                await start(row)
                if self._halt.is_on:
                    break
        except FaceIdError as error:
            self._halt.fail(
                error
            )  # source or warehouse; calls in flight are waited for all the same
        while tasks or (self._later and not self._halt.is_on):
            while not self._halt.is_on and (due := self._later.due(self._clock.now())):
                await start(due)
            if tasks:
                await asyncio.wait(tasks, timeout=1.0)
            else:
                await self._clock.asleep(1.0)
            self._progress.tick(self.manifest)

    async def _rows_to_call(self) -> AsyncIterator[Row]:
        last: list[Any] = []
        while not self._halt.is_on:
            page = await self._inputs.page(last)
            if not page:
                return
            last = [page[-1][0]]
            keys = [str(row[0]) for row in page]
            known = await self._in_store(
                lambda keys=keys: self._store.settled(keys, retry_held=self._retry_held)
            )
            for key, values in zip(keys, page, strict=True):
                settled = known.get(key)
                if settled is None or settled.place == RELEASED:
                    yield Row(key, values, retry=self._retry_held or settled is not None)
                else:
                    self._places.count(settled)
            self._progress.tick(self.manifest)

    async def _in_store(self, work: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._store_thread, work, *args)
