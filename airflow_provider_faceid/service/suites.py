"""The two ways to encrypt fields: a cipher each, and what wraps the cipher's key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from . import sm2
from .public_key import read_rsa, read_sm2

SM4_MAX_USES = 100
"""Requests one key for SM4 serves: what SM2 costs is spread over so many."""

BLOCK_BITS = 128

Wrap = Callable[[bytes, Random], bytes]
"""Encrypts a key for the service, with chance from a generator."""


class Algorithm(StrEnum):
    """Values of ``Encryption.Algorithm``."""

    AES_256_CBC = "AES-256-CBC"
    SM4_GCM = "SM4-GCM"


def aes_256_cbc(key: bytes, iv: bytes, plain: bytes) -> tuple[bytes, bytes]:
    """Return the ciphertext, and no tag."""
    padder = PKCS7(BLOCK_BITS).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(padder.update(plain) + padder.finalize()), b""


def sm4_gcm(key: bytes, iv: bytes, plain: bytes) -> tuple[bytes, bytes]:
    """Return the ciphertext and its tag."""
    encryptor = Cipher(algorithms.SM4(key), modes.GCM(iv)).encryptor()
    return encryptor.update(plain) + encryptor.finalize(), encryptor.tag


def rsa_wrap(public_key: str) -> Wrap:
    """
    Return what wraps keys with an RSA key.

    :raises ConfigurationError: it is none.
    """
    key = read_rsa(public_key)
    return lambda plain, _: key.encrypt(plain, PKCS1v15())


def sm2_wrap(public_key: str) -> Wrap:
    """
    Return what wraps keys with an SM2 key.

    :raises ConfigurationError: it is none.
    """
    point = read_sm2(public_key)
    return lambda plain, chance: sm2.encrypt(point, plain, lambda: chance.randrange(1, sm2.N))


@dataclass(frozen=True, slots=True)
class Suite:
    """
    What belongs together under the name of an algorithm.

    :param seal: makes ciphertext and tag of key, IV and plain text.
    :param wrapper: makes of a public key what wraps keys.
    :param max_uses: requests one key serves unless told otherwise.
    """

    seal: Callable[[bytes, bytes, bytes], tuple[bytes, bytes]]
    key_bytes: int
    iv_bytes: int
    wrapper: Callable[[str], Wrap]
    max_uses: int


SUITES: dict[Algorithm, Suite] = {
    Algorithm.AES_256_CBC: Suite(aes_256_cbc, 32, 16, rsa_wrap, max_uses=1),
    Algorithm.SM4_GCM: Suite(sm4_gcm, 16, 12, sm2_wrap, max_uses=SM4_MAX_USES),
}
