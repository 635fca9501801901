r"""Ciphers, public keys and data keys of field encryption: two suites, AES with RSA and SM4 with SM2.

A suite has a cipher for the fields, and encrypts (wraps) the cipher's key, the data key, with the
service's public key. :class:`Wrapped` gives out one data key until it has served often or long enough.
A public key is given as the official helpers have it: PEM, or the Base64 of a PEM (they hold it so), or
of its DER; for SM2 also the point in hexadecimal. Line breaks may be lost or written ``\n``, as happens
in a form of one line.
"""

from __future__ import annotations

import re
import threading
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ... import process as forks
from ...clock import Clock
from ...exceptions import ConfigurationError
from . import sm2

SM2_HEADER = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
"""What comes before the point in the DER of an SM2 key: EC key, curve 1.2.156.10197.1.301."""

KNOWN: Mapping[str, str] = {
    "AES-256-CBC": """-----BEGIN RSA PUBLIC KEY-----
MIGJAoGBAMRJoaUkZN1d5Mp8F5V6itXmSLNM5Z771afayoI49SndkFtsspHS402Z
EUUPQfqbuZk/VuSh59LtA/fBKzb4BP5bV8aqogVhG4e/q+NDkwlaq0i31HwLyBla
EojE/EEHpXBsuEkVTbKEy5elRq9toL7IZ80i+H2mtfU5CPsar+R3AgMBAAE=
-----END RSA PUBLIC KEY-----""",
    "SM4-GCM": """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAEy2QjbKC4L6LJpw51mjX90X41NYGa
Mp+OGX7eJBfs8K98MOtKN8wPjj1iqHUlW6qyPGggNPI5RGEoAXaojOVycg==
-----END PUBLIC KEY-----""",
}
"""
The keys the official helpers for Go and Java hold, by algorithm.

That international accounts have the same ones is inferred; an account may be shown its own in the
console.
"""

_PEM = re.compile(
    r"-----BEGIN (?:RSA )?PUBLIC KEY-----(.*)-----END (?:RSA )?PUBLIC KEY-----", re.DOTALL
)
_SPACE = re.compile(r"\s|\\[rn]")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")


def read_rsa(text: str) -> RSAPublicKey:
    """
    Read an RSA key.

    1,024 bits are what the service has, short as they are by today's standards.

    :raises ConfigurationError: the text is no RSA public key.
    """
    try:
        key = load_der_public_key(_der(text))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey):
        raise ConfigurationError(
            "The public key for AES-256-CBC must be an RSA key: PEM, from BEGIN to END, or its Base64"
        )
    return key


def read_sm2(text: str) -> sm2.Point:
    """
    Read an SM2 key.

    :raises ConfigurationError: the text is no SM2 public key.
    """
    try:
        return sm2.decode_point(_der(text).removeprefix(SM2_HEADER))
    except ValueError:
        raise ConfigurationError(
            "The public key for SM4-GCM must be an SM2 key: PEM, from BEGIN to END, its Base64, or "
            "the point in hexadecimal, which begins with 04"
        ) from None


def _der(text: str) -> bytes:
    """Return the bytes a key was written from."""
    found = _PEM.search(text)
    packed = _SPACE.sub("", found[1] if found else text)
    if _HEX.fullmatch(packed):
        return bytes.fromhex(packed)
    data = b64decode(packed, validate=True)
    return _der(data.decode("ascii")) if data.startswith(b"-----BEGIN") else data


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


@dataclass(frozen=True, slots=True)
class DataKey:
    """
    A symmetric key.

    :param key: the key itself; never printed.
    :param blob: the same for the service alone, as ``CiphertextBlob`` has it.
    """

    key: bytes = field(repr=False)
    blob: str


class Wrapped:
    """
    Gives out one key until it has served often or long enough, then the next.

    Threads may share it.

    :param make: makes a key and wraps it.
    :param max_uses: requests one key serves; 1 makes one for each.
    :param max_age_s: seconds one key serves.
    :param clock: what age is measured with.
    """

    def __init__(
        self, make: Callable[[], DataKey], *, max_uses: int, max_age_s: float, clock: Clock
    ) -> None:
        self._make, self._max_uses, self._max_age_s = make, max_uses, max_age_s
        self._clock = clock
        self.after_fork(is_child=True)
        forks.register_fork_hook(self)
        self._uses = 0
        self._since = 0.0

    def after_fork(self, *, is_child: bool) -> None:
        """Let a child make keys of its own: one may only be used so often."""
        if is_child:
            self._lock = threading.Lock()
            self._held: DataKey | None = None

    def take(self) -> DataKey:
        """Return the key of one request."""
        with self._lock:
            now = self._clock.monotonic()
            worn = self._uses >= self._max_uses or now - self._since >= self._max_age_s
            if self._held is None or worn:
                self._held, self._uses, self._since = self._make(), 0, now
            self._uses += 1
            return self._held
