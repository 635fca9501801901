"""What is known before a run, for estimates: a campaign's rows, and the ledger's answers. Both are read only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from ..api.codes import Outcome, Step
from ..api.pseudonyms import VERSION
from ..exceptions import ConfigurationError
from ..state.call_table import Claim, State, answers_to, question_of, read_answer
from .records import PreviousRun, QuarantineEntry, StoredResult
from .results import ResultsRepository
from .sql.database import Database
from .tables import chunks


class Known(StrEnum):
    """What the ledger knows of a question."""

    ANSWERED = "answered"
    """Its answer is used, at no cost."""
    OPEN = "open"
    """It was sent without an answer: it is in flight or in doubt, and its row is held."""


class KnownAnswers:
    """
    The ledger of a state store.

    :param database: the state store; None if there is none yet.
    :param reuse_since: Unix second from which answers of other campaigns are used; None for never.
    """

    def __init__(self, database: Database | None, reuse_since: float | None) -> None:
        self._database, self._reuse_since = database, reuse_since
        self.has_earlier_keys = False

    def open(self) -> None:
        """
        Look whether there is a ledger.

        :raises WarehouseError: the state store cannot be read.
        """
        if self._database is None:
            return
        if not self._database.columns("faceid_calls"):
            self._database.close()
            self._database = None
            return
        marker = self._database.dialect.marker
        self.has_earlier_keys = bool(
            self._database.rows(
                f"SELECT 1 FROM faceid_calls WHERE call_key < {marker} LIMIT 1", [VERSION]
            )
        )

    def look_up(self, claims: Sequence[Claim]) -> dict[str, Known]:
        """
        Return what is known, by key of the call; calls that would be made are left out.

        :raises WarehouseError: the state store cannot be read.
        """
        if self._database is None or not claims:
            return {}
        by_key = {key: claim for claim in claims for key in (claim.key, *claim.earlier_keys)}
        found: dict[str, Known] = {}
        marker = self._database.dialect.marker
        for some in chunks(sorted(by_key)):
            for key, state, changed_at in self._database.rows(
                "SELECT call_key, state, changed_at FROM faceid_calls "
                f"WHERE call_key IN ({', '.join([marker] * len(some))})",
                some,
            ):
                known = _known(by_key[key], State(state), changed_at)
                if known is not None:
                    found[by_key[key].key] = known
        return found | self._reused([claim for claim in claims if claim.key not in found])

    def close(self) -> None:
        """Close the connection."""
        if self._database is not None:
            self._database.close()

    def _reused(self, claims: Sequence[Claim]) -> dict[str, Known]:
        """Return which questions have an answer in other campaigns."""
        if self._database is None or self._reuse_since is None:
            return {}
        asked = {question_of(claim.key): claim for claim in claims}
        marker, found = self._database.dialect.marker, {}
        for some in chunks(sorted(asked)):
            for question, answer, changed_at in self._database.rows(
                answers_to(len(set(some))).replace("?", marker),
                [*dict.fromkeys(some), self._reuse_since],
            ):
                claim, verdict = asked[question], read_answer(answer, own=False)
                is_final = verdict.step is Step.RECORD and verdict.outcome is not Outcome.ERROR
                if is_final and changed_at >= claim.answered_since:
                    found[claim.key] = Known.ANSWERED
        return found


def _known(claim: Claim, state: State, changed_at: float) -> Known | None:
    """Return what a call of the same campaign says, None if the call is made; as the ledger decides."""
    if state is State.DONE:
        return Known.ANSWERED if changed_at >= claim.answered_since else None
    if state is State.FREE or (claim.retry and state is State.IN_DOUBT):
        return None
    return Known.OPEN


_NEEDED = {
    "results": {"row_hash", "answered_at", "not_before", "status", "outcome"},
    "quarantine": {"rule", "stage", "row_hash"},
    "runs": {"source", "hash_key_id", "state", "started_at"},
}


class KnownRows(ResultsRepository):
    """
    What earlier runs of a campaign wrote; tables that are not there yet hold nothing.

    For one page of rows after the other, as a planner asks.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._there: set[str] = set()
        self._earlier: Mapping[str, str] = {}

    def open(self) -> None:
        """
        Look which tables are there.

        :raises ConfigurationError: one is of an earlier version, or none of ours.
        """
        for kind, needed in _NEEDED.items():
            name = getattr(self.names, kind)
            columns = self.database.columns(name)
            if columns and not needed <= columns:
                raise ConfigurationError(
                    f"Table '{name}' behind connection '{self.database.label}' is of an earlier version, or "
                    "not one of ours. The next run, or FaceIdViewsOperator, brings it up to date; or name "
                    "another table"
                )
            if columns:
                self._there.add(kind)

    def stored_results(self, keys: list[str]) -> dict[str, StoredResult]:
        """Return the result rows of some keys, also those known by the name an earlier version gave them."""
        if "results" not in self._there:
            return {}
        found = super().stored_results(keys)
        earlier = {name: key for key, name in self._earlier.items() if key not in found}
        before = super().stored_results(list(earlier)) if earlier else {}
        return found | {earlier[name]: row for name, row in before.items()}

    def quarantine_entries(self, keys: list[str]) -> dict[str, list[QuarantineEntry]]:
        """Return the quarantine rows of some keys, likewise."""
        if "quarantine" not in self._there:
            return {}
        found = super().quarantine_entries(keys)
        earlier = {name: key for key, name in self._earlier.items() if key not in found}
        before = super().quarantine_entries(list(earlier)) if earlier else {}
        return found | {earlier[name]: rows for name, rows in before.items()}

    def rename(self, earlier: Mapping[str, str]) -> bool:
        """
        Remember the names of a page's rows instead of changing them.

        :param earlier: key by its earlier name.
        :return: whether any row is known by one.
        """
        self._earlier = {}
        names = list(earlier)
        found = self.stored_results(names).keys() | self.quarantine_entries(names).keys()
        self._earlier = {earlier[name]: name for name in found}
        return bool(found)

    def last_runs(self, count: int) -> list[PreviousRun]:
        """Return the latest runs of this campaign and Action, the latest first."""
        return super().last_runs(count) if "runs" in self._there else []
