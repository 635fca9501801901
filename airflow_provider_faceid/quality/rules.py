"""ID number rules over whole columns with numpy: the rules of ``service.id_card``, vectorised."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from ..service import id_card, name

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WEIGHTS = np.array(id_card.WEIGHTS, dtype=np.int32)
_CHECK = np.array([ord(character) for character in id_card.CHECK_CHARACTERS], dtype=np.uint32)
_ZERO = ord("0")

_NO_TEXT = 0
"""Stands for bytes, which Great Expectations cannot read as text; what it is breaks the same rule."""


def check_digit_fits(values: Iterable[object]) -> NDArray[np.bool_]:
    """
    Say for each value whether its check digit fits.

    A value that is no well-formed number breaks another rule, not this one, and passes.
    """
    cells = _cells(values)
    digits = cells[:, :17].astype(np.int32) - _ZERO
    formed = _formed(cells)
    sums = np.where(formed[:, None], digits, 0) @ _WEIGHTS
    fits: NDArray[np.bool_] = ~formed | (cells[:, 17] == _CHECK[sums % 11])
    return fits


def birth_date_fits(values: Iterable[object], today: date) -> NDArray[np.bool_]:
    """Say for each value whether it carries a birth date; other faults pass, as above."""
    texts = list(values)
    formed = _formed(_cells(texts))
    return np.array(
        [
            not ok or id_card.birth_date_fits(str(text), today)
            for ok, text in zip(formed, texts, strict=True)
        ],
        dtype=bool,
    )


def province_fits(values: Iterable[object]) -> NDArray[np.bool_]:
    """Say for each value whether it starts with a province; other faults pass, as above."""
    texts = list(values)
    formed = _formed(_cells(texts))
    return np.array(
        [
            not ok or id_card.province_fits(str(text))
            for ok, text in zip(formed, texts, strict=True)
        ],
        dtype=bool,
    )


def is_text(values: Iterable[object]) -> NDArray[np.bool_]:
    """Say for each value whether it is text."""
    return np.array([isinstance(value, str) for value in values], dtype=bool)


def name_fits(values: Iterable[object]) -> NDArray[np.bool_]:
    """Say for each value whether it holds a name's characters; other faults pass, as above."""
    return np.array([name.broken_rule(value) != "name_characters" for value in values], dtype=bool)


def normalised(column: str, value: object) -> object:
    """Return a value as it would be sent, so that validation and sending judge the same."""
    if isinstance(value, bytes | bytearray | memoryview):
        return _NO_TEXT
    if not isinstance(value, str):
        return value
    text = id_card.normalise(value) if column == "id_card" else name.normalise(value)
    return text or None


def _cells(values: Iterable[object]) -> NDArray[np.uint32]:
    # The length is asked here: an array of texts knows no NUL at the end of one.
    width = id_card.LENGTH
    texts = [v if isinstance(v, str) and len(v) == width else "" for v in values]
    return np.array(texts, dtype=f"U{width}").view(np.uint32).reshape(len(texts), width)


def _formed(cells: NDArray[np.uint32]) -> NDArray[np.bool_]:
    digits = (cells >= _ZERO) & (cells <= ord("9"))
    last = digits[:, 17] | (cells[:, 17] == ord("X"))
    formed: NDArray[np.bool_] = digits[:, :17].all(axis=1) & last
    return formed
