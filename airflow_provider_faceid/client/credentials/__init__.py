"""Credentials: an API key, and the credential provider that issues it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ...clock import Clock
from ...exceptions import CredentialsError

MAX_BYTES = 2**16
"""Largest credentials file or answer that is read, in bytes; real ones have some 5,000 at most."""

MOST_SECONDS = 7 * 86_400
"""Longest lifetime of a temporary key that is believed; documented are 12 hours."""

_PART = re.compile(r"[!-~]{1,8192}")
"""Characters of a part of a key: it goes into a header. The longest documented has 4,096 bytes."""


@dataclass(frozen=True)
class Credentials:
    """
    An API key. Its ``repr`` shows neither SecretKey nor token.

    :param secret_id: SecretId.
    :param secret_key: SecretKey.
    :param token: session token of a temporary key; empty for a permanent one.
    """

    secret_id: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)

    @property
    def lasting(self) -> bool:
        """Return whether the key is permanent: it has no token, so it does not expire."""
        return not self.token


@dataclass(frozen=True)
class IssuedCredentials:
    """
    A key as a credential provider issued it.

    :param key: the key.
    :param provider: issues the next key; of a chain, the member that issued this one.
    :param account: stable name of the account or role; empty if the key has none.
    :param seconds: lifetime in seconds; None if it is unknown or unlimited.
    """

    key: Credentials
    provider: CredentialProvider
    account: str = ""
    seconds: float | None = None


class CredentialProvider(Protocol):
    """Issues credentials. Providers are values: two that issue the same keys are equal."""

    @property
    def name(self) -> str:
        """Return the provider's name for messages, without a secret."""

    def fetch(self, clock: Clock) -> IssuedCredentials:
        """
        Fetch a key; blocks for seconds.

        :param clock: measures what is left of the key's lifetime.
        :raises UnavailableError: no key is available now; a later attempt may succeed.
        :raises CredentialsError: no key is available until a person changes something.
        """


def key_of(where: str, parts: Mapping[str, object], *, temporary: bool = False) -> Credentials:
    """
    Build credentials from three parts: SecretId, SecretKey and token.

    :param where: the place the parts come from, for error messages.
    :param parts: their values by the names they have there, in this order.
    :param temporary: whether a token is required.
    :raises CredentialsError: a part is missing or cannot go into a header; it is named, not shown.
    """
    for (name, value), needed in zip(parts.items(), (True, True, temporary), strict=True):
        if not value and not needed:
            continue
        if not isinstance(value, str) or not _PART.fullmatch(value):
            fault = "is no text without spaces" if value else "is missing"
            raise CredentialsError(f"{where}: {name} {fault}")
    return Credentials(*(str(value or "") for value in parts.values()))


def temporary_key(
    where: str, parts: Mapping[str, object], expired_time: object, date: float
) -> tuple[Credentials, float]:
    """
    Return the temporary key of an answer and its lifetime in seconds.

    :param where: the server, for error messages.
    :param parts: the object that holds the three parts of the key.
    :param expired_time: expiry in Unix seconds.
    :param date: ``Date`` of the answer in Unix seconds, which makes the lifetime independent of
        this machine's clock skew.
    :raises CredentialsError: a part is missing or malformed, or the key has expired.
    """
    names = ("TmpSecretId", "TmpSecretKey", "Token")
    key = key_of(where, {name: parts.get(name) for name in names}, temporary=True)
    if type(expired_time) is not int:
        raise CredentialsError(f"{where}: ExpiredTime is no number of seconds")
    seconds = expired_time - date
    if not 0 < seconds <= MOST_SECONDS:
        raise CredentialsError(
            f"{where}: the key expires {seconds:.0f} s from now. Check this machine's clock (NTP)"
        )
    return key, seconds
