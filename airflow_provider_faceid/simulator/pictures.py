"""Pictures of people who do not exist: cartoon faces, drawn from a seed.

Every stroke comes from the person's own random numbers, so the same seed always gives the same
bytes (with the same Pillow), and two people look as different as cartoons can.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from io import BytesIO

from PIL import Image, ImageDraw

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
