"""Writes what was taken down, every second and once more at the end, and does not give up easily."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from ..clock import Clock
from ..exceptions import FaceIdError
from ..warehouse.results import ResultsRepository
from .progress import Log

EVERY_SECONDS = 1.0
PATIENCE = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Pauses between attempts to write answers, which are paid for and must not be lost."""


class Writer:
    """
    Empties a store into its tables.

    :param in_thread: runs a function in the store's own thread.
    :param fail: takes note that the warehouse cannot be written to.
    """

    def __init__(
        self,
        store: ResultsRepository,
        in_thread: Callable[..., Awaitable[Any]],
        fail: Callable[[Exception], None],
        *,
        clock: Clock,
        log: Log,
    ) -> None:
        self._store, self._in_thread, self._fail = store, in_thread, fail
        self._clock, self._log = clock, log

    async def keep_writing(self, finished: asyncio.Event) -> None:
        """Write every second until there is nothing more to come."""
        while not finished.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(finished.wait(), EVERY_SECONDS)
            await self.write()

    async def write(self) -> None:
        """Write what was taken down; what cannot be written stays taken down."""
        taken = self._store.take()
        written = False
        try:
            for pause in (*PATIENCE, None):
                try:
                    await self._in_thread(self._store.write, *taken)
                except FaceIdError as error:
                    if pause is None:
                        self._fail(error)
                        return
                    self._log.warning("%s; trying again in %g s", error, pause)
                    await self._clock.asleep(pause)
                else:
                    written = True
                    return
        finally:
            if not written:
                self._store.put_back(*taken)
