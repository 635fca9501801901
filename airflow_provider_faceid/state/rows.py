"""Who holds an account's rate: this process alone, or the state store for all workers."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from .. import forks
from ..clock import Clock
from . import rate as arithmetic
from .rate import Rate, Slots
from .store import Moment, StateStore

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
