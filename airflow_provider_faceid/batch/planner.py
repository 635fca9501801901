"""Planner: decides for each row of the source whether it is due; read once to plan, once to call.

It compares the row with what earlier runs wrote into the result and quarantine tables.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..clock import Clock
from ..exceptions import WarehouseError
from ..warehouse.records import QuarantineEntry, Stage, StoredResult
from ..warehouse.results import ResultsRepository
from .inputs import Inputs, Row
from .plan import Disposition, Plan, Policy, Reason, RowDecision, decide_row


class PlannedRow(NamedTuple):
    """
    A row of the source, with the decision about it.

    :param row: if it is due, what is to be asked about; else its key and hash alone.
    :param broken: first input rule it breaks, if that is not in the quarantine table yet.
    """

    row: Row
    decision: RowDecision
    broken: str | None = None


class Planner:
    """
    Decides about the rows of a source by what earlier runs wrote about them.

    :param in_thread: runs a function in the repository's own thread.
    :param retry_held: whether rows that may have been charged are called again.
    :param valid_for: seconds for which an answer is good; None for ever.
    """

    def __init__(
        self,
        inputs: Inputs,
        repository: ResultsRepository,
        in_thread: Callable[..., Awaitable[Any]],
        clock: Clock,
        *,
        retry_held: bool,
        valid_for: float | None,
    ) -> None:
        self._inputs, self._repository, self._in_thread = inputs, repository, in_thread
        self._clock, self._retry_held, self._valid_for = clock, retry_held, valid_for

    async def pages(self, *, is_planning: bool) -> AsyncIterator[list[PlannedRow]]:
        """
        Yield the rows in pages, in order of their keys.

        :param is_planning: whether to look for broken rules, which a call would find, too.
        """
        last: list[Any] = []
        while page := await self._inputs.page(last):
            last = [page[-1][1]]
            keys, known, refusals = await self._in_thread(
                self._look_up, [row[0] for row in page], self._inputs.earlier_keys(page)
            )
            policy = Policy(
                self._clock.now(), self._valid_for, compares_photos=self._inputs.compares_photos
            )
            yield [
                self._decide(
                    key,
                    values[1:],
                    known.get(key),
                    refusals.get(key, ()),
                    policy,
                    is_planning=is_planning,
                )
                for key, values in zip(keys, page, strict=True)
            ]

    def add(self, planned: PlannedRow, plan: Plan) -> None:
        """Count a row in a plan."""
        reason, place = planned.decision.reason, planned.decision.place
        is_answered = place is Disposition.ANSWERED or reason is Reason.EXPIRED
        plan.still_valid += place is Disposition.ANSWERED
        plan.answered_before += is_answered or planned.decision.was_answered
        plan.changed += planned.decision.was_answered
        plan.offered += reason is Reason.HELD and not self._retry_held
        if (
            planned.broken is not None
            or planned.decision.is_outdated
            or planned.decision.is_adopted
        ):
            plan.outdated += 1
        elif reason is not None and (reason is not Reason.HELD or self._retry_held):
            plan.due[reason] += 1

    def _look_up(
        self, keys: list[str], earlier: Mapping[str, str]
    ) -> tuple[list[str], dict[str, StoredResult], dict[str, list[QuarantineEntry]]]:
        """
        Return what our tables know of some rows, with the names of the rows.

        :param earlier: keys that an earlier version called otherwise, by that name.
        """
        repository = self._repository
        try:
            known, refusals = repository.stored_results(keys), repository.quarantine_entries(keys)
        except WarehouseError as error:
            unusable = repository.unusable(keys)
            if not error.is_about_data or not unusable:
                raise
            keys = [unusable.get(key, key) for key in keys]
            known, refusals = repository.stored_results(keys), repository.quarantine_entries(keys)
        renamed = {
            name: key for name, key in earlier.items() if key not in known and key not in refusals
        }
        if renamed and repository.rename(renamed):
            known, refusals = repository.stored_results(keys), repository.quarantine_entries(keys)
        return keys, known, refusals

    def _decide(
        self,
        key: str,
        values: tuple[Any, ...],
        known: StoredResult | None,
        refusals: Sequence[QuarantineEntry],
        policy: Policy,
        *,
        is_planning: bool,
    ) -> PlannedRow:
        inputs = self._inputs
        row_hash = inputs.row_hash(values)
        decision = decide_row(
            row_hash, known, refusals, policy, lambda: inputs.id_card_hash(values)
        )
        reason = decision.reason
        if reason is None:
            return PlannedRow(Row(key, (), row_hash=row_hash), decision)
        may_call = reason is not Reason.HELD or self._retry_held
        retry = reason is Reason.RELEASED or self._retry_held
        row = Row(key, values, retry, may_call, row_hash)
        broken = None
        if reason in _MAY_BE_BROKEN and (is_planning or refusals):
            broken = inputs.broken_rule(key, values)
            if (
                broken is not None
                and known is None
                and (broken, Stage.INPUT) in {(refusal.rule, refusal.stage) for refusal in refusals}
            ):
                decision = RowDecision(place=Disposition.QUARANTINED, detail=broken)
                return PlannedRow(Row(key, (), row_hash=row_hash), decision)
        return PlannedRow(row, decision, broken)


_MAY_BE_BROKEN = frozenset({Reason.NEW, Reason.CHANGED, Reason.MENDED})
"""Rows that are as they were when they were asked about break no rule."""
