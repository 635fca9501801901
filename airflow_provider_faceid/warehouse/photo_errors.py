"""Whose fault an unreadable photo is: its row's, or that of the folder or object store it is in.

Only "there is no such photo" belongs to a row. Whatever else goes wrong would meet the next row,
too. Object stores have their own trees of errors, which are read here without importing them: the
error code of S3, Azure and those that speak like them, the HTTP status, the class, the errno.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple


class PhotoFault(StrEnum):
    """What is wrong."""

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


CODES: dict[str, PhotoFault] = {
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

STATUSES: dict[int, PhotoFault] = {
    404: PhotoFault.NOT_FOUND,
    408: PhotoFault.AWAY,
    416: PhotoFault.EMPTY,
    425: PhotoFault.AWAY,
    429: PhotoFault.AWAY,
}
"""HTTP statuses; others below 500 are a refusal, from 500 on the store is away."""

CLASSES: dict[str, PhotoFault] = {
    "UnicodeEncodeError": PhotoFault.NO_PHOTO,  # no name of any object
    "NoCredentialsError": PhotoFault.REFUSED,
    "PartialCredentialsError": PhotoFault.REFUSED,
    "ParamValidationError": PhotoFault.REFUSED,  # the bucket's name; the key's has been checked
    "SSLCertVerificationError": PhotoFault.REFUSED,
    "ClientConnectorCertificateError": PhotoFault.REFUSED,
}
"""Classes of errors that have neither code nor status."""

ERRNOS: dict[int, PhotoFault] = {
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

BUILT_IN: dict[type[Exception], PhotoFault] = {
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
    if problem.code in CODES:
        return CODES[problem.code]
    if problem.status in STATUSES:
        return STATUSES[problem.status]
    if problem.status:
        return PhotoFault.AWAY if problem.status >= _SERVER_ERROR else PhotoFault.REFUSED
    names = [kind.__name__ for kind in type(error).__mro__]
    if by_class := [CLASSES[name] for name in names if name in CLASSES]:
        return by_class[0]
    if isinstance(error, OSError) and error.errno is not None:
        return ERRNOS.get(error.errno, PhotoFault.AWAY)
    by_type = (fault for kind, fault in BUILT_IN.items() if isinstance(error, kind))
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
