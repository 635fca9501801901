"""The batch engine: plans a run over one table, then verifies each row that is due.

One event loop; the source, the warehouse and the ledger work in threads of their own, so that a
slow query never delays a call. An in-flight window is the backpressure: the source is read no faster
than rows are verified.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import Any

from ..api.action import Action
from ..api.fields import PHOTO
from ..api.pseudonyms import hash_key_id
from ..client.call import RateLimiter
from ..client.settings import Settings
from ..client.transport_async import AsyncClient
from ..clock import Clock
from ..exceptions import (
    FaceIdError,
    PlanRefusedError,
    StateStoreError,
    SupersededError,
    UnavailableError,
    counted,
)
from ..process import safe_message
from ..state.ledger import Ledger
from ..state.uplink import MemoryUplink, UplinkRow
from ..warehouse.records import RunState
from ..warehouse.results import ResultsRepository
from ..warehouse.sources.source import Source
from .admission import Admission, CircuitBreaker, DelayQueue, InFlightWindow, StopSignal
from .inputs import Columns, Inputs, Planner, Row
from .ledger_client import LedgerClient
from .manifest import Log, Manifest, Progress
from .pause import PauseGate
from .photos import PhotoReader, Uploads
from .plan import MAX_CHANGED, RUNS_COMPARED, CampaignHistory
from .row_outcomes import ResultsWriter, RowOutcomes
from .threads import DaemonThreads, run_off_main_thread
from .verification import Verification

SECONDS_IN_FLIGHT = 2.0
"""In-flight window: rate x this; a call takes 0.3 to 1.5 s."""
RECORD_SECONDS = 10.0
"""Between two records of the progress, in the run's own row and for ``on_progress``."""
TELL_SECONDS = 5.0
"""For which ``on_progress`` is waited for."""
MAX_IN_FLIGHT = 800
"""Largest in-flight window: a process may usually open 1,024 files, and each call takes memory."""


class Batch:
    """
    One run over one table.

    :param action: the API Action.
    :param source: table or query with the people.
    :param columns: columns of their values.
    :param store: repository of the result tables; knows for how long an answer is valid.
    :param settings: the account.
    :param pace: rate limiter of the account.
    :param ledger: records the intent of each call before it is sent.
    :param min_rows: a source of fewer rows is an error.
    :param retry_held: whether rows that may have been charged are called again.
    :param max_changed: share of answered rows, 0-1, that may ask something else than before.
    :param dry_run: whether to end with the plan, before the first call.
    :param max_in_flight: calls in flight at most, which a crash can leave in doubt; 0 for as many
        as the rate needs.
    :param uplink: of this host, shared by all that upload from it; this run's own if not given.
    :param on_progress: takes the counts so far every :data:`RECORD_SECONDS`, in a thread of its own, and
        once at the end; an error of it is logged and stops nothing.
    """

    def __init__(
        self,
        *,
        action: Action,
        source: Source,
        columns: Columns,
        store: ResultsRepository,
        settings: Settings,
        pace: RateLimiter,
        ledger: Ledger,
        clock: Clock,
        log: Log,
        min_rows: int = 1,
        retry_held: bool = False,
        max_changed: float = MAX_CHANGED,
        dry_run: bool = False,
        max_in_flight: int = 0,
        uplink: UplinkRow | None = None,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.manifest = Manifest()
        self._on_progress = on_progress
        self._action, self._store = action, store
        self._settings, self._clock, self._log = settings, clock, log
        self._min_rows, self._max_changed, self._dry_run = min_rows, max_changed, dry_run
        wanted = math.ceil(settings.rate(action.name) * SECONDS_IN_FLIGHT)
        self._max_in_flight = max_in_flight or min(MAX_IN_FLIGHT, max(8, wanted))
        self._ledger_client = LedgerClient(
            ledger,
            action,
            settings,
            store.context.campaign,
            clock,
            valid_for=store.valid_for,
            in_flight=self._max_in_flight,
        )
        self._stop_signal = StopSignal(action.name, log)
        is_stopping = self._stop_signal.is_set
        self._photos = None
        if columns.read_photo is not None:
            self._photos = PhotoReader(
                columns.read_photo,
                patience=settings.outage_patience,
                is_stopping=is_stopping,
                clock=clock,
                log=log,
            )
        self._inputs = Inputs(
            action, source, columns, settings, clock, is_stopping=is_stopping, photos=self._photos
        )
        self._circuit_breaker = CircuitBreaker(settings.outage_patience, is_stopping, clock, log)
        self._admission = Admission(
            pace, self._circuit_breaker, is_stopping, self._ledger_client.check_fence
        )
        self._delay_queue, self._outcomes = DelayQueue(clock), RowOutcomes(store, self.manifest)
        self._pauses = PauseGate(
            pace.check,
            self.manifest,
            patience=settings.outage_patience,
            stop_signal=self._stop_signal,
            clock=clock,
            log=log,
        )
        self._planner = Planner(
            self._inputs,
            store,
            self._in_store,
            clock,
            retry_held=retry_held,
            valid_for=store.valid_for,
        )
        self._uploads = None
        if action.field_of(PHOTO) is not None:
            rate = settings.rate(action.name)
            self._uploads = Uploads(uplink or MemoryUplink(clock), rate, clock, log)
        self._progress = Progress(action.name, log, clock)
        self._hash_key_id, self._max_charged = hash_key_id(settings.hmac_key), ledger.max_charged
        self._store_thread = ThreadPoolExecutor(1, "faceid-store")
        self._progress_thread = DaemonThreads(1, "faceid-progress")

    def run(self) -> Manifest:
        """
        Verify all rows and return the counts.

        :raises FaceIdError: the run could not go on; what was answered so far is written.
        :raises BaseException: a signal handler raised it, as for ``execution_timeout``; the calls
            in flight were waited for.
        """
        try:
            return run_off_main_thread(lambda: asyncio.run(self._run()), self._stop_signal.fail)
        finally:
            self._inputs.close()
            self._store_thread.shutdown()
            self._progress_thread.shutdown(wait=False)

    def _log_unhandled(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log an error that no task awaits; asyncio itself would log its frames and bytes."""
        error = context.get("exception")
        self._log.error(
            "%s: %s", self._action.name, safe_message(error) if error else "an unseen event"
        )

    def stop(self) -> None:
        """Call for no further rows; those in flight are awaited. Safe from a signal handler."""
        self._stop_signal.stop()

    async def _run(self) -> Manifest:
        asyncio.get_running_loop().set_exception_handler(self._log_unhandled)
        started = self._clock.now()
        try:
            if not self._dry_run:
                await self._pauses.open()
            await self._in_store(self._store.open)
            self.manifest.rows_in = await self._inputs.inspect(self._min_rows)
            await self._plan()
            if not await self._may_begin(started):
                return self.manifest
            self._outcomes.clear()  # they are counted once more, as they are when their page comes
            await self._ledger_client.open()
            await self._verify_all(started)
        finally:
            await self._in_store(self._store.database.close)
            await self._inputs.close_source()
        if self._stop_signal.failure is not None:
            raise self._stop_signal.failure
        if self._stop_signal.is_set():
            raise UnavailableError("The run was stopped; run it again for the remaining rows")
        return self.manifest

    async def _plan(self) -> None:
        """Read the source once and count what is due."""
        plan, seen = self.manifest.plan, 0
        async for page in self._planner.pages(is_planning=True):
            for planned in page:
                self._planner.add(planned, plan)
                if planned.decision.place is not None:
                    self._outcomes.count(planned.decision)
            seen += len(page)
            self._progress.note("planning, %d/%d rows", seen, self.manifest.rows_in)
            if self._stop_signal.is_set():
                raise UnavailableError("The run was stopped before its first call")
        plan.seconds = plan.calls / self._settings.rate(self._action.name)
        self._log.info(
            "%s plan for campaign '%s', %s: %s",
            self._action.name,
            self._store.context.campaign,
            counted(self.manifest.rows_in, "row"),
            plan.line(),
        )

    async def _may_begin(self, started: float) -> bool:
        """
        Return whether there is anything to do, and write the run's own row.

        That first write comes before the first call: a warehouse that refuses it costs nothing.

        :raises PlanRefusedError: more rows changed than may.
        """
        work, plan = self._store.context, self.manifest.plan
        history = CampaignHistory(
            work.campaign,
            work.source,
            self._hash_key_id,
            await self._in_store(self._store.last_runs, RUNS_COMPARED),
        )
        for warning in history.warnings():
            self._log.warning("%s", warning)
        if self._max_charged is not None and plan.calls > self._max_charged:
            self._log.warning(
                "%s due, and max_charged=%d: the run stops once so many calls are charged",
                counted(plan.calls, "row is", "rows are"),
                self._max_charged,
            )
        try:
            history.check(plan, self._max_changed)
        except PlanRefusedError as error:
            if not self._dry_run:
                await self._write_run(started, RunState.REFUSED)
                raise
            self._log.warning("%s", error)
        if self._dry_run:
            await self._write_run(started, RunState.PLANNED)
            return False
        await self._write_run(started, RunState.RUNNING)
        if not plan.has_work:
            await self._write_run(started, RunState.SUCCESS)
        return plan.has_work

    async def _write_run(
        self, started: float, state: RunState, *, is_progress: bool = False
    ) -> None:
        numbers = {**self.manifest.as_dict(), "hash_key_id": self._hash_key_id}
        write = partial(self._store.write_run, is_progress=is_progress)
        await self._in_store(write, numbers, started, state)

    async def _keep_recording(self, started: float) -> None:
        """
        Record the progress every so often.

        A record that fails stops no run: the warehouse's own writer finds out, and decides.
        """
        while True:
            await self._clock.asleep(RECORD_SECONDS)
            try:
                await self._write_run(started, RunState.RUNNING, is_progress=True)
            except FaceIdError as error:
                self._log.warning("The progress could not be recorded: %s", error)
            await self._tell_progress()

    async def _tell_progress(self) -> None:
        """
        Hand the counts so far to ``on_progress``, and wait for it a few seconds at most.

        It may ask Airflow's api-server, which may be away: neither rows nor their writer wait for it.
        """
        if self._on_progress is None:
            return
        telling = asyncio.wrap_future(
            self._progress_thread.submit(self._on_progress, self.manifest.as_dict())
        )
        try:
            await asyncio.wait_for(telling, TELL_SECONDS)
        except Exception as error:  # noqa: BLE001 - what shows the progress must not stop the run
            self._log.warning("The progress could not be shown: %s", safe_message(error))

    async def _verify_all(self, started: float) -> None:
        writer = ResultsWriter(
            self._store,
            self._in_store,
            self._stop_signal.fail,
            self._outcomes.refuse,
            clock=self._clock,
            log=self._log,
        )
        finished = asyncio.Event()
        writing = self._spawn(writer.keep_writing(finished))
        keeping = self._spawn(self._ledger_client.housekeeping())
        completed = False
        try:
            client = AsyncClient(
                self._settings,
                self._admission.pace,
                self._clock,
                watch=self._circuit_breaker.observe,
            )
            async with client, self._reporting(started):
                verification = self._verification(client)
                await self._verify_rows(verification)
            if (unread := verification.unread()) is not None and not self._stop_signal.is_set():
                self._stop_signal.fail(unread)
            completed = True
        finally:
            finished.set()
            keeping.cancel()
            await asyncio.wait({writing, keeping})
            await self._flush(writer)
            succeeded = completed and not self._stop_signal.is_set()
            await self._write_run(started, RunState.SUCCESS if succeeded else RunState.FAILED)
            await self._tell_progress()
            self._progress.tick(self.manifest, final=True)

    @asynccontextmanager
    async def _reporting(self, started: float) -> AsyncIterator[None]:
        """Log and record progress, and share the uplink with other tasks of this host, while rows are verified."""

        async def keep_ticking() -> None:
            while True:
                await self._clock.asleep(1.0)
                self._tick()

        ticking = self._spawn(keep_ticking())
        recording = self._spawn(self._keep_recording(started))
        try:
            async with (
                nullcontext() if self._uploads is None else self._uploads.reporting(self._spawn)
            ):
                yield
        finally:
            ticking.cancel()
            recording.cancel()
            await asyncio.wait({recording})  # a record that has begun ends before the last one

    def _tick(self) -> None:
        note = self._pauses.line() or ("" if self._uploads is None else self._uploads.line())
        self._progress.tick(self.manifest, note, has_ended=self._stop_signal.is_set())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a background task; if it raises, the run stops."""

        def done(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self._stop_signal.fail(error)

        task = asyncio.create_task(work)
        task.add_done_callback(done)
        return task

    async def _flush(self, writer: ResultsWriter) -> None:
        """Write what is left, each part even if another one failed."""
        try:
            await writer.write()  # what came in while it wrote for the last time
        except Exception as error:  # noqa: BLE001 - raised at the end, and the ledger comes first
            self._stop_signal.fail(error)
        try:
            await self._ledger_client.close()
        except (StateStoreError, SupersededError) as error:
            self._log.warning(
                "The ledger's last step failed; calls it was about are in doubt: %s", error
            )
        except Exception as error:  # noqa: BLE001 - the same
            self._stop_signal.fail(error)

    def _verification(self, client: AsyncClient) -> Verification:
        return Verification(
            self._action,
            client=client,
            inputs=self._inputs,
            ledger_client=self._ledger_client,
            admission=self._admission,
            circuit_breaker=self._circuit_breaker,
            stop_signal=self._stop_signal,
            delay_queue=self._delay_queue,
            pauses=self._pauses,
            outcomes=self._outcomes,
            manifest=self.manifest,
            clock=self._clock,
            uploads=self._uploads,
            photos=self._photos,
        )

    async def _verify_rows(self, verification: Verification) -> None:
        window = InFlightWindow(self._max_in_flight, self._stop_signal)
        stop_signal, delayed = self._stop_signal, self._delay_queue
        try:
            async for row in self._rows_to_call():
                await window.start(verification.verify, row)
                if stop_signal.is_set():
                    break
        except FaceIdError as error:  # source or warehouse; calls in flight are still waited for
            stop_signal.fail(error)
        while window or (delayed and not stop_signal.is_set()):
            while not stop_signal.is_set() and (due := delayed.due()):
                await window.start(verification.verify, due)
            if window:
                await window.wait(1.0)
            else:
                await self._clock.asleep(1.0)

    async def _rows_to_call(self) -> AsyncIterator[Row]:
        """Yield the rows that are due, and update the tables for those that need no call."""
        async for page in self._planner.pages(is_planning=False):
            outdated, adopted = [], {}
            for planned in page:
                row, decision = planned.row, planned.decision
                if decision.place is None:
                    yield row
                    continue
                self._outcomes.count(decision)
                if decision.is_outdated:
                    outdated.append(row.key)
                if decision.is_adopted and row.row_hash is not None:
                    adopted[row.key] = row.row_hash
            await self._in_store(self._store.delete_results, outdated)
            await self._in_store(self._store.set_row_hashes, adopted)
            if self._stop_signal.is_set():
                return

    async def _in_store(self, work: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._store_thread, work, *args)
