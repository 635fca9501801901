"""What stands in the source: people twice, rows that change, odd names, broken photos, odd tables."""

from __future__ import annotations

import base64

import pytest

from airflow_provider_faceid.api.name import MIDDLE_DOT
from airflow_provider_faceid.batch import photos as batch_photos
from airflow_provider_faceid.batch.inputs import Columns
from airflow_provider_faceid.exceptions import PhotoStoreError
from airflow_provider_faceid.operators.photo_files import photo_reader
from airflow_provider_faceid.simulator.people import FACE, ID_CARD
from airflow_provider_faceid.warehouse.sql.database import DUCKDB
from tests.support.patience import once

WIDE = {48 + digit: 0xFF10 + digit for digit in range(10)}
GIF = b"GIF89a" + bytes(range(256))


@pytest.mark.fault(32)
def test_a_person_twice_in_the_source_is_called_once_and_answers_both_rows(trial, measured):
    once, people = 40, trial.ordinary[:10]
    rows = [(p.id_card, p.name) for p in trial.ordinary[:once]]
    again = [(f" {p.id_card.lower()} ", f"{p.name} ") for p in people]
    trial.fill([(n, *row) for n, row in enumerate([*rows, *again])])
    manifest = trial.run()
    assert (manifest["answered"], manifest["calls"], manifest["charged"]) == (
        50,
        once,
        once,
    )
    assert sum(charged for (charged,) in trial.rows("faceid_results", "charged")) == once
    trial.hold()
    measured(
        f"{len(rows) + len(again)} rows of {once} people: {manifest['calls']} calls, all answered"
    )


@pytest.mark.fault(33)
def test_a_row_counts_as_it_was_when_its_page_was_read(trial, measured):
    """Three pages of 500. While the first is called, rows before and behind it change."""
    people = trial_people(trial, 1212)
    trial.fill([(n, p.id_card, p.name) for n, p in enumerate(people[:1200], 1)])
    sent, unsent, gone = 10, 1190, 1195
    new = people[1200:]

    def change() -> None:
        row = "UPDATE people SET id_card = ?, name = ? WHERE id = ?"
        for place, key in enumerate((sent, unsent)):
            trial.home.run(row, [(new[place].id_card, new[place].name, key)])
        trial.home.run("DELETE FROM people WHERE id = ?", [(gone,)])
        add = "INSERT INTO people VALUES (?, ?, ?, NULL)"
        trial.home.run(add, [(n, new[p].id_card, new[p].name) for p, n in ((2, -1), (3, 5000))])

    with once(lambda: len(trial.calls()) >= 10, change):
        manifest = trial.run(settings={"quotas": {ID_CARD: 400}}, max_in_flight=100)
    called = trial.called()
    assert manifest["rows_in"] == 1200
    assert manifest["answered"] == len(called) == 1200
    assert called[people[sent - 1].id_card] == called[new[1].id_card] == called[new[3].id_card] == 1
    absent = (people[unsent - 1], people[gone - 1], new[0], new[2])
    assert not called.keys() & {person.id_card for person in absent}
    later = trial.run()
    assert (later["due_new"], later["due_changed"], later["calls"]) == (1, 1, 2)
    assert trial.called()[new[2].id_card] == trial.called()[new[0].id_card] == 1
    trial.hold()
    measured("rows behind the page being read are for the next run; 0 lost, 0 twice")


def trial_people(trial, count: int) -> list:
    """Return so many ordinary people of a service that knows enough of them."""
    people = trial.ordinary[:count]
    assert len(people) == count
    return people


@pytest.fixture
def trial(request, trials):
    """A trial; for the changing source with a service that knows more people."""
    return trials(1300 if "page_was_read" in request.node.name else 400)


@pytest.mark.fault(36)
def test_odd_input_is_brought_into_form_or_set_aside_at_no_charge(trial, measured):
    def somebody(fits):
        return next(p for p in trial.ordinary if fits(p))

    with_x = somebody(lambda p: p.id_card.endswith("X"))
    dotted = somebody(lambda p: MIDDLE_DOT in p.name)
    plain = somebody(lambda p: len(p.name) == 2)
    other = trial.ordinary[-1].id_card
    good = [
        (with_x.id_card.lower(), with_x.name),
        (plain.id_card.translate(WIDE), f"\u3000{plain.name} "),
        (dotted.id_card, dotted.name.replace(MIDDLE_DOT, " • ")),
        (f"\u202d{dotted.id_card}\u202c", dotted.name.replace(MIDDLE_DOT, "\u1427")),
        (f"\ufeff{dotted.id_card}", dotted.name.replace(MIDDLE_DOT, "\ufe52")),
        (plain.id_card, f"\u200b{plain.name[0]}\u200d{plain.name[1]}\u00ad"),
        (f"\t{plain.id_card}\n", " ".join(plain.name)),
    ]
    third, fourth = (person.id_card for person in trial.ordinary[-3:-1])
    asked = [(third, "李"), (fourth, "王" * 50)]  # names like any other: the service decides
    bad = [
        (other, "王" * 51, "name_length"),
        (other, "R2D2", "name_characters"),
        (other, f" {MIDDLE_DOT} ", "name_characters"),
        (other, None, "name_missing"),
        (other, "  ", "name_missing"),
        (other, "nan", "name_missing_text"),
        (other, "NULL", "name_missing_text"),
        ("None", plain.name, "id_card_missing"),
        (f"{other}\x7f", plain.name, "id_card_characters"),
        (other[:17], plain.name, "id_card_length"),
        (f"{other}.0", plain.name, "id_card_length"),
        (f"{other[:17]}Z", plain.name, "id_card_characters"),
        (f"{other[:6]}18991231{other[14:]}", plain.name, "id_card_birth_date"),
        (None, plain.name, "id_card_missing"),
    ]
    trial.fill([(n, *row[:2]) for n, row in enumerate([*good, *asked, *bad])])
    manifest = trial.run()
    outcomes = trial.results(columns="outcome")
    assert [outcomes[str(n)] for n in range(len(good))] == ["match"] * len(good)
    rules = {int(key): rule for key, rule, _ in trial.quarantine()}
    first_bad = len(good) + len(asked)
    assert {n: rules.get(n + first_bad) for n in range(len(bad))} == {
        n: rule for n, (*_, rule) in enumerate(bad)
    }
    refused = [call for call in trial.calls() if call["result"] in {"-2", "-3"}]
    assert not any(call["charged"] for call in refused)
    trial.hold()
    measured(
        f"{len(good)} brought into form, {manifest['quarantined']} set aside, "
        "0 charged for what is invalid"
    )


@pytest.mark.fault(37)
def test_a_broken_photo_is_set_aside_before_it_is_sent(trial, measured):
    people = trial.ordinary[:9]
    picture = trial.photo(people[0])
    photos = {
        None: "photo_missing",
        b"": "photo_missing",
        picture[:-2] + b"\0" * 4_000_000 + picture[-2:]: "photo_size",
        GIF: "photo_format",
        base64.b64encode(GIF): "photo_format",
        b"no Base64 at all!": "photo_base64",
        b"NULL": "photo_missing",
        picture[: len(picture) // 2]: "photo_truncated",
    }
    rows = [
        (n, p.id_card, p.name, photo)
        for n, (p, photo) in enumerate(zip(people, photos, strict=False))
    ]
    # A line end in front, a byte order mark, lines: none of it counts, and none is sent.
    text = b"\xef\xbb\xbf\n" + base64.encodebytes(trial.photo(people[-1]))
    trial.fill([*rows, (100, people[-1].id_card, people[-1].name, text)], "BLOB")
    manifest = trial.run(FACE)
    assert [rule for _, rule, _ in trial.quarantine()] == list(photos.values())
    assert manifest["answered"] == len(trial.calls()) == 1
    trial.hold(FACE)
    measured(f"{len(photos)} broken photos: {len(trial.calls()) - 1} sent")


@pytest.mark.fault(37)
def test_a_folder_of_photos_that_goes_away_sets_nobody_aside(
    trial, measured, tmp_path, monkeypatch
):
    """Its share is no longer mounted: the place is there, and empty."""
    for name in ("STORE_SECONDS", "REFUSAL_SECONDS", "FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(batch_photos, name, 0.3)
    folder, away = tmp_path / "photos", tmp_path / "away"
    folder.mkdir()
    people = trial.ordinary[:40]
    for n, person in enumerate(people):
        (folder / f"{n}.jpg").write_bytes(trial.photo(person))
    trial.fill([(n, p.id_card, p.name, f"{folder}/{n}.jpg") for n, p in enumerate(people)])
    monkeypatch.setenv("AIRFLOW__FACEID__PHOTO_ROOTS", str(folder))
    columns = Columns({"IdCard": "id_card", "Name": "name"}, "photo", photo_reader())

    def unmount() -> None:
        folder.rename(away)
        folder.mkdir()

    quota = {"settings": {"quotas": {FACE: 20}}}  # slow enough that it happens in the middle
    with once(lambda: len(trial.calls()) >= 5, unmount):
        error, _ = trial.fail(PhotoStoreError, FACE, columns=columns, **quota)
    assert "the folder is not there or empty" in str(error)
    assert trial.quarantine() == []
    asked = len(trial.calls())
    assert set(trial.results().values()) == {("answered", "match")}
    assert 5 <= len(trial.results()) == asked < len(people)
    folder.rmdir()
    away.rename(folder)
    assert trial.run(FACE, columns=columns)["answered"] == len(trial.calls()) == len(people)
    trial.hold(FACE, columns=columns)
    measured("their folder gone in the middle of 40: 0 set aside, 0 called twice")


HOSTILE = 'people "of" 表 😀; DROP TABLE select --'
COLUMNS = ('key"s', "order", "na'me %s ? 😀")


@pytest.mark.fault(42)
def test_hostile_names_of_tables_and_columns_are_quoted(trials, home, measured):
    trial = trials(home=home)
    people, dialect = trial.ordinary[:30], home.dialect
    home.table(HOSTILE, COLUMNS, [(n, p.id_card, p.name) for n, p in enumerate(people)])
    trial.table, trial.ours = HOSTILE, (f"re{HOSTILE}", f"qu{HOSTILE}", f"ru{HOSTILE}")
    key, number, name = COLUMNS
    table = {
        "source": HOSTILE,
        "key": key,
        "columns": Columns({"IdCard": number, "Name": name}),
    }
    manifest = trial.run(**table)
    assert manifest["answered"] == len(trial.calls()) == len(people)
    assert len(trial.rows(HOSTILE)) == len(people)
    trial.hold(**table)
    measured(f"{dialect.name}: {len(people)} rows answered")
    assert dialect is DUCKDB or "faceid_results" not in repr(trial.ours)
