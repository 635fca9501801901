"""Encrypted fields: ``IdCard``, ``Name`` and the like as only the service can read them.

Byte for byte what the official helpers for Java, Go and Node.js send; there is none for Python. A
request carries its fields encrypted, and the key they were encrypted with wrapped by a public key
of the service:

=============  ===================  ==========================  =========  =================
``Algorithm``  fields               key                         IV         wrapped by
=============  ===================  ==========================  =========  =================
AES-256-CBC    PKCS #7 padding      32 characters, one request  16 bytes   RSA, PKCS #1 v1.5
SM4-GCM        no AAD, 16-byte tag  16 characters, many         12 bytes   SM2, C1 || C3 || C2
=============  ===================  ==========================  =========  =================

Keys are letters and digits, as in Java and Go (95 bits for 16 of them), because Node.js alone shows
that the service takes other bytes. SM2 takes milliseconds in Python, so a key for SM4 serves many
requests, each with an IV of its own.

**One IV for two fields.** The wire format has one ``Iv`` and one key per request. With AES-256-CBC
this shows whether two fields begin with the same 16 bytes, which a number and a name never do. With
SM4-GCM it is a nonce used twice: who sees the encrypted request learns the exclusive or of number
and name where they overlap, so that either tells the beginning of the other, and can forge tags
under that key. TLS hides it from everybody but those who end TLS on the way. Who must not allow
that either takes AES-256-CBC, or encrypts ``IdCard`` alone. On the other hand nothing protects
AES-256-CBC from being changed on the way, and SM4-GCM with one field is safe from that, too.

Sources: documents 1007/47180 and 1007/95088 (the older form with KMS) and the three helpers.
"""

from __future__ import annotations

import string
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from random import Random, SystemRandom
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm

from ...clock import SYSTEM_CLOCK, Clock
from ...exceptions import ConfigurationError, InvalidInputError
from ..actions import ACTIONS
from .ciphers import KNOWN, SUITES, Algorithm, DataKey, Wrapped


def encryptable() -> tuple[str, ...]:
    """Return the fields that may be encrypted, of any Action, by name; photos may not."""
    return tuple(sorted({n for action in ACTIONS.values() for n in action.encryptable}))


MAX_AGE_S = 600.0
"""Seconds one key serves at most."""

KMS_IV_LENGTH = 16
_KEY_CHARACTERS = string.ascii_letters + string.digits

CHANCE = SystemRandom()
"""The operating system's generator; keys and IVs have no other source."""


class Encrypted(NamedTuple):
    """
    What a request carries.

    :param fields: the encrypted fields, in Base64.
    :param encryption: the request field ``Encryption``.
    """

    fields: dict[str, str]
    encryption: dict[str, object]


def seal(
    algorithm: Algorithm, key: bytes, iv: bytes, fields: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """
    Return fields encrypted, and their tags in the same order; both in Base64.

    :param key: of the algorithm's length, as ``iv``.
    :param fields: text by name of the field.
    :raises InvalidInputError: a text cannot be written in UTF-8.
    """
    sealed, tags = {}, []
    for name, value in fields.items():
        ciphertext, tag = SUITES[algorithm].seal(key, iv, _utf8(name, value))
        sealed[name] = _base64(ciphertext)
        tags += [_base64(tag)] if tag else []
    return sealed, tags


class Encrypter:
    """
    Encrypts the fields of requests for one account.

    :param algorithm: ``AES-256-CBC`` or ``SM4-GCM``.
    :param public_key: the service's key, see :mod:`.public_key`; the one the official helpers hold
        if empty.
    :param max_uses: requests one key serves; 1 for AES-256-CBC and 100 for SM4-GCM if not given.
    :param max_age_s: seconds one key serves.
    :param clock: what a key's age is measured with.
    :param chance: where keys and IVs come from; only a test has another one.
    :raises ConfigurationError: there is no such algorithm, here or at all, or the key is not for it.
    """

    def __init__(
        self,
        algorithm: str,
        public_key: str = "",
        *,
        max_uses: int | None = None,
        max_age_s: float = MAX_AGE_S,
        clock: Clock = SYSTEM_CLOCK,
        chance: Random = CHANCE,
    ) -> None:
        if algorithm not in list(Algorithm):
            raise ConfigurationError(f"Fields are encrypted with one of: {', '.join(Algorithm)}")
        self.algorithm = Algorithm(algorithm)
        self._suite, self._chance = SUITES[self.algorithm], chance
        try:
            self._suite.seal(bytes(self._suite.key_bytes), bytes(self._suite.iv_bytes), b"")
        except UnsupportedAlgorithm:  # some distributions build OpenSSL without SM4
            raise ConfigurationError(f"OpenSSL has no {algorithm} on this machine") from None
        self._wrap = self._suite.wrapper(public_key or KNOWN[self.algorithm])
        self._keys = Wrapped(
            self._make_key,
            max_uses=self._suite.max_uses if max_uses is None else max_uses,
            max_age_s=max_age_s,
            clock=clock,
        )

    def encrypt(self, fields: Mapping[str, str]) -> Encrypted:
        """
        Encrypt the fields of one request.

        :param fields: what ``IdCard``, ``Name`` and the like hold.
        :raises InvalidInputError: a text cannot be written in UTF-8.
        """
        key, iv = self._keys.take(), self._chance.randbytes(self._suite.iv_bytes)
        sealed, tags = seal(self.algorithm, key.key, iv, fields)
        encryption: dict[str, object] = {
            "EncryptList": list(fields),
            "CiphertextBlob": key.blob,
            "Iv": _base64(iv),
            "Algorithm": self.algorithm.value,
            "TagList": tags,
        }
        return Encrypted(sealed, encryption)

    def _make_key(self) -> DataKey:
        key = _characters(self._chance, self._suite.key_bytes)
        return DataKey(key.encode(), _base64(self._wrap(key.encode(), self._chance)))


class KmsEncrypter:
    """
    Encrypts in the older way, for accounts that had it before 2023-03-17.

    The key is made by Tencent Cloud's KMS (``GenerateDataKey``, AES_256) and serves all requests.
    Here ``Iv`` is text of 16 characters which are the IV themselves, and no algorithm is named.

    :param plaintext: ``Plaintext`` of KMS, in Base64.
    :param ciphertext_blob: ``CiphertextBlob`` of KMS, passed on as it is.
    :param chance: where IVs come from; only a test has another one.
    :raises ConfigurationError: the key has not 32 bytes, or the blob is missing.
    """

    def __init__(self, plaintext: str, ciphertext_blob: str, *, chance: Random = CHANCE) -> None:
        key = b""
        with suppress(ValueError):
            key = b64decode(plaintext, validate=True)
        if len(key) != SUITES[Algorithm.AES_256_CBC].key_bytes or not ciphertext_blob:
            raise ConfigurationError(
                "A data key of KMS has a Plaintext, the Base64 of 32 bytes, and a CiphertextBlob"
            )
        self._key, self._chance = DataKey(key, ciphertext_blob), chance

    def encrypt(self, fields: Mapping[str, str]) -> Encrypted:
        """
        Encrypt the fields of one request.

        :param fields: what ``IdCard``, ``Name`` and the like hold.
        :raises InvalidInputError: a text cannot be written in UTF-8.
        """
        iv = _characters(self._chance, KMS_IV_LENGTH)
        sealed, _ = seal(Algorithm.AES_256_CBC, self._key.key, iv.encode(), fields)
        blob = self._key.blob
        return Encrypted(sealed, {"EncryptList": list(fields), "CiphertextBlob": blob, "Iv": iv})


def encrypt_request(
    encrypter: Encrypter | KmsEncrypter, action: str, params: Mapping[str, object]
) -> Mapping[str, object]:
    """
    Return the fields of a request with those encrypted that may be.

    The fields of an Action that is not listed go by their names: an Action that does not take one
    encrypted refuses it at no charge, whereas a person who was sent in the clear cannot be called
    back. A request that has a field ``Encryption`` already is left alone.

    :param action: the API Action.
    :raises InvalidInputError: a field is no text.
    :raises ConfigurationError: the Action takes the older form only, and the connection has another.
    """
    known = ACTIONS.get(action)
    may_be = known.encryptable if known is not None else encryptable()
    fields = {name: _text(name, params[name]) for name in may_be if _given(params, name)}
    if not fields or _given(params, "Encryption") or _given(params, "EncryptList"):
        return params
    is_flat = known is not None and known.field("EncryptList") is not None
    if is_flat and not isinstance(encrypter, KmsEncrypter):
        raise ConfigurationError(
            f"{action} takes encrypted fields in the older form only, with a data key of KMS, and this "
            "connection encrypts otherwise. Nothing was sent. Use a connection with a data key of KMS "
            "for this Action, or one that does not encrypt"
        )
    encrypted = encrypter.encrypt(fields)
    form = encrypted.encryption if is_flat else {"Encryption": encrypted.encryption}
    return {**params, **encrypted.fields, **form}


def _given(params: Mapping[str, object], name: str) -> bool:
    return params.get(name) is not None


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidInputError("not_text", f"{name} is no text and cannot be encrypted")
    return value


def _characters(chance: Random, count: int) -> str:
    return "".join(chance.choices(_KEY_CHARACTERS, k=count))


def _utf8(name: str, value: str) -> bytes:
    """Return a text's bytes; the error of one that has none would show it."""
    with suppress(UnicodeEncodeError):
        return value.encode()
    raise InvalidInputError("not_unicode", f"{name} holds half a character and cannot be encrypted")


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
