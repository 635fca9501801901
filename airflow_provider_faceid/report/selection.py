"""The rows a report is about, and the views over them: no number of a view is defined a second time.

A view is read over a part of its tables: each table is a common table expression of the rows that
were selected, and the SQL of the view stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from ..clock import utc_text
from ..warehouse.names import Names
from ..warehouse.sql.database import Database
from ..warehouse.views.views import View

_ROW = ("campaign", "action", "source_key")
_ANSWER = ("outcome", "code", "similarity", "charged", "attempts", "updated_at")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "history": (*_ROW, *_ANSWER, "description", "latency_ms", "waited_ms", "verified_date"),
    "results": (*_ROW, *_ANSWER, "status", "not_before", "run_id"),
    "quarantine": (*_ROW, "rule", "stage", "found_at"),
    "runs": ("campaign", "action", "started_at", "state", "quarantined", "reused", "still_valid"),
    "prices": ("action", "valid_from", "valid_to", "currency", "price"),
}
"""Columns that the views of a report read, by the word that stands for their table."""

ANSWERS_OF_RUN = "answers_of_run"
"""Stands for a result table that has the answers of the selected run, whatever came after them."""

WRITTEN = "written"
"""Stands for the rows of the result table that the selected run, or a run on the selected days, has written."""


@dataclass(frozen=True)
class Selection:
    """
    The rows a report is about.

    :param campaign: one campaign; all if None.
    :param actions: API Actions; all if none is named.
    :param run_id: one DAG run, whose answers and charges count; None for all runs.
    :param days: first and last of the service's days (Beijing) whose answers and charges count; None
        for all days.
    """

    campaign: str | None = None
    actions: tuple[str, ...] = ()
    run_id: str | None = None
    days: tuple[date, date] | None = None


class SelectedRows:
    """
    Reads views and tables over a selection.

    :param database: the warehouse.
    :param names: of its tables, which exist and are of this version.
    """

    def __init__(self, database: Database, names: Names, selection: Selection) -> None:
        self._database, self._names, self.selection = database, names, selection

    def view(self, view: View, *, results: str = "results") -> list[dict[str, Any]]:
        """
        Return the rows of a view over the selection, by column.

        :param results: what stands for the result table: ``results`` for the rows as they are now, or
            :data:`ANSWERS_OF_RUN`, of a selection of one run, or :data:`WRITTEN`.
        """
        words = [word for word in self._names.all if f"{{{word}}}" in view.relation]
        taken = {word: results if word == "results" else word for word in words}
        relations, parts, values = {}, [], []
        for word, source in taken.items():
            condition, parameters = self._condition(source)
            if not condition:
                relations[word] = self._table(word)
                continue
            relations[word] = f"chosen_{word}"
            rows_ = self._rows_of(source, condition, only=_columns_in(view, word))
            parts.append(f"chosen_{word} AS ({rows_})")
            values += parameters
        query = view.over(self._database.dialect, relations)
        text = f"WITH {', '.join(parts)} {query}" if parts else query
        found = self._database.rows(text, values)
        return [dict(zip(view.columns, map(plain, row), strict=True)) for row in found]

    def group(
        self, source: str, keys: Sequence[str], expressions: Mapping[str, str], *, scope: str = ""
    ) -> list[dict[str, Any]]:
        """
        Return aggregates over selected rows of a table, by column.

        :param source: word of the table, see :data:`COLUMNS`, or :data:`ANSWERS_OF_RUN`.
        :param keys: columns to group by.
        :param expressions: aggregate by name, on a relation ``answer``.
        :param scope: the word whose selection counts, if another one.
        """
        condition, values = self._condition(scope or source)
        listed = [*(f"answer.{key} AS {key}" for key in keys)]
        listed += [f"{sql} AS {name}" for name, sql in expressions.items()]
        read = COLUMNS["history" if source == ANSWERS_OF_RUN else source]
        rows = self._rows_of(source, condition or "1 = 1", dict.fromkeys([*read, *keys]))
        groups = ", ".join(f"answer.{key}" for key in keys)
        found = self._database.rows(
            f"SELECT {', '.join(listed)} FROM ({rows}) AS answer GROUP BY {groups}",  # noqa: S608 - names of ours
            values,
        )
        return [dict(zip([*keys, *expressions], map(plain, row), strict=True)) for row in found]

    def table(
        self,
        name: str,
        columns: Sequence[str],
        condition: str = "1 = 1",
        values: Sequence[Any] = (),
    ) -> list[dict[str, Any]]:
        """
        Return rows of a table that has campaign and Action, by column.

        :param name: its name, as users write it.
        :param condition: SQL besides campaign and Actions.
        """
        scope, scoped = self._scope()
        dialect = self._database.dialect
        found = self._database.rows(
            f"SELECT {', '.join(map(dialect.quote, columns))} "  # noqa: S608 - quoted names
            f"FROM {dialect.current.format(dialect.quote_table(name))} AS answer "
            f"WHERE {' AND '.join([*scope, condition])}",
            [*scoped, *values],
        )
        return [dict(zip(columns, map(plain, row), strict=True)) for row in found]

    def _table(self, word: str) -> str:
        dialect = self._database.dialect
        return dialect.current.format(dialect.quote_table(self._names.all[word]))

    def _rows_of(self, source: str, condition: str, only: Iterable[str]) -> str:
        """Return the query for selected rows of a table, with some of its columns."""
        if source != ANSWERS_OF_RUN:
            source = "results" if source == WRITTEN else source
            columns = ", ".join(only)
            return f"SELECT {columns} FROM {self._table(source)} AS faceid_row WHERE {condition}"  # noqa: S608
        # A row that was asked twice in a run counts with its last answer.
        columns = ", ".join(c for c in COLUMNS["history"] if c != "verified_date")
        return (
            f"SELECT {columns}, 'answered' AS status FROM (SELECT {columns}, ROW_NUMBER() OVER ("  # noqa: S608
            "PARTITION BY campaign, action, source_key ORDER BY answered_at DESC, answer_id DESC) "
            f"AS place FROM {self._table('history')} AS faceid_row WHERE {condition}) AS answers "
            "WHERE place = 1"
        )

    def _scope(self) -> tuple[list[str], list[Any]]:
        marker, chosen = self._database.dialect.marker, self.selection
        conditions, values = [], []
        if chosen.campaign is not None:
            conditions.append(f"campaign = {marker}")
            values.append(chosen.campaign)
        if chosen.actions:
            conditions.append(f"action IN ({', '.join([marker] * len(chosen.actions))})")
            values += chosen.actions
        return conditions, values

    def _condition(self, source: str) -> tuple[str, list[Any]]:
        """Return which rows of a table are selected, and the parameters of that."""
        if source == "prices":
            return "", []
        conditions, values = self._scope()
        dialect, chosen = self._database.dialect, self.selection
        marker = dialect.marker
        days = {
            "history": "verified_date",
            ANSWERS_OF_RUN: "verified_date",
            "runs": dialect.service_day.format("started_at"),
            WRITTEN: dialect.service_day.format("updated_at"),
        }
        if chosen.run_id is not None and source in days:
            conditions.append(f"run_id = {marker}")
            values.append(chosen.run_id)
        if chosen.days is not None and source in days:
            conditions.append(f"{days[source]} BETWEEN {marker} AND {marker}")
            values += [one.isoformat() for one in chosen.days]
        return " AND ".join(conditions), values


def _columns_in(view: View, word: str) -> list[str]:
    """Return the columns of a table that the SQL of a view speaks of; a database may copy all it gets."""
    text = " ".join([view.relation, *view.group_by, *(c.sql for c in view.columns.values())])
    spoken = set(re.findall(r"\w+", text))
    return [column for column in COLUMNS[word] if column in spoken]


def plain(value: Any) -> Any:
    """Return a value as JSON has it: moments in UTC and days as text, numbers of all kinds as such."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return utc_text((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
    if isinstance(value, date):
        return value.isoformat()
    return value
