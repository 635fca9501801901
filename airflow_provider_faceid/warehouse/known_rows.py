"""Read-only repository of a campaign's tables, for estimates: it makes, migrates, renames and writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..exceptions import ConfigurationError
from .records import PreviousRun, QuarantineEntry, StoredResult
from .results import ResultsRepository

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
