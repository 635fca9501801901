"""Uplink: congestion window of photo uploads, shared by all tasks of a host.

Each upload gets a share of the uplink's bandwidth: too many at once all take too long, and too few leave
bandwidth unused where latency limits each of them. The *window*, the number of concurrent uploads,
therefore follows the measured throughput, as TCP's congestion window does: it grows while more uploads
carry more bytes a second, and shrinks until one upload takes at most :data:`TARGET_UPLOAD_SECONDS`. All
uploading tasks of the host are members with a lease: they report to the same row and take a share of the
window. The holder of the row, memory or the state store, applies each report in one atomic step.
"""

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

INITIAL_WINDOW = 4
"""Window before the first measurement, in concurrent uploads."""
IDLE_WINDOW, IDLE_BYTES, IDLE_SHARE = 32, 2**24, 0.3
"""
Largest window of an idle uplink, most bytes of photos in it, and the share of the window in use up to which
it counts as idle. Photos that are small, or a link that is fast, leave a slot to its other work, the claim
and the pace: with few slots these, and not the uplink, would limit a run. Each slot holds a photo in memory.
"""
MIN_WINDOW, MAX_WINDOW = 2, 256
TARGET_UPLOAD_SECONDS = 30.0
"""Longest duration aimed at for one upload, in seconds; the service accepts a signature for 300 s."""

MIN_SAMPLE_SECONDS, MAX_SAMPLE_SECONDS = 1.0, 8.0
"""Shortest and longest duration of a measurement, in seconds."""
SAMPLE_BYTES = 2**20
"""Fewest bytes of a measurement per concurrent upload: four times what the buffers on the way hold."""
SETTLE_SECONDS = 0.5
"""Seconds between a change of the window and the next measurement."""
FULL_SHARE = 0.7
"""Share of the window in use from which the window counts as the bottleneck."""
MIN_GAIN = 0.2
"""Smallest growth of throughput, as a share of the growth of the window, that makes it useful."""
PROBE_AFTER_SAMPLES = 10
"""Measurements without a change after which a larger window is probed again."""
START_GROWTH, PROBE_GROWTH = 2.0, 1.5
"""Growth factor of the window at the start (slow start), and when a larger one is probed."""

LEASE_SECONDS = 30.0
"""Lease of a member, in seconds. Without a report for this long its share goes to the others."""
STALE_SECONDS = 60.0
"""Seconds without use after which the window is measured anew: the network may have changed."""
TURN_SECONDS = 20.0
"""Round-robin: with a window smaller than the number of members, each has a turn of this many seconds."""


@dataclass(frozen=True)
class Member:
    """
    A member: a run, or a single call, that uploads from this host.

    :param demand: uploads in progress or ready to begin.
    :param until: end of its lease, in seconds of the holder's clock.
    :param busy: uploads in progress.
    """

    demand: int
    until: float
    busy: int = 0


@dataclass(frozen=True)
class Report:
    """
    The progress of a member's uploads since its last report.

    :param moved: bytes the network has taken.
    :param upload_seconds: duration of uploads, summed over all of them, in seconds.
    :param begun: uploads that began.
    :param begun_bytes: size of these uploads, in bytes.
    """

    moved: int = 0
    upload_seconds: float = 0.0
    begun: int = 0
    begun_bytes: int = 0

    def __add__(self, other: Report) -> Report:
        """Return the sum of two reports."""
        return Report(
            self.moved + other.moved,
            self.upload_seconds + other.upload_seconds,
            self.begun + other.begun,
            self.begun_bytes + other.begun_bytes,
        )


@dataclass(frozen=True)
class Uplink:
    """
    The row of a host's uplink. Times are seconds of the holder's clock.

    :param window: concurrent uploads of all members together.
    :param proven: the largest window that was useful; 0 before the first measurement.
    :param proven_rate: its throughput, in bytes a second.
    :param is_found: whether a larger window was found to be useless.
    :param calm: measurements since the last change of the window.
    :param rate: throughput of the last measurement with a full window, in bytes a second; 0 if the
        window was not full.
    :param mean_bytes: mean size of an upload; 0 before the first.
    :param since: beginning of the present measurement.
    :param seen_at: time of the last report.
    :param sample: sum of the reports of the present measurement.
    :param members: members by name.
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
    Return the row after a member's report.

    :param uplink: the present row.
    :param now: seconds of the holder's clock.
    :param name: unique name of the member.
    :param member: its present demand; a member without demand is removed.
    :param report: progress since its last report.
    """
    if not 0 <= now - uplink.seen_at <= STALE_SECONDS:  # stale, or the clock was set back
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
    if seconds < MIN_SAMPLE_SECONDS:
        return uplink
    most = min(IDLE_WINDOW, int(IDLE_BYTES / max(1.0, uplink.mean_bytes)))
    if uplink.window < most and _is_idle_but_wanted(uplink, seconds):
        window = min(most, math.ceil(uplink.window * START_GROWTH))
        return replace(uplink, window=window, sample=Report(), since=now, rate=0.0, calm=0)
    if seconds < MAX_SAMPLE_SECONDS and not enough:
        return uplink
    return _decide(uplink, now, seconds)


def share_of(uplink: Uplink, name: str, now: float) -> int:
    """
    Return the concurrent uploads a member may have (max-min fair share of the window).

    A member gets its demand or an equal share of the window, and an equal share of what others leave.
    It may use this only as far as uploads of the others have ended.
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
    """Return the mean size of an upload, an exponentially weighted moving average."""
    if not report.begun:
        return uplink.mean_bytes
    mean = report.begun_bytes / report.begun
    weight = min(0.5, report.begun / 10) if uplink.mean_bytes else 1.0
    return uplink.mean_bytes + weight * (mean - uplink.mean_bytes)


def _is_idle_but_wanted(uplink: Uplink, seconds: float) -> bool:
    """Return whether all slots are taken and others waited for, while the link carries next to nothing."""
    members = uplink.members.values()
    is_taken = sum(member.busy for member in members) >= uplink.window
    is_wanted = sum(member.demand for member in members) > uplink.window
    is_idle = uplink.sample.upload_seconds <= IDLE_SHARE * uplink.window * seconds
    return is_taken and is_wanted and is_idle


def _decide(uplink: Uplink, now: float, seconds: float) -> Uplink:
    """Return the row after a measurement, with its new window."""
    rate = uplink.sample.moved / seconds
    is_full = uplink.sample.upload_seconds >= FULL_SHARE * uplink.window * seconds
    after = replace(uplink, sample=Report(), since=now, rate=rate if is_full else 0.0)
    if is_full:
        after = _grow(after, rate)
        if uplink.mean_bytes:  # also shrinks where the link has become slower
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
"""Poll interval of a single call that waits for its turn, and report interval of its upload, in seconds."""


class UplinkRow(Protocol):
    """The row of one host's uplink."""

    def step(self, name: str, demand: int, busy: int, report: Report) -> tuple[Uplink, int]:
        """
        Apply a member's report in one atomic step; renew its lease.

        :param name: unique name of the member.
        :param demand: uploads in progress or ready to begin; 0 removes the member.
        :param busy: uploads in progress.
        :param report: progress since its last report.
        :return: the uplink, and the concurrent uploads that the member may have.
        """


def new_member() -> str:
    """Return a unique name for a member."""
    return uuid.uuid4().hex


class MemoryUplink:
    """The uplink of one process, in memory."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self.after_fork(is_child=True)
        forks.register_fork_hook(self)
        self._uplink = Uplink()

    def after_fork(self, *, is_child: bool) -> None:
        """Replace the lock in a child: a thread of the parent may have held it."""
        if is_child:
            self._lock = threading.Lock()

    def step(self, name: str, demand: int, busy: int, report: Report) -> tuple[Uplink, int]:
        """Apply a member's report."""
        with self._lock:
            now = self._clock.monotonic()
            member = Member(demand, now + LEASE_SECONDS, busy)
            self._uplink = after_step(self._uplink, now, name, member, report)
            return self._uplink, share_of(self._uplink, name, now)


class StoredUplink:
    """
    The uplink of all tasks of a host, in the state store, on the database's clock.

    :param store: the state store.
    :param host: name of the host; at most 200 characters.
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
        Apply a member's report.

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
        """Lock the row; return it and the present time."""
        cursor.execute(self._select, (self._host,))
        found = cursor.fetchone()
        if found is None:
            cursor.execute(self._insert, (self._host,))
            cursor.execute(self._select, (self._host,))
            found = cursor.fetchall()[0]
        return found[0], self._store.moment(found[1]).now


def read(state: str) -> Uplink:
    """Parse a row; an unreadable one is measured anew."""
    try:
        fields = json.loads(state)
        members = {name: Member(**member) for name, member in fields.pop("members").items()}
        return Uplink(**fields | {"sample": Report(**fields["sample"]), "members": members})
    except (ValueError, TypeError, KeyError, AttributeError):
        return Uplink()


class UploadTurn:
    """
    The upload slot of a single call, shared fairly with all uploads of this host.

    It may be left without an upload, and taken again for a retry.

    :param row: the uplink of this host.
    :param clock: measures time and sleeps.
    """

    def __init__(self, row: UplinkRow, clock: Clock = SYSTEM_CLOCK) -> None:
        self._row, self._clock = row, clock
        self._name = ""
        self._report = Report()
        self._stepped = 0.0
        self._is_moving = False

    def take(self) -> None:
        """
        Wait for a slot.

        :raises StateStoreError: the state store cannot be used.
        """
        if self._name:
            return
        self._name = new_member()
        while not self._step(1, busy=0):
            self._clock.sleep(TURN_POLL_SECONDS)
        self._step(1, busy=1)

    def began(self, size: int) -> None:
        """Record that the upload has begun."""
        self._is_moving = True
        self._report = Report(begun=1, begun_bytes=size)

    def moved(self, count: int) -> None:
        """Record bytes that the network has taken; report them every second, which renews the lease."""
        self._report += Report(moved=count)
        if self._clock.monotonic() - self._stepped >= TURN_REPORT_SECONDS:
            with suppress(
                StateStoreError
            ):  # the upload continues; the rate limiter reports the error
                self._step(1, busy=1)

    def ended(self) -> None:
        """Release the slot: the upload has ended."""
        if self._name:
            with suppress(StateStoreError):  # its lease will expire
                self._step(0, busy=0)
            self._name, self._is_moving = "", False

    def _step(self, demand: int, busy: int) -> int:
        now = self._clock.monotonic()
        if self._is_moving:
            self._report += Report(upload_seconds=now - self._stepped)
        report, self._report, self._stepped = self._report, Report(), now
        return self._row.step(self._name, demand, busy, report)[1]
