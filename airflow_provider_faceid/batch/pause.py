"""Pause gate: rows of a run wait here while their Action is paused for all workers.

Rows that wait hold no claim in the ledger, so a worker that dies meanwhile leaves nothing in doubt. Calls
in flight go on and are recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..clock import Clock, utc_text
from ..exceptions import PausedError, UnavailableError
from ..state.pauses import LOOK_AGAIN_SECONDS
from .admission import StopSignal
from .manifest import Log, Manifest

LOOK_SECONDS = 0.5
"""Seconds between two looks whether the pause is over; one row of a run looks for all."""


class PauseGate:
    """
    Whether rows may be called for.

    :param check: raises :class:`PausedError` while the Action is paused; may block.
    :param manifest: counts for how long the run has waited.
    :param patience: seconds from the beginning of a pause for which a run keeps its worker slot.
    :param stop_signal: set when it gives it back.
    """

    def __init__(
        self,
        check: Callable[[], None],
        manifest: Manifest,
        *,
        patience: float,
        stop_signal: StopSignal,
        clock: Clock,
        log: Log,
    ) -> None:
        self._check, self._patience, self._stop_signal = check, patience, stop_signal
        self._manifest = manifest
        self._clock, self._log = clock, log
        self._pause: PausedError | None = None
        self._looking = asyncio.Lock()

    def line(self) -> str:
        """Return for the progress since when calls are paused; empty if they are not."""
        return "" if self._pause is None else f"paused since {utc_text(self._pause.paused_at)}"

    def begin(self, pause: PausedError) -> None:
        """Take note of a pause."""
        if self._pause is None:
            self._log.warning(
                "%s. Calls in flight go on; the other rows wait, until %g s after the pause began",
                pause,
                self._patience,
            )
        self._pause = pause

    async def open(self) -> None:
        """
        Wait before a run begins, as long as its Action is paused.

        :raises FaceIdError: it stays paused for too long, the run is stopped, or the state store cannot
            be used.
        """
        try:
            await asyncio.to_thread(self._check)
        except PausedError as pause:
            self.begin(pause)
            await self.wait()
        if self._stop_signal.failure is not None:
            raise self._stop_signal.failure
        if self._stop_signal.is_set():
            raise UnavailableError("The run was stopped before its first call")

    async def wait(self) -> None:
        """
        Return at once unless calls are paused, then when they are resumed or the run stops.

        :raises StateStoreError: the state store cannot be used.
        """
        if self._pause is None:
            return
        async with self._looking:
            while self._pause is not None and not self._stop_signal.is_set():
                if self._waited(self._pause) > self._patience:
                    self._give_up(self._pause)
                    return
                began = self._clock.monotonic()
                await self._clock.asleep(LOOK_SECONDS)
                self._manifest.paused_ms += round((self._clock.monotonic() - began) * 1000)
                try:
                    await asyncio.to_thread(self._check)
                except PausedError as pause:
                    self._pause = pause
                else:
                    self._pause = None
                    self._log.info("The pause is over; calls go on")

    def _waited(self, pause: PausedError) -> float:
        """Return how long a pause had lasted when it was read, on the state store's clock."""
        return pause.not_before - LOOK_AGAIN_SECONDS - pause.paused_at

    def _give_up(self, pause: PausedError) -> None:
        ended = PausedError(
            f"{pause}. The run gives its worker slot back after {self._waited(pause):.0f} s of pause; "
            f"rows without an answer stay due, and it looks again after {LOOK_AGAIN_SECONDS:.0f} s",
            not_before=pause.not_before,
        )
        ended.paused_at = pause.paused_at
        self._stop_signal.fail(ended)
