"""Verification of one row: request, claim, call, record, and the place the row ends in.

The paid-once protocol itself is :mod:`~..state.idempotency`; this module drives it in an event loop.
"""

from __future__ import annotations

import asyncio

from ..api.action import Action
from ..api.codes import Outcome, Step
from ..api.verdict import Verdict
from ..client.call import Attempt
from ..client.transport_async import AsyncClient
from ..clock import Clock, next_beijing_midnight
from ..exceptions import (
    BudgetError,
    FaceIdError,
    InvalidInputError,
    NotSentError,
    OutageError,
    PausedError,
    PhotoStoreError,
    SlowUploadError,
    SupersededError,
    UnavailableError,
    UncertainError,
)
from ..state.call_table import Claim, Decision, Record, Ruling
from ..state.idempotency import PaidOnceProtocol, Settled, paid_once, resume
from ..warehouse.records import Stage
from .admission import Admission, CircuitBreaker, DelayQueue, StopSignal
from .inputs import Inputs, Row
from .ledger_client import LedgerClient
from .manifest import Manifest
from .pause import PauseGate
from .photos import PhotoReader, Uploads, UploadSlot
from .row_outcomes import RowOutcomes

RETRY_UNAVAILABLE_AFTER = 3600.0
"""Seconds after which a row that the service could not answer is called again."""

MOST_ROUNDS = 1
"""Further times a row may use up its attempts in an outage: the row itself may be the cause."""

LIMIT_REACHED = "limit:counted"
"""In place of a result code: our own count of calls reached the limit; the service was not asked."""

ON_ITS_WAY = "ledger:busy"
"""Likewise: a call with the same question is in flight, for another row or in another run."""

SLOW_UPLOAD = "upload:slow"
"""Likewise: the uplink is too slow for the photo."""

AGAIN_SECONDS = 1.0
"""Seconds until a row is tried again that was busy, not sent, or over the budget for now."""


class Verification:
    """
    Takes rows from their request to the place they end in, many at a time.

    :param client: makes the calls.
    :param delay_queue: rows that wait within the run.
    :param pauses: holds rows back while their Action is paused.
    :param uploads: upload slots of photos; None for an Action without any.
    :param photos: reads photos by path; None if there are none.
    """

    def __init__(
        self,
        action: Action,
        *,
        client: AsyncClient,
        inputs: Inputs,
        ledger_client: LedgerClient,
        admission: Admission,
        circuit_breaker: CircuitBreaker,
        stop_signal: StopSignal,
        delay_queue: DelayQueue,
        pauses: PauseGate,
        outcomes: RowOutcomes,
        manifest: Manifest,
        clock: Clock,
        uploads: Uploads | None,
        photos: PhotoReader | None,
    ) -> None:
        self._action, self._client, self._inputs = action, client, inputs
        self._ledger_client, self._admission = ledger_client, admission
        self._circuit_breaker, self._stop_signal = circuit_breaker, stop_signal
        self._delay_queue, self._outcomes, self._manifest = delay_queue, outcomes, manifest
        self._pauses = pauses
        self._clock, self._uploads, self._photos = clock, uploads, photos
        self._unread, self._last_unread = 0, ""
        self._calling = self._ended = 0
        self._first_call = 0.0

    async def verify(self, row: Row) -> None:
        """Verify a row; it ends in one of four places, or the stop signal is set."""
        while not self._stop_signal.is_set():
            try:
                await self._pauses.wait()
                if not self._stop_signal.is_set():
                    await self._verify(row)
            except PausedError as pause:
                self._pauses.begin(pause)
            except Exception as error:  # noqa: BLE001 - raised once the other answers are in
                self._stop_signal.fail(error)
            else:
                return

    async def _verify(self, row: Row) -> None:
        """
        Verify a row, unless calls are paused.

        :raises PausedError: they are; nothing of the row is left.
        """
        slot = None if self._uploads is None else self._uploads.slot()
        try:
            params = await self._request(row, slot)
            claim = self._ledger_client.claim_for(row, params)
            identity = self._inputs.identity(params)
            hashes: dict[str, str | None] = {
                "question_hash": claim.question_hash,
                "row_hash": row.row_hash,
            }
            row = row._replace(
                identity={**identity, **hashes}, warnings=tuple(self._inputs.warnings(params))
            )
            await self._ask(row, params, claim, slot)
        except InvalidInputError as error:
            self._outcomes.quarantine(row, error.rule, Stage.INPUT)
        except PhotoStoreError as error:
            self._settle_unread(row, error)
        finally:
            if slot is not None:
                slot.give_back()

    def unread(self) -> PhotoStoreError | None:
        """Return why rows were left as they are; None if none was."""
        if not self._unread:
            return None
        return PhotoStoreError(
            f"{self._unread} rows were left as they are, all others are through. The last: "
            f"{self._last_unread}"
        )

    def _settle_unread(self, row: Row, error: PhotoStoreError) -> None:
        """Delay a row whose photo cannot be read; in the end leave it as it is."""
        if self._photos is None or error.is_outage:
            self._stop_signal.fail(error)
            return
        since = self._clock.monotonic() if row.unread_since is None else row.unread_since
        pause = self._photos.pause_after(error, since)
        if pause is None or not self._delay_queue.add(row._replace(unread_since=since), pause):
            self._unread, self._last_unread = self._unread + 1, str(error)

    async def _request(self, row: Row, slot: UploadSlot | None) -> dict[str, object]:
        """Return the request of a row; one with a photo has its upload slot by then."""
        if self._uploads is None or slot is None:
            return await self._inputs.request(row)
        async with self._uploads.ahead():
            began = self._clock.monotonic()
            params = await self._inputs.request(row)
            self._uploads.has_read(self._clock.monotonic() - began)
            await slot.take()
        return params

    async def _ask(
        self, row: Row, params: dict[str, object], claim: Claim, slot: UploadSlot | None
    ) -> None:
        attempt = Attempt(slot, self._ledger_client.is_current)
        try:
            settled = await self._drive(paid_once(claim, attempt), params, slot)
        except BaseException as error:
            # Either the claim was not granted, or it was given back.
            if not attempt.ended or isinstance(error, PausedError):
                raise
            self._settle_without_answer(row, attempt, error)
            if isinstance(error, asyncio.CancelledError):
                raise
        else:
            await self._settle(row, claim, settled)

    async def _drive(
        self, protocol: PaidOnceProtocol, params: dict[str, object], slot: UploadSlot | None
    ) -> Settled:
        """Drive the paid-once protocol of one row in this event loop."""
        step: Claim | Attempt | Record | Settled = next(protocol)
        while not isinstance(step, Settled):
            answer: Ruling | Verdict | None = None
            error: BaseException | None = None
            try:
                match step:
                    case Claim():
                        answer = await self._claim(step)
                    case Attempt():
                        answer = await self._send(params, step, slot)
                    case Record():
                        await self._record(step)
            except BaseException as caught:  # noqa: BLE001 - the protocol records and raises it
                error = caught
            step = resume(protocol, answer, error)
        return step

    async def _claim(self, claim: Claim) -> Ruling:
        while True:
            ended = self._ended
            ruling = await self._ledger_client.claim(claim)
            settled = ended == self._ended and not self._calling
            if ruling.decision is not Decision.STOP or settled or self._stop_signal.is_set():
                return ruling
            await self._clock.asleep(AGAIN_SECONDS)  # a call on its way may turn out to be free

    async def _send(
        self, params: dict[str, object], attempt: Attempt, slot: UploadSlot | None
    ) -> Verdict:
        self._first_call = self._first_call or self._clock.monotonic()
        self._calling += 1
        try:
            verdict = await self._client.call(
                self._action.name, params, attempt, self._admission.for_attempt(attempt, slot)
            )
        except FaceIdError as error:
            in_doubt = error.gateway_refusals + isinstance(error, UncertainError)
            self._manifest.add_requests(error.requests, error.throttled, in_doubt)
            raise
        except BaseException:
            self._manifest.charge_unknown += attempt.sent  # it was cut off on its way
            raise
        finally:
            attempt.ended = True
            self._calling -= 1
            self._ended += 1
            self._manifest.seconds = self._clock.monotonic() - self._first_call
        self._manifest.add_verdict(verdict)
        return verdict

    async def _record(self, record: Record) -> None:
        """Record how a call ended; an answer is not used before it is in the ledger."""
        written = self._ledger_client.record(record)
        if record.verdict is not None:
            await written

    async def _settle(self, row: Row, claim: Claim, settled: Settled) -> None:
        """Put a row where its answer belongs, or carry out another decision of the ledger."""
        verdict, ruling = settled.verdict, settled.ruling
        match ruling.decision:
            case Decision.CALL if verdict is not None:
                await self._settle_answer(row, claim, verdict, settled.unrecorded)
            case Decision.USE if verdict is not None:
                self._outcomes.reuse(row, verdict, ruling.answered_at)
            case Decision.WAIT:
                self._postpone(row, ruling.not_before, LIMIT_REACHED)
            case Decision.BUSY:
                self._postpone(row, self._clock.now() + AGAIN_SECONDS, ON_ITS_WAY)
            case Decision.STOP:
                self._stop_signal.fail(
                    BudgetError(
                        f"{self._action.name}: max_charged is used up, over all tries of this "
                        "task. Raise it and clear the task for the remaining rows"
                    )
                )
            case _:
                self._outcomes.hold(row, requests=0)

    async def _settle_answer(
        self, row: Row, claim: Claim, verdict: Verdict, unrecorded: Exception | None
    ) -> None:
        """
        Put a row where its answer belongs.

        :param unrecorded: why the answer is not in the ledger. The row keeps it all the same, unless
            a newer attempt decides about the row by now.
        """
        if unrecorded is not None:
            self._stop_signal.fail(unrecorded)
        if isinstance(unrecorded, SupersededError):
            return
        if verdict.step is not Step.POSTPONE:
            self._outcomes.settle(row, verdict)
            return
        again = next_beijing_midnight(self._clock.now())
        try:
            if unrecorded is None:
                again = await self._ledger_client.after_refusal(claim)
        except FaceIdError as error:
            self._stop_signal.fail(error)
        finally:
            self._postpone(row, again, verdict.code)

    def _settle_without_answer(self, row: Row, attempt: Attempt, error: BaseException) -> None:
        """Put a row where it belongs whose call has ended without an answer."""
        if isinstance(error, FaceIdError):
            self._settle_refused(row, error)
            return
        # A time limit or a fault, in the middle of anything.
        if attempt.sent:
            self._outcomes.hold(row, requests=1)
        if not isinstance(error, asyncio.CancelledError):
            self._stop_signal.fail(error)  # raised once the other answers are in

    def _settle_refused(self, row: Row, error: FaceIdError) -> None:
        now = self._clock.now()
        match error:
            case UncertainError():
                self._outcomes.hold(row, error.requests)
            case SlowUploadError():
                again = now + RETRY_UNAVAILABLE_AFTER
                self._outcomes.postpone(row, Outcome.UNAVAILABLE, again, code=SLOW_UPLOAD)
            case NotSentError() if not self._circuit_breaker.is_closed:
                self._again(row, error)
            case UnavailableError() if (
                not self._circuit_breaker.is_closed and row.rounds < MOST_ROUNDS
            ):
                self._again(row._replace(rounds=row.rounds + 1), error)
            case UnavailableError():
                again = now + RETRY_UNAVAILABLE_AFTER
                self._outcomes.postpone(row, Outcome.UNAVAILABLE, again, code=error.code)
            case OutageError() if self._stop_signal.is_set():
                pass  # it was waiting for its turn when the run stopped
            case _:  # fatal, throttled for good, given up: the next row would meet the same
                self._stop_signal.fail(error)

    def _again(self, row: Row, error: FaceIdError) -> None:
        """Delay a row until the circuit breaker closes."""
        if not self._delay_queue.add(row, AGAIN_SECONDS):
            self._stop_signal.fail(error)

    def _postpone(self, row: Row, not_before: float, code: str) -> None:
        """Delay a row over a limit, within this run or until another one."""
        if not self._delay_queue.add(row, not_before - self._clock.now()):
            self._outcomes.postpone(row, Outcome.LIMIT, not_before, code=code)
