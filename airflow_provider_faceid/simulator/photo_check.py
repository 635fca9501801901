"""The service's look at a photo, before it looks at the person.

Which code a damaged picture gets is published nowhere; here a picture that cannot be decoded shows
no face. The pixel limits are plausible ones, too.
"""

from __future__ import annotations

import binascii

from ..exceptions import InvalidInputError
from ..service import photo
from . import similarity
from .answers import Refusal

SMALLEST, COARSEST, LARGEST = 32, 96, 8000
"""Shortest side that is a picture at all, shortest side that shows a face, longest side; pixels."""

_BAD_VALUE = Refusal("InvalidParameterValue", ("ImageBase64",))

RULES: dict[str, Refusal | str] = {
    "photo_missing": _BAD_VALUE,
    "photo_data_uri": _BAD_VALUE,
    "photo_base64": _BAD_VALUE,
    "photo_format": _BAD_VALUE,
    "photo_size": "FailedOperation.LifePhotoSizeError",
    "photo_truncated": "FailedOperation.LifePhotoDetectNoFaces",
}
"""What the service answers to a photo that breaks a rule of ``service.photo``."""


def examine(text: str) -> similarity.Features | Refusal | str:
    """
    Return what a photo is compared by, or what is wrong with it.

    :param text: ``ImageBase64`` as sent.
    :return: features; a refusal; or a result code.
    """
    try:
        data = binascii.a2b_base64(bytes(photo.prepare(text)))
    except InvalidInputError as error:
        return RULES[error.rule]
    try:
        picture = similarity.open_picture(data)
        short, long = sorted(picture.size)
        if short < SMALLEST or long > LARGEST:
            return "FailedOperation.LifePhotoSizeError"
        if short < COARSEST:
            return "FailedOperation.LifePhotoPoorQuality"
        return similarity.features(picture)
    except Exception:  # noqa: BLE001 - Pillow names no class for damaged pictures
        return "FailedOperation.LifePhotoDetectNoFaces"
