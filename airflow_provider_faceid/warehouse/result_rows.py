"""Result rows of one campaign and Action: keyset pages over their key, and counts by status."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .names import Names
from .records import COUNTED, RunContext
from .sql.database import Database


def result_pages(
    database: Database, names: Names, context: RunContext, columns: Sequence[str], size: int
) -> Iterator[list[tuple[Any, ...]]]:
    """
    Read the result rows of a campaign and Action in order of their key.

    No transaction stays open between two pages.

    :param context: whose rows are read.
    :param columns: to select behind the key.
    :param size: rows per page.
    :return: pages of tuples ``(source_key, *values)``.
    """
    dialect, last = database.dialect, None
    key, marker = dialect.quote("source_key"), dialect.marker
    selected = ", ".join([key, *map(dialect.quote, columns)])
    while True:
        behind = f" AND {key} > {marker}" if last is not None else ""
        page = database.rows(
            f"SELECT {selected} FROM {dialect.quote_table(names.results)} "
            f"WHERE campaign = {marker} AND action = {marker}{behind} ORDER BY {key} "
            f"LIMIT {int(size)}",
            [*context.scope.values(), *([last] if last is not None else [])],
        )
        if page:
            yield page
        if len(page) < size:
            return
        last = page[-1][0]


def result_counts(
    database: Database, names: Names, context: RunContext, *, of_run: str
) -> dict[str, int]:
    """
    Count the result rows of a campaign and Action, and its rows in quarantine.

    :param context: whose rows are counted; a mapped task's own are those of its map index.
    :param of_run: ends the names of the counts of rows that were last written in its DAG run.
    :return: ``rows``, ``keys`` (different ones), rows by status, of the campaign and of the run, and
        ``quarantined``.
    """
    dialect = database.dialect
    marker, scope = dialect.marker, list(context.scope.values())
    ours = f"run_id = {marker}" + (f" AND map_index = {marker}" if context.map_index >= 0 else "")
    run = [context.run_id, *([context.map_index] if context.map_index >= 0 else [])]
    columns = [
        "COUNT(*)",
        "COUNT(DISTINCT source_key)",
        *(f"COUNT(CASE WHEN status = '{status}' THEN 1 END)" for status in COUNTED),
        *(f"COUNT(CASE WHEN status = '{status}' AND {ours} THEN 1 END)" for status in COUNTED),
    ]
    where = f"WHERE campaign = {marker} AND action = {marker}"
    (found,) = database.rows(
        f"SELECT {', '.join(columns)} FROM {dialect.quote_table(names.results)} {where}",
        [*run * len(COUNTED), *scope],
    )
    ((quarantined,),) = database.rows(
        f"SELECT COUNT(DISTINCT source_key) FROM {dialect.quote_table(names.quarantine)} {where}",
        scope,
    )
    titles = ("rows", "keys", *map(str, COUNTED), *(f"{status}{of_run}" for status in COUNTED))
    return {**dict(zip(titles, map(int, found), strict=True)), "quarantined": int(quarantined)}
