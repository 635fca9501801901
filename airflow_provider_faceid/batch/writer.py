"""Writes what was taken down, every second and once more at the end, and does not give up easily."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from ..clock import Clock
from ..exceptions import FaceIdError, WarehouseError
from ..warehouse.records import Refused
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
    :param refused: takes note of rows the warehouse would not take.
    """

    def __init__(
        self,
        store: ResultsRepository,
        in_thread: Callable[..., Awaitable[Any]],
        fail: Callable[[Exception], None],
        refused: Callable[[list[Refused]], None],
        *,
        clock: Clock,
        log: Log,
    ) -> None:
        self._store, self._in_thread = store, in_thread
        self._fail, self._refused = fail, refused
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
                    refused = await self._in_thread(self._store.write, *taken)
                except FaceIdError as error:
                    if pause is None or (isinstance(error, WarehouseError) and error.is_about_data):
                        self._fail(error)
                        return
                    self._log.warning("%s; trying again in %g s", error, pause)
                    await self._clock.asleep(pause)
                else:
                    written = True
                    self._tell(refused)
                    return
        finally:
            if not written:
                self._store.put_back(*taken)

    def _tell(self, refused: list[Refused]) -> None:
        if not refused:
            return
        self._log.warning(
            "The warehouse refuses %d rows (%s). They are in quarantine, their answers in the ledger: "
            "once it takes them, the next run writes them without a call",
            len(refused),
            ", ".join(sorted({row.rule for row in refused})),
        )
        self._refused(refused)
