"""The request field ``Encryption``: checked, and the fields it is about in the clear.

Which damage the service answers with which code is documented for three codes only; the rest is
what its gateway says of other fields (docs/simulator.md, "Encrypted fields").
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from ..service.encryption import ENCRYPTABLE, KMS_IV_LENGTH
from ..service.suites import BLOCK_BITS, SUITES, Algorithm
from .answers import Refusal
from .keys import Keys

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


@dataclass(frozen=True, slots=True)
class Encryption:
    """``Encryption``, once its form is right."""

    algorithm: Algorithm
    blob: str
    iv: str
    fields: list[str]
    tags: list[str]


def decrypt(keys: Keys, parameters: Mapping[str, object]) -> Mapping[str, object] | Refusal:
    """
    Return a call's parameters with encrypted fields in the clear, or why that cannot be.

    :param keys: the account's.
    :param parameters: with a field ``Encryption``; every field is of the type it should have.
    """
    given = parameters["Encryption"]
    read = _read(given if isinstance(given, dict) else {})
    if isinstance(read, Refusal):
        return read
    try:
        key, iv = keys.unwrap(read.algorithm, read.blob), _iv(read)
        tags = read.tags or [""] * len(read.fields)
        clear = {
            name: _open(read.algorithm, key, iv, str(parameters.get(name, "")), tag)
            for name, tag in zip(read.fields, tags, strict=True)
        }
    except (ValueError, InvalidTag):
        return Refusal("FailedOperation.DecryptSystemError")
    return {**parameters, **clear}


def _read(given: Mapping[str, object]) -> Encryption | Refusal:
    """Return what stands in ``Encryption``; a JSON null counts as absent."""
    members = {name: value for name, value in given.items() if value is not None}
    if refusal := _misshapen(members):
        return refusal
    fields, tags = _texts(members["EncryptList"]), _texts(members.get("TagList", []))
    algorithm = members.get("Algorithm", Algorithm.AES_256_CBC)
    if fields is None or tags is None:
        return Refusal("InvalidParameter:type", ("Encryption.EncryptList, Encryption.TagList",))
    if not set(fields) <= set(ENCRYPTABLE):
        return Refusal("InvalidParameter.UnsupportEncryptField")
    if algorithm not in list(Algorithm):
        return Refusal("InvalidParameterValue", ("Encryption.Algorithm",))
    wanted = len(fields) if algorithm == Algorithm.SM4_GCM else 0
    if len(tags) != wanted:
        return Refusal("InvalidParameterValue", ("Encryption.TagList",))
    blob, iv = str(members["CiphertextBlob"]), str(members["Iv"])
    return Encryption(Algorithm(str(algorithm)), blob, iv, fields, tags)


def _misshapen(members: Mapping[str, object]) -> Refusal | None:
    for name in members:
        if name not in _MEMBERS:
            return Refusal("UnknownParameter", (f"Encryption.{name}",))
    for name, member in _MEMBERS.items():
        if name not in members:
            if member.required:
                return Refusal("MissingParameter", (f"Encryption.{name}",))
        elif not isinstance(members[name], member.kind):
            return Refusal("InvalidParameter:type", (f"Encryption.{name}",))
    return None


def _texts(values: object) -> list[str] | None:
    """Return a list of texts; None if something else is in it."""
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

    :raises ValueError: it is not what this key and IV were used for.
    :raises InvalidTag: some byte was changed; only SM4-GCM can tell.
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
