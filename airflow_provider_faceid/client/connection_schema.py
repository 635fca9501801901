"""Connection schema: validates the connection's Endpoint and Extra against the form's JSON schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from ..exceptions import ConfigurationError, unknown
from ..get_provider_info import get_provider_info

_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?)"
    r"(:(?P<port>[0-9]{1,5}))?"
)
_MAX_PORT = 65535


def url_of(
    conn_id: str,
    field: str,
    host: str | None,
    port: int | None = None,
    schema: str | None = None,
    *,
    default: str,
) -> str:
    """
    Return a URL of scheme, host and, unless it is the scheme's default, port.

    :param conn_id: the Airflow connection, named in error messages.
    :param field: name of the field, for error messages.
    :param host: a host name, or a URL without a path; ``default`` if empty.
    :param port: used if ``host`` names none.
    :param schema: ``http`` for no TLS; any other value means https.
    :param default: host name to use, also the example in the error.
    :raises ConfigurationError: ``host`` is neither a host name nor such a URL.
    """
    host = (host or default).strip().rstrip("/").lower()
    if "://" not in host:
        host = f"{'http' if schema == 'http' else 'https'}://{host}"
    found = _ADDRESS.fullmatch(host)
    # The form's Test button sends port 0 for an empty field.
    port = int((found and found["port"]) or port or 0)
    if found is None or not 0 <= port <= _MAX_PORT:
        raise ConfigurationError(
            f"Connection '{conn_id}': {field} must be a host name such as {default}, or "
            "http://host:port, without a path"
        )
    url = f"{found['scheme']}://{found['host']}"
    return url if port in {0, 80 if found["scheme"] == "http" else 443} else f"{url}:{port}"


_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
}
VISIBLE = re.compile(r"[!-~]*")
"""Characters that an HTTP header carries unchanged."""
_LINES = re.compile(r"[ -~\r\n\t]*")
"""Characters of a pasted key: printable ASCII, line breaks and tabs."""


@cache
def form_fields() -> dict[str, Any]:
    """Return the connection form's own fields, from the provider's metadata."""
    fields: dict[str, Any] = get_provider_info()["connection-types"][0]["conn-fields"]
    return fields


QUOTA_FIELDS_OF_0_2 = {
    "IdCardVerification": "id_card_verification_quota",
    "ImageRecognitionV2": "image_recognition_v2_quota",
}
"""Fields of the form before it had one for all quotas, by Action; connections may still have them."""

_QUOTA = {"schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 10000}}

_OF_HTTP = {
    "allow_redirects": "no redirect is followed",
    "cert": "client certificates are not supported",
    "check_response": "every answer is parse_field",
    "headers": "no header is taken from a connection",
    "max_redirects": "no redirect is followed",
    "proxy": "say it in 'proxies'",
    "srv_lookup": "the endpoint is asked as it is written",
    "stream": "answers are always read piece by piece",
    "trust_env": "the environment's proxies and certificates are used unless 'proxies' says others",
    "verify_ssl": "say it in 'verify'",
}
"""Extra fields of Airflow's HTTP connections that this one refuses, with the reason."""


def refuse_no_object(conn_id: str, text: str | None) -> None:
    """
    Refuse an Extra that is no JSON object; Airflow itself would read it as empty.

    :raises ConfigurationError: it is none; the message names the connection and quotes nothing.
    """
    if not text or not text.strip():
        return
    try:
        read = json.loads(text)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise ConfigurationError(f"Connection '{conn_id}': Extra is no JSON object")


def refuse_unknown(conn_id: str, given: Mapping[str, object]) -> None:
    """
    Refuse unknown fields: a misspelt one would be ignored silently.

    :param given: the connection's Extra.
    :raises ConfigurationError: a field is unknown; it is named, with the nearest known one.
    """
    known = {*form_fields(), *QUOTA_FIELDS_OF_0_2.values()}
    for name, reason in _OF_HTTP.items():
        if name in given:
            raise ConfigurationError(
                f"Connection '{conn_id}': extra field '{name}' has no use here: {reason}. Remove it"
            )
    if words := unknown(given, known):
        raise ConfigurationError(f"Connection '{conn_id}': unknown extra field {words}")


def parse_field(conn_id: str, name: str, value: object) -> Any:
    """
    Return a field's value in the type of its schema, None if it is empty.

    :raises ConfigurationError: the value is mistyped or out of range; connection and field are named.
    """
    schema = form_fields().get(name, _QUOTA)["schema"]
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
        # Most texts become header values. Other characters would fail in each call, and be quoted.
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
    """Parse a value that an older form or a connection URI stores as text."""
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
