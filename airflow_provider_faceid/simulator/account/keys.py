"""The keys of an account's encrypted fields, the service's side: made when first asked for."""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from functools import cached_property, lru_cache

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ...api.encryption import sm2
from ...api.encryption.ciphers import SM2_HEADER, SUITES, Algorithm
from ...api.encryption.data_keys import DataKey

RSA_BITS = 1024
"""As the service has it; no more is proven by a longer one."""

KMS_MARK = "-k-"
"""What joins the three parts of a KMS blob."""

KEPT_KEYS = 256
"""Keys kept once they are unwrapped: clients use one for many requests, and SM2 is slow."""


class Keys:
    """Private keys of the service, and the data key its KMS has given out."""

    def __init__(self) -> None:
        self.unwrap = lru_cache(KEPT_KEYS)(self._unwrap)

    @cached_property
    def rsa(self) -> rsa.RSAPrivateKey:
        """Return the private key for AES-256-CBC."""
        return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)

    @cached_property
    def sm2(self) -> int:
        """Return the private key for SM4-GCM."""
        return 1 + secrets.randbelow(sm2.N - 1)

    @cached_property
    def kms(self) -> DataKey:
        """Return what KMS answers to ``GenerateDataKey``."""
        blob = KMS_MARK.join(b64encode(secrets.token_bytes(48)).decode() for _ in range(3))
        return DataKey(secrets.token_bytes(SUITES[Algorithm.AES_256_CBC].key_bytes), blob)

    def published(self) -> dict[str, object]:
        """Return what a client needs: public keys by algorithm, and the data key of KMS."""
        public = self.rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
        point = sm2.multiply(self.sm2, sm2.G).encode()
        return {
            Algorithm.AES_256_CBC: public,
            Algorithm.SM4_GCM: _pem(SM2_HEADER + point),
            "KMS": {
                "Plaintext": b64encode(self.kms.key).decode(),
                "CiphertextBlob": self.kms.blob,
            },
        }

    def _unwrap(self, algorithm: Algorithm, blob: str) -> bytes:
        """
        Return the key in a ``CiphertextBlob``.

        :raises ValueError: there is none for this account in it.
        """
        if KMS_MARK in blob:
            key = self.kms.key if blob == self.kms.blob else b""
        elif algorithm is Algorithm.SM4_GCM:
            key = sm2.decrypt(self.sm2, b64decode(blob, validate=True))
        else:
            # What was not encrypted with our key comes out as chance, mostly of another length.
            key = self.rsa.decrypt(b64decode(blob, validate=True), PKCS1v15())
        if len(key) != SUITES[algorithm].key_bytes:
            raise ValueError("no key of this algorithm")
        return key


def _pem(der: bytes) -> str:
    text = b64encode(der).decode()
    lines = (text[start : start + 64] for start in range(0, len(text), 64))
    return "\n".join(("-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""))
