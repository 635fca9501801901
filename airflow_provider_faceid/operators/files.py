"""Files that operators name by path or URL: suites that are read, results and Data Docs that are written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, mkstemp
from typing import TYPE_CHECKING, Any, Protocol

from airflow.providers.common.compat.sdk import AirflowException

from ..exceptions import ConfigurationError, ExportError

if TYPE_CHECKING:
    from ..quality.validator import Validator
    from ..warehouse.records import RunContext


PAGE, NUMBERS = ".html", ".json"
"""Endings of a report's two files."""

OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "adl", "az", "oss"})
"""Protocols of stores without folders: to make one there would make a bucket, such as a misspelt one."""

_REFUSALS = (
    FileNotFoundError,
    PermissionError,
    FileExistsError,
    NotADirectoryError,
    IsADirectoryError,
)
"""Errors that a retry meets again."""

NAME_LENGTH = 40
"""Characters of a file's name in that of its temporary one."""


class WritesValidation(Protocol):
    """The parameters that say where a validation's result goes, after they were read."""

    result_path: str | None
    data_docs_path: str | None


def read_file(path: str, parameter: str) -> bytes:
    """
    Return the content of a file, local or in object storage.

    :param path: path or URL.
    :param parameter: of the operator that named it, for the message.
    :raises ConfigurationError: it cannot be read.
    """
    from airflow.sdk import ObjectStoragePath  # noqa: PLC0415 - keeps reading a DAG file cheap

    try:
        content: bytes = ObjectStoragePath(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{parameter} cannot be read: {type(error).__name__} ({error.strerror or 'no reason given'})"
        ) from None
    return content


def write_file(path: str, parameter: str, content: str) -> None:
    """
    Write a file, local or in object storage; its folder is made if it is not there, a bucket is not.

    A local file is replaced in one step: a reader sees what was there before or the whole new file, also
    if this process is killed. An object store does the same with an object.

    :param path: path or URL.
    :param parameter: of the operator that named it, for the message.
    :raises ConfigurationError: it cannot be written there.
    :raises ExportError: the disk is full, or the store is away.
    """
    with _said_of(parameter):
        _write(path, content.encode())


@contextmanager
def _said_of(parameter: str) -> Iterator[None]:
    """Say which parameter named what cannot be written, and whether the next try may write it."""
    try:
        yield
    except _REFUSALS as error:
        raise ConfigurationError(_cannot(parameter, error)) from None
    except AirflowException:  # no such connection
        raise
    except Exception as error:  # noqa: BLE001 - a store's library raises what it likes
        raise ExportError(_cannot(parameter, error)) from None


def _cannot(parameter: str, error: Exception) -> str:
    """Word an error, whose own message may be anything."""
    reason = getattr(error, "strerror", None) or "no reason given"
    return f"{parameter} cannot be written: {type(error).__name__} ({reason})"


def _write(path: str, content: bytes) -> None:
    """Write a file, local or in object storage."""
    from airflow.sdk import ObjectStoragePath  # noqa: PLC0415 - keeps reading a DAG file cheap

    file = ObjectStoragePath(path)
    if file.protocol in {"", "file", "local"}:
        local = Path(file.path)
        local.parent.mkdir(parents=True, exist_ok=True)
        _replace(local, content)
        return
    if file.protocol not in OBJECT_STORES:
        # As text: a path that is made from another one warns on Airflow 3.1.
        ObjectStoragePath(path.rpartition("/")[0]).mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _replace(file: Path, content: bytes) -> None:
    """Replace a local file by a temporary one beside it."""
    handle, name = mkstemp(prefix=f".{file.name[:NAME_LENGTH]}-", dir=file.parent)
    beside = Path(name)
    try:
        with open(handle, "wb") as temporary:  # noqa: PTH123 - a descriptor
            temporary.write(content)
        beside.chmod(0o666 & ~_umask())
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _umask() -> int:
    """Return the mask of new files, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def suite_of(given: str | Callable[[], Any]) -> list[dict[str, Any]]:
    """
    Return the expectations of a suite.

    :param given: path or URL of its file, or the function that makes it.
    :raises ConfigurationError: it cannot be read, or is none.
    """
    from ..quality.suites import call_suite, read_suite  # noqa: PLC0415 - keeps reading a DAG file cheap

    if callable(given):
        return call_suite(given, getattr(given, "__name__", "suite"))
    return read_suite(read_file(given, "suite"), given)


def write_folder(path: str, parameter: str, folder: Path) -> None:
    """
    Copy the files of a local folder to another place, local or in object storage.

    :param path: path or URL of the place; files that are there stay, unless one has the same name.
    :param parameter: of the operator that named it, for the message.
    :param folder: whose files are copied, those of folders in it too.
    :raises ConfigurationError: they cannot be written there.
    :raises ExportError: the disk is full, or the store is away.
    """
    with _said_of(parameter):
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            _write(f"{path.rstrip('/')}/{file.relative_to(folder).as_posix()}", file.read_bytes())


def write_validation(
    operator: WritesValidation, validators: Sequence[Validator], context: RunContext, moment: float
) -> None:
    """
    Write the result of a validation where its operator says: as JSON, as Data Docs, or not at all.

    :param validators: whose counts are the result.
    :param context: the run.
    :param moment: when the validation ended, in Unix seconds.
    :raises ConfigurationError: it cannot be written there.
    """
    from ..quality.validation_result import (  # noqa: PLC0415 - keeps reading a DAG file cheap
        build_data_docs,
        result_document,
        result_json,
    )

    if operator.result_path:
        document = result_document(validators, context.action, moment)
        write_file(operator.result_path, "result_path", result_json(document))
    if operator.data_docs_path:
        with TemporaryDirectory(prefix="faceid-data-docs-") as folder:
            build_data_docs(Path(folder), validators, context.action, context.run_id, moment)
            write_folder(operator.data_docs_path, "data_docs_path", Path(folder))
