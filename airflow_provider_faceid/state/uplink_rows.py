"""Who holds a host's uplink: this process alone, or the state store for all tasks of the host."""

from __future__ import annotations

import json
import threading
import uuid
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

from .. import forks
from ..clock import SYSTEM_CLOCK, Clock
from ..exceptions import StateStoreError
from .housekeeping import hour_of
from .store import StateStore
from .uplink import LEASE_SECONDS, Member, Report, Uplink, after_step, share_of

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor

TURN_POLL_SECONDS, TURN_REPORT_SECONDS = 0.25, 1.0
"""Between two looks of a single call whether it is its turn, and two reports of its upload."""


class UplinkRow(Protocol):
    """The uplink of one host."""

    def step(self, name: str, demand: int, busy: int, report: Report) -> tuple[Uplink, int]:
        """
        Take a member's report in one atomic step.

        :param name: the member's.
        :param demand: uploads it has under way or could begin; 0 takes it out.
        :param busy: uploads it has under way.
        :param report: what its uploads did since its last one.
        :return: the uplink, and how many uploads the member may have at once.
        """


def new_member() -> str:
    """Return a name that no other run or call has."""
    return uuid.uuid4().hex


class MemoryUplink:
    """The uplink of one process."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self.after_fork(is_child=True)
        forks.concerns(self)
        self._uplink = Uplink()

    def after_fork(self, *, is_child: bool) -> None:
        """Let a child go on whatever its parent's threads were doing."""
        if is_child:
            self._lock = threading.Lock()

    def step(self, name: str, demand: int, busy: int, report: Report) -> tuple[Uplink, int]:
        """Take a member's report."""
        with self._lock:
            now = self._clock.monotonic()
            member = Member(demand, now + LEASE_SECONDS, busy)
            self._uplink = after_step(self._uplink, now, name, member, report)
            return self._uplink, share_of(self._uplink, name, now)


class StoredUplink:
    """
    The uplink of all tasks of a host, in the state store, on the database's clock.

    :param host: its name; at most 200 characters.
    """

    def __init__(self, store: StateStore, host: str) -> None:
        self._store, self._host = store, host
        marker = store.marker
        lock = "" if store.is_sqlite else " FOR UPDATE"
        self._select = (
            f"WITH held AS (SELECT state FROM faceid_uplinks WHERE host = {marker}{lock}) "
            f"SELECT held.state, {store.now_sql} FROM held"
        )
        self._insert = (
            f"INSERT INTO faceid_uplinks (host, state) VALUES ({marker}, '') ON CONFLICT DO NOTHING"
        )
        self._update = f"UPDATE faceid_uplinks SET state = {marker}, seen_hour = {marker} WHERE host = {marker}"

    def step(self, name: str, demand: int, busy: int, report: Report) -> tuple[Uplink, int]:
        """
        Take a member's report.

        :raises StateStoreError: the state store cannot be used.
        """

        def step(cursor: DBAPICursor) -> tuple[Uplink, int]:
            state, now = self._held(cursor)
            member = Member(demand, now + LEASE_SECONDS, busy)
            after = after_step(read(state), now, name, member, report)
            cursor.execute(self._update, (json.dumps(asdict(after)), hour_of(now), self._host))
            return after, share_of(after, name, now)

        return self._store.run(step)

    def _held(self, cursor: DBAPICursor) -> tuple[str, float]:
        """Return the row, which nobody else changes now, and the moment."""
        cursor.execute(self._select, (self._host,))
        found = cursor.fetchone()
        if found is None:
            cursor.execute(self._insert, (self._host,))
            cursor.execute(self._select, (self._host,))
            found = cursor.fetchall()[0]
        return found[0], self._store.moment(found[1]).now


def read(state: str) -> Uplink:
    """Return the uplink of a row; one that cannot be read is measured anew."""
    try:
        fields = json.loads(state)
        members = {name: Member(**member) for name, member in fields.pop("members").items()}
        return Uplink(**fields | {"sample": Report(**fields["sample"]), "members": members})
    except (ValueError, TypeError, KeyError, AttributeError):
        return Uplink()


class UploadTurn:
    """
    The upload of a single call: it waits for its turn among all that upload from this host.

    It is safe to leave it without an upload, and to take another turn for a repetition.

    :param row: the uplink of this host.
    """

    def __init__(self, row: UplinkRow, clock: Clock = SYSTEM_CLOCK) -> None:
        self._row, self._clock = row, clock
        self._name = ""
        self._report = Report()
        self._stepped = 0.0
        self._is_moving = False

    def take(self) -> None:
        """
        Wait for a turn.

        :raises StateStoreError: the state store cannot be used.
        """
        if self._name:
            return
        self._name = new_member()
        while not self._step(1, busy=0):
            self._clock.sleep(TURN_POLL_SECONDS)
        self._step(1, busy=1)

    def began(self, size: int) -> None:
        """Take note that the upload has begun."""
        self._is_moving = True
        self._report = Report(begun=1, begun_bytes=size)

    def moved(self, count: int) -> None:
        """Take note of bytes the network has taken; tell the others every second."""
        self._report += Report(moved=count)
        if self._clock.monotonic() - self._stepped >= TURN_REPORT_SECONDS:
            with suppress(StateStoreError):  # the upload goes on; the pace is the one to complain
                self._step(1, busy=1)

    def ended(self) -> None:
        """Let others have the turn: the body has left, or never will."""
        if self._name:
            with suppress(StateStoreError):  # the others forget it in a while
                self._step(0, busy=0)
            self._name, self._is_moving = "", False

    def _step(self, demand: int, busy: int) -> int:
        now = self._clock.monotonic()
        if self._is_moving:
            self._report += Report(upload_seconds=now - self._stepped)
        report, self._report, self._stepped = self._report, Report(), now
        return self._row.step(self._name, demand, busy, report)[1]
