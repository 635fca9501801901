"""The Actions themselves: what the authority answers about a person.

Order of the checks, as far as it can be guessed: photo, name, number, identity limit, record,
library, comparison. A new Action is a function, a row in :data:`HANDLERS` and one in
:data:`IDENTITY_CODES`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ...api import id_card, name
from ...api.verdict import DEFAULT_THRESHOLD
from ..account.account import Account
from ..api.answers import Answer, Refusal, say
from ..api.parameters import Parameters
from . import SAMPLES, Person
from . import photos as photo_check
from .personas import FACE, ID_CARD, MATCH
from .photos import similarity


@dataclass(frozen=True, slots=True)
class IdentityCodes:
    """What an Action answers when number and name do not lead to a person."""

    bad_name: str
    bad_number: str
    limit: str
    no_record: str
    mismatch: str


IDENTITY_CODES: dict[str, IdentityCodes] = {
    ID_CARD: IdentityCodes("-3", "-2", "-7", "-5", "-1"),
    FACE: IdentityCodes(
        "FailedOperation.NameFormatError",
        "FailedOperation.IdFormatError",
        "FailedOperation.IdentityAuthLimitExceeded",
        "FailedOperation.IdNoExistSystem",
        "FailedOperation.IdNameMisMatch",
    ),
}
LOW_SIMILARITY = "FailedOperation.CompareLowSimilarity"

LARGE_PHOTO = 64 * 1024
"""Base64 length from which a photo is decoded in a thread, so that other calls go on."""

Handler = Callable[[Account, Parameters, float], Awaitable[Answer | Refusal]]


async def verify_id_card(account: Account, parameters: Parameters, now: float) -> Answer | Refusal:
    """Answer ``IdCardVerification``: whether name and number belong together."""
    found = identify(account, ID_CARD, parameters, now)
    code = found if isinstance(found, str) else MATCH[ID_CARD]
    return say(ID_CARD, code, errors=account.assumptions.errors)


async def compare_face(account: Account, parameters: Parameters, now: float) -> Answer | Refusal:
    """Answer ``ImageRecognitionV2``: whether a photo shows the person behind number and name."""
    assumptions = account.assumptions

    def answer(
        code: str, sim: float | None = assumptions.similarity_without_comparison
    ) -> Answer | Refusal:
        fields = {} if sim is None else {"Sim": sim}
        return say(FACE, code, fields | {"Extra": parameters.get("Extra", "")}, assumptions.errors)

    text = str(parameters["ImageBase64"])
    if len(text) > assumptions.max_photo_base64:
        return answer(photo_check.TOO_LARGE)
    photo = photo_check.recall(text)
    if photo is None and len(text) > LARGE_PHOTO:
        photo = await asyncio.to_thread(photo_check.examine, text)
    elif photo is None:
        photo = photo_check.examine(text)
    if isinstance(photo, Refusal):
        return photo
    if isinstance(photo, str):
        return answer(photo)
    person = identify(account, FACE, parameters, now)
    if isinstance(person, str):
        return answer(person)
    sim = person.similarity
    if sim is None:
        sim = similarity(photo, account.gallery.features(person))
    return answer(MATCH[FACE] if sim >= DEFAULT_THRESHOLD else LOW_SIMILARITY, sim)


HANDLERS: dict[str, Handler] = {ID_CARD: verify_id_card, FACE: compare_face}


def identify(account: Account, action: str, parameters: Parameters, now: float) -> Person | str:
    """
    Return the person behind number and name, or the code that says why there is none.

    :param now: arrival in seconds since 1970, for the identity limits.
    """
    # A final x counts as X; otherwise the authority reads what was sent, blanks included.
    number, called = str(parameters["IdCard"]).upper(), str(parameters["Name"])
    codes = IDENTITY_CODES[action]
    if name.broken_rule(called, _NOT_OURS):
        return codes.bad_name
    if not _valid(number):
        return codes.bad_number
    if account.identities.exceeded(action, number, called, now):
        return codes.limit
    found = _find(account, action, number, called)
    free = isinstance(found, str) and not say(action, found).charged
    if free and not account.assumptions.free_calls_counted:
        account.identities.take_back(action, number, called)
    return found


def _find(account: Account, action: str, number: str, called: str) -> Person | str:
    person, codes = account.people.find(number), IDENTITY_CODES[action]
    if person is None:
        return codes.no_record
    told = account.told(action, person)
    if told is None and called not in person.known_as:
        return codes.mismatch
    return told or person


def _valid(number: str) -> bool:
    """Say whether a number has the right form and check digit; the pages' samples always do."""
    return number in _SAMPLE_NUMBERS or (
        id_card.well_formed(number) and id_card.check_digit_fits(number)
    )


_NOT_OURS = frozenset({"name_missing_text"})
"""A rule of the client's: to the service, a person may be called Null."""

_SAMPLE_NUMBERS = frozenset(person.id_card for person in SAMPLES)
