"""Photos by path: read below the roots of Airflow's configuration, wherever a table says they are.

Who fills the table chooses the paths, and need not be who may read the worker's files.
"""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach

from ..api.photo import MAX_PHOTO_BASE64, RULES, path_of
from ..batch.photos import THREADS
from ..exceptions import ConfigurationError, InvalidInputError, PhotoStoreError
from ..hooks.state_store import option
from ..warehouse.sql.errors import PhotoFault, Problem, fault_of, problem_of

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

LARGEST = MAX_PHOTO_BASE64 // 76 * 78 + 1000
"""
Bytes of the largest file that may hold a photo the service takes: its Base64 text, with a line end
after every 76 characters. No more are read of any file; how large the photo is, its rules find out.
"""

_STEPS_ASIDE = re.compile(
    r"[\x00-\x1f\x7f\\]|(?:^|/)\.\.?(?:/|$)|::|%(?:00|2[5ef]|5c)", re.IGNORECASE
)
"""
What is in no path: control characters, backslashes, ``.`` and ``..``, a second file system, and all
of this percent-encoded.
"""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | getattr(os, "O_PATH", 0)
"""How a folder on the way is opened: with O_PATH (Linux), it need be searchable only."""
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
"""How the file itself is opened: a pipe is not waited for."""
_URL = re.compile(r"(?!file:|local:)[a-z][a-z0-9+.-]*://[^/].*", re.IGNORECASE)


READ_SECONDS = 300.0
"""
How long one photo may take to come from an object store, its client's own retries included.

Clients give up sooner where nothing comes; over a slow line, many share it.
"""


def photo_reader() -> Callable[[Any], bytes]:
    """
    Return what reads the picture behind a path: ``/photos/1.jpg``, ``s3://conn@bucket/1.jpg``.

    It raises ``InvalidInputError`` if there is no path, it is not below a root, there is no such
    photo, or the file is so large that reading it is no use; ``PhotoStoreError`` if the folder or
    object store is at fault; ``ConfigurationError`` if nothing here reads such an object store.

    :raises ConfigurationError: no roots are configured, or one of them is none.
    """
    roots = [root for part in option("photo_roots").split(",") if (root := part.strip())]
    if not roots:
        raise ConfigurationError(
            "Photos by path need [faceid] photo_roots in Airflow's configuration: the folders and "
            "URLs below which a table may name photos, such as /photos, s3://conn@bucket/photos"
        )
    stores = [ObjectStore(f"{root.rstrip('/')}/") for root in roots if _is_url(root)]
    folders = [_folder(root) for root in roots if not _is_url(root)]
    full = [folder for folder in folders if not _is_empty(folder)]
    return partial(_read, folders=folders, full=full, stores=stores)


def _is_url(root: str) -> bool:
    return _URL.fullmatch(root) is not None and not _STEPS_ASIDE.search(root)


def _folder(root: str) -> Path:
    """
    Return a root on this machine, as what its links lead to.

    :raises ConfigurationError: it is no folder; every row would be found at fault.
    """
    path = Path(root.removeprefix("file://"))
    if not (path.is_absolute() and path.is_dir()):
        raise ConfigurationError(
            f"[faceid] photo_roots: '{root}' is neither the absolute path of a folder on this "
            "worker nor a URL with a host or bucket"
        )
    return path.resolve()


def _read(
    path: Any,
    *,
    folders: Sequence[Path],
    full: Sequence[Path],
    stores: Sequence[ObjectStore],
) -> bytes:
    name = path_of(path)
    if _STEPS_ASIDE.search(name):
        raise _refusal("photo_path")
    local = name.removeprefix("file://")
    if local.startswith("/"):
        read = _read_local(local, folders, full)
    else:
        store = next((store for store in stores if name.startswith(store.root)), None)
        if store is None:
            raise _refusal("photo_path")
        read = store.read(name)
    if len(read) > LARGEST:
        raise _refusal("photo_size")
    return read


def _read_local(name: str, folders: Sequence[Path], full: Sequence[Path]) -> bytes:
    """
    Read a file.

    :param folders: the roots.
    :param full: those in which something was.
    """
    real = Path(os.path.realpath(name))
    folder = next((folder for folder in folders if real.is_relative_to(folder)), None)
    if folder is None:
        raise _refusal("photo_path")
    try:
        return _read_file(real)
    except OSError as error:
        problem, fault = problem_of(error), fault_of(error)
    # A share that is not mounted is not there, or an empty folder.
    if fault is PhotoFault.NOT_FOUND and (
        not folder.is_dir() or (folder in full and _is_empty(folder))
    ):
        raise _store_error(str(folder), Problem("the folder is not there or empty"), fault)
    raise _error(str(folder), problem, fault)


def _is_empty(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except OSError:  # it may be searched but not listed
        return False


def _read_file(real: Path) -> bytes:
    opened = _open(real)
    try:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            raise _refusal("photo_unreadable", "no regular file")
        if found.st_size > LARGEST:
            raise _refusal("photo_size")
        with os.fdopen(opened, "rb", closefd=False) as file:
            return file.read(LARGEST + 1)
    finally:
        os.close(opened)


def _open(real: Path) -> int:
    """
    Open a path without links, from the top on and one folder at a time.

    Any of its parts may have been swapped for a link since they were looked at. Opening them by the
    path would follow that link out of the roots; opened below the one before, each part is what was
    checked, or an error.
    """
    here = os.open("/", _FOLDER)
    try:
        for part in real.parts[1:-1]:
            above, here = here, os.open(part, _FOLDER, dir_fd=here)
            os.close(above)
        return os.open(real.name or "/", _FILE, dir_fd=here)
    finally:
        os.close(here)


class ObjectStore:
    """
    The part of an object store below a root.

    :param root: URL with a slash at its end; a connection may stand before its host or bucket.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        url = urlsplit(root)
        conn_id, _, host = url.netloc.rpartition("@")
        self._scheme, self._conn_id = url.scheme, conn_id or None
        self._label = f"{url.scheme}://{host}{url.path}".rstrip("/")
        self._files: AbstractFileSystem | None = None
        self._opening = threading.Lock()

    def read(self, url: str) -> bytes:
        """
        Read an object, in one request where the store can.

        :raises InvalidInputError: there is no such object.
        :raises PhotoStoreError: the store is at fault.
        :raises ConfigurationError: the connection does not exist, or nothing reads such a store.
        """
        if url.rstrip("/") == self.root.rstrip("/"):
            raise _refusal("photo_unreadable", "no object")
        try:
            files = self._open()
            # Not path.open(): that would report the path, which may name a person, as lineage; and
            # not files.open(), which asks for the size first.
            limit = {"timeout": READ_SECONDS} if files.async_impl else {}
            read: bytes = files.cat_file(
                ObjectStoragePath(url).path, start=0, end=LARGEST + 1, **limit
            )
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - every object store has its own tree of errors
            problem, fault = problem_of(error), fault_of(error)
        else:
            return read
        if fault is PhotoFault.EMPTY:
            return b""
        if fault is PhotoFault.NOT_FOUND and not self._is_there(files):
            raise _store_error(self._label, Problem("the bucket or folder is not there"), fault)
        raise _error(self._label, problem, fault)

    def _open(self) -> AbstractFileSystem:
        """Return the file system, made once, whatever thread comes first."""
        with self._opening:
            if self._files is None:
                self._files = self._made()
            return self._files

    def _made(self) -> AbstractFileSystem:
        store = attach(self._scheme, self._conn_id)
        is_attached = "fs" in vars(store)  # by a plugin or DAG; it need not have a connection
        if self._conn_id is not None and not is_attached:
            # S3's would go on without one, and ask another store.
            try:
                BaseHook.get_connection(self._conn_id)
            except AirflowNotFoundException:
                raise ConfigurationError(
                    f"[faceid] photo_roots: there is no connection '{self._conn_id}', by which "
                    f"{self._label} is read"
                ) from None
        try:
            files = store.fs
        except (ImportError, ValueError):
            raise ConfigurationError(
                f"[faceid] photo_roots: nothing here reads {self._scheme}:// URLs. Install the "
                "provider that does, for S3 apache-airflow-providers-amazon[s3fs]"
            ) from None
        # S3's client keeps ten connections unless told otherwise, and only before the first request.
        if isinstance(options := getattr(files, "config_kwargs", None), dict):
            options.setdefault("max_pool_connections", THREADS)
        return files

    def _is_there(self, files: AbstractFileSystem) -> bool:
        """Say whether there is a bucket, or a folder, to look for objects in."""
        path = ObjectStoragePath(self.root).path
        try:
            if files.root_marker != "/":
                path = path.split("/")[0]  # below a bucket, folders need not exist
            return bool(files.exists(path))
        except Exception:  # noqa: BLE001 - as above; the object is not there, which is known
            return True


def _error(store: str, problem: Problem, fault: PhotoFault) -> InvalidInputError | PhotoStoreError:
    """Return what to raise. Paths and texts of errors may name a person: neither is passed on."""
    if fault in {PhotoFault.NO_PHOTO, PhotoFault.NOT_FOUND, PhotoFault.EMPTY}:
        return _refusal("photo_unreadable", problem.name)
    return _store_error(store, problem, fault)


def _store_error(store: str, problem: Problem, fault: PhotoFault) -> PhotoStoreError:
    hints = {
        PhotoFault.AWAY: "Run it again when it can be reached",
        PhotoFault.REFUSED: "Check connection, permissions and [faceid] photo_roots; an object "
        "store that may not be listed refuses what does not exist, too",
        PhotoFault.NOT_FOUND: "Check [faceid] photo_roots, and whether it is mounted",
    }
    error = PhotoStoreError(f"Photos cannot be read from {store}: {problem}. {hints[fault]}")
    error.is_refusal = fault is not PhotoFault.AWAY
    return error


def _refusal(rule: str, detail: str = "") -> InvalidInputError:
    return InvalidInputError(rule, RULES[rule] + (f" ({detail})" if detail else ""))
