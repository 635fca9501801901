"""The Actions: the authority's answer about a person, read from the Action's data.

An Action is answered by its fields: the authority finds a person by the ID number, otherwise by the first
field that is no name, and checks that the other values belong to the same person. An Action with a photo
also compares faces. Order of the checks, the likeliest one: photo, other fields from the last to the
first, identity limits, record, values, faces.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import NamedTuple

from ...api import bank_card, id_card, name
from ...api.action import Action
from ...api.codes import Outcome
from ...api.fields import BANK_CARD, ID_CARD, NAME, OBJECT, PHONE, PHOTO, Field
from ...api.verdict import DEFAULT_THRESHOLD
from ..account.account import Account
from ..api import Answer, Refusal, say
from ..api.call import Parameters
from . import SAMPLES, Person, photos
from .photos import Features

LOW_SIMILARITY = "FailedOperation.CompareLowSimilarity"


class CardCodes(NamedTuple):
    """The codes of an Action for a bank card without a holder."""

    wrong_check_digit: str
    no_bank: str


UNKNOWN_CARDS = {
    "BankCardVerification": CardCodes("-8", "-9"),
    "BankCard2EVerification": CardCodes("-7", "-8"),
    "BankCard4EVerification": CardCodes("-9", "-10"),
    "CheckBankCardInformation": CardCodes("-5", "-3"),
}
"""By Action. Any other card without a holder is not found, or does not match."""

BANKS_BEGIN_WITH = bank_card.SAMPLE_HEAD
"""All banks of the simulator issue cards whose numbers begin like this."""

LARGE_PHOTO = 64 * 1024
"""Base64 length from which a photo is decoded in a thread, so that other calls go on."""


async def answer(
    account: Account, action: Action, parameters: Parameters, now: float
) -> Answer | Refusal:
    """
    Return the answer of an Action.

    :param parameters: checked against the Action's fields, encrypted ones decrypted.
    :param now: arrival in seconds since 1970, for the identity limits.
    """
    assumptions = account.assumptions
    sim = assumptions.similarity_without_comparison if action.compares_faces else None
    photo = await _photo(action, parameters, assumptions.max_photo_base64)
    if isinstance(photo, Refusal):
        return photo
    if isinstance(photo, str):
        return _say(action, photo, parameters, sim, assumptions.errors)
    person = identify(account, action, parameters, now)
    if isinstance(person, str):
        code = person
    elif photo is None:
        code = action.success_code
    else:
        sim = person.similarity
        if sim is None:
            sim = photos.similarity(photo, account.gallery.features(person))
        matches = sim >= DEFAULT_THRESHOLD
        code = action.code_of(Outcome.MATCH) if matches else LOW_SIMILARITY
    outputs = _outputs(account, action, parameters, person)
    return _say(action, code, parameters, sim, assumptions.errors, outputs=outputs)


def _outputs(
    account: Account, action: Action, parameters: Parameters, found: Person | str
) -> dict[str, object]:
    """
    Return the outputs of an answer: a sample of each, the same for the same person.

    A success has them. A mismatch has those of the phone's owner, such as its carrier; they are empty
    if no person has this phone.
    """
    if isinstance(found, Person):
        return {out.name: found.chance(out.name).choice(out.samples) for out in action.outputs}
    phone = action.field_of(PHONE)
    if phone is None or found != action.code_of(Outcome.MISMATCH):
        return {}
    owner = account.people.find_by(phone, _value(phone, parameters))
    return _outputs(account, action, parameters, owner) if owner else _no_outputs(action)


def _no_outputs(action: Action) -> dict[str, object]:
    return {out.name: "" for out in action.outputs if out.type == "text"}


def identify(account: Account, action: Action, parameters: Parameters, now: float) -> Person | str:
    """
    Return the person the values belong to, or the code if they belong to none.

    :param now: arrival in seconds since 1970, for the identity limits.
    """
    values = {field: _value(field, parameters) for field in compared(action)}
    for field, value in reversed(values.items()):
        if not _valid(field, value):
            return field.invalid_code or action.code_of(Outcome.INVALID_INPUT)
    limited = {field.column: value for field, value in values.items()}
    if account.identities.exceeded(action.name, limited, now):
        return action.code_of(Outcome.LIMIT)
    found = _find(account, action, values)
    free = isinstance(found, str) and not say(action.name, found).charged
    if free and not account.assumptions.free_calls_counted:
        account.identities.take_back(action.name, limited)
    return found


def compared(action: Action) -> list[Field]:
    """Return the fields whose values must belong together; the authority finds a person by the first."""
    asked = [
        field
        for field in action.fields
        if field.required and field.identifies and field.type not in {PHOTO, OBJECT}
    ]
    # Many people share a name, and an ID number is the best key.
    return sorted(asked, key=lambda field: (field.type is NAME, field.type is not ID_CARD))


def _find(account: Account, action: Action, values: Mapping[Field, str]) -> Person | str:
    (key, value), *others = values.items()
    person = account.people.find_by(key, value)
    if person is None:
        return _unknown_card(account, action, values) or _unknown_person(action)
    forced = account.forced_code(action.name, person)
    if forced is None and any(value not in person.registered(field) for field, value in others):
        return _unknown_card(account, action, values) or action.code_of(Outcome.MISMATCH)
    return forced or person


def _unknown_card(account: Account, action: Action, values: Mapping[Field, str]) -> str | None:
    """Return the code about a bank card without a holder, or None."""
    field, codes = action.field_of(BANK_CARD), UNKNOWN_CARDS.get(action.name)
    if field is None or codes is None or account.people.find_by(field, values[field]):
        return None
    if not values[field].startswith(BANKS_BEGIN_WITH):
        return codes.no_bank
    return None if bank_card.luhn_fits(values[field]) else codes.wrong_check_digit


def _unknown_person(action: Action) -> str:
    """Return the code for a value of no person; a bank knows card holders, no other people."""
    mismatch = action.code_of(Outcome.MISMATCH)
    if mismatch and action.field_of(BANK_CARD):
        return mismatch
    return action.code_of(Outcome.NOT_FOUND) or mismatch


def _say(
    action: Action,
    code: str,
    parameters: Parameters,
    sim: float | None,
    errors: Sequence[str],
    *,
    outputs: Mapping[str, object] = MappingProxyType({}),
) -> Answer | Refusal:
    fields: dict[str, object] = {**outputs, **({} if sim is None else {"Sim": sim})}
    if action.compares_faces:
        fields["Extra"] = parameters.get("Extra", "")
    return say(action.name, code, fields, errors)


async def _photo(
    action: Action, parameters: Parameters, max_base64: int
) -> Features | Refusal | str | None:
    """Return the features of the photo, the refusal or code of a bad one; None without a photo."""
    field = action.field_of(PHOTO)
    if field is None:
        return None
    text = str(parameters[field.name])
    if len(text) > max_base64:
        return photos.TOO_LARGE
    if len(text) > LARGE_PHOTO:
        return await asyncio.to_thread(photos.examine, text)
    return photos.examine(text)


def _value(field: Field, parameters: Parameters) -> str:
    """Return a value as the authority reads it: a final x of a number counts as X."""
    text = str(parameters[field.name])
    return text.upper() if field.type is ID_CARD else text


def _valid(field: Field, value: str) -> bool:
    """Return whether a value has the right form; the numbers of the pages' samples always have it."""
    if field.type is NAME:
        return not name.broken_rule(value, _NOT_OURS)
    if field.type is ID_CARD:
        return value in _SAMPLE_NUMBERS or (
            id_card.well_formed(value) and id_card.check_digit_fits(value)
        )
    if field.type.normalise(value) != value:  # the service takes one spelling only
        return False
    return field.rules is None or field.rules.first_broken(value, date.max) is None


_NOT_OURS = frozenset({"name_missing_text"})
"""A rule of the client only: the service accepts a person called Null."""

_SAMPLE_NUMBERS = frozenset(person.id_card for person in SAMPLES)
