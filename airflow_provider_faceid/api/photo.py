"""Photo rules: a JPEG or PNG, as Base64 text of at most 3 MB without a data-URI prefix.

Source: the ``ImageBase64`` field of ``ImageRecognitionV2``. A photo that breaks them would come
back as ``LifePhotoSizeError`` or ``InvalidParameterValue``, after megabytes of upload.
"""

from __future__ import annotations

import binascii
from codecs import BOM_UTF8
from datetime import date
from functools import cached_property

from .messages import Pieces
from .rules import LONGEST_MISSING, InputField, Rule, is_missing, texts_of, without_invisible

MAX_PHOTO_BASE64 = 3 * 1024 * 1024
"""Longest Base64 text of a photo. The page says "3M"; the larger reading refuses no valid photo."""

PIECE = 3 * 2**18
"""
Bytes of a picture that are encoded at a time: whole groups of three, which become 1 MB of text.

A whole photo would need fresh memory from the system each time, which costs a quarter of the
encoding; pieces fit where those of the photo before were.
"""

HEAD_BYTES = 9
"""Bytes of a picture that tell its format, of which 12 characters of Base64 are made."""

JPEG_START, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
JPEG_SCAN = b"\xda"
PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


def base64_length(size: int) -> int:
    """Return how long the Base64 text of so many bytes is."""
    return (size + 2) // 3 * 4


def is_picture(data: bytes) -> bool:
    """Say whether bytes start like a JPEG or PNG."""
    return data.startswith((JPEG_START, PNG_START))


class Given:
    """
    A photo as it was given, of which the rules are asked. Printing it shows nothing.

    :ivar picture: the picture's bytes, if it was given as such.
    :ivar text: its Base64 text in one line, if it was given as that.
    """

    def __init__(self, value: object, max_base64: int = MAX_PHOTO_BASE64) -> None:
        self.picture, self.text, self._most = b"", b"", max_base64
        if isinstance(value, str):
            self.text = tidied(value)
        elif isinstance(value, bytes | bytearray | memoryview):
            data = value if isinstance(value, bytes) else bytes(value)
            if is_picture(data):
                self.picture = data
            else:
                self.text = tidied(data)

    @property
    def length(self) -> int:
        """Return the length of the Base64 text that would be sent."""
        return base64_length(len(self.picture)) if self.picture else len(self.text)

    @property
    def head(self) -> str:
        """Return the first characters of that text, which tell the format."""
        if self.picture:
            return binascii.b2a_base64(self.picture[:HEAD_BYTES], newline=False).decode()
        return self.text[: base64_length(HEAD_BYTES)].decode("ascii", errors="replace")

    @property
    def is_too_long(self) -> bool:
        """Say whether the text is longer than the service takes."""
        return self.length > self._most

    @cached_property
    def decoded(self) -> bytes | None:
        """Return the picture, None if the text is no Base64."""
        if self.picture:
            return self.picture
        try:
            return binascii.a2b_base64(self.text, strict_mode=True)
        except binascii.Error:
            return None

    def pieces(self) -> Pieces:
        """Return the Base64 text, for a photo that breaks no rule."""
        if not self.picture:
            return Pieces([self.text])
        view = memoryview(self.picture)
        return Pieces(
            binascii.b2a_base64(view[at : at + PIECE], newline=False)
            for at in range(0, len(view), PIECE)
        )


def tidied(value: str | bytes) -> bytes:
    """
    Return a Base64 text in one line: without the line ends of MIME exports, and what shows nothing.

    A blank within a line stays, and breaks a rule: it may have been a plus sign.
    """
    if isinstance(value, str):
        # Base64 is ASCII; anything else is found by the rules as text that cannot be decoded.
        text = (value if value.isascii() else without_invisible(value)).encode("ascii", "replace")
    else:
        text = value.removeprefix(BOM_UTF8)
    text = text.strip()
    if b"\n" in text or b"\r" in text:
        return b"".join(map(bytes.strip, text.splitlines()))
    return text


def _is_missing(given: Given, _: date) -> bool:
    text = given.text
    return not given.length or (
        len(text) <= LONGEST_MISSING and is_missing(text.decode("ascii", "replace"))
    )


def _is_no_base64(given: Given, _: date) -> bool:
    # Bytes beyond ASCII were never text: a picture of another kind.
    return given.decoded is None and given.text.isascii()


ON_READING = ("photo_path", "photo_unreadable")
"""Rules of photos behind paths, which are asked by what reads them."""

FIELD = InputField(
    rules=(
        Rule("photo_missing", "a photo is needed", _is_missing),
        Rule(
            "photo_path",
            "the photo's path must be below one of [faceid] photo_roots",
            lambda *_: False,
        ),
        Rule("photo_unreadable", "the photo's path cannot be read", lambda *_: False),
        Rule(
            "photo_data_uri",
            "send the Base64 text alone, without 'data:image/...;base64,' before it",
            lambda given, _: given.text[:5].lower() == b"data:",
        ),
        Rule(
            "photo_size",
            "the Base64 text of a photo may have 3 MB (about 2.2 MB of picture)",
            lambda given, _: given.is_too_long,
        ),
        Rule("photo_base64", "the photo is not valid Base64 text", _is_no_base64),
        Rule(
            "photo_format",
            "the photo must be a JPEG or PNG by its content, not only by its name",
            lambda given, _: given.decoded is None or not is_picture(given.decoded),
        ),
        Rule(
            "photo_truncated",
            "the photo ends too early: its end mark is missing",
            lambda given, _: not _is_complete(given.decoded),
        ),
    ),
    read=Given,
)
RULES = texts_of(FIELD.rules)
"""What each rule asks for, in the order they are asked."""


def prepare(value: object, max_base64: int = MAX_PHOTO_BASE64) -> Pieces:
    """
    Return a photo as the Base64 text that is sent, in pieces.

    :param value: the picture itself as bytes, or its Base64 text as ``str`` or bytes.
    :param max_base64: longest text allowed, in characters.
    :raises InvalidInputError: it breaks a rule of :data:`RULES`.
    """
    return _checked(Given(value, max_base64)).pieces()


def picture(text: str, max_base64: int = MAX_PHOTO_BASE64) -> bytes:
    """
    Return the picture a Base64 text holds.

    :param text: what :func:`prepare` would take.
    :param max_base64: longest text allowed, in characters.
    :raises InvalidInputError: it breaks a rule of :data:`RULES`.
    """
    return _checked(Given(text, max_base64)).decoded or b""


def path_of(value: object) -> str:
    """
    Return the path of a photo as it is meant.

    :raises InvalidInputError: there is none.
    """
    path = without_invisible(value) if isinstance(value, str) else ""
    if not path or is_missing(path):
        raise MISSING.error()
    return path


MISSING = FIELD.rules[0]


def _checked(given: Given) -> Given:
    broken = FIELD.first_broken_of(given, date.min)
    if broken is not None:
        raise broken.error()
    return given


def _is_complete(picture: bytes) -> bool:
    # The end mark may be followed by data of the camera's own, so it need not be the end.
    if picture.startswith(PNG_START):
        return picture.rfind(PNG_END) > 0
    return picture.rfind(JPEG_END) > _jpeg_scan(picture)


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
