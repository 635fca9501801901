"""MySQL and MariaDB clients as one DB-API connection: mysqlclient, mysql-connector-python, pymysql.

The clients differ in how they write a percent sign, in which values they bind, in how they say that a
server is lost, and in what the Extra of Airflow's connection makes of their cursors and character sets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from ..exceptions import ConfigurationError
from .mysql_errors import ENDS_SESSION, number_of

_OLDEST = {"MariaDB": (10, 6), "MySQL": (8, 0, 17)}
"""Versions with window functions and a collation that compares all characters, blanks at the end too."""

SESSION = (
    # READ COMMITTED takes no gap locks: concurrent writers of one table rarely deadlock.
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    # Strict: a value that does not fit is an error, never cut. No ANSI_QUOTES: a user's own query may
    # have "texts".
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
    "SET SESSION time_zone = '+00:00', autocommit = 0, sql_safe_updates = 0, sql_select_limit = DEFAULT",
)
"""Statements that make a session ours, whatever the server's defaults and the connection's Extra say."""

_BINARY_CHARSET = "binary"

_ENUM, _SET = 0x100, 0x800
"""Flags of a column, in the protocol of all versions."""

_TYPES = {
    0: "DECIMAL",
    1: "TINYINT",
    2: "SMALLINT",
    3: "INT",
    4: "FLOAT",
    5: "DOUBLE",
    6: "NULL",
    7: "TIMESTAMP",
    8: "BIGINT",
    9: "MEDIUMINT",
    10: "DATE",
    11: "TIME",
    12: "DATETIME",
    13: "YEAR",
    14: "DATE",
    15: "TEXT",
    16: "BIT",
    245: "JSON",
    246: "DECIMAL",
    247: "ENUM",
    248: "SET",
    249: "TEXT",
    250: "TEXT",
    251: "TEXT",
    252: "TEXT",
    253: "TEXT",
    254: "TEXT",
    255: "GEOMETRY",
}
"""SQL type by number of the protocol (enum_field_types); lengths are left out."""


class MySQLConnection:
    """
    A connection of one of the clients, with a session of ours.

    :param raw: the client's connection.
    :raises ConfigurationError: the server is too old.
    :ivar closed: whether the server, or we, ended the session.
    """

    def __init__(self, raw: Any) -> None:
        self.raw, self.closed = raw, False
        self.client = type(raw).__module__.partition(".")[0]
        if self.client == "mysql":
            raw.set_charset_collation("utf8mb4")
        else:
            raw.set_character_set("utf8mb4")
        for statement in SESSION:
            self.execute(statement).close()
        cursor = self.execute("SELECT VERSION()")
        _check_version(str(cursor.fetchall()[0][0]))
        cursor.close()
        self.rollback()

    def cursor(self) -> MySQLCursor:
        """Return a cursor whose rows are tuples and are fetched at once."""
        if self.client == "mysql":
            options = {"buffered": True, "dictionary": False, "raw": False}
            return MySQLCursor(self, self._notice(partial(self.raw.cursor, **options)))
        if self.client == "MySQLdb":
            from MySQLdb.cursors import Cursor  # noqa: PLC0415 - comes with the extra mysql
        else:
            from pymysql.cursors import Cursor  # noqa: PLC0415 - the same
        return MySQLCursor(self, self.raw.cursor(Cursor))

    def execute(self, sql: str) -> MySQLCursor:
        """Run a statement without parameters."""
        cursor = self.cursor()
        cursor.execute(sql)
        return cursor

    def commit(self) -> None:
        """Commit."""
        self._notice(self.raw.commit)

    def rollback(self) -> None:
        """Roll back."""
        self._notice(self.raw.rollback)

    def close(self) -> None:
        """Close the connection; one that is lost already is none."""
        self.closed = True
        with suppress(Exception):
            self.raw.close()

    def _notice(self, step: Any, *parts: Any) -> Any:
        """Take a step, and notice if the session is over."""
        try:
            return step(*parts)
        except Exception as error:
            if number_of(error) in ENDS_SESSION:
                self.close()
            raise


class MySQLCursor:
    """A cursor of one of the clients; see :class:`MySQLConnection`."""

    def __init__(self, connection: MySQLConnection, raw: Any) -> None:
        self._connection, self._raw = connection, raw

    def execute(self, sql: str, parameters: Sequence[Any] | None = None) -> MySQLCursor:
        """
        Run a statement.

        :param parameters: values for ``%s``; a percent sign is doubled then. None if it has none.
        """
        bound = None if parameters is None else tuple(map(_plain, parameters))
        if self._connection.client == "mysql":
            statement = sql.encode() if bound is None else self._with_literals(sql, bound)
            self._connection._notice(self._raw.execute, statement)  # noqa: SLF001 - its own cursor
        else:
            self._connection._notice(self._raw.execute, sql, bound)  # noqa: SLF001 - the same
        return self

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each row; the clients' own way reads the statement by patterns."""
        for row in rows:
            self.execute(sql, row)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows."""
        rows = self._raw.fetchall()
        return [tuple(bytes(v) if type(v) is bytearray else v for v in row) for row in rows]

    @property
    def rowcount(self) -> int:
        """Return how many rows a statement met."""
        return int(self._raw.rowcount)

    def type_name(self) -> str:
        """Return the type of the first column of the last query; bytes are not told from text."""
        described = self._raw.description[0]
        if self._connection.client == "MySQLdb":
            flags = self._raw.description_flags[0]
        elif self._connection.client == "mysql":
            flags = described[7]
        else:
            flags = self._raw._result.fields[0].flags  # noqa: SLF001 - it has no other place
        if flags & _ENUM:
            return "ENUM"
        if flags & _SET:
            return "SET"
        return _TYPES.get(described[1], f"number {described[1]}")

    def close(self) -> None:
        """Close the cursor."""
        self._raw.close()

    def _with_literals(self, sql: str, parameters: Sequence[Any]) -> bytes:
        """
        Return a statement with its values, as the other two clients write it.

        mysql-connector-python leaves a doubled percent sign doubled, and reads ``%s`` inside a name.
        """
        converter = self._connection.raw.converter
        return sql.encode() % tuple(
            converter.quote(converter.escape(converter.to_mysql(value))) for value in parameters
        )


def column_type(connection: MySQLConnection, column: str, relation: str) -> str:
    """
    Return the SQL type of a column of a source, without its length.

    :param column: quoted, behind its alias.
    :param relation: FROM clause.
    """
    query = f"SELECT {column} FROM {relation} WHERE 1 = 0"
    cursor = connection.cursor()
    try:
        cursor.execute(query, ())
        cursor.fetchall()
        name = cursor.type_name()
        if name != "TEXT":
            return name
        cursor.execute(f"SELECT CHARSET(({query}))", ())
        is_binary = cursor.fetchall()[0][0] == _BINARY_CHARSET
        return "BLOB or BINARY" if is_binary else name
    finally:
        cursor.close()
        connection.rollback()


def _plain(value: Any) -> Any:
    """Return a value of a subclass of text or bytes as such; mysql-connector-python asks for the class."""
    if isinstance(value, str):
        return str(value)
    return bytes(value) if isinstance(value, bytes) else value


def _check_version(version: str) -> None:
    kind = "MariaDB" if "mariadb" in version.lower() else "MySQL"
    # Behind a proxy MariaDB calls itself 5.5.5-10.11.2-MariaDB.
    numbers = re.findall(r"\d+", version.removeprefix("5.5.5-"))
    if tuple(map(int, numbers[:3])) < _OLDEST[kind]:
        oldest = " or ".join(f"{k} {'.'.join(map(str, v))}" for k, v in _OLDEST.items())
        raise ConfigurationError(
            f"The server is {kind} {version[:40]}, which is too old: {oldest} or newer is needed"
        )
