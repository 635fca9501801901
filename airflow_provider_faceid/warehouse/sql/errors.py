"""Classification of errors of databases and photo stores: by code and class, never by message.

Databases: SQLSTATE, result code or error class. A message is shown where its class says that it is
about the statement, the connection or the server. All others may quote values of rows: of them the
class and the code are shown, which are standard.

Photo stores (folders, S3, Azure and others like them): the error code, the HTTP status, the class,
the errno, in this order; nothing of theirs is imported. Only "there is no such photo" belongs to a
row. Any other error would meet the next row, too.
"""

from __future__ import annotations

import errno
import re
import sqlite3
from collections.abc import Callable, Iterator
from enum import Enum, StrEnum
from typing import Any, NamedTuple

from ...exceptions import WarehouseError
from ...sqlstate import advice_on, refused_parameter
from . import clickhouse, mysql


class About(Enum):
    """Class of an error, by its cause."""

    STATEMENT = "statement"
    """Tables, columns, rights, or the server itself: repeating it does not help."""
    CONNECTION = "connection"
    """The server is away or busy, or another transaction was in the way: it may be repeated."""
    DATA = "data"
    """A value of some row; the message may quote it."""
    OTHER = "other"
    """Unknown; the message may quote values."""


class Diagnosis(NamedTuple):
    """
    Classification of an error without its message, which may quote values.

    :param code: SQLSTATE, result code or error number; empty if the driver gives none.
    :param name: a constraint's, if it refused.
    :param advice: the next step, if there is one.
    """

    about: About
    code: str = ""
    name: str = ""
    advice: str = ""


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

_MYSQL = "MYSQL_"
"""Begins the code of an error of MySQL or MariaDB, before its number."""

_CLICKHOUSE = "CLICKHOUSE_"
"""Begins the code of an error of ClickHouse, before its number."""

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
"""By primary result code of SQLite; :func:`diagnose` decides about ``SQLITE_ERROR``."""

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

_WHOLE_SENTENCES = re.compile(
    r"Invalid unicode \(byte sequence mismatch\) detected\. This file is not utf-8 encoded\."
    r"|Invalid Input Error: CSV Error on Line: \d+"
    r"|Expected Number of Columns: \d+ Found: \d+"
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
    if (mysql.CLIENTS | {clickhouse.CLIENT}) & set(classes.values()):
        return _by_number(error, is_mysql=clickhouse.CLIENT not in classes.values())
    if {"duckdb", "_duckdb"} & set(classes.values()):
        known = (about for name, about in _DUCKDB_CLASSES.items() if name in classes)
        return Diagnosis(next(known, About.OTHER))
    # Raised by a driver for a value it cannot write or read.
    about = About.DATA if isinstance(error, UnicodeError | OverflowError) else About.OTHER
    return Diagnosis(about)


def _by_number(error: Exception, *, is_mysql: bool) -> Diagnosis:
    """Return what an error of a client of MySQL or ClickHouse is about."""
    if is_mysql:
        number, about = mysql.number_of(error) or 0, mysql.class_of(error)
        advice = mysql.ADVICE.get(number, "")
    else:
        number, about = clickhouse.code_of(error), clickhouse.class_of(error)
        advice = clickhouse.advice_on(error)
    code = f"{_MYSQL if is_mysql else _CLICKHOUSE}{number}" if number else ""
    return Diagnosis(About(about), code, advice=advice)


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
    words = [kind, *_safe_message(error, diagnosis.about)]
    code = diagnosis.code
    if code and not code.startswith(("SQLITE", _MYSQL, _CLICKHOUSE)):
        code = f"SQLSTATE {code}"
    facts = [code] if code else []
    facts += [f"constraint {diagnosis.name}"] if diagnosis.name else []
    marks = f" [{', '.join(facts)}]" if facts else ""
    if parameter := refused_parameter(error):
        marks += f". {advice_on(parameter)}"
    elif diagnosis.advice:
        marks += f". Next step: {diagnosis.advice}"
    return WarehouseError(
        f"{doing} through connection '{label}' failed: {': '.join(words)}{marks}",
        reason=diagnosis.code or kind,
        is_transient=diagnosis.about is About.CONNECTION,
        is_about_data=diagnosis.about is About.DATA,
    )


def _safe_message(error: Exception, about: About) -> list[str]:
    """Return the part of an error's message that is shown."""
    client = type(error).__module__.partition(".")[0]
    if client == clickhouse.CLIENT:
        return list(filter(None, [clickhouse.message_of(error)]))
    if client in mysql.CLIENTS:
        is_shown = about in {About.STATEMENT, About.CONNECTION}
        return [mysql.message_of(error)] if is_shown else []
    lines = str(error).strip().splitlines()
    if about in {About.STATEMENT, About.CONNECTION}:
        primary = getattr(getattr(error, "diag", None), "message_primary", None)
        return [primary] if primary else lines[:1]
    return [line for line in lines if _WHOLE_SENTENCES.fullmatch(line)]


class PhotoFault(StrEnum):
    """Class of an error about a photo, or the folder or object store it is in."""

    NO_PHOTO = "no_photo"
    """The row's: there is no such photo, nor can there be one."""
    EMPTY = "empty"
    """The row's: the photo has no bytes."""
    NOT_FOUND = "not_found"
    """The row's, if its folder or bucket is there."""
    REFUSED = "refused"
    """The store's, until a person changes something."""
    AWAY = "away"
    """The store's, and it may pass."""


_STORE_CODES: dict[str, PhotoFault] = {
    "NoSuchKey": PhotoFault.NO_PHOTO,
    "NoSuchVersion": PhotoFault.NO_PHOTO,
    "KeyTooLongError": PhotoFault.NO_PHOTO,
    "InvalidURI": PhotoFault.NO_PHOTO,
    "BlobNotFound": PhotoFault.NO_PHOTO,
    "PathNotFound": PhotoFault.NO_PHOTO,
    "InvalidRange": PhotoFault.EMPTY,  # we ask from the first byte on: it has none
    "NoSuchBucket": PhotoFault.REFUSED,
    "ContainerNotFound": PhotoFault.REFUSED,
    "FilesystemNotFound": PhotoFault.REFUSED,
    "RequestTimeout": PhotoFault.AWAY,  # its status is 400
}
"""Error codes that say more than their HTTP status."""

_STORE_STATUSES: dict[int, PhotoFault] = {
    404: PhotoFault.NOT_FOUND,
    408: PhotoFault.AWAY,
    416: PhotoFault.EMPTY,
    425: PhotoFault.AWAY,
    429: PhotoFault.AWAY,
}
"""HTTP statuses; others below 500 are a refusal, from 500 on the store is away."""

_STORE_CLASSES: dict[str, PhotoFault] = {
    "UnicodeEncodeError": PhotoFault.NO_PHOTO,  # no name of any object
    "NoCredentialsError": PhotoFault.REFUSED,
    "PartialCredentialsError": PhotoFault.REFUSED,
    "ParamValidationError": PhotoFault.REFUSED,  # the bucket's name; the key's has been checked
    "SSLCertVerificationError": PhotoFault.REFUSED,
    "ClientConnectorCertificateError": PhotoFault.REFUSED,
}
"""Classes of errors that have neither code nor status."""

_STORE_ERRNOS: dict[int, PhotoFault] = {
    errno.ENOENT: PhotoFault.NOT_FOUND,
    errno.ENOTDIR: PhotoFault.NOT_FOUND,
    errno.EISDIR: PhotoFault.NO_PHOTO,
    errno.ELOOP: PhotoFault.NO_PHOTO,
    errno.ENAMETOOLONG: PhotoFault.NO_PHOTO,
    errno.ENXIO: PhotoFault.NO_PHOTO,  # a socket
    errno.EACCES: PhotoFault.REFUSED,
    errno.EPERM: PhotoFault.REFUSED,
}
"""Errors of the operating system; all others (EIO, ESTALE, EMFILE, ETIMEDOUT, ...) may pass."""

_BUILT_IN_CLASSES: dict[type[Exception], PhotoFault] = {
    FileNotFoundError: PhotoFault.NOT_FOUND,
    NotADirectoryError: PhotoFault.NOT_FOUND,
    IsADirectoryError: PhotoFault.NO_PHOTO,
    PermissionError: PhotoFault.REFUSED,
}
"""Python's own errors as object stores raise them, without an errno."""

_CODE = re.compile(r"[A-Za-z]{3,60}")
_SERVER_ERROR = 500


class Problem(NamedTuple):
    """
    An error as it may be shown: a path, a key or a message may name a person, these do not.

    :param status: HTTP status, 0 if there is none.
    """

    name: str
    code: str = ""
    status: int = 0
    errno_name: str = ""

    def __str__(self) -> str:
        parts = [self.name]
        parts += [f"code {self.code}"] if self.code else []
        parts += [f"HTTP {self.status}"] if self.status else []
        parts += [self.errno_name] if self.errno_name and not (self.code or self.status) else []
        return ", ".join(parts)


def problem_of(error: BaseException) -> Problem:
    """Return what an error says that may be shown."""
    codes = [code for each in _chain(error) for code in _codes(each)]
    statuses = [status for each in _chain(error) for status in _statuses(each)]
    number = error.errno if isinstance(error, OSError) else None
    return Problem(
        type(error).__name__,
        next(iter(codes), ""),
        next(iter(statuses), 0),
        errno.errorcode.get(number, "") if number is not None else "",
    )


def fault_of(error: BaseException) -> PhotoFault:
    """Say what is wrong with a photo or its store: code, status, class and errno, in this order."""
    problem = problem_of(error)
    if problem.code in _STORE_CODES:
        return _STORE_CODES[problem.code]
    if problem.status in _STORE_STATUSES:
        return _STORE_STATUSES[problem.status]
    if problem.status:
        return PhotoFault.AWAY if problem.status >= _SERVER_ERROR else PhotoFault.REFUSED
    names = [kind.__name__ for kind in type(error).__mro__]
    if by_class := [_STORE_CLASSES[name] for name in names if name in _STORE_CLASSES]:
        return by_class[0]
    if isinstance(error, OSError) and error.errno is not None:
        return _STORE_ERRNOS.get(error.errno, PhotoFault.AWAY)
    by_type = (fault for kind, fault in _BUILT_IN_CLASSES.items() if isinstance(error, kind))
    return next(by_type, PhotoFault.AWAY)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it was made of."""
    for _ in range(5):
        if error is None:
            return
        yield error
        error = error.__cause__


def _codes(error: BaseException) -> Iterator[str]:
    """Yield error codes that look like one: a hostile store may send anything."""
    response = getattr(error, "response", None)
    given = response.get("Error") if isinstance(response, dict) else None
    values = [given.get("Code") if isinstance(given, dict) else None]
    values += [getattr(error, name, None) for name in ("error_code", "code")]
    for value in values:
        text = getattr(value, "value", value)  # Azure's are an enumeration
        if isinstance(text, str) and _CODE.fullmatch(text):
            yield text


def _statuses(error: BaseException) -> Iterator[int]:
    """Yield HTTP statuses."""
    response = getattr(error, "response", None)
    given = response.get("ResponseMetadata") if isinstance(response, dict) else None
    values = [given.get("HTTPStatusCode") if isinstance(given, dict) else None]
    values += [getattr(error, name, None) for name in ("status_code", "status", "code")]
    for value in values:
        if isinstance(value, int) and 300 <= value <= 599:  # noqa: PLR2004 - what HTTP has
            yield value
