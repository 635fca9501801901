"""Upsert statements: insert rows, replace those with the same key, by the dialect's way of writing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from .dialects import Dialect

ALWAYS = "1 = 1"
"""Condition under which each row replaces one with the same key."""

_OF_A_ROW = re.compile(r"\b(old|excluded)\.(\w+)")


def upsert_statement(
    dialect: Dialect,
    name: str,
    columns: Sequence[str],
    key: Sequence[str],
    values: str,
    *,
    replaces: str = ALWAYS,
) -> str:
    """
    Return a statement that inserts rows.

    :param name: of the table.
    :param columns: columns that are written.
    :param key: those of the primary key.
    :param values: what stands behind the columns: ``VALUES (...)`` or a ``SELECT``.
    :param replaces: SQL condition under which a row replaces one with the same key: ``excluded.`` is
        the new row, ``old.`` the one that is there. Empty if it never does.
    """
    way = _WAYS[dialect.upsert]
    return way(dialect, name, values, columns=columns, key=key, replaces=replaces)


def _on_conflict(
    dialect: Dialect,
    name: str,
    values: str,
    *,
    columns: Sequence[str],
    key: Sequence[str],
    replaces: str,
) -> str:
    """Write for SQLite, PostgreSQL and DuckDB."""
    quote = dialect.quote
    step = "NOTHING"
    if replaces:
        others = (column for column in columns if column not in key)
        setting = ", ".join(f"{quote(c)} = excluded.{quote(c)}" for c in others)
        step = f"UPDATE SET {setting} WHERE {replaces}"
    return (
        f"INSERT INTO {dialect.quote_table(name)} AS old ({', '.join(map(quote, columns))}) {values} "
        f"ON CONFLICT ({', '.join(map(quote, key))}) DO {step}"
    )


def _on_duplicate_key(
    dialect: Dialect,
    name: str,
    values: str,
    *,
    columns: Sequence[str],
    key: Sequence[str],
    replaces: str,
) -> str:
    """
    Write for MySQL and MariaDB.

    Assignments are carried out from left to right, each sees those before it: the condition is
    computed once, in the first one, and kept in a variable of the session.
    """
    quote, table = dialect.quote, dialect.quote_table(name)
    others = [column for column in columns if column not in key]

    def new(column: str) -> str:
        return f"VALUES({quote(column)})"

    def old(column: str) -> str:
        return f"{table}.{quote(column)}"

    if not replaces:
        setting = f"{quote(key[0])} = {old(key[0])}"
    elif replaces == ALWAYS:
        setting = ", ".join(f"{quote(c)} = {new(c)}" for c in others)
    else:
        rows = {"old": old, "excluded": new}
        condition = _OF_A_ROW.sub(lambda match: rows[match[1]](match[2]), replaces)
        kept = [f"@faceid_replaces := ({condition})"] + ["@faceid_replaces"] * len(others)
        setting = ", ".join(
            f"{quote(c)} = IF({test}, {new(c)}, {old(c)})"
            for c, test in zip(others, kept, strict=False)
        )
    return (
        f"INSERT INTO {table} ({', '.join(map(quote, columns))}) {values} "
        f"ON DUPLICATE KEY UPDATE {setting}"
    )


_WAYS: dict[str, Callable[..., str]] = {
    "on_conflict": _on_conflict,
    "on_duplicate_key": _on_duplicate_key,
}
