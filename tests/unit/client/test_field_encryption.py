"""What a connection says about encrypted fields: checked when it is read, never by a call."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode

import pytest
from cryptography.exceptions import UnsupportedAlgorithm

from airflow_provider_faceid.api.encryption import ciphers as suites
from airflow_provider_faceid.api.encryption.ciphers import KNOWN, Algorithm
from airflow_provider_faceid.client.connection_schema import form_fields
from airflow_provider_faceid.client.settings import (
    KEY_FIELDS,
    KMS,
    NONE,
    Credentials,
    Settings,
    encrypt_of,
)
from airflow_provider_faceid.exceptions import ConfigurationError
from tests.support.patience import PATIENCE

from .test_settings import DEFAULTS, parse, refusal

AES, SM4 = "AES-256-CBC", "SM4-GCM"
PERSON = {"IdCard": "11204416541220243X", "Name": "韦小宝"}
SECRET, BLOB = b64encode(bytes(32)).decode(), "a-blob"
GOOD = [
    {"encryption": AES},
    {"encryption": AES, "encryption_public_key": KNOWN[AES]},
    {"encryption": AES, "encryption_public_key": KNOWN[AES].replace("\n", "\r\n")},
    {"encryption": AES, "encryption_public_key": KNOWN[AES].replace("\n", " ")},
    {"encryption": AES, "encryption_public_key": KNOWN[AES].replace("\n", "\\n")},
    {"encryption": SM4},
    {"encryption": SM4, "encryption_public_key": KNOWN[SM4]},
    {"encryption": "KMS", "kms_secret": SECRET, "kms_ciphertext_blob": BLOB},
]


def test_the_form_offers_every_algorithm_and_no_other():
    assert form_fields()["encryption"]["schema"]["enum"] == [NONE, *Algorithm, KMS]


def test_fields_about_keys_are_fields_of_the_form():
    assert form_fields().keys() >= KEY_FIELDS


@pytest.mark.parametrize("settings", [DEFAULTS, parse(extra={"encryption": "none"})])
def test_nothing_is_encrypted_unless_the_connection_says_so(settings):
    assert encrypt_of(settings) is None


@pytest.mark.parametrize("extra", GOOD)
def test_a_connection_makes_an_encrypter_of_its_algorithm(extra):
    sent = encrypt_of(parse(extra=extra))("IdCardVerification", PERSON)
    algorithm = extra["encryption"]
    assert sent["Encryption"].get("Algorithm", "KMS") == algorithm
    assert not {*PERSON.values()} & {*map(str, sent.values())}
    if algorithm == "KMS":
        assert sent["Encryption"]["CiphertextBlob"] == BLOB


RSA = "The public key for AES-256-CBC must be an RSA key: PEM, from BEGIN to END, or its Base64"
SM2 = (
    "The public key for SM4-GCM must be an SM2 key: PEM, from BEGIN to END, its Base64, or the "
    "point in hexadecimal, which begins with 04"
)
DATA_KEY = "A data key of KMS has a Plaintext, the Base64 of 32 bytes, and a CiphertextBlob"
BAD = [
    ({"encryption": AES, "encryption_public_key": KNOWN[SM4]}, "encryption_public_key", RSA),
    ({"encryption": AES, "encryption_public_key": KNOWN[AES][:99]}, "encryption_public_key", RSA),
    ({"encryption": AES, "encryption_public_key": " \n"}, "encryption_public_key", RSA),
    ({"encryption": AES, "encryption_public_key": "{}"}, "encryption_public_key", RSA),
    ({"encryption": SM4, "encryption_public_key": KNOWN[AES]}, "encryption_public_key", SM2),
    ({"encryption": SM4, "encryption_public_key": "04"}, "encryption_public_key", SM2),
    ({"encryption": "KMS"}, "kms_ciphertext_blob", DATA_KEY),
    ({"encryption": "KMS", "kms_secret": SECRET}, "kms_ciphertext_blob", DATA_KEY),
    ({"encryption": "KMS", "kms_ciphertext_blob": BLOB}, "kms_secret", DATA_KEY),
    (
        {"encryption": "KMS", "kms_secret": "aHVzaA==", "kms_ciphertext_blob": BLOB},
        "kms_secret",
        DATA_KEY,
    ),
]


@pytest.mark.parametrize(("extra", "name", "fault"), BAD)
def test_a_key_that_is_none_is_named_when_the_connection_is_read(extra, name, fault):
    assert refusal(extra=extra) == f"Connection 'kyc': extra field '{name}': {fault}"


@pytest.mark.parametrize("name", sorted(KEY_FIELDS))
@pytest.mark.parametrize("extra", [{}, {"encryption": None}, {"encryption": ""}])
def test_a_key_is_no_reason_to_believe_that_it_is_used(name, extra):
    """A form half filled must not send in the clear."""
    assert refusal(extra={**extra, name: "a-key"}) == (
        f"Connection 'kyc': extra field 'encryption' must be filled, as '{name}' is; 'none' leaves "
        "it unused"
    )


def test_settings_made_by_hand_are_refused_likewise():
    settings = Settings(Credentials("an-id", "a-key"), conn_id="kyc", encryption="ROT13")
    with pytest.raises(ConfigurationError, match=r"^Connection 'kyc': extra field 'encryption': "):
        encrypt_of(settings)


def test_a_machine_without_sm4_is_told_so_before_its_key_is_blamed(monkeypatch):
    def lacking(*_):
        raise UnsupportedAlgorithm("no SM4 here")

    suite = suites.Suite(lacking, 16, 12, suites.sm2_wrap, 100)
    monkeypatch.setitem(suites.SUITES, Algorithm.SM4_GCM, suite)
    assert refusal(extra={"encryption": SM4, "encryption_public_key": "?"}) == (
        "Connection 'kyc': extra field 'encryption': OpenSSL has no SM4-GCM on this machine"
    )


def test_one_key_for_sm4_serves_many_calls_of_a_client():
    encrypt = encrypt_of(parse(extra={"encryption": SM4}))
    sent = [encrypt("IdCardVerification", PERSON)["Encryption"] for _ in range(150)]
    assert len({one["Iv"] for one in sent}) == 150
    assert len({one["CiphertextBlob"] for one in sent}) == 2


def test_the_data_key_is_not_printed():
    settings = parse(extra=GOOD[-1])
    assert SECRET not in repr(settings) + repr(encrypt_of(settings))


def test_who_does_not_encrypt_does_not_read_cryptography():
    code = (
        "import json, sys; from airflow_provider_faceid.client.settings import parse_settings; "
        "parse_settings(conn_id='c', host=None, port=None, schema=None, login='i', password='k', "
        "extra={}); print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert not [name for name in json.loads(done.stdout) if name.startswith("cryptography")]
