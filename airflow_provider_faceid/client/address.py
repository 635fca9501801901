"""An endpoint as people write it, as a URL without a path."""

from __future__ import annotations

import re

from ..exceptions import ConfigurationError

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
    Return scheme, host and, unless it is the scheme's own, port.

    :param field: what the field is called, for the message.
    :param host: a host name, or a URL without a path; the default if empty.
    :param schema: ``http`` to go without TLS; anything else is https.
    :raises ConfigurationError: it is neither.
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
