from base64 import b64decode, b64encode
from random import Random

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_faceid.api import encryption
from airflow_provider_faceid.api.encryption import Encrypter, KmsEncrypter, encrypt_request
from airflow_provider_faceid.api.encryption import ciphers as suites
from airflow_provider_faceid.api.encryption.ciphers import Algorithm
from airflow_provider_faceid.clock import Clock
from airflow_provider_faceid.exceptions import ConfigurationError, InvalidInputError

AES, SM4 = "AES-256-CBC", "SM4-GCM"
PERSON = {"IdCard": "11204416541220243X", "Name": "韦小宝"}
MEMBERS = ["EncryptList", "CiphertextBlob", "Iv", "Algorithm", "TagList"]


class ManualClock(Clock):
    seconds = 0.0

    def monotonic(self):
        return self.seconds


@pytest.mark.parametrize(
    ("algorithm", "blob", "iv", "tags"), [(AES, 128, 16, 0), (SM4, 113, 12, 2)]
)
def test_a_request_carries_what_the_helpers_send(algorithm, blob, iv, tags):
    fields, sent = Encrypter(algorithm).encrypt(PERSON)
    assert list(fields) == sent["EncryptList"] == ["IdCard", "Name"]
    assert list(sent) == MEMBERS
    assert sent["Algorithm"] == algorithm
    assert len(b64decode(sent["CiphertextBlob"])) == blob
    assert len(b64decode(sent["Iv"])) == iv
    assert [len(b64decode(tag)) for tag in sent["TagList"]] == [16] * tags


@pytest.mark.parametrize("algorithm", Algorithm)
def test_one_field_may_be_encrypted_alone(algorithm):
    fields, sent = Encrypter(algorithm).encrypt({"IdCard": PERSON["IdCard"]})
    assert list(fields) == sent["EncryptList"] == ["IdCard"]
    assert len(sent["TagList"]) == (algorithm == SM4)


@pytest.mark.parametrize(("algorithm", "keys"), [(AES, 250), (SM4, 3)])
def test_every_request_has_an_iv_of_its_own_and_keys_serve_as_long_as_they_may(algorithm, keys):
    encrypter = Encrypter(algorithm)
    sent = [encrypter.encrypt(PERSON).encryption for _ in range(250)]
    assert len({one["Iv"] for one in sent}) == 250
    assert len({one["CiphertextBlob"] for one in sent}) == keys


def test_an_old_key_is_replaced():
    clock = ManualClock()
    encrypter = Encrypter(SM4, clock=clock, max_age_s=30)
    blobs = []
    for clock.seconds in (0, 29, 31):
        blobs.append(encrypter.encrypt(PERSON).encryption["CiphertextBlob"])
    assert blobs[0] == blobs[1] != blobs[2]


def test_a_key_may_serve_one_request_only_with_sm4_too():
    encrypter = Encrypter(SM4, max_uses=1)
    assert len({encrypter.encrypt(PERSON).encryption["CiphertextBlob"] for _ in range(5)}) == 5


@pytest.mark.parametrize("algorithm", Algorithm)
def test_keys_are_letters_and_digits_of_the_right_number(algorithm):
    encrypter = Encrypter(algorithm)
    keys = [encrypter._make_key().key for _ in range(20)]
    assert {len(key) for key in keys} == {encrypter._suite.key_bytes}
    assert b"".join(keys).isalnum()
    assert len(set(keys)) == 20


def test_chance_is_that_of_the_operating_system():
    assert type(encryption.CHANCE).__name__ == "SystemRandom"


@pytest.mark.parametrize("algorithm", Algorithm)
def test_the_same_chance_gives_the_same_bytes(algorithm):
    # Except for RSA, whose padding is OpenSSL's chance.
    one, other = (Encrypter(algorithm, chance=Random(7)).encrypt(PERSON) for _ in range(2))
    assert one.fields == other.fields
    assert one.encryption["Iv"] == other.encryption["Iv"]
    assert (one.encryption == other.encryption) is (algorithm == SM4)


def test_one_nonce_for_two_fields_shows_the_exclusive_or_of_both():
    """What the docstring warns of: the wire format has one Iv for all fields of a request."""
    fields, _ = Encrypter(SM4).encrypt(PERSON)
    number, name = (b64decode(fields[field]) for field in PERSON)
    plain_number, plain_name = (value.encode() for value in PERSON.values())
    seen = bytes(a ^ b for a, b in zip(number, name, strict=False))
    assert seen == bytes(a ^ b for a, b in zip(plain_number, plain_name, strict=False))


def test_no_prefix_of_two_fields_is_seen_with_cbc():
    fields, _ = Encrypter(AES).encrypt({"IdCard": "a" * 15, "Name": "a" * 15 + "b"})
    assert b64decode(fields["IdCard"])[:16] != b64decode(fields["Name"])[:16]


@pytest.mark.parametrize("algorithm", ["", "aes-256-cbc", "AES-256-GCM"])
def test_other_algorithms_are_refused(algorithm):
    with pytest.raises(ConfigurationError, match="one of: AES-256-CBC, SM4-GCM"):
        Encrypter(algorithm)


def test_a_key_for_the_other_algorithm_is_refused():
    with pytest.raises(ConfigurationError, match="RSA"):
        Encrypter(AES, encryption.KNOWN[SM4])
    with pytest.raises(ConfigurationError, match="SM2"):
        Encrypter(SM4, encryption.KNOWN[AES])


def test_an_openssl_without_sm4_is_said_at_once(monkeypatch):
    def lacking(*_):
        raise UnsupportedAlgorithm("no SM4 here")

    suite = suites.Suite(lacking, 16, 12, suites.sm2_wrap, 100)
    monkeypatch.setitem(suites.SUITES, Algorithm.SM4_GCM, suite)
    with pytest.raises(ConfigurationError, match="OpenSSL has no SM4-GCM on this machine"):
        Encrypter(SM4)


HALF = "韦小\ud83d"


@pytest.mark.parametrize("algorithm", Algorithm)
def test_half_a_character_is_refused_and_not_shown(algorithm):
    with pytest.raises(InvalidInputError, match="Name holds half a character") as caught:
        Encrypter(algorithm).encrypt({"Name": HALF})
    error = caught.value
    assert error.rule == "not_unicode"
    assert "韦" not in repr(error)
    assert error.__context__ is None  # a UnicodeEncodeError has the text as an attribute


@pytest.mark.parametrize("encrypter", [Encrypter(AES), Encrypter(SM4)], ids=list(Algorithm))
def test_nobody_is_printed(encrypter):
    encrypted = encrypter.encrypt(PERSON)
    shown = f"{encrypter!r} {encrypted!r} {encrypted.encryption}"
    assert not any(value in shown for value in PERSON.values())


@pytest.mark.parametrize(
    ("params", "listed"),
    [
        (PERSON, ["IdCard", "Name"]),
        ({"Name": "韦小宝", "IdCard": "1", "Extra": "x"}, ["IdCard", "Name"]),
        ({"Name": "韦小宝", "IdCard": None, "Encryption": None}, ["Name"]),
        ({"ImageBase64": b"/9j/", "IdCard": ""}, ["IdCard"]),
    ],
)
@pytest.mark.parametrize("action", ["IdCardVerification", "SomeOtherAction"])
def test_number_and_name_of_a_request_are_encrypted_and_nothing_else(action, params, listed):
    sent = encrypt_request(Encrypter(AES), action, params)
    assert sent["Encryption"]["EncryptList"] == listed
    assert all(sent[name] != params[name] for name in listed)
    rest = params.keys() - {*listed, "Encryption"}
    assert {name: sent[name] for name in rest} == {name: params[name] for name in rest}


@pytest.mark.parametrize(
    "params", [{}, {"BizToken": "b", "Name": None}, {**PERSON, "Encryption": {"Iv": "mine"}}]
)
def test_a_request_about_nobody_or_encrypted_before_is_left_alone(params):
    assert encrypt_request(Encrypter(AES), "IdCardVerification", params) is params


@pytest.mark.parametrize("value", [440_305_199_505_132_561, b"440305", ["韦小宝"]])
def test_what_is_no_text_is_refused_and_not_shown(value):
    with pytest.raises(InvalidInputError) as caught:
        encrypt_request(Encrypter(AES), "IdCardVerification", {**PERSON, "IdCard": value})
    assert str(caught.value) == "IdCard is no text and cannot be encrypted [rule not_text]"


class TestKms:
    """The older form, with a data key made by KMS."""

    key = bytes(range(32))
    blob = "a2V5-k-aWQ=-k-c2VhbGVk"

    def encrypter(self):
        return KmsEncrypter(b64encode(self.key).decode(), self.blob)

    def test_a_request_carries_the_blob_as_it_is_and_the_iv_as_text(self):
        fields, sent = self.encrypter().encrypt(PERSON)
        assert list(sent) == ["EncryptList", "CiphertextBlob", "Iv"]
        assert sent["CiphertextBlob"] == self.blob
        assert len(sent["Iv"]) == 16
        assert sent["Iv"].isalnum()
        again, _ = encryption.seal(Algorithm.AES_256_CBC, self.key, sent["Iv"].encode(), PERSON)
        assert fields == again

    def test_every_request_has_an_iv_of_its_own(self):
        encrypter = self.encrypter()
        assert len({encrypter.encrypt(PERSON).encryption["Iv"] for _ in range(100)}) == 100

    @pytest.mark.parametrize(
        ("plaintext", "blob"),
        [("", "b"), ("?", "b"), ("密钥", "b"), (b64encode(bytes(16)).decode(), "b"),
         (b64encode(bytes(32)).decode(), "")],
        ids=["empty", "no Base64", "Chinese", "16 bytes", "no blob"],
    )  # fmt: skip
    def test_what_is_no_data_key_is_refused(self, plaintext, blob):
        with pytest.raises(ConfigurationError, match="Base64 of 32 bytes, and a CiphertextBlob"):
            KmsEncrypter(plaintext, blob)


@given(value=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_as_long_as_its_utf_8(value):
    key, iv = bytes(16), bytes(12)
    fields, (tag,) = encryption.seal(Algorithm.SM4_GCM, key, iv, {"Name": value})
    assert len(b64decode(fields["Name"])) == len(value.encode())
    assert len(b64decode(tag)) == 16
    fields, tags = encryption.seal(Algorithm.AES_256_CBC, bytes(32), bytes(16), {"Name": value})
    assert len(b64decode(fields["Name"])) == (len(value.encode()) // 16 + 1) * 16
    assert tags == []
