"""Rate limiter: slot reservation (GCRA) on a row that all workers of an account share.

Callers queue at a gate, and the first one reserves a small block of slots. A caller more than
:data:`LATE_SECONDS` late forfeits its slot and takes the next one, so neither a stalled event loop nor a
stopped process sends a burst. Blocks are small, so workers take turns and get equal shares. The block
grows for a worker that uses its slots in time, and shrinks for one that does not.

A slot is used only after a recent reading of the row, which says by how much the priority lane has moved
it and whether somebody has paused the Action. A block comes with a reading, and most are used up while it
holds. The arithmetic is :mod:`.rate`; the holder of the row, memory for one process or the state store for
all workers, applies it in one atomic step.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from weakref import WeakKeyDictionary

from .. import process as forks
from ..clock import SYSTEM_CLOCK, Clock
from ..exceptions import PausedError
from .rate import Lane
from .rate_rows import Block, RateRow, Reading, Turn

T = TypeVar("T")

LATE_SECONDS = 0.015
"""
Seconds after its time in which a slot may still be used. The service counts per second of its own
clock; with 3 % of the quota unused, calls may bunch by 30 ms before a second holds too many, and the
network's jitter takes a part of that.
"""
EARLY_SECONDS = 1e-4
"""Seconds before its time from which a slot may be used: clocks and sleeps are no more exact."""

BLOCK_SECONDS = 0.4
BLOCK_SLOTS = 8
"""
Most slots reserved in one step, whichever is less: a step costs a database several times what a slot
costs. A killed worker wastes at most this many slots.
"""

PRIORITY_SHARE = 0.2
"""Share of the rate that calls with priority may have at most, unless a connection says otherwise."""

READ_AHEAD = 0.75
"""How long before a slot the row is read once more, as a share of the time for which a reading holds: at
once after the last slot, unless slots are far apart, so that nobody wakes for it."""
PAUSE_LOOK_SECONDS = 0.5
"""Seconds for which a pause that was read counts without another reading."""


@dataclass
class _Slot:
    """
    A reserved slot in hand.

    :param at: its time, in seconds of the row's holder.
    :param ahead: seconds by which the monotonic clock was ahead of the holder's.
    :param interval: seconds to the next.
    :param count: insertions of the priority lane of which its time knows.
    :param seconds: by which these have moved it.
    """

    at: float
    ahead: float
    interval: float
    count: int
    seconds: float

    @property
    def time(self) -> float:
        """Return its time on the monotonic clock."""
        return self.at + self.ahead

    def move(self, lane: Lane) -> None:
        """Move behind the insertions of which its time does not know."""
        self.at = lane.moved(self.at, self.count, self.seconds)
        self.count, self.seconds = lane.count, lane.seconds


class SlotRateLimiter:
    """
    The rate limiter of one account and Action, for threads and coroutines.

    :param row: holds the next free slot.
    :param rate: slots per second while nothing is throttled.
    :param clock: measures time and sleeps.
    :param priority_share: share of the rate that calls with priority may have at most, 0-1; with 0
        they wait like all others.
    """

    def __init__(
        self,
        row: RateRow,
        rate: float,
        clock: Clock = SYSTEM_CLOCK,
        priority_share: float = PRIORITY_SHARE,
    ) -> None:
        self._row, self._rate, self._clock = row, rate, clock
        self._most = max(1, min(BLOCK_SLOTS, round(rate * BLOCK_SECONDS)))
        self._priority_share = priority_share
        self._throttled = 0
        self.after_fork(is_child=True)
        forks.register_fork_hook(self)

    def after_fork(self, *, is_child: bool) -> None:
        """Drop the reserved slots in a child: the parent uses them, and twice would be a burst."""
        if not is_child:
            return
        self._block = 1
        self._block_ends = -math.inf
        self._slots: deque[_Slot] = deque()
        self._reading = Reading(Lane(), -math.inf, 0.0, 0.0)
        self._pause: PausedError | None = None
        self._pause_until = -math.inf
        self._slots_lock = threading.Lock()  # never held during a step of the row, which may block
        self._stepping = threading.Lock()
        self._gate = threading.Lock()
        self._gates: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]
        self._gates = WeakKeyDictionary()

    def priority(self) -> SlotRateLimiter | PriorityLane:
        """Return the rate limiter of a call for which somebody waits."""
        return PriorityLane(self, self._clock) if self._priority_share else self

    def wait(self) -> None:
        """
        Block until the next request may be sent.

        :raises PausedError: the Action is paused.
        """
        with self._gate:
            while True:
                slot, has_slept = self._next_slot(), False
                while not self._is_lost(slot):
                    seconds, reads = self._sleep_before(slot)
                    if reads:
                        if seconds > 0:
                            self._clock.sleep(seconds)
                        self._read()
                    elif has_slept and seconds <= EARLY_SECONDS:
                        return
                    else:
                        self._clock.sleep(seconds)
                        has_slept = True

    async def wait_async(self) -> None:
        """
        Wait until the next request may be sent, without blocking the event loop.

        :raises PausedError: the Action is paused.
        """
        gate = self._gates.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with gate:
            while True:
                slot = self._slot_in_hand()
                if slot is None:
                    slot = await self.off_loop(self._next_slot)
                has_slept = False
                while not self._is_lost(slot):
                    seconds, reads = self._sleep_before(slot)
                    if reads:
                        if seconds > 0:
                            await self._clock.asleep(seconds)
                        await self.off_loop(self._read)
                    elif has_slept and seconds <= EARLY_SECONDS:
                        return
                    else:
                        await self._clock.asleep(seconds)
                        has_slept = True

    def check(self) -> None:
        """
        Ask whether calls may leave at all.

        :raises PausedError: the Action is paused.
        :raises StateStoreError: the state store cannot be used.
        """
        self._refuse_paused()
        self._read()

    def slow_down(self) -> None:
        """Lower the rate of all workers after a throttled answer, and drop reserved slots."""
        self._drop_slots()
        self._row.throttle()
        self._drop_slots()  # those reserved meanwhile, at the old rate

    def take_first(self, *, is_admitted: bool) -> Turn:
        """Take a slot of the priority lane, see :meth:`RateRow.take_first`."""
        self._refuse_paused()
        with self._noting_pause():
            return self._row.take_first(self._rate, self._priority_share, is_admitted=is_admitted)

    async def off_loop(self, step: Callable[[], T]) -> T:
        """Do a step of the row, in a thread if it may block."""
        return step() if self._row.is_local else await asyncio.to_thread(step)

    def _drop_slots(self) -> None:
        with self._slots_lock:
            self._slots.clear()
            self._throttled += 1

    def _next_slot(self) -> _Slot:
        """Return a slot that is not yet forfeited."""
        with self._stepping:
            while True:
                slot = self._slot_in_hand()
                if slot is not None:
                    return slot
                self._refuse_paused()
                throttled = self._throttled
                busy = not self._is_expired(self._block_ends)
                self._block = min(self._most, 2 * self._block) if busy else max(1, self._block // 2)
                with self._noting_pause():
                    taken = self._row.take(self._rate, self._block)
                with self._slots_lock:
                    if throttled == self._throttled:
                        return self._keep(taken)

    def _keep(self, taken: Block) -> _Slot:
        """Store the slots of a block, and return the first."""
        reading, lane = taken.reading, taken.reading.lane
        self._keep_reading(reading)
        start = taken.start - reading.ahead
        self._slots.extend(
            _Slot(
                start + n * taken.interval, reading.ahead, taken.interval, lane.count, lane.seconds
            )
            for n in range(taken.count)
        )
        self._block_ends = taken.start + taken.count * taken.interval
        return self._slots.popleft()

    def _slot_in_hand(self) -> _Slot | None:
        """Return such a slot if one is reserved already, without a step of the row."""
        with self._slots_lock:
            while self._slots and self._is_lost(self._slots[0]):
                self._slots.popleft()
            return self._slots.popleft() if self._slots else None

    def _sleep_before(self, slot: _Slot) -> tuple[float, bool]:
        """
        Return for how long to sleep before a slot, and whether to read the row after it.

        :raises PausedError: the Action is paused.
        """
        self._refuse_paused()
        now = self._clock.monotonic()
        reading = self._reading
        if slot.time > reading.fresh_until + EARLY_SECONDS:
            return slot.time - READ_AHEAD * reading.fresh_seconds - now, True
        return slot.time - now, False

    def _is_lost(self, slot: _Slot) -> bool:
        """Move a slot behind the insertions that were read; return whether it is forfeited."""
        reading = self._reading
        if slot.count < reading.lane.count:
            # A holder that was stopped cannot tell insertions before its slot from those behind it.
            if reading.read_at - slot.time > LATE_SECONDS:
                return True
            slot.move(reading.lane)
            self._block_ends = max(self._block_ends, slot.time + slot.interval)
        return self._is_expired(slot.time)

    def _is_expired(self, slot: float) -> bool:
        return self._clock.monotonic() - slot > LATE_SECONDS

    def _read(self) -> None:
        """
        Read the row.

        :raises PausedError: the Action is paused.
        """
        with self._noting_pause():
            reading = self._row.read()
        with self._slots_lock:
            self._keep_reading(reading)

    def _keep_reading(self, reading: Reading) -> None:
        """Keep the latest reading, and move the slots in hand by it: each reading goes on from the last."""
        if reading.read_at >= self._reading.read_at:
            self._reading = reading
            if self._slots and self._slots[-1].count < reading.lane.count:
                self._slots = deque(slot for slot in self._slots if not self._is_lost(slot))

    @contextmanager
    def _noting_pause(self) -> Iterator[None]:
        """Drop the slots in hand at a pause, and keep it for those who wait as well."""
        try:
            yield
        except PausedError as pause:
            self._drop_slots()
            self._pause_until = self._clock.monotonic() + PAUSE_LOOK_SECONDS
            self._pause = pause
            raise

    def _refuse_paused(self) -> None:
        pause = self._pause
        if pause is not None and self._clock.monotonic() < self._pause_until:
            raise copy(pause)


class PriorityLane:
    """
    The rate limiter of calls for which somebody waits, a lane of the one that all workers share.

    :param limiter: of the account and Action.
    :param clock: measures time and sleeps.
    """

    def __init__(self, limiter: SlotRateLimiter, clock: Clock) -> None:
        self._limiter, self._clock = limiter, clock

    def wait(self) -> None:
        """
        Block until the next request may be sent.

        :raises PausedError: the Action is paused.
        """
        is_admitted = False
        while True:
            turn = self._limiter.take_first(is_admitted=is_admitted)
            self._clock.sleep(turn.at - self._clock.monotonic())
            if self._has_come(turn):
                return
            is_admitted = not turn.is_slot

    async def wait_async(self) -> None:
        """
        Wait until the next request may be sent, without blocking the event loop.

        :raises PausedError: the Action is paused.
        """
        is_admitted = False
        while True:
            step = partial(self._limiter.take_first, is_admitted=is_admitted)
            turn = await self._limiter.off_loop(step)
            await self._clock.asleep(turn.at - self._clock.monotonic())
            if self._has_come(turn):
                return
            is_admitted = not turn.is_slot

    def check(self) -> None:
        """Ask whether calls may leave at all, see :meth:`SlotRateLimiter.check`."""
        self._limiter.check()

    def slow_down(self) -> None:
        """Lower the rate of all workers after a throttled answer."""
        self._limiter.slow_down()

    def _has_come(self, turn: Turn) -> bool:
        return turn.is_slot and self._clock.monotonic() - turn.at <= LATE_SECONDS
