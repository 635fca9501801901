from __future__ import annotations

from base64 import b64encode
from io import BytesIO

import pytest
from PIL import Image, ImageEnhance

from airflow_provider_faceid.simulator.people import photos as pictures
from airflow_provider_faceid.simulator.people.photos import (
    Features,
    _examine,
    examine,
    features,
    open_picture,
    similarity,
)

PORTRAITS = [pictures.portrait(f"7:{number}") for number in range(80)]


def look(data: bytes) -> Features:
    return features(open_picture(data))


def encode(image: Image.Image, kind: str = "JPEG", **options: int) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


CHANGES = {
    "same": lambda image: encode(image, quality=95),
    "low_quality": lambda image: encode(image, quality=30),
    "png": lambda image: encode(image, "PNG"),
    "grey_png": lambda image: encode(image.convert("L"), "PNG"),
    "palette_png": lambda image: encode(image.quantize(64), "PNG"),
    "half": lambda image: encode(image.resize((120, 150))),
    "tenfold": lambda image: encode(image.resize((2400, 3000), Image.Resampling.NEAREST)),
    "brighter": lambda image: encode(ImageEnhance.Brightness(image).enhance(1.2)),
    "darker": lambda image: encode(ImageEnhance.Brightness(image).enhance(0.7)),
    "flat": lambda image: encode(ImageEnhance.Contrast(image).enhance(0.7)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_copy_stays_similar(change):
    for portrait in PORTRAITS[:4]:
        copy = change(Image.open(BytesIO(portrait)))
        assert similarity(look(copy), look(portrait)) >= 85


def test_strangers_stay_under_60_in_3160_pairs():
    looks = [look(portrait) for portrait in PORTRAITS]
    highest = max(
        similarity(one, other) for index, one in enumerate(looks) for other in looks[:index]
    )
    assert highest < 60


def test_similarity_has_two_decimals_and_ends_at_100():
    assert similarity(look(PORTRAITS[0]), look(PORTRAITS[0])) == 100.0
    value = similarity(look(PORTRAITS[0]), look(PORTRAITS[1]))
    assert value == round(value, 2) >= 0


def test_a_blank_picture_is_like_nothing():
    blank = look(encode(Image.new("RGB", (200, 200), "white")))
    assert similarity(blank, look(PORTRAITS[0])) == 0


def test_a_photo_that_comes_again_is_not_decoded_again():
    text = b64encode(
        PORTRAITS[0] + bytes(9)
    ).decode()  # behind the end mark: only this test sends it
    first, known = examine(text), _examine.cache_info().hits
    assert examine("".join(list(text))) is first
    assert _examine.cache_info().hits == known + 1
    assert examine(text[:-2] + "A=") is not first
