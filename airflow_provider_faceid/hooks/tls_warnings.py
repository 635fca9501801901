"""What a connection gives up is logged, once per process and connection."""

from __future__ import annotations

import logging
from functools import cache
from urllib.parse import urlsplit

from ..client.settings import Settings

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

log = logging.getLogger(__name__)


def warn_of(settings: Settings) -> None:
    """Warn of calls that others can read or answer: without TLS, or with a certificate nobody checks."""
    address = urlsplit(settings.url)
    if address.scheme == "http":
        if address.hostname not in LOOPBACK:
            _warn(
                settings.conn_id,
                "goes by http: whoever is on the way can read names, numbers and photos",
            )
    elif not settings.verify:
        _warn(
            settings.conn_id,
            "does not check the TLS certificate: whoever is on the way can pose as the service",
        )


@cache
def _warn(conn_id: str, risk: str) -> None:
    log.warning("Connection '%s' %s. This is for test servers only", conn_id, risk)
