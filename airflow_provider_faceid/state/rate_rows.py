"""Rows of the rate limiter: what all callers of an account and Action share, in memory or state store.

Each method is one atomic step, and applies the arithmetic of :mod:`.rate`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from .. import process as forks
from ..clock import Clock
from .pauses import Pause, names_of
from .rate import (
    Lane,
    Rate,
    Slots,
    after_throttling,
    enter_lane,
    reserve_first,
    reserve_slots,
)
from .store import Moment, StateStore

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor


@dataclass(frozen=True)
class Reading:
    """
    What a reading of the row says.

    :param lane: the priority lane.
    :param read_at: when it began, on the monotonic clock: everything committed before is in it.
    :param fresh_seconds: for how long slots may be used after it.
    :param ahead: seconds by which the monotonic clock is ahead of the holder's.
    """

    lane: Lane
    read_at: float
    fresh_seconds: float
    ahead: float

    @property
    def fresh_until(self) -> float:
        """Return until when slots may be used after it, on the monotonic clock."""
        return self.read_at + self.fresh_seconds

    @classmethod
    def of(cls, lane: Lane, began: float, moment: Moment) -> Reading:
        """
        Return a reading.

        :param began: when it began, on the monotonic clock.
        :param moment: a moment in it.
        """
        return cls(lane, began, lane.fresh_seconds(moment.now), moment.here - moment.now)


@dataclass(frozen=True)
class Block(Slots):
    """
    Reserved slots, in seconds of the caller's monotonic clock.

    :param reading: of the step that reserved them.
    """

    reading: Reading


class Turn(NamedTuple):
    """
    The turn of a call with priority.

    :param at: when it comes, on the caller's monotonic clock.
    :param is_slot: whether the call may leave then; otherwise the lane takes its slot then.
    """

    at: float
    is_slot: bool


class RateRow(Protocol):
    """
    The rate limiter row of one account and Action.

    :ivar is_local: whether its methods never block on I/O.
    """

    is_local: bool

    def take(self, rate: float, count: int) -> Block:
        """
        Reserve the next free slots in one atomic step.

        :param rate: slots per second while nothing is throttled.
        :param count: number of slots.
        :return: slots in seconds of the caller's monotonic clock.
        :raises PausedError: the Action is paused.
        :raises StateStoreError: the state store cannot be used.
        """

    def take_first(self, rate: float, share: float, *, is_admitted: bool) -> Turn:
        """
        Take a slot before those of callers without priority, in one atomic step.

        :param rate: slots per second while nothing is throttled.
        :param share: share of them that calls with priority may have, 0-1.
        :param is_admitted: whether an earlier step has said to come now.
        :raises PausedError: the Action is paused.
        :raises StateStoreError: the state store cannot be used.
        """

    def read(self) -> Reading:
        """
        Read the row, without a lock.

        :raises PausedError: the Action is paused.
        :raises StateStoreError: the state store cannot be used.
        """

    def throttle(self) -> None:
        """Lower the rate of all users of the row, after a throttled answer."""


class MemoryRow:
    """The row of one process, in memory; it is never paused."""

    is_local = True

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.after_fork(is_child=True)
        forks.register_fork_hook(self)
        self._row, self._lane = Rate(), Lane()

    def after_fork(self, *, is_child: bool) -> None:
        """Replace the lock in a child: a thread of the parent may have held it."""
        if is_child:
            self._lock = threading.Lock()

    def take(self, rate: float, count: int) -> Block:
        """Reserve the next free slots."""
        with self._lock:
            reading = self._reading()
            self._row, slots = reserve_slots(self._row, reading.read_at, rate, count)
            return Block(slots.start, slots.interval, slots.count, reading)

    def take_first(self, rate: float, share: float, *, is_admitted: bool) -> Turn:
        """Take a slot before those of callers without priority."""
        with self._lock:
            self._row, self._lane, turn = _take_first(
                self._row, self._lane, self._clock.monotonic(), rate, share, is_admitted=is_admitted
            )
            return turn

    def read(self) -> Reading:
        """Read the row."""
        with self._lock:
            return self._reading()

    def throttle(self) -> None:
        """Lower the rate of this process."""
        with self._lock:
            self._row = after_throttling(self._row, self._clock.monotonic())

    def _reading(self) -> Reading:
        now = self._clock.monotonic()
        return Reading.of(self._lane, now, Moment(now, now))


def _take_first(
    row: Rate, lane: Lane, now: float, rate: float, share: float, *, is_admitted: bool
) -> tuple[Rate, Lane, Turn]:
    """Apply a step of the priority lane; times are the holder's."""
    if not is_admitted:
        lane, opens_at = enter_lane(row, lane, now, rate, share)
        if opens_at > now:
            return row, lane, Turn(opens_at, is_slot=False)
    row, lane, at = reserve_first(row, lane, now, rate)
    return row, lane, Turn(at, is_slot=True)


class StoredRow:
    """
    The row of all workers, in the state store, on the database's clock.

    :param store: the state store.
    :param name: host, account and Action, without a secret; at most 200 characters.
    """

    is_local = False

    def __init__(self, store: StateStore, name: str) -> None:
        self._store = store
        self._name = name
        self._parsed: tuple[str | None, Lane] = (None, Lane())
        marker = store.marker
        lock = "" if store.is_sqlite else " FOR UPDATE"
        paused_at = (
            "(SELECT MIN(paused_at) FROM faceid_pauses "
            f"WHERE name IN ({marker}, {marker}) AND resumed_at IS NULL)"
        )
        # The clock is read after the row is locked, so that waiting for the lock does not count.
        self._select = (
            "WITH held AS (SELECT next_at, factor, factor_at, lane FROM faceid_pace "
            f"WHERE name = {marker}{lock}) SELECT held.*, {store.now_sql}, {paused_at} FROM held"
        )
        self._read = (
            f"SELECT (SELECT lane FROM faceid_pace WHERE name = {marker}), {store.now_sql}, "
            f"{paused_at}"
        )
        self._pause = (
            "SELECT name, paused_at, paused_by, reason FROM faceid_pauses "
            f"WHERE name IN ({marker}, {marker}) AND resumed_at IS NULL ORDER BY paused_at"
        )
        self._insert = (
            "INSERT INTO faceid_pace (name, next_at, factor, factor_at) "
            f"VALUES ({marker}, 0, 1, 0) ON CONFLICT DO NOTHING"
        )
        self._update = (
            f"UPDATE faceid_pace SET next_at = {marker}, factor = {marker}, factor_at = {marker} "
            f"WHERE name = {marker}"
        )
        self._set_lane = f"UPDATE faceid_pace SET lane = {marker} WHERE name = {marker}"
        self._names = (name, *names_of(name))

    def take(self, rate: float, count: int) -> Block:
        """Reserve the next free slots."""

        def take(cursor: DBAPICursor) -> Block:
            began = self._store.moment(None).here
            row, text, moment = self._held(cursor)
            after, slots = reserve_slots(row, moment.now, rate, count)
            self._save(cursor, after)
            reading = Reading.of(self._lane(text), began, moment)
            return Block(slots.start + reading.ahead, slots.interval, slots.count, reading)

        return self._store.run(take)

    def take_first(self, rate: float, share: float, *, is_admitted: bool) -> Turn:
        """Take a slot before those of callers without priority."""

        def take_first(cursor: DBAPICursor) -> Turn:
            row, text, moment = self._held(cursor)
            after, lane, turn = _take_first(
                row, self._lane(text), moment.now, rate, share, is_admitted=is_admitted
            )
            self._save(cursor, after)
            cursor.execute(self._set_lane, (lane.as_text(), self._name))
            return turn._replace(at=turn.at - moment.now + moment.here)

        return self._store.run(take_first)

    def read(self) -> Reading:
        """Read the row."""
        began = self._store.moment(None).here
        ((text, now, paused_at),) = self._store.read(self._read, self._names)
        moment = self._store.moment(now)
        if paused_at is not None:
            self._refuse(self._store.read(self._pause, self._names[1:]), moment.now)
        return Reading.of(self._lane(text), began, moment)

    def throttle(self) -> None:
        """Lower the rate of all workers."""

        def throttle(cursor: DBAPICursor) -> None:
            row, _, moment = self._held(cursor, obeys_pause=False)
            self._save(cursor, after_throttling(row, moment.now))

        self._store.run(throttle)

    def _held(
        self, cursor: DBAPICursor, *, obeys_pause: bool = True
    ) -> tuple[Rate, str | None, Moment]:
        """Lock the row; return it, its lane as text, and the present time."""
        cursor.execute(self._select, self._names)
        found = cursor.fetchone()
        if found is None:
            cursor.execute(self._insert, (self._name,))
            cursor.execute(self._select, self._names)
            found = cursor.fetchall()[0]
        *row, text, now, paused_at = found
        moment = self._store.moment(now)
        if paused_at is not None and obeys_pause:
            cursor.execute(self._pause, self._names[1:])
            self._refuse([tuple(one) for one in cursor.fetchall()], moment.now)
        return Rate(*row), text, moment

    def _refuse(self, pauses: list[tuple[Any, ...]], now: float) -> None:
        """Raise the first pause that is still in force."""
        for found in pauses[:1]:
            raise Pause(*found).error(now)

    def _lane(self, text: str | None) -> Lane:
        """Parse the lane, unless it is the one that was parsed last."""
        last, lane = self._parsed
        if text != last:
            lane = Lane.of_text(text)
            self._parsed = (text, lane)
        return lane

    def _save(self, cursor: DBAPICursor, row: Rate) -> None:
        cursor.execute(self._update, (row.next_at, row.factor, row.factor_at, self._name))
