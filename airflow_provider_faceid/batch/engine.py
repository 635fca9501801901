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
from ..clock import Clock, next_beijing_midnight
from ..exceptions import (
    FaceIdError,
    InvalidInputError,
    StateStoreError,
    SupersededError,
    UnavailableError,
    UncertainError,
)
from ..service.actions import Action
from ..service.outcomes import Outcome, Step
from ..service.verdict import Verdict
from ..state.ledger import Claim, Decision, Ledger, Ruling, State
from ..warehouse.source import Source
from .claims import Claims
from .gate import Gate
from .inputs import Columns, Inputs
from .later import Later, Row
from .manifest import Manifest
from .places import Places
from .progress import Log, Progress
from .store import Stage, Store
from .writer import Writer

SECONDS_IN_FLIGHT = 2.0
"""Calls in flight at most: rate x this; a call takes 0.3 to 1.5 s."""
MAX_IN_FLIGHT = 800
"""But no more than these: a process may usually open 1,024 files, and each takes memory."""

RETRY_UNAVAILABLE_AFTER = 3600.0
"""Seconds after which a row the service could not answer is called again."""

LIMIT_REACHED = "limit:counted"
"""In place of a result code: we counted, and did not ask the service."""

ON_ITS_WAY = "ledger:busy"
"""Likewise: the same question is on its way for another row or in another run."""
BUSY_SECONDS = 1.0

TROUBLE_LIMIT = 40
"""So many rows in a row without any answer end the run: the endpoint, not the row, is at fault."""


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
        store: Store,
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
        self._inputs = Inputs(action, source, columns, settings.id_card_check, clock)
        self._settings, self._clock, self._log = settings, clock, log
        self._claims = Claims(
            ledger, action, settings, store.work.campaign, clock, retry=retry_held
        )
        self._gate = Gate(pace, lambda: self._halted, self._claims.make_sure)
        self._later, self._places = Later(), Places(store, self.manifest)
        self._min_rows, self._retry_held = min_rows, retry_held
        self._progress = Progress(action.name, log, clock)
        wanted = math.ceil(settings.rate(action.name) * SECONDS_IN_FLIGHT)
        self._max_in_flight = max_in_flight or min(MAX_IN_FLIGHT, max(8, wanted))
        self._stopping = False
        self._failure: BaseException | None = None
        self._trouble = 0
        self._first_call: float | None = None
        self._store_thread = ThreadPoolExecutor(1, "faceid-store")

    def run(self) -> Manifest:
        """
        Verify all rows and return the counts.

        :raises FaceIdError: the run could not go on; what was answered so far is written.
        """
        try:
            return asyncio.run(self._run())
        finally:
            self._inputs.close()
            self._store_thread.shutdown()

    def stop(self) -> None:
        """Call for no further rows; those in flight are waited for. Safe from a signal handler."""
        self._stopping = True

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
        if self._failure is not None:
            raise self._failure
        if self._stopping:
            raise UnavailableError("The run was stopped; run it again for the remaining rows")
        return self.manifest

    async def _verify_all(self, started: float) -> None:
        writer = Writer(self._store, self._in_store, self._fail, clock=self._clock, log=self._log)
        finished = asyncio.Event()
        writing = asyncio.create_task(writer.keep_writing(finished))
        completed = False
        try:
            async with AsyncClient(self._settings, self._gate, self._clock) as client:
                await self._call_all(client)
            completed = True
        finally:
            finished.set()
            with suppress(asyncio.CancelledError):
                await writing
            await writer.write()  # what came in while it wrote for the last time
            with suppress(StateStoreError, SupersededError):  # what is not written is in doubt
                await self._claims.close()
            succeeded = completed and not self._halted
            await self._in_store(
                lambda: self._store.write_run(self.manifest, started, succeeded=succeeded)
            )
            self._progress.tick(self.manifest, final=True)

    async def _call_all(self, client: AsyncClient) -> None:
        permits = asyncio.Semaphore(self._max_in_flight)
        tasks: set[asyncio.Task[None]] = set()

        def done(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            permits.release()

        async def start(row: Row) -> None:
            await permits.acquire()
            task = asyncio.create_task(self._verify(client, *row))
            tasks.add(task)
            task.add_done_callback(done)
            if self._first_call is None:
                await asyncio.wait({task})  # a wrong key shows before the second row is sent

        try:
            async for row in self._rows_to_call():
                await start(row)
                if self._halted:
                    break
        except FaceIdError as error:
            self._fail(error)  # source or warehouse; calls in flight are waited for all the same
        while tasks or (self._later and not self._halted):
            while not self._halted and (due := self._later.due(self._clock.now())):
                await start(due)
            if tasks:
                await asyncio.wait(tasks, timeout=1.0)
            else:
                await self._clock.asleep(1.0)
            self._progress.tick(self.manifest)

    async def _rows_to_call(self) -> AsyncIterator[Row]:
        last: list[Any] = []
        while not self._halted:
            page = await self._inputs.page(last)
            if not page:
                return
            last = [page[-1][0]]
            keys = [str(row[0]) for row in page]
            known = await self._in_store(
                lambda keys=keys: self._store.settled(keys, retry_held=self._retry_held)
            )
            for key, row in zip(keys, page, strict=True):
                if key in known:
                    self._places.count(known[key])
                else:
                    yield key, row
            self._progress.tick(self.manifest)

    async def _verify(self, client: AsyncClient, key: str, row: tuple[Any, ...]) -> None:
        if self._halted:
            return
        try:
            params = await self._inputs.request(row)
            claim, ruling = await self._claims.claim(key, params)
        except InvalidInputError as error:
            self._places.quarantine(key, error.rule, Stage.INPUT)
        except Exception as error:  # noqa: BLE001 - raised once the other answers are in
            self._fail(error)
        else:
            if ruling.decision is Decision.CALL:
                await self._call(client, (key, row), params, claim)
            else:
                self._obey((key, row), ruling)

    def _obey(self, row: Row, ruling: Ruling) -> None:
        """Do with a row what the ledger says in place of a call."""
        match ruling.decision:
            case Decision.USE if ruling.verdict is not None:
                self._places.settle(row[0], ruling.verdict)
            case Decision.WAIT:
                self._postpone(row, ruling.not_before, LIMIT_REACHED)
            case Decision.BUSY:
                self._postpone(row, self._clock.now() + BUSY_SECONDS, ON_ITS_WAY)
            case _:
                self._places.hold(row[0], requests=0)

    async def _call(
        self, client: AsyncClient, row: Row, params: dict[str, object], claim: Claim
    ) -> None:
        key, tell = row[0], self._claims.tell
        self._first_call = self._first_call or self._clock.monotonic()
        try:
            verdict = await client.call(self._action.name, params)
        except FaceIdError as error:
            self.manifest.add_requests(error.requests, error.throttled)
            in_doubt = isinstance(error, UncertainError)
            tell(claim, State.IN_DOUBT if in_doubt else State.FREE, sent=self._gate.has_sent())
            self._settle_without_answer(key, error)
        except BaseException as error:  # a time limit or a fault, in the middle of anything
            sent = self._gate.has_sent()
            tell(claim, State.IN_DOUBT if sent else State.FREE, sent=sent)
            if sent:
                self._places.hold(key, requests=1)
            if isinstance(error, asyncio.CancelledError):
                raise
            self._fail(error)  # raised once the other answers are in
        else:
            self._trouble = 0
            self.manifest.add_verdict(verdict)
            await self._answered(row, claim, verdict)
        self.manifest.seconds = self._clock.monotonic() - self._first_call

    async def _answered(self, row: Row, claim: Claim, verdict: Verdict) -> None:
        """Take down an answer: in the ledger first, so that it is known whatever comes next."""
        defer = verdict.step is Step.DEFER
        again = next_beijing_midnight(self._clock.now())
        recorded = True
        try:
            await self._claims.tell(claim, State.FREE if defer else State.DONE, verdict)
            if defer:
                again = await self._claims.after_refusal(claim)
        except SupersededError as error:
            recorded = False
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - the row keeps its answer all the same
            self._fail(error)
        finally:
            if recorded and defer:
                self._postpone(row, again, verdict.code)
            elif recorded:
                self._places.settle(row[0], verdict)

    def _settle_without_answer(self, key: str, error: FaceIdError) -> None:
        if isinstance(error, UncertainError):
            self._places.hold(key, error.requests)
        elif isinstance(error, UnavailableError):
            later = self._clock.now() + RETRY_UNAVAILABLE_AFTER
            self._places.defer(key, Outcome.UNAVAILABLE, later, code=error.code)
        else:  # fatal, not sent, throttled for good, or the source: the next row fares no better
            self._fail(error)
            return
        self._trouble += 1
        if self._trouble >= TROUBLE_LIMIT:
            self._fail(error)

    def _postpone(self, row: Row, not_before: float, code: str) -> None:
        """Let a row whose person was asked about too often wait, in this run or for another."""
        if not self._later.add(row, not_before, self._clock.now()):
            self._places.defer(row[0], Outcome.LIMIT, not_before, code=code)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._log.error("%s stops: %s", self._action.name, error)
            self._failure = error

    @property
    def _halted(self) -> bool:
        return self._stopping or self._failure is not None

    async def _in_store(self, work: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._store_thread, work, *args)
