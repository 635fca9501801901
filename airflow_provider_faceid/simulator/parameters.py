"""A call's own parameters: read from body or query, then held against the Action's fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import unquote_plus

from ..service.actions import Action, Kind
from .answers import Refusal
from .call import Call

Parameters = Mapping[str, object]

_TYPES: dict[Kind, type] = {Kind.OBJECT: dict}
"""JSON type of a kind of field, where it is not text."""


def read(call: Call) -> Parameters | Refusal:
    """Return the parameters of a call; a JSON null counts as absent."""
    if call.method == "GET":
        return _read_query(call.query)
    try:
        document = json.loads(call.body or b"{}")
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError, too
        return Refusal("InvalidParameter:body")
    if not isinstance(document, dict):
        return Refusal("InvalidParameter:body")
    return {name: value for name, value in document.items() if value is not None}


def _read_query(query: str) -> Parameters | Refusal:
    """Return the parameters of a query; ``Encryption.Iv=`` belongs to an object ``Encryption``."""
    parameters: dict[str, object] = {}
    for pair in filter(None, query.split("&")):
        name, equals, value = pair.partition("=")
        if not equals:
            return Refusal("InvalidParameter:query")
        head, dot, rest = unquote_plus(name).partition(".")
        if dot:
            parameters[head] = {**_object(parameters.get(head)), rest: unquote_plus(value)}
        else:
            parameters[head] = unquote_plus(value)
    return parameters


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def refuse(action: Action, parameters: Parameters) -> Refusal | None:
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
        if field.kind is Kind.TEXT and field.max_length and len(str(value)) > field.max_length:
            return Refusal("InvalidParameterValue", (name,))
    return None


def decrypt(parameters: Parameters) -> Parameters | Refusal:
    """
    Return the parameters with encrypted fields in the clear.

    The one place for field encryption. The simulator holds no private key yet, so every
    ``Encryption`` object is answered like one the service cannot decrypt.
    """
    if "Encryption" in parameters:
        return Refusal("FailedOperation.DecryptSystemError")
    return parameters
