"""The cases: what every client asks the simulator, and what it has to learn.

A case is written in the service's own terms, JSON parameters and codes, so that a driver in any
language can send it. The people are the simulator's, the same ones every time.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.codes import Outcome
from airflow_provider_faceid.simulator.people import (
    FACE,
    ID_CARD,
    How,
    People,
    Person,
    code_of,
    expects,
)
from airflow_provider_faceid.simulator.people import photos as similarity
from airflow_provider_faceid.simulator.people.photos import Gallery

PEOPLE = 40
_KNOWN = People(PEOPLE)
_GALLERY = Gallery(_KNOWN.seed)

Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as every client is told it."""

    secret_id: str = "simulator-id"
    secret_key: str = "simulator-key"
    token: str | None = None
    region: str = "ap-singapore"


@dataclass(frozen=True, slots=True)
class Case:
    """
    One question and its answer.

    :param name: what is the matter with it.
    :param action: the API Action.
    :param params: its parameters.
    :param answer: the fields a client has to read, ``Description`` and ``RequestId`` apart.
    :param error: the code it has to be told in their place.
    :param caller: who asks.
    :param faults: fault rules, as they would be posted to the simulator.
    :param calls: how often it is asked within one second; the last answer counts.
    :param encryption: the way its fields are encrypted with the simulator's keys; empty for none.
    """

    name: str
    action: str
    params: Parameters
    answer: Parameters = field(default_factory=dict)
    error: str = ""
    caller: Caller = Caller()
    faults: tuple[Parameters, ...] = ()
    calls: int = 1
    encryption: str = ""


def _person(action: str, code: str) -> Person:
    """Return somebody about whom an Action says this, at the first call."""
    return next(
        person
        for person in _KNOWN.listed
        if expects(person)[action] == code
        and not (person.persona and person.persona.how is How.AT_FIRST)
    )


def _about(action: str, person: Person) -> dict[str, Any]:
    row = {**person.columns(), "photo": b64encode(_GALLERY.submitted(person)).decode()}
    return {name: row[column] for name, column in ACTIONS[action].columns.items()}


def _similarity(person: Person) -> float:
    """Return how alike the picture somebody sends and the registered one are."""
    sent = similarity.features(similarity.open_picture(_GALLERY.submitted(person)))
    return similarity.similarity(sent, _GALLERY.features(person))


def _answered(name: str, action: str, code: str, **fields: object) -> Case:
    """Return a case that has a result."""
    asked = _about(action, _person(action, code))
    return Case(name, action, asked, answer={"Result": code, **fields})


def _failed(name: str, error: str, action: str = ID_CARD, **changes: Any) -> Case:
    """Return a case that has none; somebody who would match, unless it says otherwise."""
    asked = _about(action, _person(action, code_of(action, Outcome.MATCH)))
    return replace(Case(name, action, asked, error=error), **changes)


_LOW = "FailedOperation.CompareLowSimilarity"
_ANYBODY = _about(ID_CARD, _person(ID_CARD, "0"))
_ZEROS = {size: b64encode(bytes(size)).decode() for size in (16, 32, 128)}
_UNDECIPHERABLE = {
    "IdCard": _ZEROS[32],
    "Name": _ZEROS[32],
    "Encryption": {
        "EncryptList": ["IdCard", "Name"],
        "CiphertextBlob": _ZEROS[128],
        "Iv": _ZEROS[16],
        "Algorithm": "AES-256-CBC",
    },
}

ANSWERS = (
    _answered("match", ID_CARD, "0"),
    Case(
        "match_of_a_chinese_name",
        ID_CARD,
        {"IdCard": "11204416541220243X", "Name": "韦小宝"},
        {"Result": "0"},
    ),
    _answered("mismatch", ID_CARD, "-1"),
    Case(
        "impossible_number",
        ID_CARD,
        _ANYBODY | {"IdCard": "123456789012345678"},
        {"Result": "-2"},
    ),
    _answered("no_such_person", ID_CARD, "-5"),
    _answered("photo_match", FACE, "Success", Sim=100.0, Extra=""),
    _answered("low_similarity", FACE, _LOW, Sim=_similarity(_person(FACE, _LOW)), Extra=""),
    _answered("no_face", FACE, "FailedOperation.LifePhotoDetectNoFaces", Sim=0.0, Extra=""),
)

SIBLINGS = tuple(name for name in ACTIONS if name not in {ID_CARD, FACE})
"""Actions whose every code the Python SDK gets in ``tests/integration``; all clients get these."""
_KIND_OF_DOCUMENT = ("BankCardVerification", "BankCard4EVerification")


def _sibling(action: str) -> Iterator[Case]:
    """Yield what every client asks of an Action: a success, a mismatch, a refusal, encrypted fields."""
    about = ACTIONS[action]
    person = _person(action, about.success_code)
    outputs = {out.name: person.chance(out.name).choice(out.samples) for out in about.outputs}
    yield _answered(f"{action}_success", action, about.success_code, **outputs)
    if mismatch := code_of(action, Outcome.MISMATCH):
        yield _answered(f"{action}_mismatch", action, mismatch)
    yield _answered(f"{action}_limit", action, code_of(action, Outcome.LIMIT))
    plain = _answered(f"{action}_encrypted", action, about.success_code)
    yield replace(plain, encryption="AES-256-CBC" if about.field("Encryption") else "KMS")
    if action in _KIND_OF_DOCUMENT:
        with_type = _answered(f"{action}_of_an_id_card", action, about.success_code)
        yield replace(with_type, params={**with_type.params, "CertType": 0})


SIBLING_ANSWERS = tuple(case for action in SIBLINGS for case in _sibling(action))

FAILURES = (
    *(
        _failed(
            f"{action}_of_another_document",
            "InvalidParameterValue",
            action,
            params=_about(action, _person(action, "0")) | {"CertType": 1},
        )
        for action in _KIND_OF_DOCUMENT
    ),
    _failed("wrong_key", "AuthFailure.SignatureFailure", caller=Caller(secret_key="another")),
    _failed("unknown_key", "AuthFailure.SecretIdNotFound", caller=Caller(secret_id="somebody")),
    _failed(
        "clock_is_wrong",
        "AuthFailure.SignatureExpire",
        faults=({"effect": "clock_offset", "offset_s": 600},),
    ),
    _failed("bad_token", "AuthFailure.TokenFailure", caller=Caller(token="expired")),
    _failed(
        "not_permitted",
        "AuthFailure.UnauthorizedOperation",
        faults=({"effect": "account", "state": "no_permission"},),
    ),
    _failed(
        "arrears",
        "UnauthorizedOperation.Arrears",
        faults=({"effect": "account", "state": "arrears"},),
    ),
    _failed(
        "not_activated",
        "UnauthorizedOperation.Nonactivated",
        faults=({"effect": "account", "state": "not_activated"},),
    ),
    _failed(
        "too_many_calls",
        "RequestLimitExceeded",
        faults=({"effect": "quota", "quotas": {ID_CARD: 1}},),
        calls=2,
    ),
    _failed("parameter_missing", "MissingParameter", params={"Name": "Wei Xiaobao"}),
    _failed(
        "photo_is_no_base64",
        "InvalidParameterValue",
        FACE,
        params=_ANYBODY | {"ImageBase64": "not base64!"},
    ),
    _failed("undecipherable", "FailedOperation.DecryptSystemError", params=_UNDECIPHERABLE),
    _failed(
        "unknown_failure",
        "FailedOperation.UnKnown",
        faults=({"effect": "code", "code": "FailedOperation.UnKnown"},),
    ),
    _failed(
        "internal_error", "InternalError", faults=({"effect": "code", "code": "InternalError"},)
    ),
)
