"""OpenLineage of our operators: datasets in and out, schemas, column lineage, row counts, assertions.

Airflow's provider of OpenLineage calls :class:`ReportsLineage` when a task starts and ends. Nothing here
is imported without it, and no event holds a value of a row: names of tables and columns, and counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from copy import copy
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..exceptions import ConfigurationError
from ._common import read_parameters

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context

    from ..hooks.datasets import Tables


class ReportsLineage:
    """
    Base of operators that report their lineage.

    :cvar lineage_kind: name of the function in :mod:`._flows` that knows what the operator reads and
        writes.
    :ivar lineage_facts: counts of the task so far; empty before it has any.
    :ivar lineage_tables: what names the tables of each connection. The task finds it out itself: Airflow's
        provider asks in a forked process, which may be killed while it waits for a connection, and would
        leave the answer to the task, which takes it for that to its own next question.
    """

    lineage_kind: str
    lineage_facts: Mapping[str, Any] = {}
    lineage_tables: Mapping[str, Tables] = {}

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Render the templates, and find out what the tables are called."""
        super().render_template_fields(context, jinja_env)  # type: ignore[misc]  # the operator's
        self.name_tables()

    def name_tables(self) -> None:
        """Find out what the tables of the operator's connections are called, if anybody will ask."""
        if find_spec("openlineage") is None:
            return
        from ..hooks.datasets import Tables  # noqa: PLC0415 - only for those who have OpenLineage

        named = dict(self.lineage_tables)
        for parameter in ("source_conn_id", "warehouse_conn_id"):
            conn_id = getattr(self, parameter, None)
            if conn_id and conn_id not in named:
                with suppress(Exception):  # the task itself says what is wrong with a connection
                    named[conn_id] = Tables(conn_id)
        self.lineage_tables = named

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any] | None:
        """Return what the task is going to read and write."""
        return self._openlineage()

    def get_openlineage_facets_on_complete(self, _: Any) -> OperatorLineage[Any, Any] | None:
        """Return what the task has read and written."""
        return self._openlineage()

    def get_openlineage_facets_on_failure(self, _: Any) -> OperatorLineage[Any, Any] | None:
        """Return what the task has read and written until it failed."""
        return self._openlineage()

    def _openlineage(self) -> OperatorLineage[Any, Any] | None:
        from . import _flows  # noqa: PLC0415 - only for those who have OpenLineage
        from ._datasets import as_openlineage  # noqa: PLC0415 - the same

        seen: Any = copy(self)
        seen.name_tables = _nothing  # nobody is asked here
        try:
            read_parameters(seen)  # again if they were: a parameter that was read is read as it is
        except ConfigurationError:
            return None
        conn_ids = {getattr(seen, name, None) for name in ("source_conn_id", "warehouse_conn_id")}
        if not conn_ids - {None} <= self.lineage_tables.keys():
            return None
        return as_openlineage(getattr(_flows, self.lineage_kind)(seen, self.lineage_facts))


def _nothing() -> None:
    pass
