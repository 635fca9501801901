"""The way of one row: its request, the claim of a call, the call, and the place it ends in."""

from __future__ import annotations

import asyncio

from ..client.aio import AsyncClient
from ..clock import Clock, next_beijing_midnight
from ..exceptions import (
    BudgetError,
    FaceIdError,
    InvalidInputError,
    NotSentError,
    OutageError,
    SupersededError,
    UnavailableError,
    UncertainError,
)
from ..service.actions import Action
from ..service.outcomes import Outcome, Step
from ..service.verdict import Verdict
from ..state.calls import Claim, Decision, Ruling, State
from ..warehouse.results import Stage
from .claims import Claims
from .gate import Gate
from .halt import Halt
from .health import Health
from .inputs import Inputs, Row
from .later import Later
from .manifest import Manifest
from .places import Places

RETRY_UNAVAILABLE_AFTER = 3600.0
"""Seconds after which a row the service could not answer is called again."""

MOST_ROUNDS = 1
"""So often more it may use up its attempts in an outage: the row itself may be what is wrong."""

LIMIT_REACHED = "limit:counted"
"""In place of a result code: we counted, and did not ask the service."""

ON_ITS_WAY = "ledger:busy"
"""Likewise: the same question is on its way for another row or in another run."""

AGAIN_SECONDS = 1.0
"""After which a row asks again that was busy, not sent, or over the budget for the time being."""


class Verification:
    """
    Takes rows from their request to their place, many at a time.

    :param client: makes the calls, through the gate.
    :param later: rows that wait within the run.
    """

    def __init__(
        self,
        action: Action,
        *,
        client: AsyncClient,
        inputs: Inputs,
        claims: Claims,
        gate: Gate,
        health: Health,
        halt: Halt,
        later: Later,
        places: Places,
        manifest: Manifest,
        clock: Clock,
    ) -> None:
        self._action, self._client, self._inputs = action, client, inputs
        self._claims, self._gate, self._health, self._halt = claims, gate, health, halt
        self._later, self._places, self._manifest = later, places, manifest
        self._clock = clock
        self._calling = self._ended = 0
        self._first_call: float | None = None

    async def verify(self, row: Row) -> None:
        """Answer a row, or put it where it belongs without an answer."""
        if self._halt.is_on:
            return
        try:
            params = await self._inputs.request(row)
            row = row._replace(identity=self._inputs.identity(params))
            claim, ruling = await self._claim(row, params)
        except InvalidInputError as error:
            self._places.quarantine(row, error.rule, Stage.INPUT)
        except Exception as error:  # noqa: BLE001 - raised once the other answers are in
            self._halt.fail(error)
        else:
            if ruling.decision is Decision.CALL:
                await self._call(row, params, claim)
            else:
                self._obey(row, ruling)

    async def _claim(self, row: Row, params: dict[str, object]) -> tuple[Claim, Ruling]:
        while True:
            ended = self._ended
            claim, ruling = await self._claims.claim(row.key, params, retry=row.retry)
            settled = ended == self._ended and not self._calling
            if ruling.decision is not Decision.STOP or settled or self._halt.is_on:
                return claim, ruling
            await self._clock.asleep(AGAIN_SECONDS)  # a call on its way may turn out to be free

    def _obey(self, row: Row, ruling: Ruling) -> None:
        """Do with a row what the ledger says in place of a call."""
        match ruling.decision:
            case Decision.USE if ruling.verdict is not None:
                self._places.reuse(row, ruling.verdict, ruling.answered_at)
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

    async def _call(self, row: Row, params: dict[str, object], claim: Claim) -> None:
        self._first_call = self._first_call or self._clock.monotonic()
        self._calling += 1
        try:
            verdict = await self._client.call(self._action.name, params)
        except FaceIdError as error:
            self._manifest.add_requests(error.requests, error.throttled)
            in_doubt = isinstance(error, UncertainError)
            self._tell(claim, State.IN_DOUBT if in_doubt else State.FREE)
            self._settle_without_answer(row, error)
        except BaseException as error:  # a time limit or a fault, in the middle of anything
            sent = self._gate.has_sent()
            self._tell(claim, State.IN_DOUBT if sent else State.FREE)
            if sent:
                self._places.hold(row, requests=1)
            if isinstance(error, asyncio.CancelledError):
                raise
            self._halt.fail(error)  # raised once the other answers are in
        else:
            self._manifest.add_verdict(verdict)
            await self._answered(row, claim, verdict)
        self._manifest.seconds = self._clock.monotonic() - self._first_call

    def _tell(
        self, claim: Claim, state: State, verdict: Verdict | None = None
    ) -> asyncio.Future[None]:
        """Record what became of a call."""
        self._calling -= 1
        self._ended += 1
        return self._claims.tell(claim, state, verdict, sent=self._gate.has_sent())

    async def _answered(self, row: Row, claim: Claim, verdict: Verdict) -> None:
        """Take down an answer: in the ledger first, so that it is known whatever comes next."""
        postpone = verdict.step is Step.POSTPONE
        again = next_beijing_midnight(self._clock.now())
        recorded = True
        try:
            await self._tell(claim, State.FREE if postpone else State.DONE, verdict)
            if postpone:
                again = await self._claims.after_refusal(claim)
        except SupersededError as error:
            recorded = False
            self._halt.fail(error)
        except Exception as error:  # noqa: BLE001 - the row keeps its answer all the same
            self._halt.fail(error)
        finally:
            if recorded and postpone:
                self._postpone(row, again, verdict.code)
            elif recorded:
                self._places.settle(row, verdict)

    def _settle_without_answer(self, row: Row, error: FaceIdError) -> None:
        now = self._clock.now()
        match error:
            case UncertainError():
                self._places.hold(row, error.requests)
            case NotSentError() if not self._health.answers:
                self._again(row, now, error)
            case UnavailableError() if not self._health.answers and row.rounds < MOST_ROUNDS:
                self._again(row._replace(rounds=row.rounds + 1), now, error)
            case UnavailableError():
                again = now + RETRY_UNAVAILABLE_AFTER
                self._places.postpone(row, Outcome.UNAVAILABLE, again, code=error.code)
            case OutageError() if self._halt.is_on:
                pass  # it was waiting for its turn when the run halted
            case _:  # fatal, throttled for good, given up: the next row fares no better
                self._halt.fail(error)

    def _again(self, row: Row, now: float, error: FaceIdError) -> None:
        """Let a row wait with the others until somebody is answered."""
        if not self._later.add(row, now + AGAIN_SECONDS, now):
            self._halt.fail(error)

    def _postpone(self, row: Row, not_before: float, code: str) -> None:
        """Let a row whose person was asked about too often wait, in this run or for another."""
        if not self._later.add(row, not_before, self._clock.now()):
            self._places.postpone(row, Outcome.LIMIT, not_before, code=code)
