"""Errors of MySQL and MariaDB by number: what each is about, and the next step.

Numbers: MySQL's error reference (server errors from 1000, client errors from 2000) and MariaDB's list
of error codes; both servers share those below 1900.
"""

from __future__ import annotations

import re
from typing import Any

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
