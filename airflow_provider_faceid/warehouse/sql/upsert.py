"""Statements that insert, replace, change and delete rows, by the dialect's way of writing.

ClickHouse (``insert_replacing``) does all of it by inserting newer versions of rows: a statement takes
effect as a whole, and none rewrites what is stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from .dialects import DELETED_COLUMN, VERSION_COLUMN, Dialect

ALWAYS = "1 = 1"
"""Condition under which each row replaces one with the same key."""

_NOW = "toUInt64(toUnixTimestamp64Micro(now64(6)))"
"""Version of a row of ClickHouse: microseconds of the server's clock."""
_AHEAD = 60_000_000
"""Microseconds by which the version of a row that is written in any case is ahead of the clock.

One that replaces another on a condition was decided on a moment before: should the other be written in
that moment, it stays."""

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


def _insert_replacing(
    dialect: Dialect,
    name: str,
    values: str,
    *,
    columns: Sequence[str],
    key: Sequence[str],
    replaces: str,
) -> str:
    """
    Write for ClickHouse.

    The rows that are there are read as they are stored, deleted ones too: a new version is above
    theirs. A row that is missing has version 0 in the join.
    """
    quote, table = dialect.quote, dialect.quote_table(name)
    listed, names = ", ".join(map(quote, columns)), ", ".join(map(quote, key))
    same = " AND ".join(f"old.{quote(c)} = excluded.{quote(c)}" for c in key)
    ahead = _AHEAD if replaces == ALWAYS else 0
    where = f"old.{VERSION_COLUMN} = 0 OR old.{DELETED_COLUMN} = 1"
    where += f" OR ({replaces})" if replaces else ""
    return (
        f"INSERT INTO {table} ({listed}, {VERSION_COLUMN}, {DELETED_COLUMN}) "
        f"WITH faceid_page AS ({values}) SELECT {', '.join(f'excluded.{quote(c)}' for c in columns)}, "
        f"greatest({_NOW} + {ahead}, old.{VERSION_COLUMN} + 1), 0 FROM faceid_page AS excluded "
        f"LEFT JOIN (SELECT * FROM {table} WHERE ({names}) IN (SELECT {names} FROM faceid_page) "
        f"ORDER BY {VERSION_COLUMN} DESC LIMIT 1 BY {names}) AS old ON {same} WHERE {where} "
        "SETTINGS final = 0"
    )


_WAYS: dict[str, Callable[..., str]] = {
    "on_conflict": _on_conflict,
    "on_duplicate_key": _on_duplicate_key,
    "insert_replacing": _insert_replacing,
}


def update_statement(dialect: Dialect, name: str, setting: Mapping[str, str], where: str) -> str:
    """
    Return a statement that changes columns of rows.

    Its parameters are those of the new values, then those of the condition.

    :param setting: expression of the new value by column.
    :param where: SQL condition of the rows.
    """
    table = dialect.quote_table(name)
    if dialect.upsert != "insert_replacing":
        sets = ", ".join(f"{dialect.quote(c)} = {value}" for c, value in setting.items())
        return f"UPDATE {table} SET {sets} WHERE {where}"
    return _newer_version(dialect, table, {**setting, DELETED_COLUMN: "0"}, where)


def delete_statement(dialect: Dialect, name: str, where: str) -> str:
    """
    Return a statement that deletes rows.

    :param where: SQL condition of the rows.
    """
    table = dialect.quote_table(name)
    if dialect.upsert != "insert_replacing":
        return f"DELETE FROM {table} WHERE {where}"
    return _newer_version(dialect, table, {DELETED_COLUMN: "1"}, where)


def anonymise_statement(dialect: Dialect, name: str, setting: Mapping[str, str], where: str) -> str:
    """
    Return a statement that changes columns of rows, those of the key too.

    Its parameters are those of the new values, then those of the condition. In ClickHouse it inserts each
    row twice in one block, which takes effect as a whole: with the new values, and as deleted.

    :param setting: expression of the new value by column.
    :param where: SQL condition of the rows.
    """
    table = dialect.quote_table(name)
    if dialect.upsert != "insert_replacing":
        return update_statement(dialect, name, setting, where)
    changed = ", ".join(
        f"if(faceid_copy = 1, {value}, {dialect.quote(c)}) AS {dialect.quote(c)}"
        for c, value in setting.items()
    )
    version = f"greatest({_NOW}, {VERSION_COLUMN} + 1) AS {VERSION_COLUMN}"
    return (
        f"INSERT INTO {table} SELECT * EXCEPT (faceid_copy) REPLACE ({changed}, {version}, "
        f"if(faceid_copy = 1, 0, 1) AS {DELETED_COLUMN}) FROM (SELECT *, arrayJoin([0, 1]) AS "
        f"faceid_copy FROM (SELECT * FROM {table} FINAL WHERE {where})) AS faceid_old"
    )


def _newer_version(dialect: Dialect, table: str, setting: Mapping[str, str], where: str) -> str:
    """Return a statement of ClickHouse that inserts a newer version of rows."""
    # The condition is one on the rows as they are: a name in it would be that of a new value.
    changed = ", ".join(f"{value} AS {dialect.quote(c)}" for c, value in setting.items())
    version = f"greatest({_NOW}, {VERSION_COLUMN} + 1) AS {VERSION_COLUMN}"
    return (
        f"INSERT INTO {table} SELECT * REPLACE ({changed}, {version}) "
        f"FROM (SELECT * FROM {table} FINAL WHERE {where}) AS faceid_old"
    )


def page_of_json(dialect: Dialect, types: Mapping[str, str]) -> str:
    """
    Return a query for the rows of a parameter, a JSON array of values for each row.

    :param types: SQL type by column.
    """
    structure = ", ".join(f"{dialect.quote(c)} {type_}" for c, type_ in types.items())
    structure = structure.replace("\\", "\\\\").replace("'", "\\'")
    return f"SELECT * FROM format(JSONCompactEachRow, '{structure}', {dialect.marker})"
