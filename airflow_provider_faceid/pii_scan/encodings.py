"""Every way a value could have been written down."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import quote, quote_from_bytes, quote_plus

PIECE, MOST_PIECES = 24, 16
"""Bytes looked for in a row, and how many such pieces of one photo; what is cut off counts too."""
SKIPPED_SHARE = 4
"""Of a photo the first quarter is not looked for: the headers of all pictures are alike."""

_ID_NUMBER = re.compile(r"[0-9]{17}[0-9Xx]")
_PART = 12
_PART_STARTS = (0, 3, 6)
"""Whoever shows 14 characters in a row of an ID number shows one of these parts."""

Write = Callable[[str], Iterable[bytes]]


def encodings_of(value: str | bytes) -> dict[bytes, str]:
    """
    Return the bytes to look for, each with the name of the form it is written in.

    :param value: a name or number as text, or a photo as bytes.
    """
    found: dict[bytes, str] = {}
    for form, needle in _of_bytes(value) if isinstance(value, bytes) else _of_text(value):
        found.setdefault(needle, form)  # in ASCII text many forms are the clear one
    return found


def _of_text(value: str) -> Iterator[tuple[str, bytes]]:
    for form, write in TEXT_FORMS.items():
        for spelling in dict.fromkeys((value, value.upper(), value.lower())):
            yield from ((form, needle) for needle in write(spelling))
    if _ID_NUMBER.fullmatch(value):
        yield from (("part", value[at : at + _PART].encode()) for at in _PART_STARTS)


def _of_bytes(value: bytes) -> Iterator[tuple[str, bytes]]:
    for piece in _pieces(value):
        yield "clear", piece
        yield from (("Base64", needle) for needle in _base64(piece))
        yield from (("hex", needle) for needle in _hex(piece))
        yield "percent", quote_from_bytes(piece, safe="").encode()
        yield "Python bytes", repr(piece)[2:-1].encode()


def _pieces(value: bytes) -> Iterator[bytes]:
    if len(value) <= 2 * PIECE:
        yield value
        return
    begin = len(value) // SKIPPED_SHARE
    step = max(PIECE, (len(value) - begin) // MOST_PIECES)
    yield from (value[at : at + PIECE] for at in range(begin, len(value) - PIECE + 1, step))


def _base64(data: bytes) -> Iterator[bytes]:
    """Yield what stays the same of a value in Base64, wherever it begins in the whole."""
    for before in range(3):
        first = (8 * before + 5) // 6
        last = 8 * (before + len(data)) // 6
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(bytes(before) + data)[first:last]


def _hex(data: bytes) -> Iterator[bytes]:
    yield data.hex().encode()
    yield data.hex().upper().encode()


def _json(text: str) -> Iterator[bytes]:
    escaped = json.dumps(text)[1:-1]
    yield escaped.encode()
    yield re.sub(r"(?<=\\u)[0-9a-f]{4}", lambda digits: digits[0].upper(), escaped).encode()


def _percent(text: str) -> Iterator[bytes]:
    for escaped in (quote(text, safe=""), quote_plus(text)):
        yield escaped.encode()
        yield re.sub(r"%..", lambda digits: digits[0].lower(), escaped).encode()


TEXT_FORMS: Mapping[str, Write] = {
    "clear": lambda text: [text.encode()],
    "JSON": _json,
    "JSON in JSON": lambda text: [e.replace(b"\\", b"\\\\") for e in _json(text)],
    "percent": _percent,
    "Base64": lambda text: [n for e in (text.encode(), *_json(text)) for n in _base64(e)],
    "hex": lambda text: _hex(text.encode()),
    "Python bytes": lambda text: [repr(text.encode())[2:-1].encode()],
    "Python ascii": lambda text: [ascii(text)[1:-1].encode()],
    "XML": lambda text: [text.encode("ascii", "xmlcharrefreplace")],
    "GB 18030": lambda text: [text.encode("gb18030")],
    "UTF-16": lambda text: [text.encode("utf-16-le"), text.encode("utf-16-be")],
}
"""What writes a text, by the name of the form; a spelling that two forms share is the first's."""
