"""Ledger client of one event loop: claims and records of many rows in one group commit.

It renews the lease of the task by a heartbeat, and checks its fencing token before a request leaves.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from ..api.action import Action
from ..client.settings import Settings
from ..clock import Clock
from ..exceptions import StateStoreError
from ..state.call_table import Claim, Decision, Record, Ruling, State
from ..state.idempotency import claim_of
from ..state.ledger import Ledger
from .inputs import Row

log = logging.getLogger(__name__)

MOST_AT_ONCE = 500
"""Claims in one commit; SQLite takes 32,766 values in a statement."""

GATHER_SECONDS, MOST_GATHERED = 0.2, 200
"""Group commit: claims and records gather for so many seconds after a commit, or until they are so
many or half of the in-flight window: a commit costs much the same for one and for many."""

HEARTBEAT_SECONDS = 20.0
"""Heartbeat interval: one commit at least so often; must stay well below ``LEASE_SECONDS``."""

HOUSEKEEPING_PAUSE = 0.1
"""Seconds between two steps of housekeeping: calls have priority in the store."""

STALE_SECONDS = 2.0
"""Age of the fencing token's last check beyond which nothing is sent before another one: this process
may have been suspended, and replaced."""


class _PendingClaim(NamedTuple):
    claim: Claim
    ruling: asyncio.Future[Ruling]


class _PendingRecord(NamedTuple):
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
        self._claims: list[_PendingClaim] = []
        self._records: list[_PendingRecord] = []
        self._unwritten: list[Record] = []
        self._committing: asyncio.Task[None] | None = None
        self._heart: asyncio.Task[None] | None = None
        self._batch_size = min(MOST_GATHERED, in_flight // 2)
        self._is_full, self._is_closing = asyncio.Event(), False

    async def open(self) -> None:
        """
        Begin an attempt of the task: take a new fencing token.

        :raises StateStoreError: the state store cannot be used.
        """
        await asyncio.to_thread(self._ledger.begin, self._clock.now())
        self._heart = asyncio.create_task(self._heartbeat())

    async def close(self) -> None:
        """
        Write what is left to write.

        :raises FaceIdError: it cannot be written; the calls concerned stay in doubt.
        """
        if self._heart is not None:
            self._heart.cancel()
        self._is_closing = True
        self._notice_batch_size()
        while self._committing is not None and not self._committing.done():
            await asyncio.wait({self._committing})
        await self._commit()

    async def housekeeping(self) -> None:
        """Delete the store's expired rows beside the calls, in small steps, unless another task does."""
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
            answered_since=row.answered_since,
            with_earlier_keys=self._ledger.has_earlier_keys,
        )

    async def claim(self, claim: Claim) -> Ruling:
        """
        Ask the ledger what to do about a claim.

        :raises FaceIdError: nothing may be sent.
        """
        future: asyncio.Future[Ruling] = asyncio.get_running_loop().create_future()
        self._claims.append(_PendingClaim(claim, future))
        self._schedule()
        return await future

    def record(self, record: Record) -> asyncio.Future[None]:
        """
        Record what became of a call.

        :return: done when it is written; awaiting it is optional.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._records.append(_PendingRecord(record, future))
        self._schedule()
        return future

    async def after_refusal(self, claim: Claim) -> float:
        """Return when to call again after the service has refused a call as over a limit."""
        return await asyncio.to_thread(self._ledger.after_refusal, claim.uses, self._clock.now())

    async def check_fence(self) -> None:
        """
        Check the fencing token, unless that was done a moment ago.

        :raises FaceIdError: a newer attempt has taken over; nothing may be sent.
        """
        if not self.is_current():
            await self._commit()
        if (
            not self.is_current()
        ):  # stopped during that step; a disk that takes so long is not asked
            await self._commit()  # a third time

    def is_current(self) -> bool:
        """Return whether the fencing token was checked within :data:`STALE_SECONDS`."""
        return self._clock.monotonic() - self._ledger.fenced_at <= STALE_SECONDS

    def _schedule(self) -> None:
        self._notice_batch_size()
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._keep_committing())

    async def _keep_committing(self) -> None:
        while self._claims or self._records:
            with suppress(Exception):  # each caller gets it through its future
                await self._commit()
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHER_SECONDS):
                    await self._is_full.wait()

    def _notice_batch_size(self) -> None:
        """Commit at once if the batch is full or the client is closing."""
        if self._is_closing or len(self._claims) + len(self._records) >= self._batch_size:
            self._is_full.set()
        else:
            self._is_full.clear()

    async def _commit(self) -> None:
        waiting = [one for one in self._claims if not one.ruling.done()]  # the others have gone
        claims, self._claims = waiting[:MOST_AT_ONCE], waiting[MOST_AT_ONCE:]
        new_records, self._records = self._records, []
        records = [*self._unwritten, *(one.record for one in new_records)]
        self._unwritten = []
        self._notice_batch_size()
        try:
            rulings = await asyncio.to_thread(
                self._ledger.step, records, [one.claim for one in claims]
            )
        except BaseException as error:  # no future may stay pending
            if isinstance(error, StateStoreError):
                # For a later step, the last one at least.
                self._unwritten = [*records, *self._unwritten]
            for one in claims:
                _fail(one.ruling, error)
            for record in new_records:
                _fail(record.written, error)
            raise
        for one, ruling in zip(claims, rulings, strict=True):
            if not one.ruling.done():
                one.ruling.set_result(ruling)
            elif ruling.decision is Decision.CALL:
                # The caller was cancelled meanwhile.
                self.record(Record(one.claim.key, State.FREE, unused=one.claim.uses))
        for record in new_records:
            if not record.written.done():
                record.written.set_result(None)

    async def _heartbeat(self) -> None:
        while True:
            await self._clock.asleep(HEARTBEAT_SECONDS)
            with suppress(Exception):  # the next claim or check raises it
                await self._commit()


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # retrieved: the caller may be gone
