"""Encrypted fields against published vectors, and against values the official helpers give."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SM3, Hash
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from airflow_provider_faceid.api.encryption import seal, sm2
from airflow_provider_faceid.api.encryption.ciphers import (
    KNOWN,
    SM2_HEADER,
    SUITES,
    Algorithm,
    read_rsa,
    read_sm2,
)

PERSON = {"IdCard": "11204416541220243X", "Name": "韦小宝"}


def from_hex(*groups: str) -> bytes:
    return bytes.fromhex("".join(groups))


def test_aes_256_cbc_gives_what_the_helpers_give():
    key, iv = b"0123456789abcdef" * 2, bytes(range(16))
    assert seal(Algorithm.AES_256_CBC, key, iv, PERSON) == (
        {
            "IdCard": "JD91GZixd7kvCiteSjM6bPmgw8xj0GMFCDIRLaKuET4=",
            "Name": "yj7F1xMehkA7sJvr1e0jLg==",
        },
        [],
    )


def test_sm4_gcm_gives_what_the_helpers_give():
    assert seal(Algorithm.SM4_GCM, b"0123456789abcdef", bytes(range(12)), PERSON) == (
        {"IdCard": "rB1JJ3EgWbmDgBXkwSBuOksf", "Name": "dLPd8vWbjSEr"},
        ["9P8s2VNV01RuBbeTJAVb8A==", "4VPoCw1xyH0KuK2wjf+I4g=="],
    )


class TestSm2:
    """The example of GB/T 32918.5, annex C."""

    private = int.from_bytes(
        from_hex("3945208F7B2144B13F36E38AC6D39F95", "889393692860B51A42FB81EF4DF7C5B8")
    )
    public = sm2.Point(
        0x09F9DF31_1E5421A1_50DD7D16_1E4BC5C6_72179FAD_1833FC07_6BB08FF3_56F35020,
        0xCCEA490C_E26775A5_2DC6EA71_8CC1AA60_0AED05FB_F35E084A_6632F607_2DA9AD13,
    )
    secret = 0x59276E27_D506861A_16680F3A_D9C02DCC_EF3CC1FA_3CDBE4CE_6D54B80D_EAC1BC21
    message = b"encryption standard"
    ciphertext = from_hex(
        "04",
        "04EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73",
        "E858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0",
        "59983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD8766",
        "21886CA989CA9C7D58087307CA93092D651EFA",
    )

    def test_the_public_key_belongs_to_the_private_one(self):
        assert sm2.multiply(self.private, sm2.G) == self.public

    def test_encryption(self):
        assert sm2.encrypt(self.public, self.message, lambda: self.secret) == self.ciphertext

    def test_decryption(self):
        assert sm2.decrypt(self.private, self.ciphertext) == self.message


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_sm3_of_this_openssl_is_that_of_gb_t_32905(message, digest):
    hashed = Hash(SM3())
    hashed.update(message)
    assert hashed.finalize().hex() == digest


def test_sm4_of_this_openssl_is_that_of_gb_t_32907():
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    block = Cipher(algorithms.SM4(key), modes.ECB()).encryptor().update(key)
    assert block.hex() == "681edf34d206965e86b3e94f536e4246"


def test_sm4_gcm_of_this_openssl_is_that_of_rfc_8998():
    key, iv = from_hex("0123456789ABCDEFFEDCBA9876543210"), from_hex("00001234567800000000ABCD")
    encryptor = Cipher(algorithms.SM4(key), modes.GCM(iv)).encryptor()
    encryptor.authenticate_additional_data(from_hex("FEEDFACEDEADBEEF" * 2, "ABADDAD2"))
    blocks = ("A" * 16, "B" * 16, "C" * 16, "D" * 16, "E" * 16, "F" * 16, "E" * 16, "A" * 16)
    sealed = encryptor.update(from_hex(*blocks)) + encryptor.finalize()
    assert sealed == from_hex(
        "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735",
        "D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D",
    )
    assert encryptor.tag.hex().upper() == "83DE3541E4C2B58177E065A9BF7B62EC"


def test_the_known_keys_are_those_of_the_helpers():
    rsa = read_rsa(KNOWN["AES-256-CBC"])
    der = rsa.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    point = read_sm2(KNOWN["SM4-GCM"]).encode()
    assert [hashlib.sha256(one).hexdigest() for one in (der, SM2_HEADER + point)] == [
        "40c15910cf87807ee9d870b994012dbf3be3fe435bfbed9706c0ef794c291677",
        "be32f06bee0a7b639e81e2ac591b76df41befafa3038440f0929b23700e5a3bc",
    ]
    assert (rsa.key_size, rsa.public_numbers().e) == (1024, 65537)


def test_a_wrapped_key_is_as_long_as_the_helpers_make_it():
    rsa = read_rsa(KNOWN["AES-256-CBC"])
    suites = SUITES.values()
    assert [(suite.key_bytes, suite.iv_bytes) for suite in suites] == [(32, 16), (16, 12)]
    assert len(rsa.encrypt(bytes(32), PKCS1v15())) == 128
    assert len(sm2.encrypt(read_sm2(KNOWN["SM4-GCM"]), bytes(range(16)), lambda: 12345)) == 113
