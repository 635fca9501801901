"""Many byte strings, looked for at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .encodings import encodings_of

HEAD = 6
"""First bytes of a needle by which it is recognised; what is shorter could stand anywhere by chance."""
_BITS = 20
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


class Matcher:
    """
    All forms of all markers.

    :param markers: values by label; finds name the label only.
    :raises ValueError: a value is too short to be told from chance.
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
        for head in self._by_head:
            self._likely[_hashes(head)] = True

    def find(self, data: bytes) -> Iterator[Find]:
        """Yield where markers stand; what stands inside a longer find of a marker is not told."""
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
            # What ends in the part both pieces share was told with the piece before.
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
