"""Settings: the Airflow connection's fields, validated once and typed; its proxy and encryption."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from ..api.action import DEFAULT_HOST, PER_DAY, PER_MINUTE, IdentityLimits
from ..api.actions import ACTIONS
from ..api.fields import PHOTO
from ..api.id_card import Check
from ..api.verdict import DEFAULT_THRESHOLD
from ..clock import SYSTEM_CLOCK, Clock
from ..exceptions import ConfigurationError, nearest, unknown
from .connection_schema import (
    QUOTA_FIELDS_OF_0_2,
    form_fields,
    parse_field,
    refuse_unknown,
    url_of,
)
from .credentials import CredentialProvider, Credentials
from .credentials.providers import provider_from_connection

SCHEMES = frozenset({"http", "https"})
_NAMED = frozenset({"socks", "socks4", "socks4a", "socks5", "socks5h", "ftp", "quic"})
"""Schemes that may be quoted in a message. Any other text before ``://`` may hold a password."""
_ABOUT = re.compile(r"(https?|all)(://[^/\s]+)?")
"""Keys of ``proxies``: a scheme, with a host if the proxy is for that host alone."""


def proxy_of(url: str, proxies: Mapping[str, str]) -> str | None:
    """
    Return the HTTP proxy for an address, None if it is reached directly.

    :param url: scheme and host of the endpoint.
    :param proxies: proxy address by scheme; takes precedence over the environment's.
    """
    proxy = select_proxy(url, {**get_environ_proxies(url), **proxies})
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy or None


def check_proxies(conn_id: str, url: str, proxies: Mapping[str, str]) -> None:
    """
    Refuse proxies that the transports do not support: they would receive a plain HTTP request.

    :raises ConfigurationError: a proxy has another scheme than HTTP and HTTPS, has no host, or is
        for another scheme than ``http``, ``https`` and ``all``.
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
        kind = scheme.upper() if scheme in _NAMED else "no HTTP proxy"
        raise ConfigurationError(
            f"{which} is {kind}. Only HTTP and HTTPS proxies are supported, such as "
            "http://proxy:3128; check the connection and the variables HTTPS_PROXY and ALL_PROXY"
        )
    if not has_host:
        raise ConfigurationError(f"{which} is no address such as http://proxy:3128")


UNLISTED_QUOTA = 20
"""Calls per second for an Action without a row; most Face ID Actions allow 20."""

NO_LIMITS = IdentityLimits()

NONE, KMS = "none", "KMS"
"""Values of the field ``encryption`` besides the algorithms of :mod:`..api.encryption.ciphers`."""

KEY_FIELDS = frozenset({"encryption_public_key", "kms_secret", "kms_ciphertext_blob"})
"""Fields with key material for field encryption."""


@dataclass(frozen=True)
class Settings:
    """
    One Face ID account and how to call it.

    :param credentials: its API key, or the provider that issues its keys.
    :param hash_secret: HMAC key of pseudonyms; the SecretKey of a permanent key if empty.
    :param conn_id: the Airflow connection, named in error messages.
    :param url: scheme, host and port, without a path.
    :param quotas: calls per second by Action, where they differ from the documented ones.
    :param identity_limits: calls about one person by Action, where they differ from the documented
        ones.
    :param region: value of the header ``X-TC-Region``; not sent if empty.
    :param language: language of descriptions, ``en-US`` or ``zh-CN``.
    :param pace_share: target utilisation of the quota, 0.01-1.
    :param priority_share: share of the pace that single calls with priority may have, 0-0.8.
    :param timeout: seconds for one request, from DNS to the last byte of the answer. For a photo the
        timeout restarts with each progress of the upload, and with its last byte.
    :param connect_timeout: seconds for DNS, TCP and TLS; at most half of a request's timeout.
    :param deadline: seconds for one call with all its requests and pauses, from the first request;
        uploads of photos are left out.
    :param max_attempts: requests for one answer while the service is unavailable.
    :param repeat_gateway_errors: whether calls that a gateway answers with HTTP 502 or 503 are
        retried: the gateway never forwards a call that it fails.
    :param outage_patience: outage timeout of a run over a table, in seconds: the run gives up after
        this time without an answer.
    :param throttle_patience: throttled answers after which a call gives up, about a second each.
    :param similarity_threshold: a face match below it is ``review``, 0-100.
    :param id_card_check: how strictly an ID number is parse_field before it is sent.
    :param encryption: how ``IdCard`` and ``Name`` are encrypted: an algorithm, ``KMS`` or ``none``.
    :param encryption_public_key: the service's public key for it; the published one if empty.
    :param kms_secret: data key of KMS, in Base64.
    :param kms_ciphertext_blob: the same data key, encrypted by KMS for the service.
    :param verify: whether to check the TLS certificate.
    :param proxies: proxy address by scheme; left out of ``repr``, as it may hold a password.
    :param state_conn_id: connection of the state store, the database that all workers share.
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
    priority_share: float = 0.2
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
        """Return host and, unless it is the scheme's default, port: the ``Host`` that is signed."""
        return urlsplit(self.url).netloc

    @property
    def hmac_key(self) -> str:
        """
        Return the HMAC key of pseudonyms in ledger, identity counters and result table.

        :raises ConfigurationError: there is no permanent one: no ``hash_secret``, and the API key is
            temporary or comes from a credential provider.
        """
        if self.hash_secret:
            return self.hash_secret
        if isinstance(self.credentials, Credentials) and self.credentials.lasting:
            return self.credentials.secret_key
        raise ConfigurationError(
            f"Connection '{self.conn_id}': keys that are temporary, or not the connection's own, "
            "need the extra field 'hash_secret': under another SecretKey earlier answers are not "
            "found, and each person is paid for again"
        )

    @property
    def renewable(self) -> bool:
        """Return whether a refused key can be refreshed."""
        return not isinstance(self.credentials, Credentials)

    def quota(self, action: str) -> int:
        """Return the quota of an Action, in calls per second."""
        documented = ACTIONS[action].quota if action in ACTIONS else UNLISTED_QUOTA
        return self.quotas.get(action, documented)

    def limits(self, action: str) -> IdentityLimits:
        """Return an Action's limits per identity; an Action without a row has none."""
        documented = ACTIONS[action].identity_limits if action in ACTIONS else NO_LIMITS
        return self.identity_limits.get(action, documented)

    def rate(self, action: str) -> float:
        """Return the calls per second we aim at."""
        return self.quota(action) * self.pace_share


_ACTION = re.compile(r"[A-Z][A-Za-z0-9]{1,60}")
HIGHEST_QUOTA = 10_000


def _quotas(conn_id: str, given: Mapping[str, Any]) -> dict[str, int]:
    """Check the calls per second by Action; an Action that is not listed may have some, too."""
    for action, quota in given.items():
        hint = "" if action in ACTIONS else nearest(action, ACTIONS)
        if hint or not _ACTION.fullmatch(action):
            raise ConfigurationError(
                f"Connection '{conn_id}': extra field 'quotas' has the unknown Action "
                f"{unknown([action], ACTIONS.keys())}"
            )
        if type(quota) is not int or not 1 <= quota <= HIGHEST_QUOTA:
            raise ConfigurationError(
                f"Connection '{conn_id}': extra field 'quotas' must be an object such as "
                f'{{"IdCardVerification": 100}} with whole numbers from 1 to {HIGHEST_QUOTA}'
            )
    return dict(given)


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
    fields = {**form_fields(), **dict.fromkeys(QUOTA_FIELDS_OF_0_2.values())}
    read = {name: parse_field(conn_id, name, extra[name]) for name in fields if name in extra}
    given = {name: value for name, value in read.items() if value is not None and value != ""}
    refuse_keys_without_use(conn_id, given)
    given |= _times(conn_id, given)
    quotas = _quotas(conn_id, given.pop("quotas", {}))
    for action, old in QUOTA_FIELDS_OF_0_2.items():
        if (quota := given.pop(old, None)) is not None:
            quotas.setdefault(action, quota)
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
    encrypt_of(settings)  # a malformed key fails here, not in the first call
    return settings


_BOUNDS = (
    ("timeout", "deadline", 1, "which is for a call with all its requests"),
    ("connect_timeout", "timeout", 2, "of which the other half is for the request itself"),
    ("connect_timeout", "deadline", 2, "of which the other half is for the request itself"),
)
"""Shorter time limit, longer one, how many times the first must fit into the second, and why."""


def _times(conn_id: str, given: Mapping[str, Any]) -> dict[str, float]:
    """
    Return consistent time limits: defaults follow the limits that are set.

    :raises ConfigurationError: two limits that are set contradict each other.
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
    """Return the documented limits per identity with the connection's overrides."""
    found = {}
    for action, limits in given.items():
        known = ACTIONS.get(action)
        names = [
            field.column + window
            for field in (known.fields if known is not None else ())
            for window in (PER_DAY, PER_MINUTE)
            if field.column and field.type is not PHOTO
        ]
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
                '{"ImageRecognitionV2": {"id_card_per_day": 30}} with whole numbers from 0, where 0 is '
                f"no limit; {action} has the limits {', '.join(sorted(names))}"
            )
        found[action] = IdentityLimits({**ACTIONS[action].identity_limits, **limits})
    return found


Encrypt = Callable[[str, Mapping[str, object]], Mapping[str, object]]
"""Encrypts the request fields of an Action; called anew for each request."""


def encrypt_of(settings: Settings, clock: Clock = SYSTEM_CLOCK) -> Encrypt | None:
    """
    Return the field encryption of one client, None if fields are sent in plain text.

    It is thread-safe. It holds a data key that serves many requests, so make one for each client.

    :param clock: measures the age of the data key.
    :raises ConfigurationError: a field of the connection is malformed; it is named.
    """
    if settings.encryption == NONE:
        return None
    # Importing cryptography costs as much as the rest of a client: only clients that encrypt pay.
    from ..api.encryption import Encrypter, KmsEncrypter, encrypt_request  # noqa: PLC0415

    if settings.encryption == KMS:
        blob = settings.kms_ciphertext_blob
        with _named(settings.conn_id, "kms_secret" if blob else "kms_ciphertext_blob"):
            return partial(encrypt_request, KmsEncrypter(settings.kms_secret, blob))
    with _named(settings.conn_id, "encryption"):
        encrypter = Encrypter(settings.encryption, clock=clock)
    if settings.encryption_public_key:
        with _named(settings.conn_id, "encryption_public_key"):
            encrypter = Encrypter(settings.encryption, settings.encryption_public_key, clock=clock)
    return partial(encrypt_request, encrypter)


def refuse_keys_without_use(conn_id: str, given: Mapping[str, object]) -> None:
    """
    Refuse a connection that has key material but no ``encryption``: it would send plain text.

    :param given: the fields of its Extra that are not empty.
    :raises ConfigurationError: such a field is set and ``encryption`` is not.
    """
    if "encryption" not in given and (keys := sorted(KEY_FIELDS & given.keys())):
        raise ConfigurationError(
            f"Connection '{conn_id}': extra field 'encryption' must be filled, as "
            f"'{keys[0]}' is; 'none' leaves it unused"
        )


@contextmanager
def _named(conn_id: str, name: str) -> Iterator[None]:
    """Name connection and field in an error."""
    try:
        yield
    except ConfigurationError as error:
        message = f"Connection '{conn_id}': extra field '{name}': {error}"
        raise ConfigurationError(message) from None
