"""The keys of one client: one that stands in the connection, or those a keeper keeps fresh."""

from __future__ import annotations

import os
import threading
from typing import Protocol

from ...clock import SYSTEM_CLOCK, Clock
from .keeper import Keeper
from .key import Credentials, Origin


class Keys(Protocol):
    """Gives the key to sign with."""

    @property
    def name(self) -> str:
        """Return where the key comes from, without a secret."""

    def ready(self) -> Credentials | None:
        """Return a valid key at once, None if it takes waiting for."""

    def wait(self, conn_id: str, refused: Credentials | None = None) -> Credentials:
        """
        Return a valid key, and another one than was refused.

        :param conn_id: named in the message.
        :raises OutageError: there is none now, which may pass.
        :raises CredentialsError: there is none, until a person changes something.
        """

    async def wait_async(self, conn_id: str, refused: Credentials | None = None) -> Credentials:
        """Return the same without blocking the event loop."""

    def account(self, conn_id: str) -> str:
        """
        Return what names the account whatever its key is, empty if nothing does.

        :raises CredentialsError: it takes a key to know, and there is none.
        """


class OneKey:
    """A key that stands in the connection, and nobody can renew."""

    name = "the connection"

    def __init__(self, key: Credentials) -> None:
        self._key = key

    def ready(self) -> Credentials:
        """Return it."""
        return self._key

    def wait(self, conn_id: str, refused: Credentials | None = None) -> Credentials:
        """Return it, refused or not: there is no other."""
        del conn_id, refused
        return self._key

    async def wait_async(self, conn_id: str, refused: Credentials | None = None) -> Credentials:
        """Return it, refused or not."""
        return self.wait(conn_id, refused)

    def account(self, conn_id: str) -> str:
        """Return the SecretId of a lasting key; that of a temporary one is another tomorrow."""
        del conn_id
        return self._key.secret_id if self._key.lasting else ""


class Keepers:
    """The keepers of a process, one for each origin: whoever shares an origin shares its key."""

    def __init__(self) -> None:
        self.all: dict[tuple[Origin, Clock], Keeper] = {}
        self.forget_threads()

    def forget_threads(self) -> None:
        """Begin as a child of a fork must; valid keys stay."""
        self._lock = threading.Lock()
        for keeper in self.all.values():
            keeper.forget_threads()

    def of(self, origin: Origin, clock: Clock) -> Keeper:
        """Return the keeper of an origin."""
        with self._lock:
            return self.all.setdefault((origin, clock), Keeper(origin, clock))


_KEEPERS = Keepers()
os.register_at_fork(after_in_child=_KEEPERS.forget_threads)


def keys_of(origin: Credentials | Origin, clock: Clock = SYSTEM_CLOCK) -> Keys:
    """Return the keys of an origin, which this process shares; asks nobody yet."""
    return OneKey(origin) if isinstance(origin, Credentials) else _KEEPERS.of(origin, clock)


def new_keys_of(origin: Credentials | Origin, clock: Clock = SYSTEM_CLOCK) -> Keys:
    """Return the keys of an origin, as if this process had never asked it."""
    return OneKey(origin) if isinstance(origin, Credentials) else Keeper(origin, clock)
