"""Statements that change result rows in place: row hashes, keys, status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .sql.database import Database
from .sql.upsert import update_statement
from .tables import RESULTS, delete


def set_row_hashes(
    cursor: Any,
    database: Database,
    name: str,
    scope: dict[str, str],
    hashes: Mapping[str, str],
    *,
    source: str,
) -> None:
    """
    Set the row hash and source of some rows, in a transaction of the caller's.

    :param scope: values other columns have, ``campaign`` and ``action``.
    :param hashes: row hash by source key.
    :param source: where the rows are.
    """
    dialect, table = database.dialect, database.dialect.quote_table(name)
    ours = " AND ".join(f"{column} = ?" for column in scope)
    if dialect.lookup:
        setting = {"row_hash": dialect.lookup.format("source_key", "?", "?"), "source": "?"}
        these = ", ".join("?" * len(hashes))
        statement = update_statement(dialect, name, setting, f"{ours} AND source_key IN ({these})")
        values = [list(hashes), list(hashes.values()), source, *scope.values(), *hashes]
        cursor.execute(statement.replace("?", dialect.marker), values)
        return
    if not dialect.has_arrays:
        setting = {"row_hash": "?", "source": "?"}
        statement = update_statement(dialect, name, setting, f"{ours} AND source_key = ?")
        cursor.executemany(
            statement.replace("?", dialect.marker),
            [(row_hash, source, *scope.values(), key) for key, row_hash in hashes.items()],
        )
        return
    lists = ", ".join(f"unnest(?::{dialect.types['text']}[]) AS {n}" for n in ("k", "h"))
    statement = (
        f"UPDATE {table} SET row_hash = asked.h, source = ? FROM (SELECT {lists}) AS asked "
        f"WHERE {ours} AND source_key = asked.k"
    )
    cursor.execute(
        statement.replace("?", dialect.marker),
        [source, list(hashes), list(hashes.values()), *scope.values()],
    )


def rename_keys(
    cursor: Any, database: Database, name: str, scope: dict[str, str], keys: Mapping[str, str]
) -> None:
    """
    Give some rows another source key, in a transaction of the caller's.

    :param scope: values other columns have, ``campaign`` and ``action``.
    :param keys: new key by old one.
    """
    dialect = database.dialect
    this = " AND ".join(f"{column} = ?" for column in (*scope, "source_key"))
    statement = update_statement(dialect, name, {"source_key": "?"}, this)
    for old, new in keys.items():
        parameters = (*scope.values(), old)
        cursor.execute(statement.replace("?", dialect.marker), (new, *parameters))
        if dialect.keeps_renamed:
            delete(cursor, database, name, this, parameters)


def update(
    database: Database,
    name: str,
    values: dict[str, Any],
    condition: str,
    parameters: Sequence[Any],
) -> int:
    """
    Change some columns of rows of a result table.

    :param values: new values by column.
    :param condition: SQL with one ``?`` per parameter.
    :return: how many rows.
    """
    dialect, table = database.dialect, database.dialect.quote_table(name)
    where = condition.replace("?", dialect.marker)
    setting = {c: dialect.parameter(RESULTS.columns[c].type) for c in values}
    with database.transaction(f"changing table '{name}'") as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {table} WHERE {where}", tuple(parameters))
        count = int(cursor.fetchall()[0][0])
        cursor.execute(
            update_statement(dialect, name, setting, where), (*values.values(), *parameters)
        )
    return count
