"""How to get each code of the outcome table from the simulator, in words."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.codes import COMMON
from airflow_provider_faceid.simulator.account import ACCOUNT_CODES
from airflow_provider_faceid.simulator.people import People
from airflow_provider_faceid.simulator.people.authority import BANKS_BEGIN_WITH, UNKNOWN_CARDS

OWN_CODES = {name: action.results for name, action in ACTIONS.items()}
"""Result codes by Action."""


ORDINARY = "an ordinary person of `/_sim/people`"
MALFORMED = {
    "id_card": "a number whose check digit is wrong",
    "name": "a name with a digit in it",
    "phone": "a phone number of ten digits",
    "bank_card": "a card number of twenty digits",
    "date": "a day that no calendar has, such as 20230230",
    "end_date": "a day that no calendar has, such as 20230230",
}
"""A malformed value, by type of the field."""
WRONG_CHECK_DIGIT = "a card number whose check digit is wrong"
NO_BANK = f"a card number that does not begin with {BANKS_BEGIN_WITH}"
INPUT = {
    "AuthFailure.InvalidAuthorization": "an `Authorization` header that is malformed",
    "AuthFailure.SecretIdNotFound": "another SecretId, or account state `key_deleted`",
    "AuthFailure.SignatureExpire": "a timestamp more than five minutes off",
    "AuthFailure.SignatureFailure": "another SecretKey, or a form of more than 1 MB",
    "AuthFailure.TokenFailure": "another token than `simulator-token`",
    "InvalidAction": "another Action",
    "InvalidParameter": "an `IdCard` that is no text",
    "InvalidParameter.UnsupportEncryptField": "`ImageBase64` in `EncryptList`",
    "InvalidParameterValue": "an `Extra` of eleven characters, or an empty `X-TC-Region`",
    "MissingParameter": "no `Name`, or no `X-TC-Timestamp`",
    "NoSuchVersion": "another version",
    "RequestLimitExceeded": "more calls in a second than the quota",
    "RequestLimitExceeded.UinLimitExceeded": "more calls in a second than `account_quota`",
    "RequestSizeLimitExceeded": "a body of more than 10 MB, or a query of more than 32 KB",
    "UnknownParameter": "a parameter the Action does not have",
    "UnsupportedOperation": "a POST with another `Content-Type` than JSON",
    "UnsupportedProtocol": "another method than GET and POST",
}
"""Common codes that follow from the request."""

_PEOPLE = People(0).listed
_STATES = {code: state for state, code in ACCOUNT_CODES.items()}


def own_codes(action: str) -> Iterator[tuple[str, str]]:
    """Yield an Action's own codes, and how to get each; empty if by a rule only."""
    for code in OWN_CODES[action]:
        yield code, " or ".join(_input(action, code)) or _person(action, code)


def common_codes() -> Iterator[tuple[str, str]]:
    """Yield the common codes, and how to get each; empty if by a rule only."""
    for code in COMMON:
        if not code.startswith("http:"):
            yield code, INPUT.get(code) or _state(code) or _any_persona(code)


def _input(action: str, code: str) -> Iterator[str]:
    """Yield the values of an ordinary request, or changes of it, that have a code."""
    if code == ACTIONS[action].success_code:
        yield f"{ORDINARY}, with their photo" if ACTIONS[action].compares_faces else ORDINARY
    fields = [field for field in ACTIONS[action].fields if field.invalid_code == code]
    yield from dict.fromkeys(MALFORMED[field.type.name] for field in fields)
    if action in UNKNOWN_CARDS:
        cards = UNKNOWN_CARDS[action]
        yield from [WRONG_CHECK_DIGIT] if code == cards.wrong_check_digit else []
        yield from [NO_BANK] if code == cards.no_bank else []


def _person(action: str, code: str) -> str:
    """Return the persona with a code."""
    for person in _PEOPLE:
        if person.persona and person.persona.code(action) == code:
            times = ", the first two times" if person.persona.is_transient(action) else ""
            return f"`{person.id_card}`{times}"
    return ""


def _any_persona(code: str) -> str:
    return next(filter(None, (_person(action, code) for action in OWN_CODES)), "")


def _state(code: str) -> str:
    return f"account state `{_STATES[code]}`" if code in _STATES else ""
