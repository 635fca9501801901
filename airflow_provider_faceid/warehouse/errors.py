"""What a database's error is about: by SQLSTATE, result code or error class, never by its words.

A message is shown where its class says that it is about the statement, the connection or the server.
All others may quote values of rows: of them the class and the code are shown, which are standard.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

from ..exceptions import WarehouseError
from ..sqlstate import advice_on, refused_parameter


class About(Enum):
    """What an error is about."""

    STATEMENT = "statement"
    """Tables, columns, rights, or the server itself: repeating it does not help."""
    CONNECTION = "connection"
    """The server is away or busy, or another transaction was in the way: it may be repeated."""
    DATA = "data"
    """A value of some row; the message may quote it."""
    OTHER = "other"
    """Anything else; the message may quote values."""


class Diagnosis(NamedTuple):
    """
    What is known of an error without its words.

    :param code: SQLSTATE or result code; empty if the driver gives none.
    :param name: a constraint's, if it refused.
    """

    about: About
    code: str = ""
    name: str = ""


_SQLSTATES: dict[str, About] = {
    "08": About.CONNECTION,
    "0A": About.STATEMENT,
    "22": About.DATA,
    "23": About.DATA,
    "25": About.STATEMENT,
    "28": About.STATEMENT,
    "3D": About.STATEMENT,
    "3F": About.STATEMENT,
    "40": About.CONNECTION,
    "42": About.STATEMENT,
    "44": About.DATA,
    "53": About.CONNECTION,
    "54": About.DATA,  # such as a value too long for an index
    "55": About.CONNECTION,
    "57": About.CONNECTION,
    "58": About.STATEMENT,
    "P0": About.DATA,  # raised by a function or trigger of the user's
}
"""By class of SQLSTATE (PostgreSQL, appendix A)."""

_TIME_LIMITS = frozenset({"25P03", "25P04"})
"""Sessions the server ended because a transaction was idle, or took too long."""

_RESULT_CODES: dict[int, About] = {
    sqlite3.SQLITE_PERM: About.STATEMENT,
    sqlite3.SQLITE_BUSY: About.CONNECTION,
    sqlite3.SQLITE_LOCKED: About.CONNECTION,
    sqlite3.SQLITE_NOMEM: About.STATEMENT,
    sqlite3.SQLITE_READONLY: About.STATEMENT,
    sqlite3.SQLITE_INTERRUPT: About.STATEMENT,
    sqlite3.SQLITE_IOERR: About.STATEMENT,
    sqlite3.SQLITE_CORRUPT: About.STATEMENT,
    sqlite3.SQLITE_FULL: About.STATEMENT,
    sqlite3.SQLITE_CANTOPEN: About.STATEMENT,
    sqlite3.SQLITE_PROTOCOL: About.CONNECTION,
    sqlite3.SQLITE_SCHEMA: About.STATEMENT,
    sqlite3.SQLITE_TOOBIG: About.DATA,
    sqlite3.SQLITE_CONSTRAINT: About.DATA,
    sqlite3.SQLITE_MISMATCH: About.DATA,
    sqlite3.SQLITE_AUTH: About.STATEMENT,
    sqlite3.SQLITE_NOTADB: About.STATEMENT,
}
"""By primary result code of SQLite; ``SQLITE_ERROR`` is for :func:`diagnose` to tell."""

_DUCKDB_CLASSES: dict[str, About] = {
    "BinderException": About.STATEMENT,
    "CatalogException": About.STATEMENT,
    "DependencyException": About.STATEMENT,
    "IOException": About.STATEMENT,
    "NotImplementedException": About.STATEMENT,
    "ParserException": About.STATEMENT,
    "PermissionException": About.STATEMENT,
    "SyntaxException": About.STATEMENT,
    "TransactionException": About.CONNECTION,
    "ConnectionException": About.CONNECTION,
    "ConstraintException": About.DATA,
    "ConversionException": About.DATA,
    "InvalidInputException": About.DATA,
    "OutOfRangeException": About.DATA,
    "TypeMismatchException": About.DATA,
}
"""By class of DuckDB's errors, which have no codes."""

_WHOLE_SENTENCES = frozenset(
    {"Invalid unicode (byte sequence mismatch) detected. This file is not utf-8 encoded."}
)
"""Lines of DuckDB that are shown although their class is not: a whole one holds no value."""


def diagnose(error: Exception, is_statement_wrong: Callable[[], bool]) -> Diagnosis:
    """
    Return what an error of a driver is about.

    :param is_statement_wrong: says whether the statement fails before it has read a row; asked where
        SQLite gives one code to wrong statements and wrong values.
    """
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:
            return Diagnosis(About.OTHER)
        about = _RESULT_CODES.get(code & 0xFF, About.OTHER)
        if code & 0xFF == sqlite3.SQLITE_ERROR:
            about = About.STATEMENT if is_statement_wrong() else About.DATA
        return Diagnosis(about, error.sqlite_errorname)
    classes = {kind.__name__: kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    if {"psycopg", "psycopg2"} & set(classes.values()):
        return _of_postgresql(error, classes)
    if {"duckdb", "_duckdb"} & set(classes.values()):
        known = (about for name, about in _DUCKDB_CLASSES.items() if name in classes)
        return Diagnosis(next(known, About.OTHER))
    # Raised by a driver for a value it cannot write or read.
    about = About.DATA if isinstance(error, UnicodeError | OverflowError) else About.OTHER
    return Diagnosis(about)


def _of_postgresql(error: Any, classes: dict[str, str]) -> Diagnosis:
    code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if code:
        name = getattr(getattr(error, "diag", None), "constraint_name", None)
        if code in _TIME_LIMITS:
            return Diagnosis(About.CONNECTION, code)
        return Diagnosis(_SQLSTATES.get(code[:2], About.OTHER), code, name or "")
    if "OperationalError" in classes or "InterfaceError" in classes:
        return Diagnosis(About.CONNECTION)  # in libpq's words: the server never spoke
    return Diagnosis(About.DATA if "DataError" in classes else About.OTHER)


def warehouse_error(
    doing: str, label: str, error: Exception, is_statement_wrong: Callable[[], bool]
) -> WarehouseError:
    """
    Return an error of ours for one of a driver's.

    :param doing: what was done.
    :param label: the Airflow connection.
    :param is_statement_wrong: as for :func:`diagnose`.
    """
    diagnosis = diagnose(error, is_statement_wrong)
    kind = type(error).__name__
    words = [kind, *_words(error, diagnosis.about)]
    code = diagnosis.code
    if code and not code.startswith("SQLITE"):
        code = f"SQLSTATE {code}"
    facts = [code] if code else []
    facts += [f"constraint {diagnosis.name}"] if diagnosis.name else []
    marks = f" [{', '.join(facts)}]" if facts else ""
    if parameter := refused_parameter(error):
        marks += f". {advice_on(parameter)}"
    return WarehouseError(
        f"{doing} through connection '{label}' failed: {': '.join(words)}{marks}",
        reason=diagnosis.code or kind,
        is_transient=diagnosis.about is About.CONNECTION,
        is_about_data=diagnosis.about is About.DATA,
    )


def _words(error: Exception, about: About) -> list[str]:
    """Return the part of an error's message that is shown."""
    lines = str(error).strip().splitlines()
    if about in {About.STATEMENT, About.CONNECTION}:
        primary = getattr(getattr(error, "diag", None), "message_primary", None)
        return [primary] if primary else lines[:1]
    return [line for line in lines if line in _WHOLE_SENTENCES]
