"""Multi-pattern search for marked values in every encoding they could have been written in.

The first bytes of each needle are hashed; positions whose hash no needle has are ruled out at once.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote, quote_from_bytes, quote_plus

import numpy as np
import numpy.typing as npt

HEAD = 6
"""First bytes of a needle by which it is recognised; what is shorter could stand anywhere by chance."""
_BITS = 20
_MIX = 2_654_435_761
"""Odd, near 2**32 divided by the golden ratio: spreads what it is multiplied with."""

PIECE, MOST_PIECES = 24, 16
"""Bytes looked for in a row, and how many such pieces of one photo; what is cut off counts too."""
SKIPPED_SHARE = 4
"""Of a photo the first quarter is not looked for: the headers of all pictures are alike."""

_ID_NUMBER = re.compile(r"[0-9]{17}[0-9Xx]")
_PART = 12
_PART_STARTS = (0, 3, 6)
"""Whoever shows 14 characters in a row of an ID number shows one of these parts."""

Write = Callable[[str], Iterable[bytes]]


class Find(NamedTuple):
    """One place in some bytes where a marker stands."""

    start: int
    end: int
    marker: str
    form: str


class _Needle(NamedTuple):
    text: bytes
    marker: str
    form: str


class Matcher:
    """
    All forms of all markers.

    :param markers: values by label; finds name the label only.
    :raises ValueError: a value is so short that it would match by chance.
    """

    def __init__(self, markers: Mapping[str, str | bytes]) -> None:
        self._by_head: dict[bytes, list[_Needle]] = {}
        for marker, value in markers.items():
            needles = [
                _Needle(text, marker, form)
                for text, form in encodings_of(value).items()
                if len(text) >= HEAD
            ]
            if not any(needle.form == "clear" for needle in needles):
                raise ValueError(f"Marker '{marker}' is too short: it needs {HEAD} bytes")
            for needle in needles:
                self._by_head.setdefault(needle.text[:HEAD], []).append(needle)
        for heads in self._by_head.values():
            heads.sort(key=lambda needle: -len(needle.text))  # a whole number before its part
        every = [needle for needles in self._by_head.values() for needle in needles]
        self._longest = max((len(needle.text) for needle in every), default=0)
        self._likely = np.zeros(1 << _BITS, dtype=bool)
        self._likely[_hashes(b"".join(self._by_head))[::HEAD]] = True

    def find(self, data: bytes) -> Iterator[Find]:
        """Yield where markers stand, without those inside a longer find of the same marker."""
        if len(data) < HEAD:
            return
        ends: dict[str, int] = {}
        # Nearly all positions are ruled out here, a million in a few milliseconds.
        for start in np.flatnonzero(self._likely[_hashes(data)]).tolist():
            for needle in self._by_head.get(data[start : start + HEAD], ()):
                fresh = start >= ends.get(needle.marker, 0)
                if fresh and data.startswith(needle.text, start):
                    end = ends[needle.marker] = start + len(needle.text)
                    yield Find(start, end, needle.marker, needle.form)

    def find_in(self, chunks: Iterable[bytes]) -> Iterator[Find]:
        """Yield the finds of something that comes in pieces; positions are the piece's own."""
        before = b""
        for chunk in chunks:
            data = before + chunk
            # A find that ends in the overlap was yielded with the piece before.
            yield from (find for find in self.find(data) if find.end > len(before))
            before = data[max(0, len(data) - self._longest + 1) :] if self._longest > 1 else b""


def _hashes(data: bytes) -> npt.NDArray[np.uint32]:
    """Return a number for each position of some bytes, made of the next few of them."""
    values = np.frombuffer(data, dtype=np.uint8).astype(np.uint32)
    count = len(values) - HEAD + 1
    mixed = values[:count].copy()
    for step in range(1, HEAD):
        mixed *= np.uint32(_MIX)
        mixed += values[step : step + count]
    mixed *= np.uint32(_MIX)
    return mixed >> np.uint32(32 - _BITS)


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
"""Encoders of a text by the name of the form; a spelling that two forms share is the first's."""
