"""An API key, and what an origin hands out: a key, whose it is, and for how long."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ...clock import Clock
from ...exceptions import CredentialsError

MAX_BYTES = 2**16
"""Bytes of a file or an answer about keys that are read; they have some 5,000 at most."""

MOST_SECONDS = 7 * 86_400
"""No temporary key is good for longer; documented are 12 hours."""

_PART = re.compile(r"[!-~]{1,8192}")
"""What a part of a key may be: it goes into a header. The documented longest one has 4,096 bytes."""


@dataclass(frozen=True)
class Credentials:
    """An API key. Printing it shows neither the key nor the token."""

    secret_id: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)

    @property
    def lasting(self) -> bool:
        """Say whether the key is good until somebody deletes it."""
        return not self.token


@dataclass(frozen=True)
class IssuedCredentials:
    """
    A key as its origin gave it.

    :param origin: who gives the next one; the one of several that worked.
    :param account: names the account or role for good, empty if nothing about the key does.
    :param seconds: how long it is good, None if nobody knows or it lasts.
    """

    key: Credentials
    origin: CredentialProvider
    account: str = ""
    seconds: float | None = None


class CredentialProvider(Protocol):
    """Where keys come from: a value, equal to another one that gives the same keys."""

    @property
    def name(self) -> str:
        """Name it in messages, without a secret."""

    def fetch(self, clock: Clock) -> IssuedCredentials:
        """
        Fetch a key; blocks for seconds.

        :raises UnavailableError: there is none now, which may pass.
        :raises CredentialsError: there is none, until a person changes something.
        """


def key_of(where: str, parts: Mapping[str, object], *, temporary: bool = False) -> Credentials:
    """
    Return the key of three parts: SecretId, SecretKey and token.

    :param where: where they were found, for the message.
    :param parts: their values by the names they have there.
    :param temporary: whether there has to be a token.
    :raises CredentialsError: one is missing or cannot go into a header; it is named and not shown.
    """
    for (name, value), needed in zip(parts.items(), (True, True, temporary), strict=True):
        if not value and not needed:
            continue
        if not isinstance(value, str) or not _PART.fullmatch(value):
            fault = "is no text without spaces" if value else "is missing"
            raise CredentialsError(f"{where}: {name} {fault}")
    return Credentials(*(str(value or "") for value in parts.values()))


def temporary_key(
    where: str, said: Mapping[str, object], expired_time: object, date: float
) -> tuple[Credentials, float]:
    """
    Return the key of an answer and the seconds it is good for.

    :param said: the object that holds its three parts.
    :param expired_time: until when it is good, in Unix seconds.
    :param date: when the answer was written, so that a wrong clock of this machine does not count.
    :raises CredentialsError: a part is missing or malformed, or the time has passed.
    """
    names = ("TmpSecretId", "TmpSecretKey", "Token")
    key = key_of(where, {name: said.get(name) for name in names}, temporary=True)
    if type(expired_time) is not int:
        raise CredentialsError(f"{where}: ExpiredTime is no number of seconds")
    seconds = expired_time - date
    if not 0 < seconds <= MOST_SECONDS:
        raise CredentialsError(
            f"{where}: the key expires {seconds:.0f} s from now. Check this machine's clock (NTP)"
        )
    return key, seconds
