"""Multi-pattern search for marked values in every encoding they could have been written in.

The first bytes of each needle are hashed; positions whose hash no needle has are ruled out at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .encodings import encodings_of
from .numbers import Check

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
