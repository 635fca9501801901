"""Claims of calls and records of answers: many rows in one step of the ledger."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from ..api.actions import Action
from ..client.settings import Settings
from ..clock import Clock
from ..exceptions import StateStoreError
from ..state.idempotency import claim_of
from ..state.ledger import Ledger
from ..state.ledger_types import Claim, Decision, Record, Ruling, State
from .inputs import Row

log = logging.getLogger(__name__)

MOST_AT_ONCE = 500
"""Claims in one step; SQLite takes 32,766 values in a statement."""

GATHER_SECONDS, MOST_GATHERED = 0.2, 200
"""Claims and records gather for so long after a step, or until they are so many or half of what may
be in flight: a step costs much the same for one and for many."""

HEARTBEAT_SECONDS = 20.0
"""Heartbeat interval: a step at least so often; it must stay well below ``LEASE_SECONDS``."""

HOUSEKEEPING_PAUSE = 0.1
"""Seconds between two steps of housekeeping: the store is the calls' first of all."""

STALE_SECONDS = 2.0
"""After a longer silence nothing is sent before a step: we may have been stopped, and replaced."""


class _Asked(NamedTuple):
    claim: Claim
    ruling: asyncio.Future[Ruling]


class _Told(NamedTuple):
    record: Record
    written: asyncio.Future[None]


class LedgerClient:
    """
    The ledger for one event loop.

    :param ledger: of this task.
    :param campaign: book in which verdicts are kept.
    :param valid_for: seconds for which an answer is good; None for ever.
    :param in_flight: calls in flight at most.
    """

    def __init__(
        self,
        ledger: Ledger,
        action: Action,
        settings: Settings,
        campaign: str,
        clock: Clock,
        *,
        in_flight: int,
        valid_for: float | None = None,
    ) -> None:
        self._valid_for = valid_for
        self._ledger, self._action, self._settings = ledger, action, settings
        self._campaign, self._clock = campaign, clock
        self._asked: list[_Asked] = []
        self._told: list[_Told] = []
        self._unwritten: list[Record] = []
        self._stepping: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._enough = min(MOST_GATHERED, in_flight // 2)
        self._gathered, self._is_closing = asyncio.Event(), False

    async def open(self) -> None:
        """
        Begin a try.

        :raises StateStoreError: the state store cannot be used.
        """
        await asyncio.to_thread(self._ledger.begin, self._clock.now())
        self._beating = asyncio.create_task(self._heartbeat())

    async def close(self) -> None:
        """
        Write what is left to write.

        :raises FaceIdError: it cannot be written; the calls concerned stay in doubt.
        """
        if self._beating is not None:
            self._beating.cancel()
        self._is_closing = True
        self._mark()
        while self._stepping is not None and not self._stepping.done():
            await asyncio.wait({self._stepping})
        await self._step()

    async def keep_house(self) -> None:
        """Delete the store's expired rows beside the calls, in small steps, if it is our turn."""
        steps = self._ledger.housekeeping().steps()
        try:
            while await asyncio.to_thread(next, steps, None) is not None:
                await self._clock.asleep(HOUSEKEEPING_PAUSE)
        except StateStoreError as error:
            log.warning("The state store was not cleaned up, which a later run will do: %s", error)

    def claim_for(self, row: Row, params: Mapping[str, object]) -> Claim:
        """
        Return the claim of the call for a row.

        :param params: the request fields, normalised.
        """
        return claim_of(
            self._settings,
            self._action.name,
            params,
            campaign=self._campaign,
            row=row.key,
            now=self._clock.now(),
            retry=row.retry,
            may_call=row.may_call,
            valid_for=self._valid_for,
            with_earlier_keys=self._ledger.has_earlier_keys,
        )

    async def claim(self, claim: Claim) -> Ruling:
        """
        Ask the ledger what to do about a claim.

        :raises FaceIdError: nothing may be sent.
        """
        future: asyncio.Future[Ruling] = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(claim, future))
        self._wake()
        return await future

    def record(self, record: Record) -> asyncio.Future[None]:
        """
        Record what became of a call.

        :return: done when it is written; a caller that cannot wait need not.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._told.append(_Told(record, future))
        self._wake()
        return future

    async def after_refusal(self, claim: Claim) -> float:
        """Return when to call again after the service has refused a call as over a limit."""
        return await asyncio.to_thread(self._ledger.after_refusal, claim.uses, self._clock.now())

    async def check_fence(self) -> None:
        """
        Make sure that no later try has taken over while we were not looking.

        :raises FaceIdError: nothing may be sent.
        """
        if not self.is_current():
            await self._step()
        if (
            not self.is_current()
        ):  # stopped during that step; a disk that takes so long is not asked
            await self._step()  # a third time

    def is_current(self) -> bool:
        """Say whether the fencing token was checked so lately that no successor has called since."""
        return self._clock.monotonic() - self._ledger.fenced_at <= STALE_SECONDS

    def _wake(self) -> None:
        self._mark()
        if self._stepping is None or self._stepping.done():
            self._stepping = asyncio.create_task(self._step_by_step())

    async def _step_by_step(self) -> None:
        while self._asked or self._told:
            with suppress(Exception):  # told to everybody concerned
                await self._step()
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHER_SECONDS):
                    await self._gathered.wait()

    def _mark(self) -> None:
        """Say whether there is no more to wait for."""
        if self._is_closing or len(self._asked) + len(self._told) >= self._enough:
            self._gathered.set()
        else:
            self._gathered.clear()

    async def _step(self) -> None:
        waiting = [one for one in self._asked if not one.ruling.done()]  # the others have gone
        asked, self._asked = waiting[:MOST_AT_ONCE], waiting[MOST_AT_ONCE:]
        told, self._told = self._told, []
        records = [*self._unwritten, *(one.record for one in told)]
        self._unwritten = []
        self._mark()
        try:
            rulings = await asyncio.to_thread(
                self._ledger.step, records, [one.claim for one in asked]
            )
        except BaseException as error:  # whatever it is, nobody may wait for ever
            if isinstance(error, StateStoreError):
                # For a later step, the last one at least.
                self._unwritten = [*records, *self._unwritten]
            for one in asked:
                _fail(one.ruling, error)
            for record in told:
                _fail(record.written, error)
            raise
        for one, ruling in zip(asked, rulings, strict=True):
            if not one.ruling.done():
                one.ruling.set_result(ruling)
            elif ruling.decision is Decision.CALL:
                # Whoever asked has gone.
                self.record(Record(one.claim.key, State.FREE, unused=one.claim.uses))
        for record in told:
            if not record.written.done():
                record.written.set_result(None)

    async def _heartbeat(self) -> None:
        while True:
            await self._clock.asleep(HEARTBEAT_SECONDS)
            with suppress(Exception):  # who wants to send will hear of it
                await self._step()


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # seen: nobody may be waiting for it any more
