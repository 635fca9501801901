"""Who holds an account's rate: this process alone, or the state store for all workers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import astuple, replace
from typing import TYPE_CHECKING, Protocol

from ..clock import Clock
from . import rate as arithmetic
from .rate import Rate, Slots
from .store import Moment, StateStore

if TYPE_CHECKING:
    from sqlalchemy import Connection


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
        self._lock = threading.Lock()
        self._row = Rate()

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
        lock = "" if store.is_sqlite else " FOR UPDATE"
        self._select = (
            f"SELECT next_at, factor, factor_at FROM faceid_pace WHERE name = {store.marker}{lock}"
        )
        self._update = (
            "UPDATE faceid_pace SET next_at = ?, factor = ?, factor_at = ? WHERE name = ?"
        )
        self._insert = "INSERT INTO faceid_pace VALUES (?, 0, 1, 0) ON CONFLICT DO NOTHING"
        if not store.is_sqlite:
            self._update, self._insert = (
                sql.replace("?", store.marker) for sql in (self._update, self._insert)
            )

    def take(self, rate: float, count: int) -> Slots:
        """Take the next free slots."""
        taken: list[Slots] = []

        def step(row: Rate, moment: Moment) -> Rate:
            after, slots = arithmetic.take(row, moment.now, rate, count)
            taken.append(replace(slots, start=slots.start - moment.now + moment.here))
            return after

        self._change(step)
        return taken[0]

    def throttle(self) -> None:
        """Slow all workers down."""
        self._change(lambda row, moment: arithmetic.throttle(row, moment.now))

    def _change(self, step: Callable[[Rate, Moment], Rate]) -> None:
        with self._store.transaction() as connection:
            row = self._locked(connection)
            # Read behind the lock: waiting for it must not count as time that has passed.
            after = step(row, self._store.moment(connection))
            if after != row:
                connection.exec_driver_sql(self._update, (*astuple(after), self._name))

    def _locked(self, connection: Connection) -> Rate:
        found = connection.exec_driver_sql(self._select, (self._name,)).one_or_none()
        if found is None:
            connection.exec_driver_sql(self._insert, (self._name,))
            found = connection.exec_driver_sql(self._select, (self._name,)).one()
        return Rate(*found)
