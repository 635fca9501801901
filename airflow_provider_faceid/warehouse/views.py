"""Views over our tables: portable SQL, the same on every database."""

from __future__ import annotations

from typing import Any

from .database import Database
from .tables import RESULTS

LATEST_COLUMNS = tuple(c for c in RESULTS.columns if c not in {"status", "not_before"})
"""Columns of ``faceid_latest``."""


def create_latest(cursor: Any, database: Database, results: str, name: str) -> None:
    """
    Make the view of latest verdicts, in a transaction of the caller's.

    It has one row for each source row and Action: its latest answer, whatever the campaign.

    :param results: name of the result table.
    :param name: name of the view; one that is there is replaced.
    """
    dialect = database.dialect
    columns = ", ".join(LATEST_COLUMNS)
    cursor.execute(f"DROP VIEW IF EXISTS {dialect.quote_table(name)}", ())
    cursor.execute(
        f"CREATE VIEW {dialect.quote_table(name)} AS SELECT {columns} FROM ("
        f"SELECT {columns}, ROW_NUMBER() OVER (PARTITION BY action, source, source_key "
        "ORDER BY answered_at DESC, updated_at DESC, campaign DESC) AS place "
        f"FROM {dialect.quote_table(results)} WHERE status = 'answered') AS ranked WHERE place = 1",
        (),
    )
