from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_faceid.api import id_card, name
from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.simulator.people import (
    FACE,
    ID_CARD,
    PERSONAS,
    SAMPLES,
    How,
    People,
    expects,
)
from airflow_provider_faceid.simulator.people import photos as pictures
from airflow_provider_faceid.simulator.people import photos as similarity
from airflow_provider_faceid.simulator.people.photos import Gallery

TODAY = datetime.now(UTC).date()


@pytest.fixture(scope="module")
def people():
    return People(2000)


def test_the_same_seed_makes_the_same_people_and_another_seed_others(people):
    ordinary = 300 - len(PERSONAS)
    assert People(300).listed[:ordinary] == people.listed[:ordinary]
    assert People(300).listed[ordinary:] == people.listed[-len(PERSONAS) :]
    assert not {p.id_card for p in People(300, seed=8).listed} & {p.id_card for p in people.listed}


def test_every_number_is_valid_and_its_own(people):
    numbers = [person.id_card for person in people.listed]
    assert len(set(numbers)) == len(numbers) == 2000
    assert {id_card.broken_rule(number, TODAY) for number in numbers} == {None}
    assert any(number.endswith("X") for number in numbers)


def test_every_name_is_valid_and_in_the_form_it_is_sent(people):
    names = [person.name for person in people.listed]
    assert {name.broken_rule(one) for one in names} == {None}
    assert [name.normalise(one) for one in names] == names


@pytest.mark.parametrize(
    ("kind", "share"),
    [
        (str.isascii, 0.1),
        (lambda one: "\u00b7" in one, 0.06),
        (lambda one: any(ord(character) > 0xFFFF for character in one), 0.005),
        (lambda one: len(one) == 2, 0.1),
    ],
    ids=["pinyin", "middle_dot", "beyond_the_basic_plane", "two_characters"],
)
def test_names_of_every_kind_occur(people, kind, share):
    assert sum(map(kind, (person.name for person in people.listed))) > 2000 * share * 0.6


def test_the_special_people_stand_first_and_are_always_there(people):
    assert [person.persona for person in People(0).listed] == list(PERSONAS)
    assert all(person.persona is None for person in people.listed[: -len(PERSONAS)])
    assert [person.persona for person in people.listed[-len(PERSONAS) :]] == list(PERSONAS)


def test_special_people_and_broken_input_together_bring_about_every_code():
    from_input = {
        ID_CARD: {"0", "-2", "-3"},
        FACE: {"Success", "FailedOperation.IdFormatError", "FailedOperation.NameFormatError"},
    }
    documented = {
        ID_CARD: set(ACTIONS["IdCardVerification"].results),
        # The older spelling stands on no page.
        FACE: set(ACTIONS["ImageRecognitionV2"].results) - {"InternalError.CompareLowSimilarity"},
    }
    errors = {
        "FailedOperation.DecryptSystemError",
        "FailedOperation.StsUnAuthErrError",
        "FailedOperation.UnKnown",
    }
    for action, codes in documented.items():
        told = {persona.codes[action] for persona in PERSONAS}
        assert told | from_input[action] == codes | errors


def test_transient_people_are_expected_to_match_in_the_end(people):
    transient = [person for person in people.listed if person.persona in PERSONAS[3:7]]
    assert {person.persona.how for person in transient} == {How.AT_FIRST}
    assert {expects(person)[ID_CARD] for person in transient} == {"0"}


def test_the_samples_of_the_pages_are_known_but_not_listed(people):
    listed = {person.id_card for person in people.listed}
    for sample in SAMPLES:
        assert people.find(sample.id_card) is sample
        assert sample.id_card not in listed


def test_a_picture_is_drawn_once_and_the_same_every_time(people):
    person = people.listed[100]
    gallery = Gallery(7)
    assert gallery.registered(person) is gallery.registered(person)
    assert gallery.registered(person) == Gallery(7).registered(person)
    assert gallery.registered(person) != Gallery(8).registered(person)


def test_pictures_are_small_files():
    sizes = [len(pictures.portrait(f"size {number}")) for number in range(100)]
    assert min(sizes) > 2000
    assert max(sizes) < 12_000


def test_what_special_people_submit_differs_from_what_is_registered(people):
    gallery = Gallery(7)
    other = [p for p in people.personas if gallery.submitted(p) != gallery.registered(p)]
    assert {person.persona.codes[FACE].rpartition(".")[2] for person in other} == {
        "CompareLowSimilarity",
        "LifePhotoSizeError",
        "LifePhotoPoorQuality",
    }
    assert similarity.open_picture(gallery.submitted(people.listed[100])).size == (240, 300)
