"""Whose fault an error of a folder or object store is, as its library raises it."""

from __future__ import annotations

import enum
import errno
import os
import ssl

import pytest

from airflow_provider_faceid.warehouse.sql.errors import PhotoFault, fault_of, problem_of

NUMBER = "370102200305173681"


def s3(code: str, status: int, kind: type[Exception] = OSError) -> Exception:
    """Return what s3fs raises: Python's error, made of botocore's."""
    cause = type("ClientError", (Exception,), {})(f"photos/{NUMBER}.jpg")
    cause.response = {
        "Error": {"Code": code, "Key": f"photos/{NUMBER}.jpg"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    error = kind(f"photos/{NUMBER}.jpg")
    error.__cause__ = cause
    return error


class AzureCode(str, enum.Enum):  # noqa: UP042 - as Azure's library has it
    MISSING = "BlobNotFound"
    NO_CONTAINER = "ContainerNotFound"


def azure(code: AzureCode, status: int) -> Exception:
    cause = type("ResourceNotFoundError", (Exception,), {})(NUMBER)
    cause.error_code, cause.status_code = code, status
    error = FileNotFoundError(errno.ENOENT, "no such file", NUMBER)
    error.__cause__ = cause
    return error


def named(name: str, base: type[Exception] = Exception, **fields: object) -> Exception:
    error = type(name, (base,), {})(NUMBER)
    for field, value in fields.items():
        setattr(error, field, value)
    return error


def system(number: int) -> OSError:
    return OSError(number, os.strerror(number), f"/photos/{NUMBER}.jpg")


CASES = [
    (s3("NoSuchKey", 404, FileNotFoundError), PhotoFault.NO_PHOTO),
    (s3("NoSuchBucket", 404, FileNotFoundError), PhotoFault.REFUSED),
    (s3("404", 404, FileNotFoundError), PhotoFault.NOT_FOUND),
    (s3("InvalidRange", 416), PhotoFault.EMPTY),
    (s3("KeyTooLongError", 400), PhotoFault.NO_PHOTO),
    (s3("AccessDenied", 403, PermissionError), PhotoFault.REFUSED),
    (s3("ExpiredToken", 400, PermissionError), PhotoFault.REFUSED),
    (s3("InvalidObjectState", 403, PermissionError), PhotoFault.REFUSED),
    (s3("PermanentRedirect", 301), PhotoFault.REFUSED),
    (s3("RequestTimeout", 400, TimeoutError), PhotoFault.AWAY),
    (s3("SlowDown", 503), PhotoFault.AWAY),
    (s3("TooManyRequests", 429), PhotoFault.AWAY),
    (s3("InternalError", 500), PhotoFault.AWAY),
    (azure(AzureCode.MISSING, 404), PhotoFault.NO_PHOTO),
    (azure(AzureCode.NO_CONTAINER, 404), PhotoFault.REFUSED),
    (named("HttpError", code=503), PhotoFault.AWAY),
    (named("HttpError", code=401), PhotoFault.REFUSED),
    (named("HttpError", code=416), PhotoFault.EMPTY),
    (named("ClientResponseError", status=404), PhotoFault.NOT_FOUND),
    (named("EndpointConnectionError"), PhotoFault.AWAY),
    (named("NoCredentialsError"), PhotoFault.REFUSED),
    (named("FSTimeoutError", TimeoutError), PhotoFault.AWAY),
    (ssl.SSLCertVerificationError(1, "certificate verify failed"), PhotoFault.REFUSED),
    (ssl.SSLEOFError(8, "EOF in the handshake"), PhotoFault.AWAY),
    (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates"), PhotoFault.NO_PHOTO),
    (FileNotFoundError(NUMBER), PhotoFault.NOT_FOUND),
    (PermissionError(NUMBER), PhotoFault.REFUSED),
    (KeyError(NUMBER), PhotoFault.AWAY),
    (system(errno.ENOENT), PhotoFault.NOT_FOUND),
    (system(errno.ENOTDIR), PhotoFault.NOT_FOUND),
    *((system(n), PhotoFault.NO_PHOTO) for n in (errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG)),
    *((system(n), PhotoFault.REFUSED) for n in (errno.EACCES, errno.EPERM)),
    *((system(n), PhotoFault.AWAY) for n in (errno.EIO, errno.ESTALE, errno.EMFILE, errno.EBUSY)),
]


@pytest.mark.parametrize(
    ("error", "fault"), CASES, ids=lambda case: str(case)[:30].replace(NUMBER, "")
)
def test_whose_fault_it_is(error, fault):
    assert fault_of(error) is fault


@pytest.mark.parametrize(
    "error", [error for error, _ in CASES], ids=lambda error: type(error).__name__
)
def test_what_is_shown_names_nobody(error):
    assert NUMBER not in str(problem_of(error))
    assert str(problem_of(error)).startswith(type(error).__name__)


@pytest.mark.parametrize("code", [NUMBER, f"No{NUMBER}", "a b", "", None, 7, "x" * 100])
def test_a_code_that_is_none_is_not_shown(code):
    assert str(problem_of(s3(code, 503))) == "OSError, HTTP 503"


def test_a_problem_of_a_file_says_which():
    assert str(problem_of(system(errno.ESTALE))) == "OSError, ESTALE"
