"""Estimate of a run before it: rows due and why, what the ledger answers, calls at most, price, time.

It reads source, tables and ledger as a run does, and writes nothing: no table is made, no run recorded.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ..api.action import Action
from ..api.fields import PHOTO
from ..api.pseudonyms import hash_key_id
from ..client.settings import Settings
from ..clock import Clock
from ..exceptions import InvalidInputError, PlanRefusedError
from ..state.call_table import Claim
from ..state.idempotency import claim_of
from ..warehouse.known import Known, KnownAnswers, KnownRows
from ..warehouse.sources.source import Source
from .inputs import Columns, Inputs, PlannedRow, Planner
from .plan import RUNS_COMPARED, CampaignHistory, Disposition, Plan, Reason


@dataclass
class Estimate:
    """
    What a run would do.

    :param rows_in: rows of the source.
    :param plan: rows that are due, by reason, as a run counts them.
    :param quarantined: rows by the rule they break, those that are in quarantine included.
    :param postponed: rows that may not be asked about yet.
    :param reused: due rows whose question the ledger answers, at no cost.
    :param shared: due rows that ask what another one asks: one call answers them all.
    :param held: rows that were sent without an answer, and are held.
    :param calls: calls at most, each of which may be charged.
    :param seconds: how long they take at the account's pace.
    :param has_ledger: whether the ledger was asked; a photo is not read, and its question not known.
    :param refusal: why the run would be refused; empty if it would not.
    :param warnings: what the run would warn of before its first call.
    """

    rows_in: int = 0
    plan: Plan = field(default_factory=Plan)
    quarantined: Counter[str] = field(default_factory=Counter)
    postponed: int = 0
    reused: int = 0
    shared: int = 0
    held: int = 0
    calls: int = 0
    seconds: float = 0.0
    has_ledger: bool = True
    refusal: str = ""
    warnings: list[str] = field(default_factory=list)


class Estimator:
    """
    Estimates one run over one table.

    :param source: table or query with the people.
    :param columns: columns of their values.
    :param known: what earlier runs wrote.
    :param ledger: what was asked and answered.
    :param settings: the account.
    :param retry_held: whether rows that may have been charged are called again.
    :param max_changed: share of answered rows, 0-1, that may ask something else than before.
    :param min_rows: a source of fewer rows is an error.
    """

    def __init__(
        self,
        *,
        action: Action,
        source: Source,
        columns: Columns,
        known: KnownRows,
        ledger: KnownAnswers,
        settings: Settings,
        clock: Clock,
        retry_held: bool,
        max_changed: float,
        min_rows: int = 0,
    ) -> None:
        self._action, self._settings, self._clock = action, settings, clock
        self._known, self._ledger = known, ledger
        self._retry_held, self._max_changed, self._min_rows = retry_held, max_changed, min_rows
        self._inputs = Inputs(action, source, columns, settings, clock)
        self._planner = Planner(
            self._inputs,
            known,
            self._in_thread,
            clock,
            retry_held=retry_held,
            valid_for=known.valid_for,
        )
        self._thread = ThreadPoolExecutor(1, "faceid-estimate")
        self._asked: set[int] = set()
        self.estimate = Estimate(has_ledger=action.field_of(PHOTO) is None)

    def run(self) -> Estimate:
        """
        Read everything once and return the estimate.

        :raises FaceIdError: source, tables or ledger cannot be read.
        """
        try:
            return asyncio.run(self._run())
        finally:
            self._inputs.close()
            self._thread.shutdown()

    async def _run(self) -> Estimate:
        found = self.estimate
        try:
            await self._in_thread(self._known.open)
            await self._in_thread(self._ledger.open)
            found.rows_in = await self._inputs.inspect(self._min_rows)
            async for page in self._planner.pages(is_planning=True):
                await self._add(page)
            await self._compare()
        finally:
            await self._in_thread(self._known.database.close)
            await self._in_thread(self._ledger.close)
            await self._inputs.close_source()
        found.seconds = found.calls / self._settings.rate(self._action.name)
        found.plan.seconds = found.seconds
        return found

    async def _add(self, page: list[PlannedRow]) -> None:
        claims: list[Claim] = []
        for planned in page:
            self._planner.add(planned, self.estimate.plan)
            reason, place, detail = planned.decision[:3]
            broken = planned.broken or (detail if place is Disposition.QUARANTINED else None)
            if broken is not None:
                self.estimate.quarantined[broken] += 1
            elif place is Disposition.POSTPONED:
                self.estimate.postponed += 1
            elif reason is Reason.HELD and not self._retry_held:
                self.estimate.held += 1
            elif reason is not None:
                claims += await self._claims(planned)
        known = await self._in_thread(self._ledger.look_up, claims) if claims else {}
        for claim in claims:
            self._count(claim, known.get(claim.key))

    async def _claims(self, planned: PlannedRow) -> list[Claim]:
        """Return the claim of a due row; none of a photo's, whose call is counted at once."""
        if not self.estimate.has_ledger:
            self.estimate.calls += 1
            return []
        row = planned.row
        try:
            request = await self._inputs.request(row)
        except (
            InvalidInputError
        ) as error:  # a row that was asked about before and has no broken rule
            self.estimate.quarantined[error.rule] += 1
            return []
        return [
            claim_of(
                self._settings,
                self._action.name,
                request,
                campaign=self._known.context.campaign,
                row=row.key,
                now=self._clock.now(),
                retry=row.retry,
                may_call=row.may_call,
                valid_for=self._known.valid_for,
                with_earlier_keys=self._ledger.has_earlier_keys,
            )
        ]

    def _count(self, claim: Claim, known: Known | None) -> None:
        question = hash(claim.key)  # 8 bytes instead of 40 for each row of a large table
        if known is Known.ANSWERED:
            self.estimate.reused += 1
        elif known is Known.OPEN:
            self.estimate.held += 1
        elif question in self._asked:
            self.estimate.shared += 1
        else:
            self._asked.add(question)
            self.estimate.calls += 1

    async def _compare(self) -> None:
        """Compare the run with earlier ones of the campaign, as it would itself."""
        work = self._known.context
        history = CampaignHistory(
            work.campaign,
            work.source,
            hash_key_id(self._settings.hmac_key),
            await self._in_thread(self._known.last_runs, RUNS_COMPARED),
        )
        self.estimate.warnings = history.warnings()
        try:
            history.check(self.estimate.plan, self._max_changed)
        except PlanRefusedError as error:
            self.estimate.refusal = str(error)

    async def _in_thread(self, work: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)
