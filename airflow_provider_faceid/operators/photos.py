"""Photos by path: local files and object stores, through Airflow's ObjectStoragePath."""

from __future__ import annotations

from typing import Any

from airflow.sdk import ObjectStoragePath

from ..exceptions import InvalidInputError
from ..service.actions import MAX_PHOTO_BASE64
from ..service.photo import RULES, base64_length


def read_photo(path: Any) -> bytes:
    """
    Return the picture behind a path such as ``s3://conn@bucket/key`` or ``file:///photos/1.jpg``.

    :raises InvalidInputError: it cannot be read, or is so large that reading it is no use.
    """
    if not isinstance(path, str) or not path.strip():
        raise InvalidInputError("photo_missing", RULES["photo_missing"])
    try:
        file = ObjectStoragePath(path.strip())
        too_large = base64_length(file.stat().st_size) > MAX_PHOTO_BASE64
        picture: bytes = b"" if too_large else file.read_bytes()
    except Exception as error:  # noqa: BLE001 - every object store has its own tree of errors
        # The path may name a person, so neither it nor the error's text is passed on.
        reason = f"{RULES['photo_unreadable']} ({type(error).__name__})"
        raise InvalidInputError("photo_unreadable", reason) from None
    if too_large:
        raise InvalidInputError("photo_size", RULES["photo_size"])
    return picture
