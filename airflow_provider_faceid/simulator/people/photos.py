"""The service's look at a photo, before it looks at the person.

Which code a damaged picture gets is published nowhere; here a picture that cannot be decoded shows
no face. The pixel limits are plausible ones, too.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
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
from ..api.answers import Refusal
from . import Person
from .personas import FACE

# How alike two pictures are: a small honest computation, no face recognition.
#
# A picture becomes the edges between 32 x 32 grey values; two pictures are as similar as their edges
# correlate. Re-encoding, resizing and a change of brightness or contrast keep that, another person's
# picture does not.
#
# Pictures of people who do not exist: cartoon faces, drawn from a seed.
#
# Every stroke comes from the person's own random numbers, so the same seed always gives the same
# bytes (with the same Pillow), and two people look as different as cartoons can.
#
# The gallery: everybody's registered picture, drawn when it is first asked for.


GRID = 32
STEEPNESS = 2
"""
Power of the correlation. Of 6,000,000 pairs of strangers measured none correlates by more than 0.75
(56 of 100); copies changed as above correlate by 0.96 and more (92).
"""

Features = NDArray[np.float32]


def open_picture(data: bytes) -> Image.Image:
    """
    Return a picture with its size known and its pixels not yet read.

    The two classes are called themselves, because ``Image.open`` warns about large pictures by a
    process-wide setting; the caller judges the size.

    :raises Exception: the head is damaged; Pillow names no narrower class.
    """
    kind = JpegImageFile if data.startswith(JPEG_START) else PngImageFile
    return kind(BytesIO(data))


def features(picture: Image.Image) -> Features:
    """
    Return what a picture is compared by: a vector of length 1.

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
    """Return how alike two pictures are, 0.00-100.00."""
    correlation = min(1.0, max(0.0, float(one @ other)))
    return round(100 * correlation**STEEPNESS, 2)


Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]

WIDTH, HEIGHT = 240, 300
QUALITY = 65

_SKINS: tuple[Colour, ...] = ((255, 224, 196), (241, 194, 160), (224, 172, 130), (198, 134, 92))
_HAIRS: tuple[Colour, ...] = (
    (20, 18, 22), (60, 40, 28), (120, 72, 40), (200, 196, 190), (232, 210, 150), (150, 40, 40),
)  # fmt: skip
_INK: Colour = (30, 24, 28)


def portrait(seed: str, size: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    """
    Return the picture of one face as a JPEG of 3-8 KB.

    :param seed: decides everything about the face.
    :param size: width and height in pixels.
    """
    image = _draw(random.Random(seed))  # noqa: S311 - drawing, not secrets
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    file = BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _draw(chance: random.Random) -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), _colour(chance, 20, 245))
    pen = ImageDraw.Draw(image)
    _background(pen, chance)
    x, y = 120 + chance.randint(-26, 26), 140 + chance.randint(-24, 24)
    wide, high = chance.randint(48, 74), chance.randint(62, 88)
    skin, hair = chance.choice(_SKINS), chance.choice(_HAIRS)
    _shoulders(pen, chance, (x, y + high))
    chance.choice(_HAIR_BACKS)(pen, _around(x, y - high * 0.2, wide * 1.3, high * 1.1), hair)
    pen.rectangle((x - wide * 0.4, y + high * 0.6, x + wide * 0.4, y + high * 1.4), fill=skin)
    pen.ellipse(_around(x, y, wide, high), fill=skin)
    pen.pieslice(
        _around(x, y - high * 0.1, wide * 1.05, high * 1.02),
        chance.randint(165, 205),
        chance.randint(335, 375),
        fill=hair,
    )
    pen.ellipse(_around(x, y + high * 0.12, wide * 0.88, high * 0.72), fill=skin)
    _eyes(pen, chance, (x, y), (wide, high), hair)
    _mouth(pen, chance, (x, y), (wide, high), hair)
    return image


def _background(pen: ImageDraw.ImageDraw, chance: random.Random) -> None:
    """Draw blocks of light and dark behind the person, like curtains and shelves."""
    for _ in range(chance.randint(7, 11)):
        left, top = chance.randint(-60, WIDTH - 20), chance.randint(-60, HEIGHT - 20)
        box = (left, top, left + chance.randint(40, 150), top + chance.randint(40, 190))
        if chance.random() < 0.5:  # noqa: PLR2004 - one shape or the other
            pen.rectangle(box, fill=_colour(chance, 0, 255))
        else:
            pen.ellipse(box, fill=_colour(chance, 0, 255))


def _shoulders(pen: ImageDraw.ImageDraw, chance: random.Random, neck: tuple[float, float]) -> None:
    x, y = neck
    cloth, wide = _colour(chance, 0, 255), chance.randint(80, 130)
    pen.ellipse((x - wide, y + 8, x + wide, y + 200), fill=cloth)
    for _ in range(chance.randint(0, 4)):
        across = x + chance.randint(-wide, wide)
        pen.line((across, y + 20, across, HEIGHT), fill=_colour(chance, 0, 255), width=9)


def _eyes(
    pen: ImageDraw.ImageDraw,
    chance: random.Random,
    centre: tuple[float, float],
    size: tuple[float, float],
    hair: Colour,
) -> None:
    (x, y), (wide, high) = centre, size
    apart, up = wide * chance.uniform(0.34, 0.52), high * chance.uniform(0.0, 0.22)
    large, tall = wide * chance.uniform(0.13, 0.24), high * chance.uniform(0.06, 0.13)
    iris, brow = _colour(chance, 0, 120), chance.randint(3, 9)
    tilt, glasses = chance.randint(-7, 7), chance.random()
    for side in (-1, 1):
        eye = x + side * apart
        pen.ellipse(_around(eye, y - up, large, tall), fill=(250, 250, 250), outline=_INK)
        pen.ellipse(_around(eye, y - up, tall * 0.8, tall * 0.8), fill=iris)
        lift = y - up - tall * 2.2
        pen.line(
            (eye - large, lift - side * tilt, eye + large, lift + side * tilt),
            fill=hair,
            width=brow,
        )
        if glasses < 0.35:  # noqa: PLR2004 - about a third wear glasses
            pen.ellipse(_around(eye, y - up, large * 1.5, large * 1.4), outline=_INK, width=4)


def _mouth(
    pen: ImageDraw.ImageDraw,
    chance: random.Random,
    centre: tuple[float, float],
    size: tuple[float, float],
    hair: Colour,
) -> None:
    (x, y), (wide, high) = centre, size
    nose, mouth = high * chance.uniform(0.12, 0.3), high * chance.uniform(0.42, 0.6)
    pen.line((x, y, x + chance.randint(-9, 9), y + nose), fill=_INK, width=chance.randint(2, 5))
    if chance.random() < 0.25:  # noqa: PLR2004 - a quarter wear a beard
        pen.pieslice(_around(x, y + high * 0.3, wide * 0.8, high * 0.75), 20, 160, fill=hair)
    lips = (170 + chance.randint(0, 60), chance.randint(30, 90), chance.randint(40, 100))
    box = _around(x, y + mouth, wide * chance.uniform(0.25, 0.5), high * chance.uniform(0.05, 0.14))
    if chance.random() < 0.5:  # noqa: PLR2004 - a smile or closed lips
        pen.chord(box, 0, 180, fill=lips)
    else:
        pen.ellipse(box, fill=lips)


def _long(pen: ImageDraw.ImageDraw, box: Box, hair: Colour) -> None:
    left, top, right, bottom = box
    pen.ellipse(box, fill=hair)
    pen.rectangle((left, (top + bottom) / 2, right, bottom + 50), fill=hair)


def _round(pen: ImageDraw.ImageDraw, box: Box, hair: Colour) -> None:
    pen.ellipse(box, fill=hair)


def _bun(pen: ImageDraw.ImageDraw, box: Box, hair: Colour) -> None:
    left, top, right, _ = box
    pen.ellipse(box, fill=hair)
    middle = (left + right) / 2
    pen.ellipse((middle - 26, top - 34, middle + 26, top + 18), fill=hair)


def _flat(pen: ImageDraw.ImageDraw, box: Box, hair: Colour) -> None:
    left, top, right, bottom = box
    pen.rectangle((left + 12, top + 10, right - 12, (top + bottom) / 2), fill=hair)


def _bald(pen: ImageDraw.ImageDraw, box: Box, hair: Colour) -> None:
    """Draw nothing: no hair stands out behind this head."""


_HAIR_BACKS: tuple[Callable[[ImageDraw.ImageDraw, Box, Colour], None], ...] = (
    _long, _round, _bun, _flat, _bald,
)  # fmt: skip


def _around(x: float, y: float, wide: float, high: float) -> Box:
    return (x - wide, y - high, x + wide, y + high)


def _colour(chance: random.Random, low: int, high: int) -> Colour:
    return (chance.randint(low, high), chance.randint(low, high), chance.randint(low, high))


PORTRAITS_KEPT = 256
FEATURES_KEPT = 4096
TINY, COARSE = (24, 30), (64, 80)
"""Sizes the service calls too small, and of too low a resolution."""


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
        """Return the picture the authority has."""
        return self._portrait(f"{self._seed}:{person.id_card}")

    def features(self, person: Person) -> Features:
        """Return what the registered picture is compared by."""
        return self._features(person.id_card)

    def submitted(self, person: Person) -> bytes:
        """Return the picture a caller would send: the registered one, except for special people."""
        match person.persona and person.persona.codes.get(FACE):
            case "FailedOperation.CompareLowSimilarity":
                return self._portrait(f"{self._seed}:somebody else than {person.id_card}")
            case "FailedOperation.LifePhotoSizeError":
                return self._portrait(f"{self._seed}:{person.id_card}", TINY)
            case "FailedOperation.LifePhotoPoorQuality":
                return self._portrait(f"{self._seed}:{person.id_card}", COARSE)
        return self.registered(person)

    def _look_at(self, number: str) -> Features:
        return features(open_picture(self._portrait(f"{self._seed}:{number}")))


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
