"""Review queue for its readers: counts by campaign, Action and reason, and the cases that wait.

Read in read-only transactions of limited time, like :mod:`..overview`. Nothing is made or written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..names import Names
from ..overview import READ_SECONDS, check_readers, columns_of
from ..results import unix_seconds
from ..sql.database import Database
from ..tables import REVIEWS
from ..views.reviews import REVIEW_QUEUE
from ..views.views import name_of
from .decisions import Case, case_of

CASES_SHOWN = 100
_MOMENTS = ("oldest_at", "next_due_at")


def read_queue(database: Database, names: Names) -> list[dict[str, Any]]:
    """
    Return the rows of the view of the queue, with moments as Unix seconds; none before the first case.

    :raises FaceIdError: the database cannot be read.
    """
    check_readers(database)
    view = name_of(REVIEW_QUEUE, names.results)
    with database.reading(READ_SECONDS) as ask:
        if not columns_of(ask, database, view):
            return []
        columns = list(REVIEW_QUEUE.columns)
        rows = ask(
            f"SELECT {', '.join(columns)} FROM {database.dialect.quote_table(view)} "
            "ORDER BY campaign, action, reason"
        )
    return [_with_seconds(dict(zip(columns, row, strict=True))) for row in rows]


def read_cases(
    database: Database, names: Names, campaign: str, dags: Collection[str]
) -> list[Case]:
    """
    Return the unresolved cases of a campaign: by priority, then by due time; one more than are shown.

    :param dags: DAGs whose cases are returned: those that entered them.
    :raises FaceIdError: the database cannot be read.
    """
    check_readers(database)
    dialect = database.dialect
    with database.reading(READ_SECONDS) as ask:
        if not dags or not columns_of(ask, database, names.reviews):
            return []
        columns = ", ".join(map(dialect.quote, REVIEWS.columns))
        rows = ask(
            f"SELECT {columns} FROM {dialect.current.format(dialect.quote_table(names.reviews))} "
            f"WHERE campaign = {dialect.marker} AND status <> 'resolved' "
            f"AND dag_id IN ({', '.join([dialect.marker] * len(dags))}) "
            f"ORDER BY priority, due_at, review_id LIMIT {CASES_SHOWN + 1}",
            [campaign, *sorted(dags)],
        )
    return [case_of(REVIEWS.columns, row, unix_seconds) for row in rows]


def read_dags(database: Database, names: Names) -> dict[str, set[str]]:
    """
    Return by campaign the DAGs that entered cases.

    :raises FaceIdError: the database cannot be read.
    """
    check_readers(database)
    dialect = database.dialect
    with database.reading(READ_SECONDS) as ask:
        if not columns_of(ask, database, names.reviews):
            return {}
        table = dialect.current.format(dialect.quote_table(names.reviews))
        rows = ask(f"SELECT DISTINCT campaign, dag_id FROM {table}")
    found: dict[str, set[str]] = {}
    for campaign, dag_id in rows:
        found.setdefault(campaign, set()).add(dag_id or "")
    return found


def _with_seconds(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: unix_seconds(value) if name in _MOMENTS else value for name, value in row.items()}
