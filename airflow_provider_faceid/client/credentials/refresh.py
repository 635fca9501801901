"""Credential refresh: static credentials, or temporary ones refreshed before they expire.

::

    ... valid ...   refresh_at        expires_at
    ----------------|-----------------|---------->
    use the key     one thread        all callers
                    refreshes it,     wait for the
                    others use it     new key

Refreshing is a singleflight: all threads and event loops of a process share one credentials object
for each provider, and at most one fetch of it runs at a time.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from math import inf
from typing import NoReturn, Protocol

from ...clock import SYSTEM_CLOCK, Clock
from ...exceptions import CredentialsError, FaceIdError, OutageError, UnavailableError
from . import CredentialProvider, Credentials, IssuedCredentials

REFRESH_EARLY_SECONDS, REFRESH_EARLY_SHARE = 300.0, 0.1
"""Refresh this many seconds before expiry, or this share of the lifetime if that is shorter."""
REREAD_SECONDS = 300.0
"""Refresh interval of a key with an unknown lifetime, which is read from a file or the environment."""
RETRY_SECONDS = 5.0
"""After a failed fetch no other one starts for this long (negative cache)."""
PAUSES = (0.5, 1.0, 2.0)
PATIENCE_SECONDS = 10.0
"""Without a valid key, a fetch that failed for a transient cause is retried after these pauses, within
this many seconds."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _CachedCredentials:
    """Issued credentials with their refresh and expiry time, in Unix seconds."""

    issued: IssuedCredentials
    refresh_at: float
    expires_at: float


class RefreshingCredentials:
    """
    Credentials that a background thread refreshes before they expire, one fetch at a time.

    No lock is held during a fetch. Reading a valid key takes no lock.

    :param provider: issues the keys.
    :param clock: decides when to refresh.
    """

    def __init__(self, provider: CredentialProvider, clock: Clock) -> None:
        self._provider, self._clock = provider, clock
        self._held: _CachedCredentials | None = None
        self._last: IssuedCredentials | None = None
        self._problem: FaceIdError | None = None
        self._not_before = -inf  # on the monotonic clock
        self.forget_threads()

    @property
    def name(self) -> str:
        """Return the provider's name; of a chain, the member that issued the key."""
        return self._provider.name

    def forget_threads(self) -> None:
        """Replace lock and fetch in a forked child, which has none of its parent's threads."""
        self._lock = threading.Lock()
        self._fetching: Future[None] | None = None

    def ready(self) -> Credentials | None:
        """Return a valid key without blocking, None if there is none; may start a refresh."""
        held = self._held
        if held is None:
            return None
        now = self._clock.now()
        if now >= held.refresh_at:
            if now >= held.expires_at:
                return None
            with self._lock:
                self._fetch_unless_just_failed()
        return held.issued.key

    def wait(self, conn_id: str, refused: Credentials | None = None) -> Credentials:
        """Return a valid key other than the refused one; block while it is fetched."""
        fetching = self._fetch_if_needed(refused)
        if fetching is not None:
            fetching.result()  # a fetch has a time limit of its own
        return self._valid(refused) or self._fail(conn_id)

    async def wait_async(self, conn_id: str, refused: Credentials | None = None) -> Credentials:
        """Do the same as :meth:`wait` without blocking the event loop."""
        fetching = self._fetch_if_needed(refused)
        if fetching is not None:
            await asyncio.wrap_future(fetching)
        return self._valid(refused) or self._fail(conn_id)

    def account(self, conn_id: str) -> str:
        """Return the account's stable name, which the provider issues with the first key."""
        if self._last is None:
            self.wait(conn_id)
        return self._last.account if self._last else ""

    def _valid(self, refused: Credentials | None) -> Credentials | None:
        held = self._held
        if held is None or held.issued.key == refused or self._clock.now() >= held.expires_at:
            return None
        return held.issued.key

    def _fail(self, conn_id: str) -> NoReturn:
        problem = self._problem or CredentialsError(
            f"{self._provider.name} has no other key than the one that was refused or has expired. "
            "A run continues where it stopped once there is one"
        )
        kind = OutageError if isinstance(problem, UnavailableError) else CredentialsError
        error = kind(f"Connection '{conn_id}': no key. {problem}")
        error.code, error.request_id = problem.code, problem.request_id
        raise error

    def _fetch_if_needed(self, refused: Credentials | None) -> Future[None] | None:
        """Return the fetch to wait for, None if a key is valid or a fetch has just failed."""
        with self._lock:
            if self._held is not None and self._held.issued.key == refused:
                self._held = None  # the service refuses it in every call
            if self._valid(refused) is not None:
                return None
            self._fetch_unless_just_failed()
            return self._fetching

    def _fetch_unless_just_failed(self) -> None:
        if self._fetching is None and self._clock.monotonic() >= self._not_before:
            fetching: Future[None] = Future()
            fetching.set_running_or_notify_cancel()  # a waiter that is cancelled cancels no other
            threading.Thread(
                target=self._fetch, args=(fetching,), name="faceid-key", daemon=True
            ).start()
            self._fetching = fetching

    def _fetch(self, fetching: Future[None]) -> None:
        held: _CachedCredentials | None = None
        problem: FaceIdError | None = None
        try:
            held = self._fetch_with_retries()
        except FaceIdError as error:
            problem = error
        except Exception as error:  # noqa: BLE001 - waiters must wake up, whatever has failed
            problem = CredentialsError(f"{self._provider.name}: {type(error).__name__}")
        with self._lock:
            if held is None or (self._last and self._last.key == held.issued.key):
                # Another fetch right away would return the same.
                self._not_before = self._clock.monotonic() + RETRY_SECONDS
            if held is not None:
                self._held, self._last, self._provider = held, held.issued, held.issued.provider
            self._problem, self._fetching = problem, None
            old = self._held
        if problem and old:
            left = old.expires_at - self._clock.now()
            log.warning(
                "Credential refresh failed; the present key expires in %.0f s. %s", left, problem
            )
        fetching.set_result(None)

    def _fetch_with_retries(self) -> _CachedCredentials:
        began = self._clock.monotonic()
        for pause in PAUSES:
            try:
                return self._fetch_once()
            except UnavailableError:
                waited = self._clock.monotonic() - began
                if self._valid(None) or waited + pause > PATIENCE_SECONDS:
                    raise
            self._clock.sleep(pause)
        return self._fetch_once()

    def _fetch_once(self) -> _CachedCredentials:
        asked = self._clock.now()  # the key's lifetime may begin as early as this
        issued = self._provider.fetch(self._clock)
        if issued.seconds is None:
            return _CachedCredentials(issued, asked + REREAD_SECONDS, inf)
        early = min(REFRESH_EARLY_SECONDS, REFRESH_EARLY_SHARE * issued.seconds)
        log.info("The key of %s expires in %.0f s", issued.provider.name, issued.seconds)
        return _CachedCredentials(issued, asked + issued.seconds - early, asked + issued.seconds)


class SigningCredentials(Protocol):
    """Gives the key to sign requests with: static, or refreshed before it expires."""

    @property
    def name(self) -> str:
        """Return the provider's name, without a secret."""

    def ready(self) -> Credentials | None:
        """Return a valid key without blocking, None if there is none yet."""

    def wait(self, conn_id: str, refused: Credentials | None = None) -> Credentials:
        """
        Return a valid key other than the refused one; block until there is one.

        :param conn_id: the Airflow connection, named in error messages.
        :param refused: the key the service refused, if any.
        :raises OutageError: no key is available now; a later attempt may succeed.
        :raises CredentialsError: no key is available until a person changes something.
        """

    async def wait_async(self, conn_id: str, refused: Credentials | None = None) -> Credentials:
        """Do the same as :meth:`wait` without blocking the event loop."""

    def account(self, conn_id: str) -> str:
        """
        Return the account's stable name, the same for all its keys; empty if there is none.

        :raises CredentialsError: the name comes with a key, and no key is available.
        """


class StaticCredentials:
    """The key entered in the connection, which is never refreshed."""

    name = "the connection"

    def __init__(self, key: Credentials) -> None:
        self._key = key

    def ready(self) -> Credentials:
        """Return the key."""
        return self._key

    def wait(self, conn_id: str, refused: Credentials | None = None) -> Credentials:
        """Return the key, refused or not: there is no other."""
        del conn_id, refused
        return self._key

    async def wait_async(self, conn_id: str, refused: Credentials | None = None) -> Credentials:
        """Return the key, refused or not."""
        return self.wait(conn_id, refused)

    def account(self, conn_id: str) -> str:
        """Return the SecretId of a permanent key; that of a temporary key changes with each key."""
        del conn_id
        return self._key.secret_id if self._key.lasting else ""


class CredentialsCache:
    """The refreshing credentials of a process, one object for each provider and clock."""

    def __init__(self) -> None:
        self.all: dict[tuple[CredentialProvider, Clock], RefreshingCredentials] = {}
        self.forget_threads()

    def forget_threads(self) -> None:
        """Replace all locks in a forked child; valid keys stay."""
        self._lock = threading.Lock()
        for credentials in self.all.values():
            credentials.forget_threads()

    def of(self, provider: CredentialProvider, clock: Clock) -> RefreshingCredentials:
        """Return the credentials of a provider, made on first use."""
        with self._lock:
            return self.all.setdefault((provider, clock), RefreshingCredentials(provider, clock))


_CACHE = CredentialsCache()
os.register_at_fork(after_in_child=_CACHE.forget_threads)


def signing_credentials(
    provider: Credentials | CredentialProvider, clock: Clock = SYSTEM_CLOCK
) -> SigningCredentials:
    """Return the credentials of a provider, shared by this process; fetches nothing yet."""
    return (
        StaticCredentials(provider)
        if isinstance(provider, Credentials)
        else _CACHE.of(provider, clock)
    )


def new_signing_credentials(
    provider: Credentials | CredentialProvider, clock: Clock = SYSTEM_CLOCK
) -> SigningCredentials:
    """Return new credentials of a provider, not from this process's cache."""
    return (
        StaticCredentials(provider)
        if isinstance(provider, Credentials)
        else RefreshingCredentials(provider, clock)
    )
