"""Hashes of one person: the pseudonyms by which tables and ledger know a person whose values are given.

Who asks for erasure gives values (ID number, name, phone, card); tables and ledger hold keyed hashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, product
from typing import NamedTuple

from ..exceptions import ConfigurationError, unknown
from .action import Action
from .actions import ACTIONS
from .fields import PHOTO, Field, FieldType
from .pseudonyms import (
    HASH_DIGITS,
    identifying_values,
    question_hash,
    question_hashes_of_version_1,
    row_hasher,
    value_hash,
)

MAX_QUESTIONS = 10_000
"""Questions of one Action that are made of several names, numbers, phones and cards of a person."""

Person = Mapping[str, Sequence[str]]
"""Values of a person by column, such as ``id_card`` or ``name``; several where there are several."""


class PersonHashes(NamedTuple):
    """
    Keyed hashes of a person.

    :param columns: hashes of numbers by column of our tables, such as ``id_card_hash``.
    :param questions: API Action by hash of a question whose values are all known, photos excepted.
    :param rows: row hashes of source rows whose values are all known, without that of their version.
    """

    columns: Mapping[str, frozenset[str]]
    questions: Mapping[str, str]
    rows: frozenset[str]


def _fields() -> dict[str, FieldType]:
    """Return what a person may be described by: type by column."""
    return {
        field.column: field.type
        for action in ACTIONS.values()
        for field in action.fields
        if field.column and field.identifies and field.type is not PHOTO
    }


def read_person(given: Mapping[str, object]) -> dict[str, list[str]]:
    """
    Return the values of a person, normalised as they are before sending.

    :param given: a text, or a list of texts, by column.
    :raises ConfigurationError: there is no such column, a value is no text, or there is no number by
        which tables know a person. No value is quoted.
    """
    known = _fields()
    if words := unknown(sorted(given), known):
        raise ConfigurationError(f"A person is described by columns: {words}")
    person: dict[str, list[str]] = {}
    for column, value in given.items():
        values = [value] if isinstance(value, str | int) else value
        if not isinstance(values, Sequence):
            raise ConfigurationError(f"'{column}' of a person is a text or a list of texts")
        texts = [known[column].text_of(one) for one in values]
        if None in texts or isinstance(value, bool):
            raise ConfigurationError(f"'{column}' of a person is a text or a list of texts")
        person[column] = [text for text in dict.fromkeys(texts) if text]
    numbers = sorted(column for column, type_ in known.items() if type_.mask is not None)
    if not any(person.get(column) for column in numbers):
        raise ConfigurationError(
            f"Tables know a person by a number: give at least one of {', '.join(numbers)}"
        )
    return person


def person_hashes(secrets: Iterable[str], person: Person) -> PersonHashes:
    """
    Return the hashes of a person under some hash keys.

    :param secrets: today's hash key, and earlier ones.
    :param person: as :func:`read_person` returns it.
    """
    columns: dict[str, set[str]] = {}
    questions: dict[str, str] = {}
    rows: set[str] = set()
    numbers = {name: type_ for name, type_ in _fields().items() if type_.mask is not None}
    for secret in secrets:
        for name, type_ in numbers.items():
            hashes = {value_hash(secret, type_, value) for value in person.get(name, ())}
            if hashes:
                columns.setdefault(next(iter(type_.pseudonym_columns)), set()).update(hashes)
        for action in ACTIONS.values():
            for values in _askable(action, person):
                asked = identifying_values(action.name, values)
                rows |= _row_hashes(secret, action, values)
                if any(field.type is PHOTO for field in action.fields):
                    continue  # the photo is part of the question
                questions[question_hash(secret, action.name, asked)] = action.name
                for hashed in question_hashes_of_version_1(secret, action.name, values):
                    questions[hashed] = action.name
    return PersonHashes(
        {name: frozenset(hashes) for name, hashes in columns.items()}, questions, frozenset(rows)
    )


def _askable(action: Action, person: Person) -> Iterator[dict[str, str]]:
    """Yield the values of each question that can be made of a person's, the photo left out."""
    asked = [f for f in action.fields if f.identifies and f.type is not PHOTO and f.column]
    choices = [_choices(field, person) for field in asked]
    for values in islice(product(*choices), MAX_QUESTIONS):
        yield {f.name: v for f, v in zip(asked, values, strict=True) if v is not None}


def _choices(field: Field, person: Person) -> list[str | None]:
    found: list[str | None] = list(person.get(field.column, ()))
    return found if field.required else [*found, None]


def _row_hashes(secret: str, action: Action, values: Mapping[str, str]) -> set[str]:
    hashed = row_hasher(secret, action, tuple(values))(tuple(values.values()), None)
    return {hashed[:HASH_DIGITS]} if hashed else set()
