"""The older form, flat: Actions that take the key's blob beside the fields, and no other form."""

from __future__ import annotations

import json
from base64 import b64encode
from random import Random

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.encryption import Encrypter, KmsEncrypter, encrypt_request
from airflow_provider_faceid.api.messages import build_body
from airflow_provider_faceid.exceptions import ConfigurationError

KEY, BLOB = bytes(range(32)), "a2V5-k-aWQ=-k-c2VhbGVk"
PERSON = {"IdCard": "440305199505132561", "Name": "韦小宝", "Phone": "13800138000"}
FLAT = [name for name, action in ACTIONS.items() if action.field("EncryptList") is not None]


def encrypter():
    return KmsEncrypter(b64encode(KEY).decode(), BLOB, chance=Random(7))


def sealed(value, iv):
    """Return a text encrypted by hand: AES-256-CBC, PKCS #7, Base64."""
    data = value.encode()
    count = 16 - len(data) % 16
    cipher = Cipher(algorithms.AES(KEY), modes.CBC(iv.encode())).encryptor()
    return b64encode(cipher.update(data + bytes([count]) * count) + cipher.finalize()).decode()


def test_one_action_takes_the_flat_form():
    assert FLAT == ["PhoneVerification"]


@pytest.mark.parametrize("action", FLAT)
def test_a_request_is_the_form_byte_for_byte(action):
    sent = encrypt_request(encrypter(), action, PERSON)
    iv = sent["Iv"]
    by_hand = {
        **{name: sealed(value, iv) for name, value in PERSON.items()},
        "EncryptList": ["IdCard", "Name", "Phone"],
        "CiphertextBlob": BLOB,
        "Iv": iv,
    }
    assert bytes(build_body(sent)) == json.dumps(by_hand).encode()
    assert "Encryption" not in sent
    assert not any(value in str(sent) for value in PERSON.values())


@pytest.mark.parametrize("action", FLAT)
def test_every_request_has_an_iv_of_its_own(action):
    one = encrypter()
    assert len({encrypt_request(one, action, PERSON)["Iv"] for _ in range(50)}) == 50


@pytest.mark.parametrize("action", [name for name in ACTIONS if name not in FLAT])
def test_every_other_action_takes_the_nested_form(action):
    values = dict.fromkeys(ACTIONS[action].encryptable, "440305199505132561")
    sent = encrypt_request(encrypter(), action, values)
    assert sent["Encryption"]["EncryptList"] == [*values]
    assert not {"EncryptList", "CiphertextBlob", "Iv"} & sent.keys()


@pytest.mark.parametrize("algorithm", ["AES-256-CBC", "SM4-GCM"])
@pytest.mark.parametrize("action", FLAT)
def test_another_algorithm_is_refused_and_nobody_told(action, algorithm):
    with pytest.raises(ConfigurationError, match="in the older form only") as caught:
        encrypt_request(Encrypter(algorithm), action, PERSON)
    assert "Nothing was sent" in str(caught.value)
    assert not any(value in repr(caught.value) for value in PERSON.values())


@pytest.mark.parametrize("action", FLAT)
def test_a_request_that_is_encrypted_already_is_left_alone(action):
    given = {**PERSON, "EncryptList": ["Phone"], "CiphertextBlob": "mine", "Iv": "mine"}
    assert encrypt_request(encrypter(), action, given) is given
    assert encrypt_request(Encrypter("SM4-GCM"), action, given) is given
