"""What people and photos look like in tables, and what of it is sent."""

from __future__ import annotations

import base64

import pytest

from airflow_provider_faceid.api.name import MIDDLE_DOT
from airflow_provider_faceid.batch.inputs import Columns
from airflow_provider_faceid.exceptions import InvalidInputError
from airflow_provider_faceid.operators.photo_files import photo_reader
from airflow_provider_faceid.simulator.people import FACE

pytestmark = pytest.mark.source

GIF = b"GIF89a" + bytes(range(256))


def full_width(text):
    return text.translate({48 + digit: 0xFF10 + digit for digit in range(10)})


@pytest.fixture
def somebody(bench):
    """A person whose number ends in X and whose name has a middle dot, as far as there are such."""

    def find(fits):
        return next(person for person in bench.ordinary if fits(person))

    return find


def test_what_people_type_is_sent_as_the_service_wants_it(bench, somebody):
    ending_in_x = somebody(lambda person: person.id_card.endswith("X"))
    dotted = somebody(lambda person: MIDDLE_DOT in person.name)
    spaced = somebody(lambda person: " " in person.name)
    plain = somebody(lambda person: len(person.name) == 2)
    rows = [
        (ending_in_x.id_card.lower(), ending_in_x.name),
        (f" {full_width(plain.id_card)}\n", f"\u3000{plain.name} "),
        (plain.id_card, " ".join(plain.name)),
        *(
            (dotted.id_card, dotted.name.replace(MIDDLE_DOT, dot))
            for dot in ("•", "・", "．", "‧", "∙", "⋅", "･", ".", f" {MIDDLE_DOT} ")
        ),
        (spaced.id_card, spaced.name.replace(" ", "  ")),
    ]
    bench.fill([(key, *row) for key, row in enumerate(rows)])
    manifest = bench.run()
    bench.check(manifest)
    assert manifest["outcomes"] == {"match": len(rows)}
    assert "" not in bench.called()


def test_numbers_stored_as_numbers_are_refused_and_never_sent(bench, somebody):
    person = somebody(lambda person: not person.id_card.endswith("X"))
    number = "BIGINT"
    bench.fill([(1, int(person.id_card), person.name)], number=number)
    manifest = bench.run()
    bench.check(manifest)
    assert manifest["quarantined_by_rule"] == {"id_card_not_text": 1}
    assert bench.calls() == []


def test_seventeen_digits_and_null_names_are_quarantined_by_rule(bench):
    person = bench.ordinary[0]
    bench.fill(
        [
            (1, person.id_card[:17], person.name),
            (2, person.id_card, None),
            (3, None, None),
            (4, person.id_card, "  "),
            (5, person.id_card, "王" * 51),
            (6, person.id_card, "R2D2"),
            (7, person.id_card + ".0", person.name),
        ]
    )
    manifest = bench.run()
    bench.check(manifest)
    assert [(key, rule) for key, rule, _ in bench.quarantine()] == [
        ("1", "id_card_length"),
        ("2", "name_missing"),
        ("3", "id_card_missing"),
        ("4", "name_missing"),
        ("5", "name_length"),
        ("6", "name_characters"),
        ("7", "id_card_length"),
    ]
    assert bench.calls() == []


def bad_photos(photo):
    """Return what a photo column may hold, and the rule it breaks; None if it is fine."""
    text = base64.b64encode(photo).decode()
    wrapped = "\n".join(text[start : start + 76] for start in range(0, len(text), 76))
    return [
        (text, None),
        (wrapped, None),
        (None, "photo_missing"),
        ("", "photo_missing"),
        ("data:image/jpeg;base64," + text, "photo_data_uri"),
        (text[: len(text) // 8 * 4], "photo_truncated"),
        (text[:-3], "photo_base64"),
        ("x" * 100, "photo_format"),
        (base64.b64encode(GIF).decode(), "photo_format"),
        (base64.b64encode(photo[:4] + bytes(3 * 1024 * 1024)).decode(), "photo_size"),
    ]


def test_photos_as_base64_text(bench):
    person = bench.ordinary[0]
    photos = bad_photos(bench.photo(person))
    bench.fill([(key, person.id_card, person.name, photo) for key, (photo, _) in enumerate(photos)])
    manifest = bench.run(FACE)
    bench.check(manifest, FACE)
    assert manifest["outcomes"] == {"match": 2}
    assert [(key, rule) for key, rule, _ in bench.quarantine()] == [
        (str(key), rule) for key, (_, rule) in enumerate(photos) if rule
    ]


def test_photos_as_bytes(bench):
    person = bench.ordinary[0]
    photo = bench.photo(person)
    photos = [
        (photo, None),
        (base64.b64encode(photo), None),
        (b"", "photo_missing"),
        (None, "photo_missing"),
        (GIF, "photo_format"),
        (photo[: len(photo) // 2], "photo_truncated"),
        (photo[:4] + bytes(4 * 1024 * 1024), "photo_size"),
    ]
    kind = "BYTEA" if bench.home.dialect.name == "postgresql" else "BLOB"
    rows = [(key, person.id_card, person.name, photo) for key, (photo, _) in enumerate(photos)]
    bench.fill(rows, photo=kind)
    manifest = bench.run(FACE)
    bench.check(manifest, FACE)
    assert manifest["outcomes"] == {"match": 2}
    assert [(key, rule) for key, rule, _ in bench.quarantine()] == [
        (str(key), rule) for key, (_, rule) in enumerate(photos) if rule
    ]


def test_photos_by_path(bench, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__FACEID__PHOTO_ROOTS", str(tmp_path))
    person = bench.ordinary[0]
    photo = bench.photo(person)
    folder = tmp_path / f"{person.id_card} photos %20 😀"
    folder.mkdir()
    photos = [
        ("good.jpg", photo, None),
        ("text.txt", base64.b64encode(photo), None),
        ("empty.jpg", b"", "photo_missing"),
        ("animation.jpg", GIF, "photo_format"),
        ("half.jpg", photo[: len(photo) // 2], "photo_truncated"),
        ("large.jpg", photo + bytes(4 * 1024 * 1024), "photo_size"),
        ("missing.jpg", None, "photo_unreadable"),
        ("", None, "photo_unreadable"),
    ]
    for name, content, _ in photos:
        if content is not None:
            (folder / name).write_bytes(content)
    paths = [f"file://{folder}/{name}" for name, _, _ in photos] + [None, " ", "nowhere://x"]
    rules = [rule for _, _, rule in photos] + ["photo_missing", "photo_missing", "photo_path"]
    bench.fill([(key, person.id_card, person.name, path) for key, path in enumerate(paths)])
    columns = Columns({"IdCard": "id_card", "Name": "name"}, "photo", photo_reader())
    manifest = bench.run(FACE, columns=columns)
    bench.check(manifest, FACE)
    assert manifest["outcomes"] == {"match": 2}
    assert sorted((int(key), rule) for key, rule, _ in bench.quarantine()) == [
        (key, rule) for key, rule in enumerate(rules) if rule
    ]


def test_a_path_is_no_part_of_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__FACEID__PHOTO_ROOTS", str(tmp_path))
    with pytest.raises(InvalidInputError) as caught:
        photo_reader()(f"file://{tmp_path}/440305199505132561.jpg")
    assert caught.value.rule == "photo_unreadable"
    assert "440305" not in str(caught.value) + repr(caught.value)
    assert caught.value.__context__ is None


def test_photos_stay_where_they_are_until_their_row_is_called(bench):
    """A page of 500 photos would not fit into memory: rows already answered read none."""
    person = bench.ordinary[0]
    photo = base64.b64encode(bench.photo(person)).decode()
    bench.fill([(key, person.id_card, person.name, photo) for key in range(4)])
    bench.run(FACE)
    bench.home.run("UPDATE people SET photo = NULL")
    assert bench.run(FACE)["outcomes"] == {"match": 4}
