"""The service's look at a photo, before it looks at the person.

Which code a damaged picture gets is published nowhere; here a picture that cannot be decoded shows
no face. The pixel limits are plausible ones, too.
"""

from __future__ import annotations

import threading

from ..exceptions import InvalidInputError
from ..service import photo
from .answers import Refusal
from .similarity import Features, features, open_picture

SMALLEST, COARSEST, LARGEST = 32, 96, 8000
"""Shortest side that is a picture at all, shortest side that shows a face, longest side; pixels."""

_BAD_VALUE = Refusal("InvalidParameterValue", ("ImageBase64",))

TOO_LARGE = "FailedOperation.LifePhotoSizeError"

RULES: dict[str, Refusal | str] = {
    "photo_missing": _BAD_VALUE,
    "photo_data_uri": _BAD_VALUE,
    "photo_base64": _BAD_VALUE,
    "photo_format": _BAD_VALUE,
    "photo_size": TOO_LARGE,
    "photo_truncated": "FailedOperation.LifePhotoDetectNoFaces",
}
"""What the service answers to a photo that breaks a rule of ``service.photo``."""


Found = Features | Refusal | str
"""What a photo is compared by; a refusal; or a result code."""


class Memory:
    """
    What was found in the photos seen last; any thread may ask.

    A photo often comes again: in a retry, in the next test, in the next round of a benchmark. Its
    whole text is kept, because to compare 3 MB takes a tenth of the time to hash them.

    :param most: characters to keep.
    """

    def __init__(self, most: int) -> None:
        self._most, self._kept = most, 0
        self._found: dict[str, tuple[str, Found]] = {}
        self._lock = threading.Lock()

    def recall(self, text: str) -> Found | None:
        """Return what was found in a photo, None if it is not remembered."""
        kept, found = self._found.get(_sample(text), ("", None))
        return found if kept == text else None

    def keep(self, text: str, found: Found) -> None:
        """Remember a photo, and forget the oldest ones if that is too much."""
        with self._lock:
            self._forget(_sample(text))
            self._found[_sample(text)] = (text, found)
            self._kept += len(text)
            while self._kept > self._most:
                self._forget(next(iter(self._found)))

    def _forget(self, sample: str) -> None:
        kept, _ = self._found.pop(sample, ("", None))
        self._kept -= len(kept)


def _sample(text: str) -> str:
    """Return some characters from all over a text; other texts may have the same ones."""
    return text[:: len(text) // SAMPLED + 1]


SAMPLED = 256
_memory = Memory(48 * 2**20)
recall = _memory.recall


def examine(text: str) -> Found:
    """
    Return what a photo is compared by, or what is wrong with it, and remember it.

    :param text: ``ImageBase64`` as sent.
    """
    found = _look_at(text)
    _memory.keep(text, found)
    return found


def _look_at(text: str) -> Found:
    try:
        data = photo.picture(text)
    except InvalidInputError as error:
        return RULES[error.rule]
    try:
        picture = open_picture(data)
        short, long = sorted(picture.size)
        if short < SMALLEST or long > LARGEST:
            return "FailedOperation.LifePhotoSizeError"
        if short < COARSEST:
            return "FailedOperation.LifePhotoPoorQuality"
        return features(picture)
    except Exception:  # noqa: BLE001 - Pillow names no class for damaged pictures
        return "FailedOperation.LifePhotoDetectNoFaces"
