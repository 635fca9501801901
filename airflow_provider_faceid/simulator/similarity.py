"""How alike two pictures are: a small honest computation, no face recognition.

A picture becomes the edges between 32 x 32 grey values; two pictures are as similar as their edges
correlate. Re-encoding, resizing and a change of brightness or contrast keep that, another person's
picture does not.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from ..service.photo import JPEG_START

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
