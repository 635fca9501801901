"""The pace: callers wait at a gate, one behind the other, for slots taken a few at a time.

A slot is a moment, not a licence: who comes too late for it has lost it and takes the next one, so
neither a stalled event loop nor a stopped process ever sends a burst. Only the caller at the gate
holds slots, and only a few, so workers take turns and each gets its equal share. A worker that
comes back as fast as its slots pass takes more of them in one step; one that does not, a single one.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from .. import process as forks
from ..clock import SYSTEM_CLOCK, Clock
from . import rate as arithmetic
from .rate import Rate, Slots
from .store import Moment, StateStore

# Who holds an account's rate: this process alone, or the state store for all workers.


if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor


class RateRow(Protocol):
    """
    One account's rate for one Action.

    :ivar is_local: whether taking slots never waits for anything outside this process.
    """

    is_local: bool

    def take(self, rate: float, count: int) -> Slots:
        """
        Take the next free slots in one atomic step.

        :param rate: slots per second when nothing is throttled.
        :return: slots that start on the caller's monotonic clock.
        """

    def throttle(self) -> None:
        """Slow everybody down after a throttled answer."""


class MemoryRow:
    """The rate of one process."""

    is_local = True

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.after_fork(is_child=True)
        forks.concerns(self)
        self._row = Rate()

    def after_fork(self, *, is_child: bool) -> None:
        """Let a child go on whatever its parent's threads were doing."""
        if is_child:
            self._lock = threading.Lock()

    def take(self, rate: float, count: int) -> Slots:
        """Take the next free slots."""
        with self._lock:
            self._row, slots = arithmetic.take(self._row, self._clock.monotonic(), rate, count)
            return slots

    def throttle(self) -> None:
        """Slow everybody in this process down."""
        with self._lock:
            self._row = arithmetic.throttle(self._row, self._clock.monotonic())


class StoredRow:
    """
    The rate of all workers, in the state store, on the database's clock.

    :param name: the account and Action, without a secret; at most 200 characters.
    """

    is_local = False

    def __init__(self, store: StateStore, name: str) -> None:
        self._store = store
        self._name = name
        marker = store.marker
        lock = "" if store.is_sqlite else " FOR UPDATE"
        # The clock is read behind the lock: waiting must not count as time that has passed.
        self._select = (
            "WITH held AS (SELECT next_at, factor, factor_at FROM faceid_pace "
            f"WHERE name = {marker}{lock}) SELECT held.*, {store.now_sql} FROM held"
        )
        self._insert = f"INSERT INTO faceid_pace VALUES ({marker}, 0, 1, 0) ON CONFLICT DO NOTHING"
        self._update = (
            f"UPDATE faceid_pace SET next_at = {marker}, factor = {marker}, factor_at = {marker} "
            f"WHERE name = {marker}"
        )

    def take(self, rate: float, count: int) -> Slots:
        """Take the next free slots."""

        def take(cursor: DBAPICursor) -> Slots:
            row, moment = self._held(cursor)
            after, slots = arithmetic.take(row, moment.now, rate, count)
            self._save(cursor, after)
            return replace(slots, start=slots.start - moment.now + moment.here)

        return self._store.run(take)

    def throttle(self) -> None:
        """Slow all workers down."""

        def throttle(cursor: DBAPICursor) -> None:
            row, moment = self._held(cursor)
            self._save(cursor, arithmetic.throttle(row, moment.now))

        self._store.run(throttle)

    def _held(self, cursor: DBAPICursor) -> tuple[Rate, Moment]:
        """Return the row, which nobody else changes now, and the moment."""
        cursor.execute(self._select, (self._name,))
        found = cursor.fetchone()
        if found is None:
            cursor.execute(self._insert, (self._name,))
            cursor.execute(self._select, (self._name,))
            found = cursor.fetchall()[0]
        *row, now = found
        return Rate(*row), self._store.moment(now)

    def _save(self, cursor: DBAPICursor, row: Rate) -> None:
        cursor.execute(self._update, (row.next_at, row.factor, row.factor_at, self._name))


LATE_SECONDS = 0.015
"""
How late a slot may be used. The service counts in seconds of its own clock; with 3 % of the quota
to spare, calls may bunch by 30 ms before one second holds too many, and the network takes its part.
"""

BLOCK_SECONDS = 0.4
BLOCK_SLOTS = 8
"""
Slots taken in one step at most, whichever is less: a step costs a database several times what a
slot costs. A killed worker costs the others as much of the pace.
"""


class SlotRateLimiter:
    """
    The pace of one account and Action, for threads and coroutines alike.

    :param row: who holds the rate.
    :param rate: slots per second when nothing is throttled.
    """

    def __init__(self, row: RateRow, rate: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._row, self._rate, self._clock = row, rate, clock
        self._most = max(1, min(BLOCK_SLOTS, round(rate * BLOCK_SECONDS)))
        self._throttled = 0
        self.after_fork(is_child=True)
        forks.concerns(self)

    def after_fork(self, *, is_child: bool) -> None:
        """Leave the slots in hand to the parent: used twice, they would be a burst."""
        if not is_child:
            return
        self._block = 1
        self._block_ends = -math.inf
        self._slots: deque[float] = deque()
        self._slots_lock = threading.Lock()  # never held while the row, a database, is asked
        self._stepping = threading.Lock()
        self._gate = threading.Lock()
        self._gates: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]
        self._gates = WeakKeyDictionary()

    def wait(self) -> None:
        """Block until the next call may leave."""
        with self._gate:
            while True:
                slot = self._next_slot()
                self._clock.sleep(slot - self._clock.monotonic())
                if not self._is_over(slot):
                    return

    async def wait_async(self) -> None:
        """Wait until the next call may leave."""
        gate = self._gates.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with gate:
            while True:
                slot = self._slot_in_hand()
                if slot is None and self._row.is_local:
                    slot = self._next_slot()
                elif slot is None:
                    slot = await asyncio.to_thread(self._next_slot)
                await self._clock.asleep(slot - self._clock.monotonic())
                if not self._is_over(slot):
                    return

    def slow_down(self) -> None:
        """Slow every worker down after a throttled answer; slots in hand are given up."""
        self._give_up_slots()
        self._row.throttle()
        self._give_up_slots()  # those that were taken meanwhile, at the old rate

    def _give_up_slots(self) -> None:
        with self._slots_lock:
            self._slots.clear()
            self._throttled += 1

    def _next_slot(self) -> float:
        """Return a moment that is not over yet, on the monotonic clock."""
        with self._stepping:
            while True:
                slot = self._slot_in_hand()
                if slot is not None:
                    return slot
                throttled = self._throttled
                busy = not self._is_over(self._block_ends)
                self._block = min(self._most, 2 * self._block) if busy else max(1, self._block // 2)
                taken = self._row.take(self._rate, self._block)
                with self._slots_lock:
                    if throttled == self._throttled:
                        return self._keep(taken)

    def _keep(self, taken: Slots) -> float:
        """Keep the slots of a block, and return the first."""
        self._slots.extend(taken.start + n * taken.interval for n in range(taken.count))
        self._block_ends = taken.start + taken.count * taken.interval
        return self._slots.popleft()

    def _slot_in_hand(self) -> float | None:
        """Return such a moment if there is one without asking the row, which may take long."""
        with self._slots_lock:
            return self._pop()

    def _pop(self) -> float | None:
        while self._slots and self._is_over(self._slots[0]):
            self._slots.popleft()
        return self._slots.popleft() if self._slots else None

    def _is_over(self, slot: float) -> bool:
        return self._clock.monotonic() - slot > LATE_SECONDS
