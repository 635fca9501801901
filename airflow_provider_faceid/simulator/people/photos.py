"""Photos: portraits drawn from a seed, the check of a submitted photo, and the similarity of two.

Similarity is a small computation, no face recognition. A picture becomes the edges between 32 x 32
grey values; the similarity of two pictures is the correlation of their edges. Re-encoding, resizing
and a change of brightness or contrast keep it, another person's picture does not.

A portrait is a cartoon face. The same seed gives the same bytes with the same Pillow.

No page names the code of a damaged picture; here a picture that cannot be decoded shows no face. The
pixel limits are assumptions, too.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from ...api import photo
from ...api.photo import JPEG_START
from ...exceptions import InvalidInputError
from ..api import Refusal
from . import FACE, Person

GRID = 32
STEEPNESS = 2
"""
Power of the correlation. Of 3,000,000 pairs of portraits measured none correlates by more than 0.71
(50 of 100); copies changed as above correlate by 0.97 and more (95).
"""

Features = NDArray[np.float32]


def open_picture(data: bytes) -> Image.Image:
    """
    Return a picture with its size known and its pixels not yet read.

    It calls the two classes directly, because ``Image.open`` warns about large pictures by a
    process-wide setting; the caller checks the size.

    :raises Exception: the head is damaged; Pillow names no narrower class.
    """
    kind = JpegImageFile if data.startswith(JPEG_START) else PngImageFile
    return kind(BytesIO(data))


def features(picture: Image.Image) -> Features:
    """
    Return the features of a picture: a vector of length 1.

    :raises Exception: the pixels are damaged; Pillow names no narrower class.
    """
    # A JPEG is decoded at an eighth of its size if that is enough: a large photo takes 1/10 the time.
    picture.draft("L", (GRID * 2, GRID * 2))
    grey = picture.convert("L").resize((GRID, GRID), Image.Resampling.BOX)
    values = np.asarray(grey, dtype=np.float32)
    edges: Features = np.concatenate(
        [np.diff(values, axis=0).ravel(), np.diff(values, axis=1).ravel()]
    )
    edges /= float(np.linalg.norm(edges)) or 1.0  # a blank picture has no edges
    return edges


def similarity(one: Features, other: Features) -> float:
    """Return the similarity of two pictures, 0.00-100.00."""
    correlation = min(1.0, max(0.0, float(one @ other)))
    return round(100 * correlation**STEEPNESS, 2)


Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]

WIDTH, HEIGHT = 240, 300
QUALITY = 65

_SKINS: tuple[Colour, ...] = ((255, 224, 196), (241, 194, 160), (224, 172, 130), (198, 134, 92))
_HAIRS: tuple[Colour, ...] = ((20, 18, 22), (60, 40, 28), (120, 72, 40), (200, 196, 190))
_INK: Colour = (30, 24, 28)


def portrait(seed: str, size: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    """
    Return the picture of one face as a JPEG of 3-8 KB.

    :param seed: decides all about the face.
    :param size: width and height in pixels.
    """
    image = _draw(random.Random(seed))  # noqa: S311 - drawing, not secrets
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    file = BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _draw(chance: random.Random) -> Image.Image:
    """Draw a face in front of a background; all of it takes part in the similarity."""
    image = Image.new("RGB", (WIDTH, HEIGHT), _colour(chance))
    pen = ImageDraw.Draw(image)
    for _ in range(chance.randint(7, 11)):
        left, top = chance.randint(-60, WIDTH - 20), chance.randint(-60, HEIGHT - 20)
        box = (left, top, left + chance.randint(40, 150), top + chance.randint(40, 190))
        chance.choice((pen.rectangle, pen.ellipse))(box, fill=_colour(chance))
    x, y = 120 + chance.randint(-26, 26), 140 + chance.randint(-24, 24)
    wide, high = chance.randint(48, 74), chance.randint(62, 88)
    skin, hair = chance.choice(_SKINS), chance.choice(_HAIRS)
    shoulders = chance.randint(80, 130)
    pen.ellipse((x - shoulders, y + high + 8, x + shoulders, y + high + 200), fill=_colour(chance))
    pen.ellipse(_around(x, y - high * 0.2, wide * 1.25, high * chance.uniform(0.7, 1.1)), fill=hair)
    pen.rectangle((x - wide * 0.4, y + high * 0.6, x + wide * 0.4, y + high * 1.4), fill=skin)
    pen.ellipse(_around(x, y, wide, high), fill=skin)
    fringe = chance.randint(165, 205), chance.randint(335, 375)
    pen.chord(_around(x, y, wide * 1.05, high * 1.02), *fringe, fill=hair)
    apart, up = wide * chance.uniform(0.34, 0.52), high * chance.uniform(0.0, 0.2)
    large, tall = wide * chance.uniform(0.13, 0.24), high * chance.uniform(0.06, 0.13)
    for eye in (x - apart, x + apart):
        pen.ellipse(_around(eye, y - up, large, tall), fill=(250, 250, 250), outline=_INK)
        pen.ellipse(_around(eye, y - up, tall * 0.8, tall * 0.8), fill=_INK)
    pen.line((x, y, x + chance.randint(-9, 9), y + high * 0.25), fill=_INK, width=3)
    mouth = high * chance.uniform(0.45, 0.6)
    pen.ellipse(_around(x, y + mouth, wide * chance.uniform(0.25, 0.5), high * 0.08), fill=_INK)
    return image


def _around(x: float, y: float, wide: float, high: float) -> Box:
    return (x - wide, y - high, x + wide, y + high)


def _colour(chance: random.Random) -> Colour:
    return (chance.randint(0, 255), chance.randint(0, 255), chance.randint(0, 255))


PORTRAITS_KEPT = 256
FEATURES_KEPT = 4096
TINY, COARSE = (24, 30), (64, 80)
"""Sizes in pixels: too small for the service, and of too low a resolution."""


class Gallery:
    """
    Pictures by person.

    :param seed: the seed of the people.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._portrait = lru_cache(PORTRAITS_KEPT)(portrait)
        self._features = lru_cache(FEATURES_KEPT)(self._look_at)

    def registered(self, person: Person) -> bytes:
        """Return the registered picture of a person."""
        return self._portrait(f"{self._seed}:{person.id_card}")

    def features(self, person: Person) -> Features:
        """Return the features of the registered picture."""
        return self._features(person.id_card)

    def submitted(self, person: Person) -> bytes:
        """Return the picture to send: the registered one, unless the persona has another."""
        match person.persona and person.persona.codes.get(FACE):
            case "FailedOperation.CompareLowSimilarity":
                return self._portrait(f"{self._seed}:not {person.id_card}")
            case "FailedOperation.LifePhotoSizeError":
                return self._portrait(f"{self._seed}:{person.id_card}", TINY)
            case "FailedOperation.LifePhotoPoorQuality":
                return self._portrait(f"{self._seed}:{person.id_card}", COARSE)
        return self.registered(person)

    def _look_at(self, number: str) -> Features:
        return features(open_picture(self._portrait(f"{self._seed}:{number}")))


SMALLEST, COARSEST, LARGEST = 32, 96, 8000
"""Shortest side of a picture, shortest side of a picture with a face, longest side; in pixels."""

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
"""Answers to a photo that breaks an input rule of ``api.photo``, by rule."""

PHOTOS_KEPT = 16
"""Photos whose features are kept; a retry and a benchmark send the same one again."""


@dataclass(frozen=True, slots=True)
class _Photo:
    """A cache key with a cheap hash: a hash of all 3 MB takes ten times as long as to compare them."""

    text: str

    def __hash__(self) -> int:
        return hash(self.text[:: len(self.text) // 256 + 1])


def examine(text: str) -> Features | Refusal | str:
    """
    Return the features of a photo, or the refusal or result code of a bad one.

    :param text: ``ImageBase64`` as sent.
    """
    return _examine(_Photo(text))


@lru_cache(PHOTOS_KEPT)
def _examine(sent: _Photo) -> Features | Refusal | str:
    try:
        data = photo.picture(sent.text)
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
