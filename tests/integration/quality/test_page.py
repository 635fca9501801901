"""Pages of real tables, judged."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from airflow_provider_faceid.api.actions.id_card_verification import ACTION as ID_CARD_VERIFICATION
from airflow_provider_faceid.api.actions.image_recognition_v2 import ACTION as IMAGE_RECOGNITION_V2
from airflow_provider_faceid.api.fields import InputRules
from airflow_provider_faceid.api.photo import MAX_PHOTO_BASE64
from airflow_provider_faceid.clock import SYSTEM_CLOCK, beijing_date
from airflow_provider_faceid.quality import default_suite
from airflow_provider_faceid.quality.page import Projection, pages
from airflow_provider_faceid.quality.validator import KEY, Validator
from airflow_provider_faceid.warehouse.sources.source import Source

NUMBER, NAME = "11010519491231002X", "韦小宝"
JPEG = b"\xff\xd8\xff\xda" + bytes(range(254)) * 2 + b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) + b"IEND\xaeB`\x82"
LARGEST = MAX_PHOTO_BASE64 // 4 * 3
RULES = InputRules(beijing_date(SYSTEM_CLOCK.now()))
GIF = b"GIF89a" + bytes(range(256))


def judged(source, projection, suite, size):
    """Return keys and rules of bad rows, and the counts."""
    validator, found = Validator(suite), []
    for page in pages(source, projection, size):
        assert page.rows <= size
        found += validator.bad_rows(page.frame)
    return sorted(found), validator.counts


@pytest.mark.parametrize("size", [2, 100])
def test_bad_rows_are_found_by_key_and_rule(home, size):
    home.table(
        "people",
        ["id", "the %s no", "姓名?"],
        [
            (10**9, NUMBER, NAME),
            (2, NUMBER.lower(), f" {NAME}\u3000"),
            (3, "", NAME),
            (4, None, "7"),
            (5, NUMBER[:-1], NAME),
            (6, NUMBER, None),
        ],
    )
    suite = default_suite(ID_CARD_VERIFICATION, RULES)
    source = Source(home.open(), "people", "id")
    found, counts = judged(
        source,
        Projection(ID_CARD_VERIFICATION, {"IdCard": "the %s no", "Name": "姓名?"}),
        suite,
        size,
    )
    assert found == [
        ("3", "id_card_missing"),
        ("4", "id_card_missing"),
        ("4", "name_characters"),
        ("5", "id_card_length"),
        ("6", "name_missing"),
    ]
    assert {count.rule: count.unexpected for count in counts if count.unexpected} == {
        "id_card_missing": 2,
        "name_characters": 1,
        "id_card_length": 1,
        "name_missing": 1,
    }


def test_photos_as_text_are_judged_as_the_batch_judges_them(home):
    texts = [base64.b64encode(photo).decode() for photo in (JPEG, PNG, GIF)]
    wrapped = base64.encodebytes(JPEG + bytes(LARGEST - len(JPEG) - 2) + b"\xff\xd9").decode()
    photos = {
        texts[0]: None,
        texts[1]: None,
        texts[2]: "photo_format",
        "data:image/png;base64," + texts[1]: "photo_data_uri",
        None: "photo_missing",
        "": "photo_missing",
        "nan": "photo_missing",
        texts[0] * 8000: "photo_size",
        texts[0][:400]: "photo_truncated",
        texts[0][:-1]: "photo_base64",
        f"\n {texts[0]}": None,
        f"\ufeff{texts[0]}\r\n": None,
        wrapped: None,  # its line ends make it longer than a photo may be, and are not sent
    }
    rows = [(key, NUMBER, NAME, photo) for key, photo in enumerate(photos)]
    home.table("people", ["id", "id_card", "name", "photo"], rows)
    found, _ = photo_rules(
        home,
        Projection(
            IMAGE_RECOGNITION_V2, {"IdCard": "id_card", "Name": "name", "ImageBase64": "photo"}
        ),
    )
    assert found == [(str(key), rule) for key, rule in enumerate(photos.values()) if rule]


def test_photos_as_bytes_are_judged_alike(home):
    kind = "BYTEA" if home.dialect.name == "postgresql" else "BLOB"
    home.run(f"CREATE TABLE people (id INTEGER, id_card TEXT, name TEXT, photo {kind})")
    photos = {
        JPEG: None,
        PNG: None,
        base64.b64encode(JPEG): None,
        GIF: "photo_format",
        None: "photo_missing",
        b"": "photo_missing",
        JPEG + bytes(3 * 1024 * 1024): "photo_size",
        JPEG[:-2]: "photo_truncated",
    }
    home.run(
        "INSERT INTO people VALUES (?, ?, ?, ?)",
        [(key, NUMBER, NAME, photo) for key, photo in enumerate(photos)],
    )
    found, _ = photo_rules(
        home,
        Projection(
            IMAGE_RECOGNITION_V2, {"IdCard": "id_card", "Name": "name", "ImageBase64": "photo"}
        ),
    )
    assert found == [(str(key), rule) for key, rule in enumerate(photos.values()) if rule]


def test_photos_by_path_need_a_path(home):
    home.table(
        "people",
        ["id", "id_card", "name", "p"],
        [(1, NUMBER, NAME, "s3://x"), (2, NUMBER, NAME, None), (3, NUMBER, NAME, "s3://y")],
    )
    projection = Projection(
        IMAGE_RECOGNITION_V2,
        {"IdCard": "id_card", "Name": "name", "ImageBase64": "p"},
        photo_path=True,
    )
    found, _ = photo_rules(home, projection)
    assert found == [("2", "photo_missing")]
    followed = replace(projection, read_photo={"s3://x": GIF, "s3://y": JPEG}.__getitem__)
    found, _ = photo_rules(home, followed)
    assert found == [("1", "photo_format"), ("2", "photo_missing")]


def photo_rules(home, projection):
    suite = default_suite(
        IMAGE_RECOGNITION_V2,
        RULES,
        photo_path=projection.photo_path,
        reads_photos=projection.reads_photos,
    )
    return judged(Source(home.open(), "people", "id"), projection, suite, 3)


def test_a_page_holds_no_photo(home):
    photo = base64.b64encode(JPEG).decode()
    home.table("people", ["id", "id_card", "name", "photo"], [(1, NUMBER, NAME, photo)])
    source = Source(home.open(), "people", "id")
    (page,) = pages(
        source,
        Projection(
            IMAGE_RECOGNITION_V2,
            {"IdCard": "id_card", "Name": "name", "ImageBase64": "photo"},
            others=["id"],
        ),
        10,
    )
    frame = page.frame
    assert set(frame.columns) == {
        *("id_card", "name", "photo", "photo_length", "photo_head", "id", KEY)
    }
    assert photo not in str(frame.to_dict())
    assert frame["photo_length"].tolist() == [len(photo)]
    assert frame["photo_head"].tolist() == [photo[:12]]


def test_large_keys_and_text_keys_stay_what_they_are(home):
    home.run("CREATE TABLE people (id BIGINT, code TEXT, id_card TEXT, name TEXT)")
    home.run("INSERT INTO people VALUES (?, ?, NULL, ?)", [(2**53 + 1, "007", NAME)])
    suite = default_suite(ID_CARD_VERIFICATION, RULES)
    for key, expected in (("id", "9007199254740993"), ("code", "007")):
        source = Source(home.open(), "people", key)
        found, _ = judged(
            source,
            Projection(ID_CARD_VERIFICATION, {"IdCard": "id_card", "Name": "name"}),
            suite,
            10,
        )
        assert found == [(expected, "id_card_missing")]


def test_numbers_in_a_number_column_are_not_text(home):
    home.run("CREATE TABLE people (id INTEGER, id_card BIGINT, name TEXT)")
    home.run("INSERT INTO people VALUES (?, ?, ?)", [(1, 110105194912310021, NAME)])
    suite = default_suite(ID_CARD_VERIFICATION, RULES)
    found, _ = judged(
        Source(home.open(), "people", "id"),
        Projection(ID_CARD_VERIFICATION, {"IdCard": "id_card", "Name": "name"}),
        suite,
        9,
    )
    assert found == [("1", "id_card_not_text")]
