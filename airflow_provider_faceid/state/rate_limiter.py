"""Rate limiter: slot reservation (GCRA) on a row that all workers of an account share.

Callers queue at a gate, and the first one reserves a small block of slots. A caller more than
:data:`LATE_SECONDS` late forfeits its slot and takes the next one, so neither a stalled event loop nor a
stopped process sends a burst. Blocks are small, so workers take turns and get equal shares. The block
grows for a worker that uses its slots in time, and shrinks for one that does not.

The rate arithmetic is pure functions of one small row, which holds the time of the next free slot.
Reserving slots moves it forward. A throttled answer multiplies the rate by :data:`DECREASE_FACTOR` and
inserts a pause; the rate recovers linearly (AIMD). The holder of the row, memory for one process or the
state store for all workers, applies :func:`reserve_slots` and :func:`after_throttling` in one atomic step.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from .. import process as forks
from ..clock import SYSTEM_CLOCK, Clock
from .store import Moment, StateStore

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor


DECREASE_FACTOR = 0.8
"""Multiplicative decrease of the rate per throttled answer, once in :data:`DECREASE_INTERVAL_SECONDS`."""
RECOVERY_PER_SECOND = 0.01
"""Linear recovery: share of the full rate per second; from half of the rate to all of it in 50 s."""
DECREASE_INTERVAL_SECONDS = 0.5
"""Throttled answers within this time belong to calls sent before the last decrease and are ignored."""
THROTTLE_PAUSE_SECONDS = 0.2
"""Seconds without slots after a throttled answer, in which the service's second may pass."""
MIN_FACTOR = 0.02
"""The rate never falls below this share: some calls must probe whether it may rise."""

MAX_SLOTS_AHEAD = 1600
"""A next free slot more than this many slots ahead (200 workers with 8 each) means that the clock was
set back."""


@dataclass(frozen=True)
class Rate:
    """
    The row of a rate limiter.

    :param next_at: time of the next free slot, in seconds of the holder's clock.
    :param factor: share of the full rate at ``factor_at``.
    :param factor_at: time of the last decrease.
    """

    next_at: float = 0.0
    factor: float = 1.0
    factor_at: float = 0.0


@dataclass(frozen=True)
class Slots:
    """
    Reserved slots.

    :param start: time of the first slot, in seconds of the holder's clock.
    :param interval: seconds from one slot to the next.
    :param count: number of slots.
    """

    start: float
    interval: float
    count: int


def factor_now(row: Rate, now: float) -> float:
    """Return the share of the full rate that is allowed now."""
    return min(1.0, row.factor + RECOVERY_PER_SECOND * max(0.0, now - row.factor_at))


def reserve_slots(row: Rate, now: float, rate: float, count: int) -> tuple[Rate, Slots]:
    """
    Reserve the next free slots.

    :param row: the present row.
    :param now: seconds of the holder's clock.
    :param rate: slots per second while nothing is throttled.
    :param count: number of slots.
    :return: the new row, and the slots.
    """
    interval = 1 / (rate * factor_now(row, now))
    start = max(row.next_at, now)
    if start - now > THROTTLE_PAUSE_SECONDS + MAX_SLOTS_AHEAD * interval:
        start = now
    after = replace(row, next_at=start + count * interval, factor_at=min(row.factor_at, now))
    return after, Slots(start, interval, count)


def after_throttling(row: Rate, now: float) -> Rate:
    """Return the row after a throttled answer."""
    if 0 <= now - row.factor_at < DECREASE_INTERVAL_SECONDS:
        return row
    return Rate(
        next_at=max(row.next_at, now + THROTTLE_PAUSE_SECONDS),
        factor=max(MIN_FACTOR, factor_now(row, now) * DECREASE_FACTOR),
        factor_at=now,
    )


class RateRow(Protocol):
    """
    The rate limiter row of one account and Action.

    :ivar is_local: whether reserving slots never blocks on I/O.
    """

    is_local: bool

    def take(self, rate: float, count: int) -> Slots:
        """
        Reserve the next free slots in one atomic step.

        :param rate: slots per second while nothing is throttled.
        :param count: number of slots.
        :return: slots in seconds of the caller's monotonic clock.
        :raises StateStoreError: the state store cannot be used.
        """

    def throttle(self) -> None:
        """Lower the rate of all users of the row, after a throttled answer."""


class MemoryRow:
    """The row of one process, in memory."""

    is_local = True

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.after_fork(is_child=True)
        forks.register_fork_hook(self)
        self._row = Rate()

    def after_fork(self, *, is_child: bool) -> None:
        """Replace the lock in a child: a thread of the parent may have held it."""
        if is_child:
            self._lock = threading.Lock()

    def take(self, rate: float, count: int) -> Slots:
        """Reserve the next free slots."""
        with self._lock:
            self._row, slots = reserve_slots(self._row, self._clock.monotonic(), rate, count)
            return slots

    def throttle(self) -> None:
        """Lower the rate of this process."""
        with self._lock:
            self._row = after_throttling(self._row, self._clock.monotonic())


class StoredRow:
    """
    The row of all workers, in the state store, on the database's clock.

    :param store: the state store.
    :param name: account and Action, without a secret; at most 200 characters.
    """

    is_local = False

    def __init__(self, store: StateStore, name: str) -> None:
        self._store = store
        self._name = name
        marker = store.marker
        lock = "" if store.is_sqlite else " FOR UPDATE"
        # The clock is read after the row is locked, so that waiting for the lock does not count.
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
        """Reserve the next free slots."""

        def take(cursor: DBAPICursor) -> Slots:
            row, moment = self._held(cursor)
            after, slots = reserve_slots(row, moment.now, rate, count)
            self._save(cursor, after)
            return replace(slots, start=slots.start - moment.now + moment.here)

        return self._store.run(take)

    def throttle(self) -> None:
        """Lower the rate of all workers."""

        def throttle(cursor: DBAPICursor) -> None:
            row, moment = self._held(cursor)
            self._save(cursor, after_throttling(row, moment.now))

        self._store.run(throttle)

    def _held(self, cursor: DBAPICursor) -> tuple[Rate, Moment]:
        """Lock the row; return it and the present time."""
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
Seconds after its time in which a slot may still be used. The service counts per second of its own
clock; with 3 % of the quota unused, calls may bunch by 30 ms before a second holds too many, and the
network's jitter takes a part of that.
"""

BLOCK_SECONDS = 0.4
BLOCK_SLOTS = 8
"""
Most slots reserved in one step, whichever is less: a step costs a database several times what a slot
costs. A killed worker wastes at most this many slots.
"""


class SlotRateLimiter:
    """
    The rate limiter of one account and Action, for threads and coroutines.

    :param row: holds the next free slot.
    :param rate: slots per second while nothing is throttled.
    :param clock: measures time and sleeps.
    """

    def __init__(self, row: RateRow, rate: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._row, self._rate, self._clock = row, rate, clock
        self._most = max(1, min(BLOCK_SLOTS, round(rate * BLOCK_SECONDS)))
        self._throttled = 0
        self.after_fork(is_child=True)
        forks.register_fork_hook(self)

    def after_fork(self, *, is_child: bool) -> None:
        """Drop the reserved slots in a child: the parent uses them, and twice would be a burst."""
        if not is_child:
            return
        self._block = 1
        self._block_ends = -math.inf
        self._slots: deque[float] = deque()
        self._slots_lock = threading.Lock()  # never held during a step of the row, which may block
        self._stepping = threading.Lock()
        self._gate = threading.Lock()
        self._gates: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]
        self._gates = WeakKeyDictionary()

    def wait(self) -> None:
        """Block until the next request may be sent."""
        with self._gate:
            while True:
                slot = self._next_slot()
                self._clock.sleep(slot - self._clock.monotonic())
                if not self._is_expired(slot):
                    return

    async def wait_async(self) -> None:
        """Wait until the next request may be sent, without blocking the event loop."""
        gate = self._gates.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with gate:
            while True:
                slot = self._slot_in_hand()
                if slot is None and self._row.is_local:
                    slot = self._next_slot()
                elif slot is None:
                    slot = await asyncio.to_thread(self._next_slot)
                await self._clock.asleep(slot - self._clock.monotonic())
                if not self._is_expired(slot):
                    return

    def slow_down(self) -> None:
        """Lower the rate of all workers after a throttled answer, and drop reserved slots."""
        self._drop_slots()
        self._row.throttle()
        self._drop_slots()  # those reserved meanwhile, at the old rate

    def _drop_slots(self) -> None:
        with self._slots_lock:
            self._slots.clear()
            self._throttled += 1

    def _next_slot(self) -> float:
        """Return the time of a slot that is not yet forfeited, on the monotonic clock."""
        with self._stepping:
            while True:
                slot = self._slot_in_hand()
                if slot is not None:
                    return slot
                throttled = self._throttled
                busy = not self._is_expired(self._block_ends)
                self._block = min(self._most, 2 * self._block) if busy else max(1, self._block // 2)
                taken = self._row.take(self._rate, self._block)
                with self._slots_lock:
                    if throttled == self._throttled:
                        return self._keep(taken)

    def _keep(self, taken: Slots) -> float:
        """Store the slots of a block, and return the first."""
        self._slots.extend(taken.start + n * taken.interval for n in range(taken.count))
        self._block_ends = taken.start + taken.count * taken.interval
        return self._slots.popleft()

    def _slot_in_hand(self) -> float | None:
        """Return such a slot if one is reserved already, without a step of the row."""
        with self._slots_lock:
            return self._pop()

    def _pop(self) -> float | None:
        while self._slots and self._is_expired(self._slots[0]):
            self._slots.popleft()
        return self._slots.popleft() if self._slots else None

    def _is_expired(self, slot: float) -> bool:
        return self._clock.monotonic() - slot > LATE_SECONDS
