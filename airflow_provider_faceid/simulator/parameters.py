"""A call's own parameters: read from body or query, then held against the Action's fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from ..service.actions import Action, Kind
from .answers import Refusal
from .call import COMMON_PARAMETERS, VERSION_1_PARAMETERS, Call
from .decryption import decrypt
from .keys import Keys
from .pairs import nest
from .unknowns import LIKELIEST, Unknowns

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
    action: Action, parameters: Parameters, unknowns: Unknowns = LIKELIEST
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
        limited = field.kind is Kind.TEXT and field.max_length and unknowns.extra_limited
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
