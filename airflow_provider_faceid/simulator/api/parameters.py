"""A call's own parameters: read from body or query, then held against the Action's fields."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from ...api.actions import Action, Kind
from ...api.encryption import ENCRYPTABLE, KMS_IV_LENGTH
from ...api.encryption.ciphers import BLOCK_BITS, SUITES, Algorithm
from ..account.account_state import LIKELIEST, Assumptions
from ..account.keys import Keys
from .answers import Refusal
from .call import COMMON_PARAMETERS, VERSION_1_PARAMETERS, Call, nest

# The request field ``Encryption``: checked, and the fields it is about in the clear.
#
# Which damage the service answers with which code is documented for three codes only; the rest is
# what its gateway says of other fields (docs/simulator.md, "Encrypted fields").
#


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


Parameters = Mapping[str, object]

_TYPES: dict[Kind, type] = {Kind.OBJECT: dict}
"""JSON type of a kind of field, where it is not text."""


def read(call: Call) -> Parameters | Refusal:
    """Return the parameters of a call; a JSON null counts as absent."""
    if call.pairs is None:
        return Refusal("InvalidParameter:query")
    version_1 = call.signature_version == 1
    if version_1 or call.method == "GET":
        common = VERSION_1_PARAMETERS if version_1 else COMMON_PARAMETERS
        return nest(pair for pair in call.pairs if pair[0] not in common)
    try:
        document = json.loads(call.body.decode() or "{}")  # bytes might be read as UTF-16
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError, too
        return Refusal("InvalidParameter:body")
    if not isinstance(document, dict):
        return Refusal("InvalidParameter:body")
    return {name: value for name, value in document.items() if value is not None}


def refuse(
    action: Action, parameters: Parameters, assumptions: Assumptions = LIKELIEST
) -> Refusal | None:
    """
    Return what is wrong with a call's parameters, or None.

    A photo's length is no matter of parameters: it has a result code of its own.
    """
    fields = {field.name: field for field in action.fields}
    for name in parameters:
        if name not in fields:
            return Refusal("UnknownParameter", (name,))
    for name, field in fields.items():
        if name not in parameters:
            if field.required:
                return Refusal("MissingParameter", (name,))
            continue
        value = parameters[name]
        if not isinstance(value, _TYPES.get(field.kind, str)):
            return Refusal("InvalidParameter:type", (name,))
        limited = field.kind is Kind.TEXT and field.max_length and assumptions.extra_limited
        if limited and len(str(value)) > field.max_length:
            return Refusal("InvalidParameterValue", (name,))
    return None


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What a call asks for.

    :param given: its parameters as they came, or why there are none.
    :param clear: with encrypted fields in the clear, or why that cannot be.
    """

    given: Parameters | Refusal
    clear: Parameters | Refusal

    @property
    def id_card(self) -> str:
        """Return the number a call is about, as far as it can be read; empty if there is none."""
        return _id_card(self.clear) or _id_card(self.given)


def ask(call: Call, keys: Keys) -> Asked:
    """Return what a call asks for."""
    given = read(call)
    if isinstance(given, Refusal) or "Encryption" not in given:
        return Asked(given, given)
    return Asked(given, decrypt(keys, given))


def _id_card(parameters: Parameters | Refusal) -> str:
    id_card = "" if isinstance(parameters, Refusal) else parameters.get("IdCard")
    return id_card if isinstance(id_card, str) else ""
