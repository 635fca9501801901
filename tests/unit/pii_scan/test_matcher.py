from __future__ import annotations

import base64
import html
import json
import random
from urllib.parse import quote, urlencode

import pytest

from airflow_provider_faceid.pii_scan import PiiScan
from airflow_provider_faceid.pii_scan.matcher import Matcher
from tests.unit.pii_scan.conftest import MARKERS, NAME, NUMBER, PHOTO, found


def upper_escapes(text):
    return json.dumps(text).upper().replace("\\U", "\\u")


WRITTEN = {
    "clear": (NAME, "clear"),
    "JSON": (json.dumps({"Name": NAME}), "JSON"),
    "JSON in capitals": (upper_escapes(NAME), "JSON"),
    "JSON in JSON": (json.dumps(json.dumps([NAME])), "JSON in JSON"),
    "a form": (urlencode({"n": NAME}), "percent"),
    "a form in small letters": (quote(NAME).lower(), "percent"),
    "hex": (NAME.encode().hex(), "hex"),
    "hex in capitals": (NAME.encode().hex().upper(), "hex"),
    "a request body's repr": (
        repr(json.dumps({"n": NAME}, ensure_ascii=False).encode()),
        "Python bytes",
    ),
    "ascii": (ascii(NAME), "Python ascii"),
    "HTML": (html.escape(NAME).encode("ascii", "xmlcharrefreplace"), "XML"),
    "GB 18030": (NAME.encode("gb18030"), "GB 18030"),
    "UTF-16": (NAME.encode("utf-16"), "UTF-16"),
    "Base64 of JSON": (base64.b64encode(json.dumps({"ab": NAME}).encode()), "Base64"),
}


@pytest.mark.parametrize(("text", "form"), WRITTEN.values(), ids=WRITTEN)
def test_a_name_is_found_in_every_form(text, form):
    assert found(text) == {("name", form)}


def test_a_value_that_may_be_broken_into_lines_is_found():
    """The report puts a place for a break behind marks of a long name."""
    matcher = Matcher({"mail": "li.ming@example.com"})
    assert [find.form for find in matcher.find(b"<td>li.<wbr>ming@example.<wbr>com</td>")] == [
        "HTML"
    ]


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("marker", ["number", "name", "letters"])
def test_base64_is_found_wherever_the_value_begins(marker, encode, before):
    text = f"{'?' * before}{MARKERS[marker]}>>"
    assert found(encode(text.encode())) == {(marker, "Base64")}


@pytest.mark.parametrize("text", ["QXZAB VJWKAB", "qxzab vjwkab", "Qxzab%20Vjwkab", "Qxzab+Vjwkab"])
def test_letters_are_found_in_capitals_and_in_addresses(text):
    assert {marker for marker, _ in found(f"?n={text}&")} == {"letters"}


def test_a_number_is_found_with_a_small_x_and_as_json():
    assert found(NUMBER.lower()) == {("number", "clear")}
    assert found(json.dumps({"IdCard": NUMBER})) == {("number", "clear")}


@pytest.mark.parametrize("start", range(5))
def test_fourteen_characters_of_a_number_are_found(start):
    assert found(f"****{NUMBER[start : start + 14]}") == {("number", "part")}


def test_a_masked_number_is_not_found():
    assert found(f"{NUMBER[:2]}{'*' * 14}{NUMBER[-2:]} {NUMBER[6:14]}") == set()


PHOTO_IN = {
    "clear": (lambda photo: photo, "clear"),
    "Base64": (base64.b64encode, "Base64"),
    "MIME": (base64.encodebytes, "Base64"),
    "in a body": (lambda photo: base64.b64encode(b'{"a": "' + photo), "Base64"),
    "hex": (lambda photo: photo.hex(), "hex"),
    "repr": (repr, "Python bytes"),
    "percent": (quote, "percent"),
}


@pytest.mark.parametrize(("write", "form"), PHOTO_IN.values(), ids=PHOTO_IN)
@pytest.mark.parametrize("until", [len(PHOTO), len(PHOTO) // 3])
def test_a_photo_is_found_whole_and_cut_off(write, form, until):
    assert found(write(PHOTO[:until])) == {("photo", form)}


def test_every_place_of_a_value_is_counted_once():
    pii_scan = PiiScan(MARKERS)
    pii_scan.search_text("log", f"{NUMBER} {NUMBER}, {NAME}{NUMBER}")
    assert [(hit.marker, hit.form, hit.times) for hit in pii_scan.hits] == [
        ("name", "clear", 1),
        ("number", "clear", 3),
    ]


def test_other_people_are_not_found():
    chance = random.Random(7)
    text = "".join(str(chance.randrange(10)) for _ in range(300_000))
    others = "".join(chr(chance.randrange(0x3400, 0x9FFF)) for _ in range(100_000))
    assert found(text) == found(others) == found(json.dumps(others)) == set()
    assert found(base64.b64encode(chance.randbytes(300_000))) == set()


@pytest.mark.parametrize("value", ["", "Li Na", "王", b"12345"])
def test_a_value_that_could_stand_anywhere_is_refused_and_not_told(value):
    with pytest.raises(ValueError, match="Marker 'short' is too short: it needs 6 bytes") as error:
        PiiScan({"short": value})
    assert not value or str(value) not in str(error.value)
