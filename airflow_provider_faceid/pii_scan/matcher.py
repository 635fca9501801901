"""Multi-pattern search for marked values, in every encoding that logs, tables and files write them in.

The first bytes of each needle are hashed; positions whose hash no needle has are ruled out at once.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, quote_from_bytes, quote_plus

import numpy as np
import numpy.typing as npt

from . import numbers
from .numbers import Check

PIECE, MOST_PIECES = 24, 16
"""Bytes looked for in a row, and how many such pieces of one photo; what is cut off counts too."""
SKIPPED_SHARE = 4
"""Of a photo the first quarter is not looked for: the headers of all pictures are alike."""

HASHES = ("md5", "sha1", "sha256")
"""Hashes without a key: of a number they are as good as the number, which is found by trying all."""

_FORMS_OF_SPELLINGS = ("clear", "JSON", "percent", "Base64")
"""Forms of a number in groups and the like; a number as it is has all of them."""

Write = Callable[[str], Iterable[bytes]]


class Encoding(NamedTuple):
    """
    One way a value is written.

    :param text: the bytes.
    :param form: name of the form.
    :param check: judges a place where they stand by what is around it; None if they are proof enough.
    """

    text: bytes
    form: str
    check: Check | None = None


@lru_cache(maxsize=4096)
def encodings_of(value: str | bytes) -> tuple[Encoding, ...]:
    """
    Return the bytes to look for, each once; they are kept for the next scan for the same people.

    :param value: a name, number or date as text, or a photo as bytes.
    """
    found: dict[bytes, Encoding] = {}
    for encoding in _of_bytes(value) if isinstance(value, bytes) else _of_text(value):
        found.setdefault(encoding.text, encoding)  # in ASCII text many forms are the clear one
    return tuple(found.values())


def _of_text(value: str) -> Iterator[Encoding]:
    kind = numbers.kind_of(value)
    check = numbers.check_of(kind)
    for form, write in TEXT_FORMS.items():
        for spelling in dict.fromkeys((value, value.upper(), value.lower())):
            judge = check if form == "clear" else None
            yield from (Encoding(text, form, judge) for text in write(spelling))
    yield from (Encoding(text, "hash") for text in _hashes(value))
    if kind is None:
        return
    for number in numbers.spellings(kind, value):
        for form in _FORMS_OF_SPELLINGS:
            shown, judge = (number.form, check) if form == "clear" else (form, None)
            yield from (Encoding(text, shown, judge) for text in TEXT_FORMS[form](number.text))
        yield from (Encoding(*part) for part in numbers.parts(kind, number.text))
    yield from (Encoding(*part) for part in numbers.parts(kind, value))
    yield from (Encoding(*found) for found in numbers.as_numbers(value))


def _of_bytes(value: bytes) -> Iterator[Encoding]:
    for piece in _pieces(value):
        yield Encoding(piece, "clear")
        yield from (Encoding(text, "Base64") for text in _base64(piece))
        yield from (Encoding(text, "hex") for text in _hex(piece))
        yield Encoding(quote_from_bytes(piece, safe="").encode(), "percent")
        yield Encoding(repr(piece)[2:-1].encode(), "Python bytes")


def _pieces(value: bytes) -> Iterator[bytes]:
    if len(value) <= 2 * PIECE:
        yield value
        return
    begin = len(value) // SKIPPED_SHARE
    step = max(PIECE, (len(value) - begin) // MOST_PIECES)
    yield from (value[at : at + PIECE] for at in range(begin, len(value) - PIECE + 1, step))


def _hashes(text: str) -> Iterator[bytes]:
    for name in HASHES:
        digest = hashlib.new(name, text.encode(), usedforsecurity=False).digest()
        yield from _hex(digest)
        yield from (encode(digest).rstrip(b"=")[:-1] for encode in (b64encode, urlsafe_b64encode))


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
    "HTML": lambda text: [re.sub(r"(?<=[._:/-])(?=.)", "<wbr>", text).encode()],
    "GB 18030": lambda text: [text.encode("gb18030")],
    "UTF-16": lambda text: [text.encode("utf-16-le"), text.encode("utf-16-be")],
}
"""Encoders of a text by the name of the form; a spelling that two forms share is the first's."""


HEAD = 6
"""First bytes of a needle by which it is recognised; what is shorter could stand anywhere by chance."""
_BITS = 22
_MIX = 2_654_435_761
"""Odd, near 2**32 divided by the golden ratio: spreads what it is multiplied with."""


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
    check: Check | None


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
                _Needle(encoding.text, marker, encoding.form, encoding.check)
                for encoding in encodings_of(value)
                if len(encoding.text) >= HEAD
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
        self._likely[_hash_each(b"".join(self._by_head))[::HEAD]] = True

    def find(self, data: bytes) -> Iterator[Find]:
        """Yield where markers stand, without those inside a longer find of the same marker."""
        if len(data) < HEAD:
            return
        ends: dict[str, int] = {}
        # Nearly all positions are ruled out here, a million in a few milliseconds.
        for start in np.flatnonzero(self._likely[_hash_each(data)]).tolist():
            for needle in self._by_head.get(data[start : start + HEAD], ()):
                fresh = start >= ends.get(needle.marker, 0)
                if not fresh or not data.startswith(needle.text, start):
                    continue
                place: tuple[int, int] | None = (start, start + len(needle.text))
                if needle.check is not None:
                    place = needle.check(data, start, start + len(needle.text))
                if place is not None:
                    ends[needle.marker] = place[1]
                    yield Find(*place, needle.marker, needle.form)

    def find_in(self, chunks: Iterable[bytes]) -> Iterator[Find]:
        """Yield the finds of something that comes in pieces; positions are the piece's own."""
        before = b""
        for chunk in chunks:
            data = before + chunk
            # A find that ends in the overlap was yielded with the piece before.
            yield from (find for find in self.find(data) if find.end > len(before))
            before = data[max(0, len(data) - self._longest + 1) :] if self._longest > 1 else b""


def _hash_each(data: bytes) -> npt.NDArray[np.uint32]:
    """Return a number for each position of some bytes, made of the next few of them."""
    values = np.frombuffer(data, dtype=np.uint8).astype(np.uint32)
    count = len(values) - HEAD + 1
    mixed = values[:count].copy()
    for step in range(1, HEAD):
        mixed *= np.uint32(_MIX)
        mixed += values[step : step + count]
    mixed *= np.uint32(_MIX)
    return mixed >> np.uint32(32 - _BITS)
