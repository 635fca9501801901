"""Photos by path, read in threads, with a circuit breaker for the folders or stores they are in.

No row is put anywhere because of its store. A store that is away or refuses is asked again, ever
more slowly; if it stays so, the run ends. A row whose photo cannot be read while others can is tried
again later in the run, and left as it is if that does not help: the run then ends as a failure once
all others are through.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

from ..clock import Clock
from ..exceptions import InvalidInputError, PhotoStoreError
from .manifest import Log
from .threads import DaemonThreads, in_thread
from .uploads import FURTHEST_AHEAD

THREADS = FURTHEST_AHEAD
"""At most; they are started as they are needed."""

STORE_SECONDS = 60.0
"""So long an unreachable store is waited for, or as long as the service is if that is less."""
REFUSAL_SECONDS = 5.0
"""Likewise if it refuses: permissions may take a moment to be known everywhere."""
FAILURES_IN_A_ROW = 10
"""So many photos that cannot be read are an outage of their store."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
"""Seconds between two tries of the same photo, and before any photo during an outage."""
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
    :param halted: says whether the run has halted.
    """

    def __init__(
        self,
        read: Callable[[Any], bytes],
        *,
        patience: float,
        halted: Callable[[], bool],
        clock: Clock,
        log: Log,
    ) -> None:
        self._read, self._patience = read, patience
        self._halted, self._clock, self._log = halted, clock, log
        self._pool = DaemonThreads(THREADS, "faceid-photo")
        self._failures, self._since = 0, 0.0
        self._warned: dict[str, float] = {}
        self._persisting: set[str] = set()

    async def read(self, value: Any) -> bytes:
        """
        Read one photo; during an outage of its store after a pause.

        :raises InvalidInputError: there is no such photo.
        :raises PhotoStoreError: its store is at fault.
        :raises asyncio.CancelledError: the run has halted.
        """
        if self._failures >= FAILURES_IN_A_ROW:
            pause = growing_pause(self._clock.monotonic() - self._since)
            await self._clock.asleep(pause * self._clock.jitter(0.5, 1.5))
            if self._halted():
                raise asyncio.CancelledError
        try:
            picture = await in_thread(self._pool, self._halted, self._read, value)
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
