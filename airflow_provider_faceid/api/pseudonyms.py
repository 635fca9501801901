"""Pseudonyms: keyed hashes and masks that stand for people and questions in tables and ledger.

All hashes are HMAC-SHA256 under a key derived from the connection's hash key, one key per purpose, so
that a hash of one kind tells nothing about one of another kind. Without the hash key a hash leads
to no person.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from .action import Action
from .actions import ACTIONS
from .fields import ID_CARD, PHOTO, FieldType
from .messages import Pieces
from .rules import without_invisible

VERSION = "v2"
"""Version of what a question is, at the start of every hash of one. Version 1 had no mark."""

HASH_DIGITS = 24
"""Length of a question hash and of a row hash, the version included: 88 bits of the HMAC."""

_QUESTION, _ROW = b"faceid call ledger", b"faceid rows"
_TABLES, _KEY_ID = b"faceid result tables", b"faceid hash key id"
_IDENTITY_BYTES, _KEY_ID_DIGITS, _ROW_VERSION_DIGITS = 16, 8, 12
_NOTES = frozenset({"Extra", "Encryption"})
"""Fields that identify nothing, whatever the Action."""


@lru_cache(maxsize=16)
def purpose_key(secret: str, purpose: bytes) -> bytes:
    """Return the key of one kind of hash, so that one kind tells nothing of another."""
    return hmac.digest(secret.encode(), purpose, "sha256")


def hash_key_id(secret: str) -> str:
    """
    Return what tells one hash key from another, and nothing else about it.

    :param secret: the connection's hash key.
    """
    return purpose_key(secret, _KEY_ID).hex()[:_KEY_ID_DIGITS]


def identifying_values(action: str, params: Mapping[str, object]) -> dict[str, str]:
    """
    Return the values that say what is asked, in their canonical form, by field.

    Absent fields and notes such as ``Extra`` are left out. Names and numbers are normalised as they
    are before sending, so that it does not matter whether the caller did it; a photo is represented
    by the SHA-256 of its Base64 text.

    :param action: the API Action; every field of one without a row is taken to identify, but for
        notes.
    :param params: its request fields.
    """
    types, notes = _fields_of(action)
    return {
        field: _canonical(types.get(field), value)
        for field, value in params.items()
        if value is not None and field not in notes
    }


def _fields_of(action: str) -> tuple[Mapping[str, FieldType], frozenset[str]]:
    """Return what the fields of an Action hold, and which of them identify nothing."""
    known = ACTIONS.get(action)
    return ({}, _NOTES) if known is None else _fields_of_listed(known)


@lru_cache(maxsize=64)
def _fields_of_listed(action: Action) -> tuple[Mapping[str, FieldType], frozenset[str]]:
    notes = _NOTES | {field.name for field in action.fields if not field.identifies}
    return {field.name: field.type for field in action.fields}, notes


def question_hash(secret: str, action: str, values: Mapping[str, str]) -> str:
    """
    Return the hash of a question: the Action and what is asked.

    :param secret: the connection's hash key.
    :param values: as :func:`identifying_values` returns them, in any order.
    :return: 24 characters, the same from hook, single operators and batch.
    """
    parts = [action, *(part for field in sorted(values) for part in (field, values[field]))]
    return _versioned(purpose_key(secret, _QUESTION), parts)


@lru_cache(maxsize=16)
def campaign_hash(secret: str, campaign: str) -> str:
    """Return the hash of a campaign's name, 64 hexadecimal digits."""
    return _digest(purpose_key(secret, _QUESTION), campaign)


def question_hashes_of_version_1(
    secret: str, action: str, params: Mapping[str, object]
) -> tuple[str, ...]:
    """
    Return the hashes that version 1 had for a question, for answers that were kept under them.

    Version 1 hashed the fields in the order given, absent ones too: the batch left ``Extra`` out,
    the hook always had it. A question with an ``Extra`` of another text is not found.
    """
    known = ACTIONS.get(action)
    if known is None:
        return ()
    values = identifying_values(action, params)
    asked = [(f.name, values[f.name]) for f in known.fields if f.name in values]
    forms: list[Sequence[tuple[str, str]]] = [asked]
    if any(field.name == "Extra" for field in known.fields):
        forms += [[*asked, ("Extra", str(extra))] for extra in {None, params.get("Extra")}]
    key = purpose_key(secret, _QUESTION)
    return tuple(
        _digest(key, _joined([action, *(part for pair in form for part in pair)]))[:HASH_DIGITS]
        for form in forms
    )


def row_hasher(
    secret: str, action: Action, fields: Sequence[str]
) -> Callable[[Sequence[object], object], str | None]:
    """
    Return what hashes a source row, so that a later run sees whether it asks something else.

    It covers what identifies the question but for the photo, which would be dear to read. Behind a
    dot comes the hash of the version column's value, if there is one.

    :param fields: API fields of the values it will be given, in this order.
    :return: a function of the values and the version. It returns 24 characters, 37 with a version, or
        None for a row that cannot be asked about because a value is missing or is no text.
    """
    key = purpose_key(secret, _ROW)
    by_name = {field.name: field for field in action.fields}
    order = sorted(
        (n for n, field in enumerate(fields) if by_name[field].identifies),
        key=lambda n: fields[n],
    )
    steps = [(n, _joined([fields[n]]), by_name[fields[n]].type.text_of) for n in order]
    start, digits = _joined([VERSION, action.name]), HASH_DIGITS - len(VERSION)

    def hash_row(values: Sequence[object], version: object) -> str | None:
        text = start
        for number, head, text_of in steps:
            value = text_of(values[number])
            if value is None:
                return None
            text += f"{head}{len(value)}:{value}"
        hashed = VERSION + _digest(key, text)[:digits]
        if version is None:
            return hashed
        return f"{hashed}.{_digest(key, str(version))[:_ROW_VERSION_DIGITS]}"

    return hash_row


def is_same_row(before: str, now: str | None) -> bool:
    """
    Say whether two row hashes are of the same row.

    The versions are compared if both have one: a version column that was named, or left out, since
    changes no row.
    """
    if before == now or now is None:
        return before == now
    (was, _, old), (is_, _, new) = before.partition("."), now.partition(".")
    return was == is_ and not (old and new)


def is_current(hashed: str | None) -> bool:
    """Say whether a hash is of this version, and may be compared with one made now."""
    return hashed is not None and hashed.startswith(VERSION)


def identity_columns(action: Action, secret: str, params: Mapping[str, object]) -> dict[str, str]:
    """
    Return the pseudonymous identity columns: of each number a keyed hash for joins, and a mask.

    The same for a number whatever the Action and the campaign, so that tables can be joined. An ID
    number, a phone number and a card number of the same digits have different hashes.

    :param secret: the connection's hash key; under another one everybody looks new.
    :param params: the request fields, normalised.
    """
    columns: dict[str, str] = {}
    for field in action.pseudonyms:
        value, mask = params.get(field.name), field.type.mask
        if isinstance(value, str) and mask is not None:
            shown = (value_hash(secret, field.type, value), mask(value))
            columns |= zip(field.type.pseudonym_columns, shown, strict=True)
    return columns


def id_card_hash(secret: str, number: str) -> str:
    """Return the hash by which our tables tell people apart, 32 hexadecimal digits."""
    return value_hash(secret, ID_CARD, number)


def value_hash(secret: str, type_: FieldType, value: str) -> str:
    """Return the hash of a number of a type in our tables, 32 hexadecimal digits."""
    purpose = _TABLES if type_ is ID_CARD else _TABLES + b": " + type_.name.encode()
    digest = hmac.digest(purpose_key(secret, purpose), value.encode(), "sha256")
    return digest[:_IDENTITY_BYTES].hex()


def _canonical(type_: FieldType | None, value: object) -> str:
    if type_ is PHOTO or isinstance(value, bytes | Pieces):
        return _photo_digest(value)
    if not isinstance(value, str):
        return json.dumps(value, sort_keys=True, default=str)
    return value if type_ is None else type_.normalise(value)


def _photo_digest(photo: object) -> str:
    digest = hashlib.sha256()
    if isinstance(photo, Pieces):
        for piece in photo:
            digest.update(piece)
    else:
        if not isinstance(photo, bytes):
            photo = without_invisible(str(photo)).encode("utf-8", "surrogatepass")
        text = photo.removeprefix(BOM_UTF8)
        digest.update(b"".join(text.split()))  # line breaks mean nothing in Base64
    return digest.hexdigest()


def _versioned(key: bytes, parts: Sequence[str]) -> str:
    digits = HASH_DIGITS - len(VERSION)
    return VERSION + _digest(key, _joined([VERSION, *parts]))[:digits]


def _joined(parts: Sequence[str]) -> str:
    return "".join([f"{len(part)}:{part}" for part in parts])


def _digest(key: bytes, text: str) -> str:
    # A value that is no Unicode text is the service's to refuse.
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex()
