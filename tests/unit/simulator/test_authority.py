from __future__ import annotations

from base64 import b64encode
from io import BytesIO

import pytest
from PIL import Image

from airflow_provider_faceid.api.photo import MAX_PHOTO_BASE64
from airflow_provider_faceid.simulator.people import (
    FACE,
    ID_CARD,
    PERSONAS,
    TRANSIENT_CALLS,
    How,
    People,
    expects,
)
from airflow_provider_faceid.simulator.people import photos as pictures

PORTRAIT = pictures.portrait("anybody")
SPECIAL_PEOPLE = People(0).listed
SHORT = [persona.codes[FACE].rpartition(".")[2] for persona in PERSONAS]


def code_of(response: dict) -> str:
    return response["Error"]["Code"] if "Error" in response else response["Result"]


def picture(size: tuple[int, int], kind: str = "PNG") -> bytes:
    file = BytesIO()
    Image.new("L", size).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    ("number", "name", "result", "description"),
    [
        ("11204416541220243X", "Wei Xiaobao", "0", "Name and identity card number match"),
        ("11204416541220243x", "韦小宝", "0", "Name and identity card number match"),
        ("440305199505132561", "Liu Yang", "-1", "Name and ID card number mismatch"),
    ],
)
def test_the_samples_of_the_id_card_page(caller, number, name, result, description):
    response = caller.id_card(number, name)
    assert set(response) == {"Result", "Description", "RequestId"}
    assert (response["Result"], response["Description"]) == (result, description)


def test_the_sample_of_the_face_page(caller):
    response = caller.face("11204416541220243X", "Wei Xiaobao", PORTRAIT)
    assert response | {"RequestId": ""} == {
        "Sim": 89.88,
        "Result": "Success",
        "Description": "Success",
        "Extra": "",
        "RequestId": "",
    }


def test_an_ordinary_person_matches(caller, server, ordinary):
    assert caller.id_card(ordinary.id_card, ordinary.name)["Result"] == "0"
    photo = server.account.gallery.submitted(ordinary)
    response = caller.face(ordinary.id_card, ordinary.name, photo, Extra="row 17")
    assert (response["Result"], response["Sim"], response["Extra"]) == ("Success", 100, "row 17")
    assert server.account.ledger.bill == {ID_CARD: 1, FACE: 1}


def test_another_name_does_not_match(caller, ordinary):
    photo = pictures.portrait("somebody else")
    assert caller.id_card(ordinary.id_card, "Li Si")["Result"] == "-1"
    response = caller.face(ordinary.id_card, "Li Si", photo)
    assert (response["Result"], response["Sim"]) == ("FailedOperation.IdNameMisMatch", 0)


def test_another_face_is_of_low_similarity_and_charged(caller, server, ordinary):
    response = caller.face(ordinary.id_card, ordinary.name, pictures.portrait("somebody else"))
    assert response["Result"] == "FailedOperation.CompareLowSimilarity"
    assert response["Description"] == "Similarity comparison does not reach the pass standard"
    assert response["Sim"] < 70
    assert server.account.ledger.bill == {FACE: 1}


@pytest.mark.parametrize(
    ("number", "name", "code", "face_code"),
    [
        ("44030519950513256", "Liu Yang", "-2", "IdFormatError"),
        ("440305199505132562", "Liu Yang", "-2", "IdFormatError"),
        (" 440305199505132561", "Liu Yang", "-2", "IdFormatError"),
        ("", "Liu Yang", "-2", "IdFormatError"),
        ("440305199505132561", "", "-3", "NameFormatError"),
        ("440305199505132561", "Liu 1", "-3", "NameFormatError"),
        ("440305199505132561", "a" * 51, "-3", "NameFormatError"),
        ("11010519491231002X", "Liu Yang", "-5", "IdNoExistSystem"),
    ],
)
def test_input_that_leads_to_nobody_is_free(  # noqa: PLR0917 - one argument per column
    caller, server, number, name, code, face_code
):
    assert caller.id_card(number, name)["Result"] == code
    response = caller.face(number, name, PORTRAIT)
    assert (response["Result"], response["Sim"]) == (f"FailedOperation.{face_code}", 0)
    assert not server.account.ledger.bill


@pytest.mark.parametrize("index", range(len(PERSONAS)), ids=SHORT)
def test_special_people_are_answered_as_they_are_flagged(caller, server, index):
    person, gallery = SPECIAL_PEOPLE[index], server.account.gallery
    persona = person.persona

    def ask() -> dict[str, str]:
        photo = gallery.submitted(person)
        return {
            ID_CARD: code_of(caller.id_card(person.id_card, person.name)),
            FACE: code_of(caller.face(person.id_card, person.name, photo)),
        }

    if persona.how is How.AT_FIRST:
        for _ in range(TRANSIENT_CALLS):
            assert ask() == persona.codes
    final = {action: expects(person)[action] for action in (ID_CARD, FACE)}
    assert ask() == final
    assert ask() == final


def test_a_reset_brings_transient_answers_back(caller, server):
    person = next(p for p in SPECIAL_PEOPLE if p.persona.codes[ID_CARD] == "-4")
    results = []
    for call in range(6):
        if call == 3:
            server.account.reset()
        results.append(caller.id_card(person.id_card, person.name)["Result"])
    assert results == ["-4", "-4", "0", "-4", "-4", "0"]


def test_the_identity_limit_is_answered_and_free(caller, server, ordinary):
    photo = server.account.gallery.submitted(ordinary)
    for _ in range(15):
        assert caller.face(ordinary.id_card, ordinary.name, photo)["Result"] == "Success"
    response = caller.face(ordinary.id_card, ordinary.name, photo)
    assert response["Result"] == "FailedOperation.IdentityAuthLimitExceeded"
    assert server.account.ledger.bill == {FACE: 15}


@pytest.mark.parametrize(
    ("photo", "code"),
    [
        ("", "InvalidParameterValue"),
        ("not base64!", "InvalidParameterValue"),
        ("/9j/4AAQSkZJRg.....s97n//2Q==", "InvalidParameterValue"),
        (b"GIF89a" + bytes(40), "InvalidParameterValue"),
        ("data:image/jpeg;base64," + b64encode(PORTRAIT).decode(), "InvalidParameterValue"),
        ("A" * (MAX_PHOTO_BASE64 + 4), "FailedOperation.LifePhotoSizeError"),
        (picture((31, 500)), "FailedOperation.LifePhotoSizeError"),
        (picture((8001, 100)), "FailedOperation.LifePhotoSizeError"),
        (picture((95, 500)), "FailedOperation.LifePhotoPoorQuality"),
        (PORTRAIT[: len(PORTRAIT) // 2], "FailedOperation.LifePhotoDetectNoFaces"),
        (PORTRAIT[:200] + PORTRAIT[-2:], "FailedOperation.LifePhotoDetectNoFaces"),
        (picture((96, 96)), "FailedOperation.CompareLowSimilarity"),
        (picture((8000, 4000)), "FailedOperation.CompareLowSimilarity"),
    ],
)
def test_photos_are_looked_at_before_the_person(caller, ordinary, photo, code):
    assert code_of(caller.face(ordinary.id_card, ordinary.name, photo)) == code


def test_a_large_photo_is_compared_too(caller, server, ordinary):
    image = Image.open(BytesIO(server.account.gallery.submitted(ordinary)))
    file = BytesIO()
    image.resize((2400, 3000)).save(file, "JPEG", quality=97)
    assert len(file.getvalue()) > 200_000
    response = caller.face(ordinary.id_card, ordinary.name, file.getvalue())
    assert response["Result"] == "Success"


def test_extra_has_at_most_ten_characters(caller, ordinary):
    response = caller.face(ordinary.id_card, ordinary.name, PORTRAIT, Extra="x" * 11)
    assert response["Error"]["Code"] == "InvalidParameterValue"
