"""Photo rules: a JPEG or PNG, as Base64 text of at most 3 MB without a data-URI prefix.

Source: the ``ImageBase64`` field of ``ImageRecognitionV2``. A photo that breaks them would come
back as ``LifePhotoSizeError`` or ``InvalidParameterValue``, after megabytes of upload.
"""

from __future__ import annotations

import binascii

from ..exceptions import InvalidInputError
from .actions import MAX_PHOTO_BASE64
from .envelope import Pieces

PIECE = 3 * 2**18
"""
Bytes of a picture that are encoded at a time: whole groups of three, which become 1 MB of text.

A whole photo would need fresh memory from the system each time, which costs a quarter of the
encoding; pieces fit where those of the photo before were.
"""

JPEG_START, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
JPEG_SCAN = b"\xda"
PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"

RULES: dict[str, str] = {
    "photo_missing": "a photo is needed",
    "photo_path": "the photo's path must be below one of [faceid] photo_roots",
    "photo_unreadable": "the photo's path cannot be read",
    "photo_data_uri": "send the Base64 text alone, without 'data:image/...;base64,' before it",
    "photo_size": "the Base64 text of a photo may have 3 MB (about 2.2 MB of picture)",
    "photo_base64": "the photo is not valid Base64 text",
    "photo_format": "the photo must be a JPEG or PNG by its content, not only by its name",
    "photo_truncated": "the photo ends too early: its end mark is missing",
}
"""Rules in the order they are asked."""


def base64_length(size: int) -> int:
    """Return how long the Base64 text of so many bytes is."""
    return (size + 2) // 3 * 4


def is_picture(data: bytes) -> bool:
    """Say whether bytes start like a JPEG or PNG."""
    return data.startswith((JPEG_START, PNG_START))


def prepare(value: object, max_base64: int = MAX_PHOTO_BASE64) -> Pieces:
    """
    Return a photo as the Base64 text that is sent, in pieces.

    :param value: the picture itself as bytes, or its Base64 text as ``str`` or bytes.
    :param max_base64: longest text allowed, in characters.
    :raises InvalidInputError: it breaks a rule of :data:`RULES`.
    """
    if value is None or not isinstance(value, str | bytes | bytearray | memoryview) or not value:
        raise _broken("photo_missing")
    if isinstance(value, str):
        # Base64 is ASCII; anything else is found below as text that cannot be decoded.
        value = value.encode("ascii", errors="replace")
    data = value if isinstance(value, bytes) else bytes(value)
    if is_picture(data):
        _check_size(base64_length(len(data)), max_base64)
        _check_complete(data)
        view = memoryview(data)
        return Pieces(
            binascii.b2a_base64(view[at : at + PIECE], newline=False)
            for at in range(0, len(data), PIECE)
        )
    return Pieces([_prepare_text(data, max_base64)])


def picture(text: str, max_base64: int = MAX_PHOTO_BASE64) -> bytes:
    """
    Return the picture a Base64 text holds.

    :param text: what :func:`prepare` would take.
    :param max_base64: longest text allowed, in characters.
    :raises InvalidInputError: it breaks a rule of :data:`RULES`.
    """
    return _decode(_tidy(text.encode("ascii", errors="replace")), max_base64)


def _prepare_text(text: bytes, max_base64: int) -> bytes:
    tidy = _tidy(text)
    _decode(tidy, max_base64)
    return tidy


def _tidy(text: bytes) -> bytes:
    head = text[:64].lstrip()
    if head[:5].lower() == b"data:":
        raise _broken("photo_data_uri")
    if head != text[:64] or b"\n" in text or text[-1:].isspace():
        return b"".join(text.split())  # line breaks of MIME exports
    return text


def _decode(text: bytes, max_base64: int) -> bytes:
    if not text:
        raise _broken("photo_missing")
    _check_size(len(text), max_base64)
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        # Bytes beyond ASCII were never text: a picture of another kind.
        raise _broken("photo_base64" if text.isascii() else "photo_format") from None
    if not is_picture(data):
        raise _broken("photo_format")
    _check_complete(data)
    return data


def _check_size(length: int, max_base64: int) -> None:
    if length > max_base64:
        raise _broken("photo_size")


def _check_complete(picture: bytes) -> None:
    # The end mark may be followed by data of the camera's own, so it need not be the end.
    if picture.startswith(PNG_START):
        complete = picture.rfind(PNG_END) > 0
    else:
        complete = picture.rfind(JPEG_END) > _jpeg_scan(picture)
    if not complete:
        raise _broken("photo_truncated")


def _jpeg_scan(picture: bytes) -> int:
    """Return where the picture data starts, past the preview pictures of the header segments."""
    at = 2
    while picture[at : at + 1] == b"\xff":
        while picture[at + 1 : at + 2] == b"\xff":  # fill bytes, any number of them (T.81 B.1.1.2)
            at += 1
        if picture[at + 1 : at + 2] == JPEG_SCAN:
            break
        at += 2 + int.from_bytes(picture[at + 2 : at + 4], "big")
    return at


def _broken(rule: str) -> InvalidInputError:
    return InvalidInputError(rule, RULES[rule])
