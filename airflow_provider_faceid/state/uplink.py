"""Who holds a host's uplink: this process alone, or the state store for all tasks of the host."""

from __future__ import annotations

import json
import math
import threading
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from .. import process as forks
from ..clock import SYSTEM_CLOCK, Clock
from ..exceptions import StateStoreError
from .housekeeping import hour_of
from .store import StateStore

#
# How many photos a host uploads at once, as pure arithmetic on one small row.
#
# Each upload has its share of the uplink, so too many at once all take too long, and too few leave it
# idle where each is held back by its distance. The *window* therefore follows what was measured: it
# grows while more uploads at once carry more bytes a second, and shrinks until one takes no longer
# than :data:`TARGET_UPLOAD_SECONDS`. Everybody who uploads from the host reports to the same row and takes a
# share of the window. Whoever holds the row, in memory or in a database, applies this in one step.
#


INITIAL_WINDOW = 4
"""Uploads at once before anything was measured."""
MIN_WINDOW, MAX_WINDOW = 2, 256
TARGET_UPLOAD_SECONDS = 30.0
"""Seconds one upload should take at most; the service accepts a signature for 300 s."""

MIN_SAMPLE_SECONDS, MAX_SAMPLE_SECONDS = 1.0, 8.0
"""A measurement takes so long at least, and at most."""
SAMPLE_BYTES = 2**20
"""Bytes per upload at once a measurement takes at least: four times what the buffers on the way hold."""
SETTLE_SECONDS = 0.5
"""A measurement begins so long after the window has changed."""
FULL_SHARE = 0.7
"""Share of the window in use from which it is what holds the uploads back."""
MIN_GAIN = 0.2
"""Share of a growth of the window that has to come back as bytes a second."""
PROBE_AFTER_SAMPLES = 10
"""Measurements without a change before a larger window is tried again."""
START_GROWTH, PROBE_GROWTH = 2.0, 1.5
"""Growth of the window while it is being found, and when it is tried again."""

LEASE_SECONDS = 30.0
"""A member that does not report for so long is forgotten, and the others share out what it had."""
STALE_SECONDS = 60.0
"""A window that was not in use for so long is measured anew: the network may be another."""
TURN_SECONDS = 20.0
"""Where there are fewer uploads than members, each has a turn of so long."""


@dataclass(frozen=True)
class Member:
    """
    A run that uploads from this host, or a single call.

    :param demand: uploads it has under way or could begin.
    :param until: when it is forgotten unless it reports again, in seconds of the holder's clock.
    :param busy: uploads it has under way.
    """

    demand: int
    until: float
    busy: int = 0


@dataclass(frozen=True)
class Report:
    """
    What a member's uploads did since it last reported.

    :param moved: bytes the network took.
    :param upload_seconds: seconds of uploads under way, summed over all of them.
    :param begun: uploads that began.
    :param begun_bytes: what they have to carry.
    """

    moved: int = 0
    upload_seconds: float = 0.0
    begun: int = 0
    begun_bytes: int = 0

    def __add__(self, other: Report) -> Report:
        """Add two reports up."""
        return Report(
            self.moved + other.moved,
            self.upload_seconds + other.upload_seconds,
            self.begun + other.begun,
            self.begun_bytes + other.begun_bytes,
        )


@dataclass(frozen=True)
class Uplink:
    """
    The row.

    :param window: uploads at once, of all members together.
    :param proven: the largest window that was of use, 0 before the first measurement.
    :param proven_rate: bytes a second it carried.
    :param is_found: whether a larger one was found to be of no use.
    :param calm: measurements since the window last changed.
    :param rate: bytes a second of the last measurement in which the window was full; 0 if none was.
    :param mean_bytes: of an upload; 0 before the first.
    :param since: when the present measurement began.
    :param seen_at: when somebody last reported.
    :param sample: what was reported since it began.
    :param members: by name.
    """

    window: int = INITIAL_WINDOW
    proven: int = 0
    proven_rate: float = 0.0
    is_found: bool = False
    calm: int = 0
    rate: float = 0.0
    mean_bytes: float = 0.0
    since: float = 0.0
    seen_at: float = 0.0
    sample: Report = field(default_factory=Report)
    members: Mapping[str, Member] = field(default_factory=dict)


def after_step(uplink: Uplink, now: float, name: str, member: Member, report: Report) -> Uplink:
    """
    Take a member's report.

    :param name: the member's, unlike all others'.
    :param member: what it wants now; one without demand is left out.
    :param report: what its uploads did since its last one.
    """
    if not 0 <= now - uplink.seen_at <= STALE_SECONDS:  # or the clock was put back
        uplink = Uplink(since=now)
    members = {n: m for n, m in uplink.members.items() if n != name and m.until > now}
    if member.demand:
        members[name] = member
    uplink = replace(uplink, members=members, seen_at=now, mean_bytes=_mean(uplink, report))
    if now < uplink.since:  # the window has just changed
        return uplink
    uplink = replace(uplink, sample=uplink.sample + report)
    seconds = now - uplink.since
    enough = uplink.sample.moved >= uplink.window * SAMPLE_BYTES
    if seconds < MIN_SAMPLE_SECONDS or (seconds < MAX_SAMPLE_SECONDS and not enough):
        return uplink
    return _decide(uplink, now, seconds)


def share_of(uplink: Uplink, name: str, now: float) -> int:
    """
    Return how many uploads a member may have at once.

    Each gets what it wants or its equal share of the window, and an equal share of what is left. It
    may take that up as far as the others have ended what they had.
    """
    if name not in uplink.members:
        return 0
    names = sorted(uplink.members)
    turn = int(now / TURN_SECONDS) % max(1, len(names))
    names = names[turn:] + names[:turn]
    left, shares = uplink.window, dict.fromkeys(names, 0)
    wanting = names
    while left and names:
        wanting = [one for one in wanting if shares[one] < uplink.members[one].demand]
        for one in (wanting or names)[:left]:
            shares[one] += 1
            left -= 1
    free = uplink.window - sum(member.busy for member in uplink.members.values())
    return min(shares[name], uplink.members[name].busy + max(0, free))


def _mean(uplink: Uplink, report: Report) -> float:
    """Return what an upload carries on average, later ones counting more."""
    if not report.begun:
        return uplink.mean_bytes
    mean = report.begun_bytes / report.begun
    weight = min(0.5, report.begun / 10) if uplink.mean_bytes else 1.0
    return uplink.mean_bytes + weight * (mean - uplink.mean_bytes)


def _decide(uplink: Uplink, now: float, seconds: float) -> Uplink:
    """Return the row after a measurement, with the window that follows from it."""
    rate = uplink.sample.moved / seconds
    is_full = uplink.sample.upload_seconds >= FULL_SHARE * uplink.window * seconds
    after = replace(uplink, sample=Report(), since=now, rate=rate if is_full else 0.0)
    if is_full:
        after = _grow(after, rate)
        if uplink.mean_bytes:  # also where the link has become slower
            most = max(MIN_WINDOW, math.floor(rate * TARGET_UPLOAD_SECONDS / uplink.mean_bytes))
            after = replace(after, window=min(after.window, most, MAX_WINDOW))
    if after.window != uplink.window:
        return replace(after, since=now + SETTLE_SECONDS, calm=0)
    return replace(after, calm=uplink.calm + 1)


def _grow(uplink: Uplink, rate: float) -> Uplink:
    window, proven = uplink.window, uplink.proven
    if window <= proven:
        grown = math.ceil(window * PROBE_GROWTH) if uplink.calm >= PROBE_AFTER_SAMPLES else window
        return replace(uplink, window=grown, proven=window, proven_rate=rate)
    gained = not proven or rate >= uplink.proven_rate * (1 + MIN_GAIN * (window / proven - 1))
    if not gained:
        return replace(uplink, window=proven, is_found=True)
    grown = math.ceil(window * (PROBE_GROWTH if uplink.is_found else START_GROWTH))
    return replace(uplink, window=grown, proven=window, proven_rate=rate)


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
