"""The connection's extra fields: each checked against what the form's schema says of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from ..exceptions import ConfigurationError
from ..get_provider_info import get_provider_info

_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
}
VISIBLE = re.compile(r"[!-~]*")
"""What an HTTP header carries unharmed."""
_LINES = re.compile(r"[ -~\r\n\t]*")
"""What a key may be pasted as."""


@cache
def form_fields() -> dict[str, Any]:
    """Return the connection form's own fields, from the provider's metadata."""
    fields: dict[str, Any] = get_provider_info()["connection-types"][0]["conn-fields"]
    return fields


def checked(conn_id: str, name: str, value: object) -> Any:
    """
    Return a field's value in its type, None if it is empty.

    :raises ConfigurationError: it is mistyped or out of range; connection and field are named.
    """
    schema = form_fields()[name]["schema"]
    if value is None or value == "":
        return None
    kind = schema["type"][0]
    if isinstance(value, str) and kind != "string":
        value = _from_text(value)
    fits = isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
    low, high = schema.get("minimum"), schema.get("maximum")
    if fits and isinstance(value, int | float) and low is not None:
        fits = low <= value <= high
    if fits and isinstance(value, str):
        # Most texts end up in headers, where anything else would fail, and be quoted, in every call.
        allowed = _LINES if schema.get("format") == "multiline" else VISIBLE
        shortest, longest = schema.get("minLength", 0), schema.get("maxLength", len(value))
        fits = shortest <= len(value) <= longest and bool(allowed.fullmatch(value))
    if fits and name == "proxies" and isinstance(value, dict):
        fits = all(isinstance(text, str) for text in value.values())
    if fits and "enum" in schema:
        fits = value in schema["enum"]
    if not fits:
        raise ConfigurationError(
            f"Connection '{conn_id}': extra field '{name}' must be {_wanted(name, schema)}"
        )
    return value


def _from_text(value: str) -> object:
    """Read what an older form or a connection URI stores as text; numbers and JSON look alike."""
    try:
        return json.loads(value.lower() if value in {"True", "False"} else value)
    except ValueError:
        return value


def _wanted(name: str, schema: Mapping[str, Any]) -> str:
    kind = schema["type"][0]
    if "enum" in schema:
        return " or ".join(schema["enum"])
    if "minimum" in schema:
        return f"a valid {kind} from {schema['minimum']} to {schema['maximum']}"
    if kind == "string":
        limit = f" of at most {schema['maxLength']} characters" if "maxLength" in schema else ""
        if "minLength" in schema:
            limit = f" of {schema['minLength']} to {schema['maxLength']} characters"
        return f"ASCII text{limit}" + (
            "" if schema.get("format") == "multiline" else " without spaces"
        )
    return f"a valid {kind}" + (" of texts" if name == "proxies" else "")
