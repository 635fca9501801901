"""What a connection says, checked once and typed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from ..api.actions import ACTIONS, DEFAULT_HOST, IdentityLimits
from ..api.id_card import Check
from ..api.verdict import DEFAULT_THRESHOLD
from ..exceptions import ConfigurationError
from ..text import unknown
from .connection_schema import checked, form_fields, refuse_unknown, url_of
from .credentials import CredentialProvider, Credentials
from .credentials.providers import provider_from_connection
from .field_encryption import NONE, encrypt_of, refuse_keys_without_use

# The proxy both transports take: the connection's, else the environment's. HTTP and HTTPS only.


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


UNLISTED_QUOTA = 20
"""Calls per second for an Action without a row; most Face ID Actions allow 20."""

NO_LIMITS = IdentityLimits(id_card_per_day=0, name_per_day=0)


@dataclass(frozen=True)
class Settings:
    """
    One Face ID account and how to call it.

    :param credentials: its key, or where its keys come from.
    :param hash_secret: keys the hashes of people; the SecretKey of a lasting key if empty.
    :param conn_id: the Airflow connection, named in error messages.
    :param url: scheme, host and port, without a path.
    :param quotas: calls per second by Action, where they differ from the documented ones.
    :param identity_limits: calls about one person by Action, where they differ likewise.
    :param pace_share: share of the quota to use, 0.01-1.
    :param timeout: seconds for one request, from DNS to the last byte of the answer. For a photo they
        begin anew with all that the network takes of it, and with its last byte.
    :param connect_timeout: seconds for DNS, connecting and TLS; never more than half of a request's.
    :param deadline: seconds for one call with all its requests and pauses, from the first request;
        uploads of photos are left out.
    :param max_attempts: requests for one answer while the service is unavailable.
    :param repeat_gateway_errors: whether calls that a gateway answers with HTTP 502 or 503 are
        repeated: it never forwards a call that it fails.
    :param outage_patience: seconds a run over a table waits while nobody is answered.
    :param throttle_patience: throttled answers one call puts up with, a second or so each.
    :param similarity_threshold: a face match below it is ``review``, 0-100.
    :param id_card_check: how strictly an ID number is read before it is sent.
    :param encryption: how ``IdCard`` and ``Name`` are encrypted: an algorithm, ``KMS`` or ``none``.
    :param encryption_public_key: the service's key for it, the published one if empty.
    :param kms_secret: data key of KMS, in Base64.
    :param kms_ciphertext_blob: the same, for the service alone.
    :param verify: whether to check the TLS certificate.
    :param proxies: proxy address by scheme; may hold a password, so it is not printed.
    :param state_conn_id: connection of the database in which all workers keep the pace.
    """

    credentials: Credentials | CredentialProvider
    hash_secret: str = field(default="", repr=False)
    conn_id: str = "faceid_default"
    url: str = f"https://{DEFAULT_HOST}"
    region: str = ""
    language: str = "en-US"
    quotas: Mapping[str, int] = field(default_factory=dict)
    identity_limits: Mapping[str, IdentityLimits] = field(default_factory=dict)
    pace_share: float = 0.97
    timeout: float = 30.0
    connect_timeout: float = 5.0
    deadline: float = 120.0
    max_attempts: int = 6
    repeat_gateway_errors: bool = False
    outage_patience: float = 900.0
    throttle_patience: int = 60
    similarity_threshold: float = DEFAULT_THRESHOLD
    id_card_check: Check = Check.STRICT
    encryption: str = NONE
    encryption_public_key: str = ""
    kms_secret: str = field(default="", repr=False)
    kms_ciphertext_blob: str = ""
    verify: bool = True
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    state_conn_id: str = ""

    @property
    def host(self) -> str:
        """Return host and, unless it is the scheme's own, port: the value that is signed."""
        return urlsplit(self.url).netloc

    @property
    def hmac_key(self) -> str:
        """
        Return the secret by which hashes of people are made: ledger, counters, result table.

        :raises ConfigurationError: there is none that lasts, as a temporary SecretKey does not, nor
            one that is not the connection's own.
        """
        if self.hash_secret:
            return self.hash_secret
        if isinstance(self.credentials, Credentials) and self.credentials.lasting:
            return self.credentials.secret_key
        raise ConfigurationError(
            f"Connection '{self.conn_id}': keys that are temporary, or not the connection's own, "
            "need the extra field 'hash_secret': under another SecretKey nobody would be known "
            "again, and be paid for twice"
        )

    @property
    def renewable(self) -> bool:
        """Say whether there may be another key when one is refused."""
        return not isinstance(self.credentials, Credentials)

    def quota(self, action: str) -> int:
        """Return the calls per second the account may make."""
        documented = ACTIONS[action].quota if action in ACTIONS else UNLISTED_QUOTA
        return self.quotas.get(action, documented)

    def limits(self, action: str) -> IdentityLimits:
        """Return how often one person may be asked about; an Action without a row has no limits."""
        documented = ACTIONS[action].identity_limits if action in ACTIONS else NO_LIMITS
        return self.identity_limits.get(action, documented)

    def rate(self, action: str) -> float:
        """Return the calls per second we aim at."""
        return self.quota(action) * self.pace_share


def quota_field(action: str) -> str:
    """Return the connection field that holds an Action's quota: ``id_card_verification_quota``."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in action).lstrip("_") + "_quota"


def parse_settings(
    *,
    conn_id: str,
    host: str | None,
    port: int | None,
    schema: str | None,
    login: str | None,
    password: str | None,
    extra: Mapping[str, Any],
) -> Settings:
    """
    Read a connection. An empty field means the default, as the form stores it.

    :param schema: ``http`` to go without TLS; anything else is https.
    :param extra: the connection's Extra.
    :raises ConfigurationError: a field is missing, unknown, mistyped, out of range or contradicts
        another; it is named.
    """
    refuse_unknown(conn_id, extra)
    read = {name: checked(conn_id, name, extra[name]) for name in form_fields() if name in extra}
    given = {name: value for name, value in read.items() if value is not None and value != ""}
    refuse_keys_without_use(conn_id, given)
    given |= _times(conn_id, given)
    quotas = {
        action: given.pop(quota_field(action)) for action in ACTIONS if quota_field(action) in given
    }
    if "id_card_check" in given:
        given["id_card_check"] = Check(given["id_card_check"])
    settings = Settings(
        credentials=provider_from_connection(conn_id, login, password, given),
        conn_id=conn_id,
        url=url_of(conn_id, "Endpoint", host, port, schema, default=DEFAULT_HOST),
        quotas=quotas,
        identity_limits=_identity_limits(conn_id, given.pop("identity_limits", {})),
        **given,
    )
    check_proxies(conn_id, settings.url, settings.proxies)
    encrypt_of(settings)  # a key that is none is told now, and not by the first call
    return settings


_BOUNDS = (
    ("timeout", "deadline", 1, "which is for a call with all its requests"),
    ("connect_timeout", "timeout", 2, "of which the other half is for the request itself"),
    ("connect_timeout", "deadline", 2, "of which the other half is for the request itself"),
)
"""A field of seconds, another one, how many times it has to fit into that, and why."""


def _times(conn_id: str, given: Mapping[str, Any]) -> dict[str, float]:
    """
    Return time limits that agree: one that is not said follows those that are.

    :raises ConfigurationError: two that are said contradict each other.
    """
    for short, long, times, reason in _BOUNDS:
        if short in given and long in given and given[short] * times > given[long]:
            share = "half of " if times == 2 else ""  # noqa: PLR2004 - see the table
            raise ConfigurationError(
                f"Connection '{conn_id}': extra field '{short}' ({given[short]:g} s) must be at most "
                f"{share}'{long}' ({given[long]:g} s), {reason}"
            )
    timeout, connect, deadline = map(given.get, ("timeout", "connect_timeout", "deadline"))
    if timeout is None:
        timeout = max(min(Settings.timeout, deadline or math.inf), 2 * (connect or 0))
    if connect is None:
        connect = min(Settings.connect_timeout, timeout / 2)
    if deadline is None:
        deadline = max(Settings.deadline, timeout)
    return {"timeout": timeout, "connect_timeout": connect, "deadline": deadline}


def _identity_limits(conn_id: str, given: Mapping[str, Any]) -> dict[str, IdentityLimits]:
    """Lay what is given over the documented limits."""
    names = {limit.name for limit in fields(IdentityLimits)}
    found = {}
    for action, limits in given.items():
        given_names = list(limits) if isinstance(limits, dict) else []
        if words := unknown([action], ACTIONS.keys()) or unknown(given_names, names):
            raise ConfigurationError(
                f"Connection '{conn_id}': extra field 'identity_limits' has the unknown name {words}"
            )
        if not isinstance(limits, dict) or not all(
            type(limit) is int and limit >= 0 for limit in limits.values()
        ):
            raise ConfigurationError(
                f"Connection '{conn_id}': extra field 'identity_limits' must be an object such as "
                '{"ImageRecognitionV2": {"id_card_per_day": 30}} with the Actions '
                f"{', '.join(ACTIONS)}, the limits {', '.join(sorted(names))} and whole numbers "
                "from 0, where 0 is no limit"
            )
        found[action] = replace(ACTIONS[action].identity_limits, **limits)
    return found
