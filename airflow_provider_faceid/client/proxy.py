"""The proxy both transports take: the connection's, else the environment's. HTTP and HTTPS only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from ..exceptions import ConfigurationError

SCHEMES = frozenset({"http", "https"})
_NAMED = frozenset({"socks", "socks4", "socks4a", "socks5", "socks5h", "ftp", "quic"})
"""Schemes that may stand in a message; what is before ``://`` may be anything, a password too."""
_ABOUT = re.compile(r"(https?|all)(://[^/\s]+)?")
"""What a proxy may be for: a scheme, and a host if it is for that host alone."""


def proxy_of(url: str, proxies: Mapping[str, str]) -> str | None:
    """
    Return the proxy for an address, None if it is reached directly.

    :param url: scheme and host of the endpoint.
    :param proxies: by scheme, over those of the environment.
    """
    proxy = select_proxy(url, {**get_environ_proxies(url), **proxies})
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy or None


def check_proxies(conn_id: str, url: str, proxies: Mapping[str, str]) -> None:
    """
    Refuse proxies that the transports cannot use: a request would go to their port as it is.

    :raises ConfigurationError: one is of another scheme, has no host, or is for no scheme of ours.
    """
    for about, proxy in proxies.items():
        if not _ABOUT.fullmatch(about):
            raise ConfigurationError(
                f"Connection '{conn_id}': extra field 'proxies' names proxies by http, https or all, "
                'as in {"https": "http://proxy:3128"}'
            )
        if proxy:
            _check(
                f"Connection '{conn_id}': the proxy for '{about}' in extra field 'proxies'", proxy
            )
    chosen = proxy_of(url, proxies)
    if chosen is not None:
        _check(f"Connection '{conn_id}': the proxy for its Endpoint", chosen)


def _check(which: str, proxy: str) -> None:
    address = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urlsplit(address)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        parts, has_host = urlsplit("http://"), False
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES:
        told = scheme.upper() if scheme in _NAMED else "no HTTP proxy"
        raise ConfigurationError(
            f"{which} is {told}. Only HTTP and HTTPS proxies are supported, such as "
            "http://proxy:3128; check the connection and the variables HTTPS_PROXY and ALL_PROXY"
        )
    if not has_host:
        raise ConfigurationError(f"{which} is no address such as http://proxy:3128")
