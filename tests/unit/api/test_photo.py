import base64
import io
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from airflow_provider_faceid.api import photo
from airflow_provider_faceid.api.photo import MAX_PHOTO_BASE64
from airflow_provider_faceid.exceptions import InvalidInputError


def drawn(file_format):
    file = io.BytesIO()
    Image.new("RGB", (16, 16), "grey").save(file, file_format)
    return file.getvalue()


JPEG, PNG, GIF, BMP = map(drawn, ("JPEG", "PNG", "GIF", "BMP"))
TEXT = base64.b64encode(JPEG)
LARGEST = MAX_PHOTO_BASE64 // 4 * 3


def jpeg_of(size):
    return JPEG[:-2] + bytes(size - len(JPEG)) + JPEG[-2:]


def broken_rule(value, **limits):
    with pytest.raises(InvalidInputError) as caught:
        photo.prepare(value, **limits)
    assert str(caught.value) == f"{photo.RULES[caught.value.rule]} [rule {caught.value.rule}]"
    return caught.value.rule


@pytest.mark.parametrize("picture", [JPEG, PNG], ids=["JPEG", "PNG"])
@pytest.mark.parametrize(
    "given_as",
    [
        pytest.param(bytes, id="bytes"),
        pytest.param(bytearray, id="bytearray"),
        pytest.param(memoryview, id="memoryview"),
        pytest.param(base64.b64encode, id="Base64 bytes"),
        pytest.param(lambda data: base64.b64encode(data).decode(), id="Base64 text"),
        pytest.param(base64.encodebytes, id="MIME lines"),
        pytest.param(lambda data: base64.encodebytes(data).strip(), id="MIME lines, the last open"),
        pytest.param(
            lambda data: base64.encodebytes(data).replace(b"\n", b"\r\n").decode(), id="CRLF lines"
        ),
        pytest.param(lambda data: b"  " + base64.b64encode(data), id="blanks before"),
        pytest.param(lambda data: base64.b64encode(data) + b" \t", id="blanks after"),
        pytest.param(lambda data: "\n" + base64.b64encode(data).decode(), id="line end before"),
        pytest.param(
            lambda data: base64.encodebytes(data).replace(b"\n", b"\r"), id="CR lines alone"
        ),
        pytest.param(lambda data: "\ufeff" + base64.b64encode(data).decode(), id="byte order mark"),
        pytest.param(
            lambda data: b"\xef\xbb\xbf" + base64.b64encode(data), id="byte order mark as bytes"
        ),
        pytest.param(
            lambda data: f"\u200b{base64.b64encode(data).decode()}\u200b", id="zero-width spaces"
        ),
    ],
)
def test_a_picture_is_sent_as_one_line_of_base64(picture, given_as):
    assert bytes(photo.prepare(given_as(picture))) == base64.b64encode(picture)


@pytest.mark.parametrize("fill", [0, 1, 7, 5000])
def test_fill_bytes_before_a_marker_are_legal(fill):
    """T.81 B.1.1.2: any number of them."""
    for segment in (b"\xff\xdb", b"\xff\xda"):  # quantisation tables, start of the scan
        at = JPEG.index(segment)
        picture = JPEG[:at] + fill * b"\xff" + JPEG[at:]
        assert bytes(photo.prepare(picture)) == base64.b64encode(picture)
        assert broken_rule(picture[:-2]) == "photo_truncated"


@given(st.binary(max_size=200), st.sampled_from([JPEG, PNG]))
@settings(max_examples=60, deadline=None)
def test_what_was_prepared_is_left_alone(appended, picture):
    prepared = bytes(photo.prepare(picture + appended))
    assert bytes(photo.prepare(prepared)) == prepared
    assert bytes(photo.prepare(prepared.decode())) == prepared


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        pytest.param(None, "photo_missing", id="None"),
        pytest.param("", "photo_missing", id="empty text"),
        pytest.param(b"", "photo_missing", id="empty bytes"),
        pytest.param(memoryview(b""), "photo_missing", id="empty view"),
        pytest.param(" \r\n", "photo_missing", id="blanks"),
        pytest.param(1, "photo_missing", id="int"),
        pytest.param([JPEG], "photo_missing", id="list"),
        pytest.param(b"data:image/jpeg;base64," + TEXT, "photo_data_uri", id="data URI"),
        pytest.param(f" DATA:;base64,{TEXT.decode()}", "photo_data_uri", id="data URI in capitals"),
        pytest.param(GIF, "photo_format", id="GIF"),
        pytest.param(BMP, "photo_format", id="BMP"),
        pytest.param(base64.b64encode(GIF), "photo_format", id="GIF as Base64"),
        pytest.param(base64.b64encode(b"a text, no picture"), "photo_format", id="text as Base64"),
        pytest.param(base64.b64encode(JPEG[2:]), "photo_format", id="JPEG without its start"),
        pytest.param(TEXT[:-1], "photo_base64", id="last character missing"),
        pytest.param(TEXT[:-3], "photo_base64", id="cut inside a group"),
        pytest.param(TEXT[:20] + b"=" + TEXT[20:], "photo_base64", id="padding inside"),
        pytest.param(TEXT + TEXT + b"=", "photo_base64", id="padding too much"),
        pytest.param(TEXT[:20] + b" " + TEXT[20:], "photo_base64", id="blank inside"),
        pytest.param("_9j_" + TEXT[4:].decode(), "photo_base64", id="URL alphabet"),
        pytest.param("照片", "photo_base64", id="Chinese text"),
        pytest.param("nan", "photo_missing", id="text of a missing value"),
        pytest.param(b"NULL", "photo_missing", id="the same as bytes"),
        pytest.param(
            b"\n" + TEXT[:20] + b" " + TEXT[20:], "photo_base64", id="blank inside, line end before"
        ),
        pytest.param("photos/a.jpg", "photo_base64", id="a path"),
        pytest.param("https://example.com/a.jpg", "photo_base64", id="an address"),
        pytest.param(JPEG[:-2], "photo_truncated", id="JPEG cut off"),
        pytest.param(PNG[:-4], "photo_truncated", id="PNG cut off"),
        pytest.param(PNG[:8], "photo_truncated", id="PNG mark alone"),
        pytest.param(base64.b64encode(JPEG[:-2]), "photo_truncated", id="cut JPEG as Base64"),
        pytest.param(base64.b64encode(PNG[:-12]), "photo_truncated", id="cut PNG as Base64"),
    ],
)
def test_what_cannot_be_sent(value, rule):
    assert broken_rule(value) == rule


@pytest.mark.parametrize(
    "value", [JPEG, TEXT, TEXT.decode()], ids=["bytes", "Base64 bytes", "text"]
)
def test_the_limit_counts_base64_characters(value):
    assert bytes(photo.prepare(value, max_base64=len(TEXT))) == TEXT
    assert broken_rule(value, max_base64=len(TEXT) - 1) == "photo_size"


def test_line_breaks_do_not_count():
    assert bytes(photo.prepare(base64.encodebytes(JPEG), max_base64=len(TEXT))) == TEXT


def test_the_largest_photo_of_the_page_is_sent():
    assert photo.prepare(jpeg_of(LARGEST)).length == MAX_PHOTO_BASE64


@pytest.mark.parametrize("size", [photo.PIECE - 1, photo.PIECE, photo.PIECE + 1, LARGEST])
@pytest.mark.parametrize("given_as", [bytes, bytearray, memoryview])
def test_a_large_picture_is_encoded_piece_by_piece(size, given_as):
    picture = jpeg_of(size)
    prepared = photo.prepare(given_as(picture))
    assert bytes(prepared) == base64.b64encode(picture)
    assert len(prepared) == math.ceil(size / photo.PIECE)


def test_base64_text_is_not_copied():
    assert photo.prepare(TEXT)[0] is TEXT


def test_printing_a_prepared_photo_does_not_show_it():
    assert repr(photo.prepare(JPEG)) == f"<{len(TEXT)} bytes>"


@pytest.mark.parametrize("as_base64", [False, True], ids=["bytes", "Base64"])
def test_one_byte_more_is_refused(as_base64):
    picture = jpeg_of(LARGEST + 1)
    assert broken_rule(base64.b64encode(picture) if as_base64 else picture) == "photo_size"


def test_the_size_is_refused_before_the_text_is_decoded():
    assert broken_rule("?" * (MAX_PHOTO_BASE64 + 1)) == "photo_size"


@pytest.mark.parametrize("size", [*range(8), 100, 1_000_001])
def test_the_length_of_base64_is_known_beforehand(size):
    assert photo.base64_length(size) == len(base64.b64encode(bytes(size)))


@pytest.mark.parametrize("picture", [JPEG, PNG], ids=["JPEG", "PNG"])
def test_data_behind_the_end_mark_is_left_to_the_service(picture):
    appended = picture + b"appended by a camera"
    assert bytes(photo.prepare(appended)) == base64.b64encode(appended)
