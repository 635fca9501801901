"""The way of one row: its request, the claim of a call, the call, and the place it ends in."""

from __future__ import annotations

import asyncio

from ..api.actions import Action
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
    PhotoStoreError,
    SlowUploadError,
    SupersededError,
    UnavailableError,
    UncertainError,
)
from ..state.idempotency import Protocol, Settled, paid_once, resume
from ..state.ledger_types import Claim, Decision, Record, Ruling
from ..warehouse.records import Stage
from .admission import Admission, DelayQueue, StopSignal
from .circuit_breaker import CircuitBreaker
from .inputs import Inputs, Row
from .ledger_client import LedgerClient
from .manifest import Manifest
from .photos import PhotoReader, Uploads, UploadSlot
from .row_outcomes import RowOutcomes

RETRY_UNAVAILABLE_AFTER = 3600.0
"""Seconds after which a row the service could not answer is called again."""

MOST_ROUNDS = 1
"""So often more it may use up its attempts in an outage: the row itself may be what is wrong."""

LIMIT_REACHED = "limit:counted"
"""In place of a result code: we counted, and did not ask the service."""

ON_ITS_WAY = "ledger:busy"
"""Likewise: the same question is on its way for another row or in another run."""

SLOW_UPLOAD = "upload:slow"
"""Likewise: the uplink is too slow for the photo."""

AGAIN_SECONDS = 1.0
"""After which a row asks again that was busy, not sent, or over the budget for the time being."""


class Verification:
    """
    Takes rows from their request to their place, many at a time.

    :param client: makes the calls, through the gate.
    :param later: rows that wait within the run.
    :param uploads: the places of photos; None for an Action without any.
    :param photos: reads photos by path; None if there are none.
    """

    def __init__(
        self,
        action: Action,
        *,
        client: AsyncClient,
        inputs: Inputs,
        claims: LedgerClient,
        gate: Admission,
        health: CircuitBreaker,
        halt: StopSignal,
        later: DelayQueue,
        places: RowOutcomes,
        manifest: Manifest,
        clock: Clock,
        uploads: Uploads | None,
        photos: PhotoReader | None,
    ) -> None:
        self._action, self._client, self._inputs = action, client, inputs
        self._claims, self._gate, self._health, self._halt = claims, gate, health, halt
        self._later, self._places, self._manifest = later, places, manifest
        self._clock, self._uploads, self._photos = clock, uploads, photos
        self._unread, self._last_unread = 0, ""
        self._calling = self._ended = 0
        self._first_call = 0.0

    async def verify(self, row: Row) -> None:
        """Answer a row, or put it where it belongs without an answer."""
        if self._halt.is_on:
            return
        place = None if self._uploads is None else self._uploads.place()
        try:
            params = await self._request(row, place)
            claim = self._claims.claim_for(row, params)
            identity = self._inputs.identity(params)
            hashes: dict[str, str | None] = {
                "question_hash": claim.question_hash,
                "row_hash": row.row_hash,
            }
            row = row._replace(identity={**identity, **hashes})
            await self._ask(row, params, claim, place)
        except InvalidInputError as error:
            self._places.quarantine(row, error.rule, Stage.INPUT)
        except PhotoStoreError as error:
            self._settle_unread(row, error)
        except Exception as error:  # noqa: BLE001 - raised once the other answers are in
            self._halt.fail(error)
        finally:
            if place is not None:
                place.give_back()

    def unread(self) -> PhotoStoreError | None:
        """Return why rows were left as they are; None if none was."""
        if not self._unread:
            return None
        return PhotoStoreError(
            f"{self._unread} rows were left as they are, all others are through. The last: "
            f"{self._last_unread}"
        )

    def _settle_unread(self, row: Row, error: PhotoStoreError) -> None:
        """Let a row go later whose photo cannot be read; in the end leave it as it is."""
        if self._photos is None or error.is_outage:
            self._halt.fail(error)
            return
        since = self._clock.monotonic() if row.unread_since is None else row.unread_since
        pause = self._photos.pause_after(error, since)
        if pause is None or not self._later.add(row._replace(unread_since=since), pause):
            self._unread, self._last_unread = self._unread + 1, str(error)

    async def _request(self, row: Row, place: UploadSlot | None) -> dict[str, object]:
        """Return the request of a row; one with a photo has its place by then."""
        if self._uploads is None or place is None:
            return await self._inputs.request(row)
        async with self._uploads.ahead():
            began = self._clock.monotonic()
            params = await self._inputs.request(row)
            self._uploads.has_read(self._clock.monotonic() - began)
            await place.take()
        return params

    async def _ask(
        self, row: Row, params: dict[str, object], claim: Claim, place: UploadSlot | None
    ) -> None:
        attempt = Attempt(place, self._claims.is_current)
        try:
            settled = await self._drive(paid_once(claim, attempt), params, place)
        except BaseException as error:
            if not attempt.ended:  # it was never ours to call
                raise
            self._settle_without_answer(row, attempt, error)
            if isinstance(error, asyncio.CancelledError):
                raise
        else:
            await self._settle(row, claim, settled)

    async def _drive(
        self, protocol: Protocol, params: dict[str, object], place: UploadSlot | None
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
                        answer = await self._send(params, step, place)
                    case Record():
                        await self._record(step)
            except BaseException as caught:  # noqa: BLE001 - the protocol records and raises it
                error = caught
            step = resume(protocol, answer, error)
        return step

    async def _claim(self, claim: Claim) -> Ruling:
        while True:
            ended = self._ended
            ruling = await self._claims.claim(claim)
            settled = ended == self._ended and not self._calling
            if ruling.decision is not Decision.STOP or settled or self._halt.is_on:
                return ruling
            await self._clock.asleep(AGAIN_SECONDS)  # a call on its way may turn out to be free

    async def _send(
        self, params: dict[str, object], attempt: Attempt, place: UploadSlot | None
    ) -> Verdict:
        self._first_call = self._first_call or self._clock.monotonic()
        self._calling += 1
        try:
            verdict = await self._client.call(
                self._action.name, params, attempt, self._gate.for_attempt(attempt, place)
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
        """Write what became of a call; an answer waits until it is in the ledger."""
        written = self._claims.record(record)
        if record.verdict is not None:
            await written

    async def _settle(self, row: Row, claim: Claim, settled: Settled) -> None:
        """Put a row where the answer belongs, or do what the ledger says in place of a call."""
        verdict, ruling = settled.verdict, settled.ruling
        match ruling.decision:
            case Decision.CALL if verdict is not None:
                await self._settle_answer(row, claim, verdict, settled.unrecorded)
            case Decision.USE if verdict is not None:
                self._places.reuse(row, verdict, ruling.answered_at)
            case Decision.WAIT:
                self._postpone(row, ruling.not_before, LIMIT_REACHED)
            case Decision.BUSY:
                self._postpone(row, self._clock.now() + AGAIN_SECONDS, ON_ITS_WAY)
            case Decision.STOP:
                self._halt.fail(
                    BudgetError(
                        f"{self._action.name}: max_charged is used up, over all tries of this "
                        "task. Raise it and clear the task for the remaining rows"
                    )
                )
            case _:
                self._places.hold(row, requests=0)

    async def _settle_answer(
        self, row: Row, claim: Claim, verdict: Verdict, unrecorded: Exception | None
    ) -> None:
        """
        Put a row where its answer belongs.

        :param unrecorded: why the answer is not in the ledger. The row keeps it all the same, unless
            a newer attempt decides about the row by now.
        """
        if unrecorded is not None:
            self._halt.fail(unrecorded)
        if isinstance(unrecorded, SupersededError):
            return
        if verdict.step is not Step.POSTPONE:
            self._places.settle(row, verdict)
            return
        again = next_beijing_midnight(self._clock.now())
        try:
            if unrecorded is None:
                again = await self._claims.after_refusal(claim)
        except FaceIdError as error:
            self._halt.fail(error)
        finally:
            self._postpone(row, again, verdict.code)

    def _settle_without_answer(self, row: Row, attempt: Attempt, error: BaseException) -> None:
        """Put a row where it belongs whose call has ended without an answer."""
        if isinstance(error, FaceIdError):
            self._settle_refused(row, error)
            return
        # A time limit or a fault, in the middle of anything.
        if attempt.sent:
            self._places.hold(row, requests=1)
        if not isinstance(error, asyncio.CancelledError):
            self._halt.fail(error)  # raised once the other answers are in

    def _settle_refused(self, row: Row, error: FaceIdError) -> None:
        now = self._clock.now()
        match error:
            case UncertainError():
                self._places.hold(row, error.requests)
            case SlowUploadError():
                again = now + RETRY_UNAVAILABLE_AFTER
                self._places.postpone(row, Outcome.UNAVAILABLE, again, code=SLOW_UPLOAD)
            case NotSentError() if not self._health.answers:
                self._again(row, error)
            case UnavailableError() if not self._health.answers and row.rounds < MOST_ROUNDS:
                self._again(row._replace(rounds=row.rounds + 1), error)
            case UnavailableError():
                again = now + RETRY_UNAVAILABLE_AFTER
                self._places.postpone(row, Outcome.UNAVAILABLE, again, code=error.code)
            case OutageError() if self._halt.is_on:
                pass  # it was waiting for its turn when the run halted
            case _:  # fatal, throttled for good, given up: the next row fares no better
                self._halt.fail(error)

    def _again(self, row: Row, error: FaceIdError) -> None:
        """Let a row wait with the others until somebody is answered."""
        if not self._later.add(row, AGAIN_SECONDS):
            self._halt.fail(error)

    def _postpone(self, row: Row, not_before: float, code: str) -> None:
        """Let a row whose person was asked about too often wait, in this run or for another."""
        if not self._later.add(row, not_before - self._clock.now()):
            self._places.postpone(row, Outcome.LIMIT, not_before, code=code)
