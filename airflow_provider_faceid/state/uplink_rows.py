"""Who holds a host's uplink: this process alone, or the state store for all tasks of the host."""

from __future__ import annotations

import json
import threading
import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

from ..clock import SYSTEM_CLOCK, Clock
from . import uplink as arithmetic
from .housekeeping import hour_of
from .store import StateStore
from .uplink import Member, Report, Uplink

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor


class UplinkRow(Protocol):
    """The uplink of one host."""

    def step(self, name: str, demand: int, seconds: float, report: Report) -> tuple[Uplink, int]:
        """
        Take a member's report in one atomic step.

        :param name: the member's.
        :param demand: uploads it has under way or could begin; 0 takes it out.
        :param seconds: after which it is forgotten unless it reports again.
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
        self._lock = threading.Lock()
        self._uplink = Uplink()

    def step(self, name: str, demand: int, seconds: float, report: Report) -> tuple[Uplink, int]:
        """Take a member's report."""
        with self._lock:
            now = self._clock.monotonic()
            member = Member(demand, now + seconds)
            self._uplink = arithmetic.step(self._uplink, now, name, member, report)
            return self._uplink, arithmetic.share(self._uplink, name, now)


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

    def step(self, name: str, demand: int, seconds: float, report: Report) -> tuple[Uplink, int]:
        """
        Take a member's report.

        :raises StateStoreError: the state store cannot be used.
        """

        def step(cursor: DBAPICursor) -> tuple[Uplink, int]:
            state, now = self._held(cursor)
            member = Member(demand, now + seconds)
            after = arithmetic.step(read(state), now, name, member, report)
            cursor.execute(self._update, (json.dumps(asdict(after)), hour_of(now), self._host))
            return after, arithmetic.share(after, name, now)

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
