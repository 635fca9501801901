"""Encrypted fields, the service's side: its private keys, and the decryption of a request.

An Action takes them in one of two forms: with a field ``Encryption``, or in the older flat form with the
members of that field beside the others, no algorithm, and a data key of KMS. Keys are made on first use. The documentation names a code for three kinds of damage only; the other
codes are those of the gateway for other fields (docs/simulator.md, "Encrypted fields").
"""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ...api.action import Action
from ...api.encryption import KMS_IV_LENGTH, sm2
from ...api.encryption.ciphers import BLOCK_BITS, SM2_HEADER, SUITES, Algorithm, DataKey
from ...api.fields import ENCRYPTION, FLAT_ENCRYPTION
from . import Refusal

RSA_BITS = 1024
"""Length of the real service's key; a longer one would prove no more."""

KMS_MARK = "-k-"
"""Separator of the three parts of a KMS blob."""

CANNOT_DECRYPT = "FailedOperation.DecryptSystemError"

KEPT_KEYS = 256
"""Size of the cache of unwrapped keys: clients use a key for many requests, and SM2 is slow."""


class Keys:
    """Private keys of the service, and the data key that its KMS issued."""

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
        """Return the answer of KMS to ``GenerateDataKey``."""
        blob = KMS_MARK.join(b64encode(secrets.token_bytes(48)).decode() for _ in range(3))
        return DataKey(secrets.token_bytes(SUITES[Algorithm.AES_256_CBC].key_bytes), blob)

    def published(self) -> dict[str, object]:
        """Return the keys a client needs: public keys by algorithm, and the data key of KMS."""
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

        :raises ValueError: it holds no key of this account.
        """
        if KMS_MARK in blob:
            key = self.kms.key if blob == self.kms.blob else b""
        elif algorithm is Algorithm.SM4_GCM:
            key = sm2.decrypt(self.sm2, b64decode(blob, validate=True))
        else:
            # A blob of another key decrypts to random bytes, mostly of another length.
            key = self.rsa.decrypt(b64decode(blob, validate=True), PKCS1v15())
        if len(key) != SUITES[algorithm].key_bytes:
            raise ValueError("no key of this algorithm")
        return key


def _pem(der: bytes) -> str:
    text = b64encode(der).decode()
    lines = (text[start : start + 64] for start in range(0, len(text), 64))
    return "\n".join(("-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""))


_TAG_BYTES = 16


@dataclass(frozen=True, slots=True)
class Member:
    """One member of ``Encryption``: its JSON type, and whether it has to be there."""

    kind: type
    required: bool = False


_MEMBERS = {
    "EncryptList": Member(list, required=True),
    "CiphertextBlob": Member(str, required=True),
    "Iv": Member(str, required=True),
    "Algorithm": Member(str),
    "TagList": Member(list),
}


_FLAT_MEMBERS = tuple(field.name for field in FLAT_ENCRYPTION)
"""What stands beside the other fields in the older form; its key is one of KMS."""


def _is_flat(action: Action) -> bool:
    return action.field(ENCRYPTION.name) is None


def is_encrypted(action: Action, parameters: Mapping[str, object]) -> bool:
    """Say whether fields of a call are encrypted, in the form that the Action takes."""
    if _is_flat(action):
        return not set(_FLAT_MEMBERS).isdisjoint(parameters)
    return ENCRYPTION.name in parameters


@dataclass(frozen=True, slots=True)
class Encryption:
    """The members of ``Encryption``, or of the flat form, after their form was checked."""

    algorithm: Algorithm
    blob: str
    iv: str
    fields: list[str]
    tags: list[str]


def decrypt(
    keys: Keys, action: Action, parameters: Mapping[str, object]
) -> Mapping[str, object] | Refusal:
    """
    Return a call's parameters with encrypted fields decrypted, or the refusal.

    :param keys: keys of the account.
    :param action: it decides which fields may be encrypted, and in which form.
    :param parameters: they have a field ``Encryption``, or its members beside the other fields in the
        older form; each field has its documented JSON type.
    """
    flat = _is_flat(action)
    given = {n: parameters.get(n) for n in _FLAT_MEMBERS} if flat else parameters.get("Encryption")
    read = _read(given if isinstance(given, dict) else {}, action.encryptable, flat=flat)
    if isinstance(read, Refusal):
        return read
    if flat and KMS_MARK not in read.blob:
        return Refusal(CANNOT_DECRYPT)
    try:
        key, iv = keys.unwrap(read.algorithm, read.blob), _iv(read)
        tags = read.tags or [""] * len(read.fields)
        clear = {
            name: _open(read.algorithm, key, iv, str(parameters.get(name, "")), tag)
            for name, tag in zip(read.fields, tags, strict=True)
        }
    except (ValueError, InvalidTag):
        return Refusal(CANNOT_DECRYPT)
    return {**parameters, **clear}


def _read(
    given: Mapping[str, object], encryptable: Collection[str], *, flat: bool
) -> Encryption | Refusal:
    """Return the members of ``Encryption``; a JSON null counts as absent."""
    prefix = "" if flat else f"{ENCRYPTION.name}."
    members = {name: value for name, value in given.items() if value is not None}
    if refusal := _misshapen(members, prefix):
        return refusal
    fields, tags = _texts(members["EncryptList"]), _texts(members.get("TagList", []))
    algorithm = members.get("Algorithm", Algorithm.AES_256_CBC)
    if fields is None or tags is None:
        texts = ("EncryptList",) if flat else ("EncryptList", "TagList")
        return Refusal("InvalidParameter:type", (", ".join(prefix + name for name in texts),))
    if not set(fields) <= set(encryptable):
        return Refusal("InvalidParameter.UnsupportEncryptField")
    if algorithm not in list(Algorithm):
        return Refusal("InvalidParameterValue", ("Encryption.Algorithm",))
    wanted = len(fields) if algorithm == Algorithm.SM4_GCM else 0
    if len(tags) != wanted:
        return Refusal("InvalidParameterValue", ("Encryption.TagList",))
    blob, iv = str(members["CiphertextBlob"]), str(members["Iv"])
    return Encryption(Algorithm(str(algorithm)), blob, iv, fields, tags)


def _misshapen(members: Mapping[str, object], prefix: str) -> Refusal | None:
    for name in members:
        if name not in _MEMBERS:
            return Refusal("UnknownParameter", (f"{prefix}{name}",))
    for name, member in _MEMBERS.items():
        if name not in members:
            if member.required:
                return Refusal("MissingParameter", (f"{prefix}{name}",))
        elif not isinstance(members[name], member.kind):
            return Refusal("InvalidParameter:type", (f"{prefix}{name}",))
    return None


def _texts(values: object) -> list[str] | None:
    """Return a list of texts; None if an item has another type."""
    listed = values if isinstance(values, list) else []
    return listed if all(isinstance(value, str) for value in listed) else None


def _iv(encryption: Encryption) -> bytes:
    """Return the IV: Base64 of its bytes, or in the older form with KMS the bytes themselves."""
    text, suite = encryption.iv, SUITES[encryption.algorithm]
    if suite.iv_bytes == KMS_IV_LENGTH == len(text):
        return text.encode("ascii")
    iv = b64decode(text, validate=True)
    if len(iv) != suite.iv_bytes:
        raise ValueError("the IV has another length")
    return iv


def _open(algorithm: Algorithm, key: bytes, iv: bytes, text: str, tag: str) -> str:
    """
    Return the text of one field.

    :raises ValueError: the text was not encrypted with this key and IV.
    :raises InvalidTag: a byte was changed; only SM4-GCM detects it.
    """
    sealed = b64decode(text, validate=True)
    if algorithm is Algorithm.SM4_GCM:
        mode = modes.GCM(iv, b64decode(tag, validate=True), min_tag_length=_TAG_BYTES)
        opener = Cipher(algorithms.SM4(key), mode).decryptor()
        return (opener.update(sealed) + opener.finalize()).decode()
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    padded = decryptor.update(sealed) + decryptor.finalize()
    unpadder = PKCS7(BLOCK_BITS).unpadder()
    return (unpadder.update(padded) + unpadder.finalize()).decode()
