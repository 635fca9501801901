"""Photos of one run: read by path in threads, a little ahead, and uploaded in a shared window.

Reading has a circuit breaker for the folders or stores the photos are in. No row is put anywhere because of its store. A store that is away or refuses is asked again, ever
more slowly; if it stays so, the run ends. A row whose photo cannot be read while others can is tried
again later in the run, and left as it is if that does not help: the run then ends as a failure once
all others are through.

Uploading has admission control: each row with a photo takes a slot in the window that all tasks of
the host share. Photos are read a little ahead, so that one is ready when a slot becomes free, and no
further: those that wait fill the memory. A row takes its slot before it is claimed and before its
turn in the rate limiter, and gives it back when its body has left, before the answer is there.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from ..clock import Clock
from ..exceptions import FaceIdError, InvalidInputError, PhotoStoreError
from ..state.uplink import INITIAL_WINDOW, Report, Uplink, UplinkRow, new_member
from .manifest import Log
from .threads import DaemonThreads, in_thread

AHEAD, FURTHEST_AHEAD = 2, 32
"""Photos that are being read or wait for a slot, at least and at most; each takes up to 4 MB."""
AHEAD_AT_FIRST = 10
"""Likewise before the first was read: at the quota, what leaves while a slow store gives the next."""
STEP_SECONDS = 0.5
"""Between two reports."""


THREADS = FURTHEST_AHEAD
"""At most; they are started as they are needed."""

STORE_SECONDS = 60.0
"""Seconds an unreachable store is waited for, or as long as the service is if that is less."""
REFUSAL_SECONDS = 5.0
"""Likewise if it refuses: permissions may take a moment to be known everywhere."""
FAILURES_IN_A_ROW = 10
"""Photos that cannot be read, one after the other, that open the circuit breaker of their store."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
"""Exponential backoff in seconds between two reads of a photo, and before any during an outage."""
WARN_EVERY = 60.0
"""Seconds between two warnings of the same fault."""

_FROM_THE_STORE = {"photo_unreadable", "photo_size"}
"""Rules about which the store was asked."""


def patience_of(error: PhotoStoreError, patience: float) -> float:
    """Return for how many seconds a fault of the store is borne."""
    return min(patience, REFUSAL_SECONDS if error.is_refusal else STORE_SECONDS)


def growing_pause(waited: float) -> float:
    """Return for how many seconds to wait after having waited so long: as long again."""
    return min(LONGEST_PAUSE, max(FIRST_PAUSE, waited))


def read_patiently(
    read: Callable[[Any], bytes], value: Any, patience: float, clock: Clock, log: Log
) -> bytes:
    """
    Read one photo for a call of its own, in this thread.

    :param patience: seconds the service is waited for.
    :raises InvalidInputError: there is no such photo.
    :raises PhotoStoreError: its store is at fault, and stays so.
    """
    since: float | None = None
    while True:
        try:
            return read(value)
        except PhotoStoreError as error:
            since = clock.monotonic() if since is None else since
            waited = clock.monotonic() - since
            if waited >= patience_of(error, patience):
                raise
            log.warning("%s. Trying again", error)
        clock.sleep(growing_pause(waited) * clock.jitter(0.5, 1.5))


class PhotoReader:
    """
    Reads the photos of a run.

    :param read: turns what the source says into a picture, in a thread.
    :param patience: seconds the service is waited for; the store no longer than that.
    :param is_stopping: says whether the run is stopping.
    """

    def __init__(
        self,
        read: Callable[[Any], bytes],
        *,
        patience: float,
        is_stopping: Callable[[], bool],
        clock: Clock,
        log: Log,
    ) -> None:
        self._read, self._patience = read, patience
        self._is_stopping, self._clock, self._log = is_stopping, clock, log
        self._pool = DaemonThreads(THREADS, "faceid-photo")
        self._failures, self._since = 0, 0.0
        self._warned: dict[str, float] = {}
        self._persisting: set[str] = set()

    async def read(self, value: Any) -> bytes:
        """
        Read one photo; during an outage of its store after a pause.

        :raises InvalidInputError: there is no such photo.
        :raises PhotoStoreError: its store is at fault.
        :raises asyncio.CancelledError: the run is stopping.
        """
        if self._failures >= FAILURES_IN_A_ROW:
            pause = growing_pause(self._clock.monotonic() - self._since)
            await self._clock.asleep(pause * self._clock.jitter(0.5, 1.5))
            if self._is_stopping():
                raise asyncio.CancelledError
        try:
            picture = await in_thread(self._pool, self._is_stopping, self._read, value)
        except InvalidInputError as error:
            if error.rule in _FROM_THE_STORE:
                self._has_answered()
            raise
        except PhotoStoreError as error:
            self._has_failed(error)
            raise
        self._has_answered()
        return picture

    def pause_after(self, error: PhotoStoreError, since: float) -> float | None:
        """
        Return after how many seconds a row may be tried again, None if it is to be left as it is.

        :param since: when its photo could not be read for the first time, on the monotonic clock.
        """
        reason, waited = str(error), self._clock.monotonic() - since
        if error.is_refusal and reason in self._persisting:
            return None
        if waited >= patience_of(error, self._patience):
            self._persisting.add(reason)
            return None
        return growing_pause(waited)

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(cancel_futures=True)

    def _has_answered(self) -> None:
        if self._failures >= FAILURES_IN_A_ROW:
            self._log.info("Photos can be read again")
        self._failures = 0

    def _has_failed(self, error: PhotoStoreError) -> None:
        now, reason = self._clock.monotonic(), str(error)
        patience = patience_of(error, self._patience)
        self._failures += 1
        if self._failures == 1:
            self._since = now
        in_a_row = self._failures >= FAILURES_IN_A_ROW
        error.is_outage = in_a_row and now - self._since >= patience
        if not error.is_outage and now - self._warned.get(reason, -math.inf) >= WARN_EVERY:
            self._warned[reason] = now
            self._log.warning("%s. Trying again for up to %.0f s", reason, patience)


class Uploads:
    """
    Upload slots of one run, within the window that the tasks of the host share.

    :param row: the uplink of this host, shared by its tasks.
    :param rate: photos a second the run could send by its quota.
    """

    def __init__(self, row: UplinkRow, rate: float, clock: Clock, log: Log) -> None:
        self._row, self._rate, self._clock, self._log = row, rate, clock, log
        self._name = new_member()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._taken = self._moving = 0
        self._share = 0
        self._uplink: Uplink | None = None
        self._report, self._counted = Report(), 0.0
        self._has_warned = False
        self._ahead, self._reading, self._read_seconds = AHEAD_AT_FIRST, 0, 0.0
        self._may_read = asyncio.Condition()

    @asynccontextmanager
    async def reporting(
        self, spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    ) -> AsyncIterator[None]:
        """
        Report to the others, as long as there is something to report.

        :param spawn: starts a task whose death is noticed.
        """
        reporter = spawn(self._keep_reporting())
        try:
            yield
        finally:
            reporter.cancel()
            await asyncio.gather(reporter, return_exceptions=True)
            if self._uplink is not None:
                await self._step(demand=0)

    @asynccontextmanager
    async def ahead(self) -> AsyncIterator[None]:
        """Wait until another photo may be read; leave when it has its slot."""
        async with self._may_read:
            await self._may_read.wait_for(lambda: self._reading < self._ahead)
        self._reading += 1
        try:
            yield
        finally:
            self._reading -= 1
            async with self._may_read:
                self._may_read.notify()

    def has_read(self, seconds: float) -> None:
        """Take note of how long it took to read a photo: the slower, the more are read at once."""
        weight = 0.2 if self._read_seconds else 1.0
        self._read_seconds += weight * (seconds - self._read_seconds)
        wanted = math.ceil(1.5 * self._rate * self._read_seconds)
        self._ahead = min(FURTHEST_AHEAD, max(AHEAD, wanted))

    def slot(self) -> UploadSlot:
        """Return a slot that is not taken yet."""
        return UploadSlot(self)

    def line(self) -> str:
        """Return what the uplink carries if it is the bottleneck of the run, else an empty text."""
        uplink = self._uplink
        if uplink is None or not uplink.rate or not uplink.mean_bytes:
            return ""
        photos = uplink.rate / uplink.mean_bytes
        if photos >= self._rate:
            return ""
        return (
            f"the uplink carries {uplink.rate / 1e6:.2g} MB/s: {photos:.2g} photos/s in place of "
            f"{self._rate:.3g}, {uplink.window} uploads at once on this host"
        )

    async def take(self) -> None:
        """Wait for a slot."""
        if self._uplink is None:
            self._share = max(self._share, INITIAL_WINDOW)
            await self._step(demand=1)
        if self._taken < self._share and not self._waiting:
            self._taken += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()
            raise

    def give_back(self) -> None:
        """Give a slot back."""
        self._taken -= 1
        self._admit()

    def began(self, size: int) -> None:
        """Take note that an upload has begun."""
        self._count()
        self._moving += 1
        self._report += Report(begun=1, begun_bytes=size)

    def moved(self, count: int) -> None:
        """Take note of bytes the network has taken."""
        self._report += Report(moved=count)

    def ended(self) -> None:
        """Take note that an upload is over."""
        self._count()
        self._moving -= 1

    def _admit(self) -> None:
        while self._waiting and self._taken < self._share:
            turn = self._waiting.popleft()
            if not turn.done():
                self._taken += 1
                turn.set_result(None)

    def _count(self) -> None:
        """Add up the seconds of the uploads under way."""
        now = self._clock.monotonic()
        self._report += Report(upload_seconds=self._moving * (now - self._counted))
        self._counted = now

    async def _keep_reporting(self) -> None:
        while True:
            await self._clock.asleep(STEP_SECONDS)
            if self._uplink is not None:
                await self._step(max(1, self._taken + len(self._waiting)))
                if not self._has_warned and (line := self.line()):
                    self._has_warned = True
                    self._log.warning("Photos: %s. See docs/operators.md for what they need", line)

    async def _step(self, demand: int) -> None:
        self._count()
        report, self._report = self._report, Report()
        try:
            self._uplink, self._share = await asyncio.to_thread(
                self._row.step, self._name, demand, self._taken, report
            )
        except FaceIdError as error:  # the share stays what it was
            self._report += report
            self._log.warning("Other tasks' uploads are not known: %s", error)
        self._admit()


class UploadSlot:
    """
    An upload slot of one row; it may be taken again for another upload.

    :param uploads: the run's.
    """

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads
        self._is_taken = self._is_moving = False

    async def take(self) -> None:
        """Wait for a slot, unless it is taken."""
        if not self._is_taken:
            await self._uploads.take()
            self._is_taken = True

    def give_back(self) -> None:
        """Give the slot back, if it is taken."""
        if self._is_taken:
            self._is_taken = False
            self._uploads.give_back()

    def began(self, size: int) -> None:
        """Take note that an upload has begun."""
        self._is_moving = True
        self._uploads.began(size)

    def moved(self, count: int) -> None:
        """Take note of bytes the network has taken."""
        self._uploads.moved(count)

    def ended(self) -> None:
        """Give the slot back: the body has left, or never will."""
        if self._is_moving:
            self._is_moving = False
            self._uploads.ended()
        self.give_back()
