"""Photos by path: read below the roots of Airflow's configuration, wherever a table says they are.

Who fills the table chooses the paths, and need not be who may read the worker's files.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from airflow.sdk import ObjectStoragePath

from ..exceptions import ConfigurationError, InvalidInputError
from ..hooks.options import option
from ..service.actions import MAX_PHOTO_BASE64
from ..service.photo import RULES, path_of

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


def photo_reader() -> Callable[[Any], bytes]:
    """
    Return what reads the picture behind a path: ``/photos/1.jpg``, ``s3://conn@bucket/1.jpg``.

    It raises ``InvalidInputError`` if there is no path, it is not below a root, it cannot be read, or
    the file is so large that reading it is no use.

    :raises ConfigurationError: no roots are configured, or one of them is none.
    """
    roots = [root for part in option("photo_roots").split(",") if (root := part.strip())]
    if not roots:
        raise ConfigurationError(
            "Photos by path need [faceid] photo_roots in Airflow's configuration: the folders and "
            "URLs below which a table may name photos, such as /photos, s3://conn@bucket/photos"
        )
    urls = [f"{root.rstrip('/')}/" for root in roots if _is_url(root)]
    folders = [_folder(root) for root in roots if not _is_url(root)]
    return partial(_read, folders=folders, urls=urls)


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


def _read(path: Any, *, folders: Sequence[Path], urls: Sequence[str]) -> bytes:
    name = path_of(path)
    if _STEPS_ASIDE.search(name):
        raise _refusal("photo_path")
    local = name.removeprefix("file://")
    on_this_machine = local.startswith("/")
    if not on_this_machine and not name.startswith(tuple(urls)):
        raise _refusal("photo_path")
    try:
        read = _read_file(local, folders) if on_this_machine else _read_url(name)
    except InvalidInputError:
        raise
    except Exception as error:  # noqa: BLE001 - every object store has its own tree of errors
        # The path may name a person, so neither it nor the error's text is passed on.
        raise _refusal("photo_unreadable", type(error).__name__) from None
    if len(read) > LARGEST:
        raise _refusal("photo_size")
    return read


def _read_file(name: str, folders: Sequence[Path]) -> bytes:
    real = Path(os.path.realpath(name))
    if not any(real.is_relative_to(folder) for folder in folders):
        raise _refusal("photo_path")
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


def _read_url(url: str) -> bytes:
    path = ObjectStoragePath(url)
    # Not path.open(): that would report the path, which may name a person, as lineage.
    if path.fs.size(path.path) > LARGEST:
        raise _refusal("photo_size")
    with path.fs.open(path.path, "rb") as file:
        read: bytes = file.read(LARGEST + 1)
    return read


def _refusal(rule: str, detail: str = "") -> InvalidInputError:
    return InvalidInputError(rule, RULES[rule] + (f" ({detail})" if detail else ""))
