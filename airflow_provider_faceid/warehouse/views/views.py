"""Views for analysts: what a view is, its SQL on each database, and how it is made or replaced.

:mod:`.definitions` lists them. A view is recorded in ``faceid_versions`` by a checksum of its SQL,
so that one whose definition has changed is replaced. A view or table of the user's is never replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from zlib import crc32

from ... import __version__
from ...api.codes import NO_ANSWER
from ...exceptions import ConfigurationError, FaceIdError, WarehouseError
from ..names import named_after
from ..sql.database import Database, Dialect
from ..sql.identifiers import bare, beside
from ..tables import Column, Table, insert

VERSIONS = Table(
    "faceid_versions",
    ("table_name",),
    {
        "table_name": Column("text", "a table or view of ours"),
        "version": Column("integer", "of a table its version, of a view a checksum of its SQL"),
        "provider_version": Column("text", "version of this provider"),
    },
)

_OURS = {"provider_version": __version__}
_EVER_OURS = "latest"
"""The view that earlier versions made without a record."""


class ViewColumn(NamedTuple):
    """
    A column of a view.

    :param sql: its expression, a template like the relation.
    :param type: ``text``, ``integer``, ``real``, ``timestamp`` or ``date``.
    :param meaning: what it says.
    """

    sql: str
    type: str
    meaning: str


@dataclass(frozen=True)
class View:
    """
    A view over our tables.

    SQL is a template: ``{results}``, ``{history}``, ``{quarantine}``, ``{runs}``, ``{prices}`` and
    ``{reviews}`` are the tables, ``{real}`` and ``{whole_number}`` types, ``{floor[x]}`` and ``{service_day[x]}``
    expressions of the dialect, as is
    ``{now}``, this moment.

    :param name: behind the prefix of the result table, such as ``daily`` of ``faceid_daily``.
    :param grain: what one row stands for.
    :param columns: by name.
    :param relation: SQL behind ``FROM``.
    :param relations: the same for some ways in which a dialect finds the newest of several rows.
    :param group_by: names of the columns that make a group; none for a view of rows.
    :param with_own_columns: whether columns of some Actions only follow, as far as the tables have them.
    :param example: a query an analyst would type.
    """

    name: str
    grain: str
    columns: Mapping[str, ViewColumn]
    relation: str
    relations: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    group_by: tuple[str, ...] = field(default=())
    with_own_columns: bool = False
    example: str = ""

    def select(
        self,
        dialect: Dialect,
        tables: Mapping[str, str],
        own: Iterable[str] = (),
        there: Iterable[str] = (),
    ) -> str:
        """
        Return the query of the view.

        :param tables: name of each table by the word that stands for it in the templates.
        :param own: columns of some Actions only.
        :param there: columns the view has now. They stay where they are: a database may append columns
            to a view that others depend on, and nothing else.
        """
        columns = {name: column.sql for name, column in self.columns.items()}
        more = [dialect.quote(name) for name in own] if self.with_own_columns else []
        columns |= dict(zip(own, more, strict=False))
        order = [*(name for name in there if name in columns)]
        order += [name for name in columns if name not in order]
        relations = {
            word: dialect.current.format(dialect.quote_table(name)) for word, name in tables.items()
        }
        return self._query(dialect, relations, {name: columns[name] for name in order}, more)

    def over(self, dialect: Dialect, relations: Mapping[str, str]) -> str:
        """
        Return the query of the view over other relations than our tables, such as a part of each.

        :param relations: relation by the word that stands for its table in the templates.
        """
        columns = {name: column.sql for name, column in self.columns.items()}
        return self._query(dialect, relations, columns)

    def _query(
        self,
        dialect: Dialect,
        relations: Mapping[str, str],
        columns: Mapping[str, str],
        more: Iterable[str] = (),
    ) -> str:
        """Return the query for some columns, and quoted names of those of the tables besides."""
        chosen = ", ".join(f"{sql} AS {dialect.quote(name)}" for name, sql in columns.items())
        groups = ", ".join(self.columns[name].sql for name in self.group_by)
        relation = self.relations.get(dialect.newest_by, self.relation)
        text = f"SELECT {chosen} FROM {relation}" + (f" GROUP BY {groups}" if groups else "")
        return text.format(
            **relations,
            real=dialect.nullable.format(dialect.types["real"]),
            whole_number=dialect.whole_number,
            floor=_Expression(dialect.floor),
            service_day=_Expression(dialect.service_day),
            own="".join(f", {name}" for name in more),
            no_answer=NO_ANSWER.code,
            now=dialect.now,
        )


class _Expression:
    """An expression of a dialect, of which ``{name[x]}`` in a template takes that of ``x``."""

    def __init__(self, template: str) -> None:
        self._template = template

    def __getitem__(self, expression: str) -> str:
        return self._template.format(expression)


def name_of(view: View, results: str) -> str:
    """Return the name of a view beside a result table: ``faceid_daily`` beside ``faceid_results``."""
    return named_after(results, view.name)


class ViewMaker:
    """
    Makes and replaces views.

    :param database: the warehouse, whose tables are up to date.
    :param tables: name of each table by ``results``, ``history``, ``quarantine``, ``runs``, ``prices``,
        ``reviews``.
    :param own: columns of results and history that only some Actions have, as far as they are there.
    """

    def __init__(self, database: Database, tables: Mapping[str, str], own: Iterable[str]) -> None:
        self._database, self._tables, self._own = database, tables, tuple(own)
        self._versions = beside(tables["results"], VERSIONS.name)

    def refresh(self, views: Iterable[View], *, look: bool) -> dict[str, str]:
        """
        Make views that are missing and replace those whose definition has changed.

        A view that a newer provider has made is left alone.

        :param look: whether to look if recorded views are still there; a query each.
        :return: why a view could not be made, by its name; empty if all are as they should be.
        """
        recorded = self._recorded()
        named = {name_of(view, self._tables["results"]): view for view in views}
        due = {
            name: view
            for name, view in named.items()
            if look or not self._is_done(view, recorded.get(bare(name)))
        }
        at_once = len(due) > 1 and self._database.dialect.has_transactional_ddl
        if at_once and self._are_made(due):
            return {}
        problems = {}
        for name, view in due.items():
            try:
                self._refresh(view, name)
            except FaceIdError as error:
                problems[name] = str(error)
        return problems

    def _are_made(self, due: Mapping[str, View]) -> bool:
        """Make views in one transaction; return whether all could be made."""
        try:
            self._make(due, self._database.dialect.replace_view)
        except FaceIdError:  # which of them it was is found one by one
            return False
        return True

    def _is_done(self, view: View, recorded: tuple[int, str] | None) -> bool:
        """Say whether a view that was recorded is today's, or that of a newer provider."""
        if recorded is None:
            return False
        version, provider = recorded
        return version == self._checksum(view) or is_newer(provider)

    def _checksum(self, view: View) -> int:
        return crc32(view.select(self._database.dialect, self._tables, self._own).encode())

    def _recorded(self) -> dict[str, tuple[int, str]]:
        return _by_name(self._database.rows(self._select_recorded()))

    def _select_recorded(self) -> str:
        table = self._database.dialect.quote_table(self._versions)
        return f"SELECT table_name, version, provider_version FROM {table}"

    def _refresh(self, view: View, name: str) -> None:
        """
        Make a view, or replace it.

        :raises FaceIdError: it cannot be replaced, because others depend on columns it has no more, or
            it is none of ours.
        """
        try:
            self._make({name: view}, self._database.dialect.replace_view)
        except WarehouseError:  # columns have gone, or have another type
            self._make({name: view}, ("DROP VIEW {0}", "CREATE VIEW {0} AS {1}"))

    def _make(self, due: Mapping[str, View], statements: Iterable[str]) -> None:
        """Make views in one transaction with their records, unless another process has done so."""
        what = f"view '{next(iter(due))}'" if len(due) == 1 else f"{len(due)} views"
        with (
            self._database.transaction(f"making {what}") as cursor,
            self._database.changing_tables(cursor),
        ):
            cursor.execute(self._select_recorded())
            recorded = _by_name(cursor.fetchall())
            made = [
                {"table_name": bare(name), "version": self._checksum(view), **_OURS}
                for name, view in due.items()
                if self._has_made(cursor, view, name, recorded.get(bare(name)), statements)
            ]
            insert(cursor, self._database, VERSIONS, self._versions, made)

    def _has_made(
        self,
        cursor: Any,
        view: View,
        name: str,
        recorded: tuple[int, str] | None,
        statements: Iterable[str],
    ) -> bool:
        """
        Make a view; return whether it was not there as it should be.

        :raises ConfigurationError: there is something of its name that is none of ours.
        """
        dialect = self._database.dialect
        there = self._database.types_in(cursor, name)
        if there and self._is_done(view, recorded):
            return False
        if there and recorded is None and view.name != _EVER_OURS:
            raise ConfigurationError(
                "there is a table or view of that name that is none of ours; rename it"
            )
        if not dialect.has_transactional_ddl:
            # Without a checksum yet: should this process be killed, the next one makes it again.
            row = {"table_name": bare(name), "version": 0, **_OURS}
            insert(cursor, self._database, VERSIONS, self._versions, [row])
        query = view.select(dialect, self._tables, self._own, there)
        for statement in statements:
            cursor.execute(statement.format(dialect.quote_table(name), query), ())
        return True


def _by_name(rows: Iterable[tuple[Any, ...]]) -> dict[str, tuple[int, str]]:
    return {name: (int(version), provider or "") for name, version, provider in rows}


def is_newer(version: str) -> bool:
    """Say whether a version of this provider is newer than this one."""
    return _numbers(version) > _numbers(__version__)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]
