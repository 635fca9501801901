"""Where a row ends: answered, quarantined, postponed or held. Written down and counted together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..service.outcomes import NO_ANSWER, Outcome, Step
from ..service.verdict import Verdict
from ..warehouse.records import Refused, Stage, Status
from ..warehouse.results import ResultsRepository
from .inputs import Row
from .manifest import Manifest
from .plan import Place, Standing


class Places:
    """
    Puts each row into one place.

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
        if verdict.step is Step.QUARANTINE:
            facts = {name: row.identity.get(name) for name in ("question_hash", "row_hash")}
            rule = f"service:{verdict.code}"
            self.quarantine(row, rule, Stage.SERVICE, request_id=verdict.request_id, **facts)
        else:
            self._store.answered(row.key, verdict, answered_at, **row.identity)
            self._manifest.outcomes[verdict.outcome.value] += 1

    def quarantine(self, row: Row, rule: str, stage: Stage, **facts: Any) -> None:
        """Set a row aside until its input is mended."""
        self._store.quarantined(row.key, rule, stage, **facts)
        self._manifest.quarantined[rule] += 1

    def hold(self, row: Row, requests: int) -> None:
        """Hold a row that may have been charged without an answer."""
        self._store.held(row.key, NO_ANSWER, attempts=requests, **row.identity)
        self._manifest.held += 1

    def postpone(self, row: Row, outcome: Outcome, not_before: float, **facts: Any) -> None:
        """Leave a row to another run, from a moment (Unix seconds) on."""
        self._store.postponed(row.key, outcome.value, not_before, **row.identity, **facts)
        self._manifest.add_postponed(not_before)

    def reuse(self, row: Row, verdict: Verdict, answered_at: float) -> None:
        """Put a row where the answer of an earlier call belongs."""
        self._manifest.reused += 1
        self.settle(row, verdict, answered_at)

    def refuse(self, refused: Iterable[Refused]) -> None:
        """Count rows anew that the warehouse would not take: they are in quarantine."""
        manifest = self._manifest
        for row in refused:
            for status, outcome in row.lines:
                match status:
                    case Status.ANSWERED:
                        manifest.outcomes.subtract([outcome])
                    case Status.POSTPONED:
                        manifest.postponed -= 1
                    case _:
                        manifest.held -= 1
            if row.lines:
                manifest.quarantined[row.rule] += 1

    def clear(self) -> None:
        """Forget the counts of rows that were in their place before this run."""
        self._manifest.forget_places()

    def count(self, standing: Standing) -> None:
        """Count a row that was in its place before this run."""
        self._manifest.already += 1
        match standing.place:
            case Place.ANSWERED:
                self._manifest.outcomes[standing.detail] += 1
            case Place.QUARANTINED:
                self._manifest.quarantined[standing.detail] += 1
            case Place.POSTPONED:
                self._manifest.add_postponed(standing.not_before)
            case _:
                self._manifest.held += 1
