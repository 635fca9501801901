"""Encrypted fields as the service reads them, and what it says of every kind of damage."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.encryption import Encrypter, KmsEncrypter
from airflow_provider_faceid.api.encryption.ciphers import read_rsa, read_sm2
from airflow_provider_faceid.simulator.api import Refusal
from airflow_provider_faceid.simulator.api.encryption import Keys, decrypt
from airflow_provider_faceid.simulator.people import People

AES, SM4, KMS = "AES-256-CBC", "SM4-GCM", "KMS"
PERSON = {"IdCard": "11204416541220243X", "Name": "韦小宝"}
CANNOT = "FailedOperation.DecryptSystemError"

KEYS = Keys()
PUBLISHED = KEYS.published()
ENCRYPTERS = {
    AES: Encrypter(AES, PUBLISHED[AES]),
    SM4: Encrypter(SM4, PUBLISHED[SM4]),
    KMS: KmsEncrypter(PUBLISHED[KMS]["Plaintext"], PUBLISHED[KMS]["CiphertextBlob"]),
}


def encrypted(form: str, fields=PERSON) -> dict[str, object]:
    """Return a request's parameters, encrypted."""
    sealed, encryption = ENCRYPTERS[form].encrypt(fields)
    return {**PERSON, **sealed, "Encryption": encryption}


def read(parameters, of: Keys = KEYS):
    """Return the person, or the code that says why there is none."""
    said = decrypt(of, ACTIONS["IdCardVerification"], parameters)
    return said.code if isinstance(said, Refusal) else {name: said[name] for name in PERSON}


@pytest.mark.parametrize("form", ENCRYPTERS)
@pytest.mark.parametrize("fields", [["IdCard", "Name"], ["Name", "IdCard"], ["IdCard"], ["Name"]])
def test_encrypted_fields_are_read(form, fields):
    assert read(encrypted(form, {name: PERSON[name] for name in fields})) == PERSON


@pytest.mark.parametrize("form", ENCRYPTERS)
def test_people_with_any_form_of_name_are_read(form):
    people = People(60, seed=5).listed
    for person in people:
        fields = {"IdCard": person.id_card, "Name": person.name}
        assert read(encrypted(form, fields)) == fields


@pytest.mark.parametrize("form", ENCRYPTERS)
@given(number=st.text(max_size=30), name=st.text(max_size=60))
@settings(max_examples=25, deadline=None)
def test_any_text_is_read(form, number, name):
    fields = {"IdCard": number, "Name": name}
    assert read(encrypted(form, fields)) == fields


def flip(text: str, place: int) -> str:
    """Return Base64 text with one bit of one byte changed."""
    data = bytearray(b64decode(text))
    data[place] ^= 1
    return b64encode(data).decode()


def changed(form: str, member: str, place: int) -> dict[str, object]:
    """Return parameters with one bit changed in a field or in a member of ``Encryption``."""
    parameters = encrypted(form)
    encryption = parameters["Encryption"]
    if member in parameters:
        parameters[member] = flip(parameters[member], place)
    elif member == "TagList":
        encryption[member] = [flip(tag, place) for tag in encryption[member]]
    else:
        encryption[member] = flip(encryption[member], place)
    return parameters


@pytest.mark.parametrize("place", [0, -1])
@pytest.mark.parametrize("member", ["IdCard", "Name", "CiphertextBlob", "Iv", "TagList"])
def test_sm4_gcm_notices_any_changed_byte(member, place):
    assert read(changed(SM4, member, place)) == CANNOT


def test_aes_256_cbc_notices_a_changed_key_nearly_always():
    # Instead of an error RSA gives chance, and one padding in 256 fits by chance: then the text is
    # no UTF-8. All that together comes out as a text less than once in a million.
    said = [read(changed(AES, "CiphertextBlob", place)) for place in range(16)]
    assert set(said) == {CANNOT}


def test_aes_256_cbc_does_not_notice_a_changed_iv():
    number = read(changed(AES, "Iv", 0))["IdCard"]
    assert (number[0], number[1:]) == ("0", PERSON["IdCard"][1:])


@pytest.mark.parametrize(
    ("field", "place"), [("IdCard", -1), ("Name", 3), ("Name", -1)], ids=["end", "text", "padding"]
)
def test_aes_256_cbc_notices_a_changed_text_or_padding(field, place):
    # Each change makes 16 bytes of chance; that they are text of the right length is past belief.
    assert read(changed(AES, field, place)) == CANNOT


def test_one_changed_tag_of_two_is_noticed():
    parameters = encrypted(SM4)
    first, second = parameters["Encryption"]["TagList"]
    parameters["Encryption"]["TagList"] = [first, flip(second, 7)]
    assert read(parameters) == CANNOT


def test_tags_belong_to_fields_in_the_order_of_the_list():
    parameters = encrypted(SM4)
    parameters["Encryption"]["TagList"].reverse()
    assert read(parameters) == CANNOT


@pytest.mark.parametrize("form", ENCRYPTERS)
def test_what_was_encrypted_for_another_account_cannot_be_read(form):
    assert read(encrypted(form), Keys()) == CANNOT


DAMAGE = {
    "no list": ({"EncryptList": None}, "MissingParameter"),
    "no blob": ({"CiphertextBlob": None}, "MissingParameter"),
    "no IV": ({"Iv": None}, "MissingParameter"),
    "more": ({"Version": "1"}, "UnknownParameter"),
    "list is text": ({"EncryptList": "IdCard"}, "InvalidParameter"),
    "list of numbers": ({"EncryptList": [1, 2]}, "InvalidParameter"),
    "list of lists": ({"EncryptList": [["IdCard"]]}, "InvalidParameter"),
    "blob is a number": ({"CiphertextBlob": 7}, "InvalidParameter"),
    "IV is a list": ({"Iv": ["x"]}, "InvalidParameter"),
    "algorithm is a number": ({"Algorithm": 1}, "InvalidParameter"),
    "tags are text": ({"TagList": "x"}, "InvalidParameter"),
    "tags are numbers": ({"TagList": [1, 2]}, "InvalidParameter"),
    "other algorithm": ({"Algorithm": "AES-256-GCM"}, "InvalidParameterValue"),
    "one tag for two": ({"TagList": ["9P8s2VNV01RuBbeTJAVb8A=="]}, "InvalidParameterValue"),
    "photo": ({"EncryptList": ["IdCard", "ImageBase64"]}, "InvalidParameter.UnsupportEncryptField"),
    "nobody's field": ({"EncryptList": ["Phone"]}, "InvalidParameter.UnsupportEncryptField"),
    "blob is no Base64": ({"CiphertextBlob": "?"}, CANNOT),
    "blob is empty": ({"CiphertextBlob": ""}, CANNOT),
    "blob of another KMS key": ({"CiphertextBlob": "a-k-b-k-c"}, CANNOT),
    "IV is no Base64": ({"Iv": "密"}, CANNOT),
    "IV is empty": ({"Iv": ""}, CANNOT),
    "IV is short": ({"Iv": "AAEC"}, CANNOT),
    "IV is 16 characters of Chinese": ({"Iv": "密" * 16}, CANNOT),
}


@pytest.mark.parametrize("form", [AES, SM4])
@pytest.mark.parametrize(("change", "code"), DAMAGE.values(), ids=DAMAGE)
def test_damage_has_a_code(form, change, code):
    parameters = encrypted(form)
    parameters["Encryption"] = {**parameters["Encryption"], **change}
    assert read(parameters) == code


@pytest.mark.parametrize("form", [AES, SM4])
@pytest.mark.parametrize("value", ["", "AA", "?", "韦小宝", "AAAA"])
def test_a_field_that_was_not_encrypted_cannot_be_read(form, value):
    assert read({**encrypted(form), "Name": value}) == CANNOT


@pytest.mark.parametrize("tag", ["", "AAAA", "?", b64encode(bytes(15)).decode()])
def test_a_tag_of_another_length_is_no_tag(tag):
    parameters = encrypted(SM4, {"IdCard": PERSON["IdCard"]})
    parameters["Encryption"]["TagList"] = [tag]
    assert read(parameters) == CANNOT


def test_tags_are_refused_where_the_algorithm_has_none():
    parameters = encrypted(AES)
    parameters["Encryption"]["TagList"] = ["9P8s2VNV01RuBbeTJAVb8A=="]
    assert read(parameters) == "InvalidParameterValue"


def test_without_a_name_the_algorithm_is_aes_256_cbc():
    parameters = encrypted(AES)
    del parameters["Encryption"]["Algorithm"], parameters["Encryption"]["TagList"]
    assert read(parameters) == PERSON


def test_an_empty_list_leaves_everything_as_it_is():
    """The Node.js helper sends one where only the answer is encrypted."""
    parameters = {**PERSON, "Encryption": {**encrypted(AES)["Encryption"], "EncryptList": []}}
    assert read(parameters) == PERSON


def test_nothing_but_the_names_of_members_is_said():
    said = decrypt(
        KEYS, ACTIONS["IdCardVerification"], {**PERSON, "Encryption": {"Iv": PERSON["IdCard"]}}
    )
    assert said == Refusal("MissingParameter", ("Encryption.EncryptList",))


def test_keys_are_made_when_they_are_asked_for_and_stay():
    fresh = Keys()
    assert not {"rsa", "sm2", "kms"} & set(vars(fresh))
    assert fresh.published() == fresh.published()
    assert fresh.published() != PUBLISHED


def test_published_keys_have_the_form_of_the_service_s():
    rsa = read_rsa(PUBLISHED[AES])
    assert isinstance(rsa, RSAPublicKey)
    assert (rsa.key_size, rsa.public_numbers().e) == (1024, 65537)
    assert PUBLISHED[AES].startswith("-----BEGIN RSA PUBLIC KEY-----\n")
    assert PUBLISHED[SM4].startswith("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0D")
    assert read_sm2(PUBLISHED[SM4])
    assert len(b64decode(PUBLISHED[KMS]["Plaintext"])) == 32
    assert PUBLISHED[KMS]["CiphertextBlob"].count("-k-") == 2


def test_a_key_that_serves_many_requests_is_unwrapped_once():
    fresh = Keys()
    encrypter = Encrypter(SM4, fresh.published()[SM4])
    for _ in range(20):
        fields, encryption = encrypter.encrypt(PERSON)
        assert read({**fields, "Encryption": encryption}, fresh) == PERSON
    assert fresh.unwrap.cache_info().misses == 1
