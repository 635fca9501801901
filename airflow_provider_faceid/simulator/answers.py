"""What the service says: a result, or a refusal, and both as the body of an HTTP answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ..service.outcomes import RESULTS, Charged, look_up
from .special import FACE, FIXED_SIMILARITY, MATCH
from .texts import description_of, message_of

ERRORS = frozenset(
    {
        "FailedOperation.DecryptSystemError",
        "FailedOperation.StsUnAuthErrError",
        "FailedOperation.UnKnown",
    }
)
"""Codes of the business that come as ``Error``, as far as is known; all others as ``Result``."""

_NO_VALUES = ("-", "-", "-")
"""What stands in a text's placeholders when nothing is known of them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """
    A successful envelope; a business failure is one too.

    :param action: the API Action.
    :param result: ``Response.Result``.
    :param fields: further fields of ``Response``.
    """

    action: str
    result: str
    fields: Mapping[str, object] = field(default_factory=dict)

    @property
    def charged(self) -> bool:
        """Say whether the call is billed: what the outcome table says of the result."""
        return look_up(self.action, self.result).charged is Charged.YES

    def response(self, language: str) -> dict[str, object]:
        """Return the ``Response`` object without its RequestId."""
        described = description_of(self.action, self.result, language)
        return {**self.fields, "Result": self.result, "Description": described}


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    An ``Error``; never billed.

    :param key: the code, and behind a colon which of its texts (:data:`REFUSALS`).
    :param values: what stands in the text's placeholders; never a person's data.
    """

    key: str
    values: tuple[object, ...] = ()

    @property
    def charged(self) -> bool:
        """Say whether the call is billed."""
        return False

    @property
    def code(self) -> str:
        """Return ``Error.Code``."""
        return self.key.partition(":")[0]

    def response(self, language: str) -> dict[str, object]:
        """Return the ``Response`` object without its RequestId."""
        message = message_of(self.key, self.values, language)
        return {"Error": {"Code": self.code, "Message": message}}


def say(
    action: str,
    code: str,
    fields: Mapping[str, object] | None = None,
    errors: Collection[str] = ERRORS,
) -> Answer | Refusal:
    """
    Return what a code of the business comes as: an error, or a result with further fields.

    :param errors: codes that come as errors.
    """
    return Refusal(code) if code in errors else Answer(action, code, fields or {})


def force(
    action: str, code: str, fields: Mapping[str, object], envelope: str | None
) -> Answer | Refusal:
    """
    Return any code, as a fault rule asks for it.

    :param fields: further fields of ``Response``; None leaves one out that would be there.
    :param envelope: ``result`` or ``error``; None for what the outcome table says of the code.
    """
    listed = code in RESULTS[action] and code not in ERRORS
    if envelope == "error" or (envelope is None and not listed):
        return Refusal(code, _NO_VALUES)
    usual: dict[str, object] = {}
    if action == FACE:
        usual = {"Sim": FIXED_SIMILARITY if code == MATCH[FACE] else 0.0, "Extra": ""}
    given = usual | dict(fields)
    return Answer(action, code, {name: value for name, value in given.items() if value is not None})


def envelope(said: Answer | Refusal, request_id: str, language: str) -> bytes:
    """Return the body of an HTTP answer."""
    response = said.response(language) | {"RequestId": request_id}
    # What is echoed may hold half a surrogate pair, which no UTF-8 can carry.
    return json.dumps({"Response": response}, ensure_ascii=False).encode(errors="replace")
