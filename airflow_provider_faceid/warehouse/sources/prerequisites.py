"""Prerequisites of a row: verdicts of earlier Actions without which a check in a row is not asked.

A prerequisite is met while the current row of the result table is ``answered`` with one of some
outcomes. Where source and result table are in one database it is a condition of the source's own
queries; else the keys of each page are looked up in the warehouse. Both keep the same rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...api.codes import Outcome
from ...exceptions import WarehouseError
from ..records import Status, UnusableKey
from ..sql.database import Database
from ..tables import select_by_keys

PASSING = (Outcome.MATCH.value, Outcome.FOUND.value)
"""Outcomes that meet a prerequisite unless it names others."""
KEYS_AT_ONCE = 500
"""Keys that one lookup asks about."""


@dataclass(frozen=True)
class Prerequisite:
    """
    An earlier Action whose verdict a row needs.

    :param action: name of the Action.
    :param outcomes: outcomes that are good enough.
    """

    action: str
    outcomes: tuple[str, ...] = PASSING


class Prerequisites:
    """
    The earlier verdicts that each row of a source needs, all of them.

    Not for several threads: the source gives it the thread of its own.

    :param warehouse: where the result table is: the source's own database, or another one.
    :param result_table: name of the result table; while it is missing no row meets anything.
    :param campaign: campaign of the verdicts.
    :param needed: the Actions and outcomes.
    """

    def __init__(
        self,
        warehouse: Database,
        result_table: str,
        campaign: str,
        needed: Sequence[Prerequisite],
    ) -> None:
        self.warehouse = warehouse
        self._table, self._campaign, self._needed = result_table, campaign, tuple(needed)

    def __str__(self) -> str:
        verdicts = " and ".join(
            f"{' or '.join(one.outcomes)} by {one.action}" for one in self._needed
        )
        return f"with a current verdict of {verdicts} in campaign '{self._campaign}'"

    def condition(self, key_text: str) -> tuple[str, list[Any]]:
        """
        Return an SQL condition for a query of the warehouse's own database, and its parameters.

        :param key_text: expression for the text of the row's key.
        """
        if not self._has_table:
            return "1 = 0", []
        dialect = self.warehouse.dialect
        marker, table = dialect.marker, dialect.quote_table(self._table)
        tests, parameters = [], []
        for one in self._needed:
            outcomes = ", ".join([marker] * len(one.outcomes))
            tests.append(
                f"EXISTS (SELECT 1 FROM {table} AS faceid_earlier "
                f"WHERE faceid_earlier.campaign = {marker} AND faceid_earlier.action = {marker} "
                f"AND faceid_earlier.source_key = {dialect.exact_text.format(key_text)} "
                f"AND faceid_earlier.status = {marker} AND faceid_earlier.outcome IN ({outcomes})"
                f"{dialect.probe})"
            )
            parameters += [self._campaign, one.action, Status.ANSWERED.value, *one.outcomes]
        return " AND ".join(tests), parameters

    def met_by(self, keys: Sequence[str]) -> Collection[str]:
        """
        Return which rows of a page meet all prerequisites, by lookups in the warehouse.

        :param keys: of the rows, as text.
        """
        left = [key for key in keys if not isinstance(key, UnusableKey)]
        if not self._has_table:
            return frozenset()
        for one in self._needed:
            found: Mapping[str, tuple[str, str]] = {}
            for start in range(0, len(left), KEYS_AT_ONCE):
                found = {**found, **self._verdicts(one.action, left[start : start + KEYS_AT_ONCE])}
            left = [
                key
                for key in left
                if key in found
                and found[key][0] == Status.ANSWERED
                and found[key][1] in one.outcomes
            ]
        return frozenset(left)

    def _verdicts(self, action: str, keys: list[str]) -> dict[str, tuple[str, str]]:
        """Return status and outcome of the result rows of some keys."""
        scope = {"campaign": self._campaign, "action": action}
        columns = ("source_key", "status", "outcome")
        try:
            rows = select_by_keys(self.warehouse, self._table, columns, scope, keys)
        except WarehouseError as error:
            if not error.is_about_data:
                raise
            # A key that the warehouse's encoding cannot hold has no verdict there.
            held = [key for key in keys if self.warehouse.holds(key)]
            if len(held) == len(keys):
                raise
            rows = select_by_keys(self.warehouse, self._table, columns, scope, held)
        return {key: (status, outcome) for key, status, outcome in rows}

    @cached_property
    def _has_table(self) -> bool:
        return bool(self.warehouse.columns(self._table))
