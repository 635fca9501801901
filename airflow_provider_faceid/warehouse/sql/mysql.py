"""MySQL and MariaDB: their clients as one DB-API connection, and what each error number is about.

The clients (mysqlclient, mysql-connector-python, pymysql) differ in how they write a percent sign, in which
values they bind, in how they say that a server is lost, and in what the Extra of Airflow's connection makes
of their cursors and character sets.

Error numbers: MySQL's error reference (server errors from 1000, client errors from 2000) and MariaDB's list
of error codes; both servers share those below 1900.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from ...exceptions import ConfigurationError

_BY_CLASS: dict[str, tuple[int, ...]] = {
    "statement": (
        *(1005, 1007, 1008, 1030, 1044, 1045, 1046, 1049, 1050, 1051, 1052, 1054, 1055, 1056),
        *(1059, 1060, 1061, 1064, 1066, 1067, 1068, 1070, 1071, 1072, 1075, 1091, 1102, 1103),
        *(1109, 1110, 1111, 1113, 1114, 1115, 1117, 1118, 1129, 1130, 1136, 1140, 1142, 1143),
        *(1146, 1147, 1149, 1166, 1170, 1175, 1176, 1193, 1214, 1222, 1227, 1235, 1241, 1248),
        *(1251, 1267, 1271, 1273, 1286, 1290, 1305, 1318, 1347, 1350, 1356, 1370, 1393, 1394),
        *(1415, 1418, 1419, 1449, 1470, 1582, 1583, 1584, 1665, 1698, 1785, 1792, 1820, 1836),
        *(1021, 2026, 2049, 2054, 2058, 2059, 2061, 3098, 3118, 3159, 3955),
    ),
    "connection": (
        *(0, -1, 1040, 1041, 1042, 1043, 1047, 1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160),
        *(1161, 1184, 1203, 1205, 1206, 1213, 1226, 1317, 1613, 1614, 1637, 1927, 1969, 2002),
        *(2003, 2004, 2005, 2006, 2012, 2013, 2014, 2027, 2045, 2048, 2055, 3024, 3058, 3101),
        *(3169, 3572, 4031),
    ),
    "data": (
        *(1022, 1048, 1062, 1153, 1169, 1216, 1217, 1242, 1263, 1264, 1265, 1292, 1299, 1300),
        *(1301, 1364, 1365, 1366, 1367, 1369, 1406, 1411, 1425, 1426, 1441, 1451, 1452, 1525),
        *(1526, 1557, 1586, 1644, 1690, 1761, 1762, 1878, 3140, 3141, 3143, 3146, 3156, 3685),
        *(3692, 3730, 3819, 3854, 3988, 4025, 4038, 4078),
    ),
}
CLASS: dict[int, str] = {
    number: about for about, numbers in _BY_CLASS.items() for number in numbers
}
"""Class of an error (``errors.About``) by its number."""

ENDS_SESSION = frozenset({0, -1, 1053, 1927, 2006, 2013, 2014, 2027, 2048, 2055, 3169, 4031})
"""Numbers after which a connection is of no use."""

_NO_RIGHT = (
    "let the connection's user do it: our tables need SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, "
    "DROP and CREATE VIEW, a source needs SELECT"
)
_NO_NAME = "correct the name, or the Schema of the connection, which is its database"
_NO_SERVER = "check host and port of the connection, and that the server runs"
_READ_ONLY = "name a server that may be written to, not a replica"

ADVICE: dict[int, str] = {
    1040: "let the server take more connections (max_connections)",
    1044: _NO_RIGHT,
    1045: "correct login and password of the connection",
    1046: "name a database in the connection's Schema",
    1049: _NO_NAME,
    1054: _NO_NAME,
    1059: "name it in 64 characters at most",
    1102: "name it without a blank at its end, and with characters of the basic plane only",
    1103: "name it without a blank at its end, and with characters of the basic plane only",
    1142: _NO_RIGHT,
    1300: "write names with characters of the basic plane only, and texts in UTF-8",
    1143: _NO_RIGHT,
    1146: _NO_NAME,
    1153: "raise the server's max_allowed_packet",
    1205: "end the transaction that holds the rows",
    1227: _NO_RIGHT,
    1290: _READ_ONLY,
    1370: _NO_RIGHT,
    1665: "set the server's binlog_format to MIXED or ROW",
    1698: "name a user who may log in with a password",
    1792: _READ_ONLY,
    1836: _READ_ONLY,
    2002: _NO_SERVER,
    2003: _NO_SERVER,
    2005: _NO_SERVER,
    2026: "correct the ssl fields of the connection's Extra",
    2059: "use a client that knows the user's authentication plugin, or another plugin for the user",
}
"""Next step by number."""

CLIENTS = frozenset({"MySQLdb", "pymysql", "mysql"})
"""Packages of the clients."""

_SYNTAX_ERROR = 1064
_AT_LINE = re.compile(r" at line \d+$")


def number_of(error: BaseException) -> int | None:
    """Return the number of a client's error; None if it has none."""
    number = getattr(error, "errno", None)
    if number is None and error.args:
        number = error.args[0]
    return number if isinstance(number, int) else None


def class_of(error: Exception) -> str:
    """Return the class of a client's error, a value of ``errors.About``."""
    number = number_of(error)
    if number is None:
        return "connection" if "InterfaceError" in type(error).__name__ else "other"
    return CLASS.get(number, "other")


def message_of(error: Any) -> str:
    """
    Return the message of an error about a statement or a connection.

    The clients write values into the statement, and a syntax error quotes the rest of it: that part is
    left out.
    """
    number = number_of(error)
    text = getattr(error, "msg", None) or (error.args[1] if len(error.args) > 1 else str(error))
    line = str(text).strip()
    if number == _SYNTAX_ERROR:
        kept, _, rest = line.partition(" near ")
        place = _AT_LINE.search(rest)
        line = kept + (place[0] if place else "")
    return line.splitlines()[0] if line else ""


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
