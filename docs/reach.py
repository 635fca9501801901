"""How to get each code of the outcome table from the simulator, in words."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.codes import COMMON
from airflow_provider_faceid.simulator.account import ACCOUNT_CODES
from airflow_provider_faceid.simulator.people import How, People

OWN_CODES = {name: action.results for name, action in ACTIONS.items()}
"""Result codes by Action."""


NUMBER = "a number whose check digit is wrong"
NAME = "a name with a digit in it"
INPUT = {
    "0": "an ordinary person of `/_sim/people`",
    "-2": NUMBER,
    "-3": NAME,
    "Success": "an ordinary person of `/_sim/people`, with their photo",
    "FailedOperation.IdFormatError": NUMBER,
    "FailedOperation.NameFormatError": NAME,
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
"""Codes that follow from the request."""

_PEOPLE = People(0).listed
_STATES = {code: state for state, code in ACCOUNT_CODES.items()}


def own_codes(action: str) -> Iterator[tuple[str, str]]:
    """Yield an Action's own codes, and how to get each; empty if by a rule only."""
    for code in OWN_CODES[action]:
        yield code, INPUT.get(code) or _person(action, code)


def common_codes() -> Iterator[tuple[str, str]]:
    """Yield the common codes, and how to get each; empty if by a rule only."""
    for code in COMMON:
        if not code.startswith("http:"):
            yield code, INPUT.get(code) or _state(code) or _any_persona(code)


def _person(action: str, code: str) -> str:
    """Return the persona with a code."""
    for person in _PEOPLE:
        if person.persona and person.persona.codes[action] == code:
            times = ", the first two times" if person.persona.how is How.AT_FIRST else ""
            return f"`{person.id_card}`{times}"
    return ""


def _any_persona(code: str) -> str:
    return next(filter(None, (_person(action, code) for action in OWN_CODES)), "")


def _state(code: str) -> str:
    return f"account state `{_STATES[code]}`" if code in _STATES else ""
