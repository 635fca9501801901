"""Results validation: the result rows of a campaign judged page by page, and their counts with a manifest's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..api.actions import ACTIONS
from ..clock import Clock
from ..exceptions import ConfigurationError, counted
from ..warehouse.checks import write_checks
from ..warehouse.names import Names
from ..warehouse.records import COUNTED, RunContext
from ..warehouse.result_rows import result_counts, result_pages
from ..warehouse.sql.database import Database
from ..warehouse.tables import RESULTS
from .result_rules import OF_RUN, QUARANTINED, count_suite, result_suite
from .suites import check_columns, named_columns
from .validator import KEY, RuleCount, Validator

PAGE_SIZE = 50_000
"""Result rows per page."""


@dataclass(frozen=True)
class CheckReport:
    """
    What a validation of results has found. It holds counts and no keys or values.

    :param rows: result rows of the campaign and Action.
    :param validators: one for the rows, one for their counts.
    """

    rows: int
    validators: Sequence[Validator]

    @property
    def counts(self) -> list[RuleCount]:
        """Return what each expectation found."""
        return [count for validator in self.validators for count in validator.counts]

    @property
    def unmet(self) -> dict[str, dict[str, int]]:
        """Return rows by rule by severity, of the expectations that are not met."""
        found: dict[str, dict[str, int]] = {}
        for count in self.counts:
            if not count.success:
                found.setdefault(count.severity, {})[count.rule] = count.unexpected
        return found

    @property
    def success(self) -> bool:
        """Say whether all critical expectations are met."""
        return "critical" not in self.unmet

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as they go to XCom."""
        return {"success": self.success, "rows": self.rows, "unmet": self.unmet}

    def lines(self, results: str) -> list[str]:
        """
        Return what was found in sentences, without full stops.

        :param results: name of the result table.
        """
        asked = f"{counted(len(self.counts), 'expectation')} asked of {counted(self.rows, 'row')}"
        told = [f"Results in table '{results}': {asked}"]
        for severity, rules in self.unmet.items():
            listed = ", ".join(f"{rule} ({number:,})" for rule, number in rules.items())
            told.append(f"{severity} and not met: {listed}")
        return told if self.unmet else [f"{told[0]}, all met"]


class ResultsCheck:
    """
    The suite over the result rows of a campaign and Action.

    It is built before a run calls for anything, so that a suite which cannot be evaluated costs nothing.

    :param database: the warehouse; it is closed by the caller.
    :param context: the run that checks; its campaign and Action are checked.
    :param expectations: further ones, of columns of the result table.
    :param page_size: rows per page.
    :raises ConfigurationError: an expectation is unknown or malformed, or names a column that the result
        table does not have.
    """

    def __init__(
        self,
        database: Database,
        names: Names,
        context: RunContext,
        *,
        expectations: Iterable[dict[str, Any]] = (),
        page_size: int = PAGE_SIZE,
    ) -> None:
        self._database, self._names, self._size = database, names, page_size
        self._context = replace(context, source=f"{database.label}:{names.results}")
        own = list(expectations)
        action = ACTIONS[context.action]
        known = RESULTS.with_columns_of(action.result_columns).columns.keys()
        yours = database.columns(names.results) if own else set()
        hint = f"Columns of the result table '{names.results}' are {', '.join(known)}"
        check_columns(own, {*known, *yours}, hint)
        self._validator = Validator([*result_suite(action), *own])
        self._columns = list(
            dict.fromkeys(c for one in self._validator.expectations for c in named_columns(one))
        )

    def run(
        self,
        manifests: Sequence[Mapping[str, Any]],
        clock: Clock,
        tick: Callable[[int], object] = lambda _: None,
    ) -> CheckReport:
        """
        Judge the rows as they are now, and write what was found into the history of validations.

        :param manifests: of the tasks whose rows they are, one for each shard; their counts are
            compared with the table. None are if there is none.
        :param tick: told how many rows have been judged, after each page.
        :raises ConfigurationError: there is no such result table, or an expectation cannot be
            evaluated.
        :raises WarehouseError: it cannot be read, or the history cannot be written.
        """
        import pandas as pd  # noqa: PLC0415 - heavy, and only validation needs it

        for name in (self._names.results, self._names.quarantine):
            if not self._database.columns(name):
                raise ConfigurationError(
                    f"There is no table '{name}' behind connection '{self._database.label}'"
                )
        counts = result_counts(self._database, self._names, self._context, of_run=OF_RUN)
        titles, seen = [KEY, *self._columns], 0
        for page in result_pages(
            self._database, self._names, self._context, self._columns, self._size
        ):
            self._validator.bad_rows(pd.DataFrame(page, columns=titles, dtype=object))
            seen += len(page)
            tick(seen)
        table = Validator(count_suite(_sum(manifests)))
        table.bad_rows(pd.DataFrame([{**counts, KEY: self._names.results}], dtype=object))
        report = CheckReport(seen, [self._validator, table])
        checks = [{**count.as_dict(), "type": count.type} for count in report.counts]
        write_checks(self._database, self._names, self._context, checks, clock.now())
        return report

    def close(self) -> None:
        """Close the connection to the warehouse."""
        self._database.close()


def _sum(manifests: Sequence[Mapping[str, Any]]) -> dict[str, int] | None:
    """Return the rows of all manifests by place; None if there is no manifest."""
    places = (*map(str, COUNTED), QUARANTINED)
    return {p: sum(one.get(p, 0) for one in manifests) for p in places} if manifests else None
