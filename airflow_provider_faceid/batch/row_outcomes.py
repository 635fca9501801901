"""Where a row ends: answered, quarantined, postponed or held; and the writer of these rows.

:class:`RowOutcomes` buffers and counts a row in one step. :class:`ResultsWriter` writes the buffer
every second and once more at the end, with exponential backoff: answers are paid for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from ..api.codes import NO_ANSWER, Outcome, Step
from ..api.verdict import Verdict
from ..clock import Clock
from ..exceptions import FaceIdError, WarehouseError
from ..warehouse.records import RejectedRow, Stage, Status
from ..warehouse.results import ResultsRepository
from .inputs import Row
from .manifest import Log, Manifest
from .plan import Disposition, RowDecision

EVERY_SECONDS = 1.0
BACKOFF_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Exponential backoff between attempts to write answers, which are paid for and must not be lost."""


class ResultsWriter:
    """
    Writes the buffer of a repository into its tables, with backoff.

    :param in_thread: runs a function in the repository's own thread.
    :param fail: stops the run: the warehouse cannot be written to.
    :param refused: counts rows that the warehouse rejected.
    """

    def __init__(
        self,
        store: ResultsRepository,
        in_thread: Callable[..., Awaitable[Any]],
        fail: Callable[[Exception], None],
        refused: Callable[[list[RejectedRow]], None],
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
        """Write the buffer; rows that cannot be written stay in it."""
        drained = self._store.buffer.drain()
        written = False
        try:
            for pause in (*BACKOFF_SECONDS, None):
                try:
                    refused = await self._in_thread(self._store.write, *drained)
                except FaceIdError as error:
                    if pause is None or (isinstance(error, WarehouseError) and error.is_about_data):
                        self._fail(error)
                        return
                    self._log.warning("%s; trying again in %g s", error, pause)
                    await self._clock.asleep(pause)
                else:
                    written = True
                    self._report(refused)
                    return
        finally:
            if not written:
                self._store.buffer.put_back(*drained)

    def _report(self, refused: list[RejectedRow]) -> None:
        if not refused:
            return
        self._log.warning(
            "The warehouse refuses %d rows (%s). They are in quarantine, their answers in the ledger: "
            "once it takes them, the next run writes them without a call",
            len(refused),
            ", ".join(sorted({row.rule for row in refused})),
        )
        self._refused(refused)


class RowOutcomes:
    """
    Puts each row into one of four places, and counts it.

    :param store: the tables.
    :param manifest: the counts.
    """

    def __init__(self, store: ResultsRepository, manifest: Manifest) -> None:
        self._store, self._manifest = store, manifest

    def settle(self, row: Row, verdict: Verdict, answered_at: float | None = None) -> None:
        """
        Put a row where its answer belongs.

        :param answered_at: when the answer came, in Unix seconds; now if not given.
        """
        self._manifest.warned.update(row.warnings)
        if verdict.step is Step.QUARANTINE:
            facts = {name: row.identity.get(name) for name in ("question_hash", "row_hash")}
            rule = f"service:{verdict.code}"
            self.quarantine(row, rule, Stage.SERVICE, request_id=verdict.request_id, **facts)
        else:
            self._store.buffer.add_answer(row.key, verdict, answered_at, **row.identity)
            self._manifest.outcomes[verdict.outcome.value] += 1
            self._manifest.settled[verdict.outcome.value] += 1

    def quarantine(self, row: Row, rule: str, stage: Stage, **facts: Any) -> None:
        """Set a row aside until its input is mended."""
        self._store.buffer.add_quarantined(row.key, rule, stage, **facts)
        self._manifest.quarantined[rule] += 1
        self._manifest.settled["quarantined"] += 1

    def hold(self, row: Row, requests: int) -> None:
        """Hold a row that may have been charged without an answer."""
        self._store.buffer.add_held(row.key, NO_ANSWER, attempts=requests, **row.identity)
        self._manifest.held += 1
        self._manifest.settled["held"] += 1

    def postpone(self, row: Row, outcome: Outcome, not_before: float, **facts: Any) -> None:
        """Leave a row to another run, from a moment (Unix seconds) on."""
        self._store.buffer.add_postponed(
            row.key, outcome.value, not_before, **row.identity, **facts
        )
        self._manifest.add_postponed(not_before)
        self._manifest.settled["postponed"] += 1

    def reuse(self, row: Row, verdict: Verdict, answered_at: float) -> None:
        """Put a row where the answer of an earlier call belongs."""
        self._manifest.reused += 1
        self.settle(row, verdict, answered_at)

    def refuse(self, refused: Iterable[RejectedRow]) -> None:
        """Recount rows that the warehouse rejected: they are in quarantine."""
        manifest = self._manifest
        for row in refused:
            for status, outcome in row.lines:
                match status:
                    case Status.ANSWERED:
                        manifest.outcomes.subtract([outcome])
                        manifest.settled.subtract([outcome])
                    case Status.POSTPONED:
                        manifest.postponed -= 1
                        manifest.settled.subtract(["postponed"])
                    case _:
                        manifest.held -= 1
                        manifest.settled.subtract(["held"])
            if row.lines:
                manifest.quarantined[row.rule] += 1
                manifest.settled["quarantined"] += 1

    def clear(self) -> None:
        """Reset the counts of rows, which the plan has counted."""
        self._manifest.reset_outcomes()

    def count(self, decision: RowDecision) -> None:
        """Count a row that is left alone."""
        self._manifest.already += 1
        match decision.place:
            case Disposition.ANSWERED:
                self._manifest.outcomes[decision.detail] += 1
            case Disposition.QUARANTINED:
                self._manifest.quarantined[decision.detail] += 1
            case Disposition.POSTPONED:
                self._manifest.add_postponed(decision.not_before)
            case _:
                self._manifest.held += 1
