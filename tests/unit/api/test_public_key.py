from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from airflow_provider_faceid.api.encryption.ciphers import KNOWN, SM2_HEADER, read_rsa, read_sm2
from airflow_provider_faceid.exceptions import ConfigurationError

RSA, SM2 = KNOWN["AES-256-CBC"], KNOWN["SM4-GCM"]
RSA_KEY, POINT = read_rsa(RSA), read_sm2(SM2)


def forms(pem: str, der: bytes) -> list:
    body = "".join(pem.splitlines()[1:-1])
    return [
        pytest.param(pem, id="PEM"),
        pytest.param(f"\n  {pem}\r\n", id="blanks around"),
        pytest.param(pem.replace("\n", " "), id="one line"),
        pytest.param(pem.replace("\n", "\\n"), id="escaped line breaks"),
        pytest.param(pem.replace("\n", ""), id="no line breaks"),
        pytest.param(body, id="Base64 of DER"),
        pytest.param(b64encode(pem.encode()).decode(), id="Base64 of PEM"),
        pytest.param(der.hex(), id="hexadecimal"),
    ]


PKCS1 = RSA_KEY.public_bytes(Encoding.DER, PublicFormat.PKCS1)
SPKI = RSA_KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize("text", [*forms(RSA, PKCS1), pytest.param(SPKI, id="SPKI")])
def test_an_rsa_key_is_read(text):
    assert read_rsa(text) == RSA_KEY


@pytest.mark.parametrize("text", [*forms(SM2, SM2_HEADER + POINT.encode())])
def test_an_sm2_key_is_read(text):
    assert read_sm2(text) == POINT


@pytest.mark.parametrize("upper", [False, True])
def test_an_sm2_key_may_be_its_point(upper):
    text = POINT.encode().hex()
    assert read_sm2(text.upper() if upper else text) == POINT


def pem_of(key) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


OTHER_CURVE = pem_of(ec.generate_private_key(ec.SECP256R1()).public_key())
OFF_THE_CURVE = (SM2_HEADER + b"\x04" + bytes(64)).hex()
NO_KEYS = [
    pytest.param(text, id=title)
    for title, text in {
        "empty": "",
        "prose": "the key in the console",
        "Chinese": "公钥",
        "other curve": OTHER_CURVE,
        "cut": RSA[:90],
        "Base64 of something": b64encode(b"something").decode(),
        "PEM of nothing": "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
        "Base64 of the beginning of a PEM": b64encode(b"-----BEGIN PUBLIC KEY-----").decode(),
        "off the curve": OFF_THE_CURVE,
    }.items()
]


@pytest.mark.parametrize("text", [*NO_KEYS, pytest.param(SM2, id="SM2")])
def test_what_is_no_rsa_key_is_refused(text):
    with pytest.raises(ConfigurationError, match="AES-256-CBC must be an RSA key"):
        read_rsa(text)


@pytest.mark.parametrize("text", [*NO_KEYS, pytest.param(RSA, id="RSA")])
def test_what_is_no_sm2_key_is_refused(text):
    with pytest.raises(ConfigurationError, match="SM4-GCM must be an SM2 key"):
        read_sm2(text)


def test_a_longer_rsa_key_is_read():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    assert read_rsa(pem_of(key)) == key
