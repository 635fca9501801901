"""The keys of one client: one that stands in the connection, or those a keeper keeps fresh."""

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

# The key of one origin, kept fresh for all threads and event loops of a process.
#
# ::
#
#     ... valid ...   renew_at        expires
#     ----------------|---------------|---------->
#     take it         one renews it,  everybody waits
#                     the others go on
#


EARLY_SECONDS, EARLY_SHARE = 300.0, 0.1
"""A key is renewed so long before it expires, or this share of its time if that is shorter."""
READ_AGAIN_SECONDS = 300.0
"""A key of which nobody knows how long it is good is fetched again so often: it is a file or less."""
AGAIN_SECONDS = 5.0
"""After a failure nobody asks for so long."""
PAUSES = (0.5, 1.0, 2.0)
PATIENCE_SECONDS = 10.0
"""Without a valid key a fetch that may yet succeed is repeated after such pauses, within this time."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Held:
    issued: IssuedCredentials
    renew_at: float
    expires: float


class RefreshingCredentials:
    """
    Keeps the key of an origin and fetches the next one, in a thread of its own, one at a time.

    No lock is held while anything is asked, and looking at a valid key takes none.

    :param origin: where keys come from.
    :param clock: tells when to renew.
    """

    def __init__(self, origin: CredentialProvider, clock: Clock) -> None:
        self._origin, self._clock = origin, clock
        self._held: _Held | None = None
        self._last: IssuedCredentials | None = None
        self._problem: FaceIdError | None = None
        self._not_before = -inf  # on the monotonic clock
        self.forget_threads()

    @property
    def name(self) -> str:
        """Return where the key comes from; of several origins, the one that had it."""
        return self._origin.name

    def forget_threads(self) -> None:
        """Begin as a child of a fork must: its parent's threads, and what they lock, are not here."""
        self._lock = threading.Lock()
        self._fetching: Future[None] | None = None

    def ready(self) -> Credentials | None:
        """Return a valid key at once, None if it takes waiting for; may have it renewed."""
        held = self._held
        if held is None:
            return None
        now = self._clock.now()
        if now >= held.renew_at:
            if now >= held.expires:
                return None
            with self._lock:
                self._fetch_unless_just_failed()
        return held.issued.key

    def wait(self, conn_id: str, refused: Credentials | None = None) -> Credentials:
        """Return a valid key, and another one than was refused; blocks while it is fetched."""
        fetching = self._fetch_if_needed(refused)
        if fetching is not None:
            fetching.result()  # what fetches has a time limit of its own
        return self._valid(refused) or self._fail(conn_id)

    async def wait_async(self, conn_id: str, refused: Credentials | None = None) -> Credentials:
        """Return the same without blocking the event loop."""
        fetching = self._fetch_if_needed(refused)
        if fetching is not None:
            await asyncio.wrap_future(fetching)
        return self._valid(refused) or self._fail(conn_id)

    def account(self, conn_id: str) -> str:
        """Return what names the account, which the origin says with its first key."""
        if self._last is None:
            self.wait(conn_id)
        return self._last.account if self._last else ""

    def _valid(self, refused: Credentials | None) -> Credentials | None:
        held = self._held
        if held is None or held.issued.key == refused or self._clock.now() >= held.expires:
            return None
        return held.issued.key

    def _fail(self, conn_id: str) -> NoReturn:
        problem = self._problem or CredentialsError(
            f"{self._origin.name} has no other than the one that was refused or has expired. A run "
            "goes on where it stopped once there is one"
        )
        kind = OutageError if isinstance(problem, UnavailableError) else CredentialsError
        error = kind(f"Connection '{conn_id}': no key. {problem}")
        error.code, error.request_id = problem.code, problem.request_id
        raise error

    def _fetch_if_needed(self, refused: Credentials | None) -> Future[None] | None:
        """Return what to wait for, None if a valid key is there or nobody may ask just now."""
        with self._lock:
            if self._held is not None and self._held.issued.key == refused:
                self._held = None  # nobody is served better by it
            if self._valid(refused) is not None:
                return None
            self._fetch_unless_just_failed()
            return self._fetching

    def _fetch_unless_just_failed(self) -> None:
        if self._fetching is None and self._clock.monotonic() >= self._not_before:
            fetching: Future[None] = Future()
            fetching.set_running_or_notify_cancel()  # who stops waiting stops nobody else
            threading.Thread(
                target=self._fetch, args=(fetching,), name="faceid-key", daemon=True
            ).start()
            self._fetching = fetching

    def _fetch(self, fetching: Future[None]) -> None:
        held: _Held | None = None
        problem: FaceIdError | None = None
        try:
            held = self._patiently()
        except FaceIdError as error:
            problem = error
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever
            problem = CredentialsError(f"{self._origin.name}: {type(error).__name__}")
        with self._lock:
            if held is None or (self._last and self._last.key == held.issued.key):
                # To ask again at once would tell nothing new.
                self._not_before = self._clock.monotonic() + AGAIN_SECONDS
            if held is not None:
                self._held, self._last, self._origin = held, held.issued, held.issued.origin
            self._problem, self._fetching = problem, None
            old = self._held
        if problem and old:
            left = old.expires - self._clock.now()
            log.warning("No new key; the old one is good for another %.0f s. %s", left, problem)
        fetching.set_result(None)

    def _patiently(self) -> _Held:
        began = self._clock.monotonic()
        for pause in PAUSES:
            try:
                return self._once()
            except UnavailableError:
                waited = self._clock.monotonic() - began
                if self._valid(None) or waited + pause > PATIENCE_SECONDS:
                    raise
            self._clock.sleep(pause)
        return self._once()

    def _once(self) -> _Held:
        asked = self._clock.now()  # its time may have begun to run as soon as this
        issued = self._origin.fetch(self._clock)
        if issued.seconds is None:
            return _Held(issued, asked + READ_AGAIN_SECONDS, inf)
        early = min(EARLY_SECONDS, EARLY_SHARE * issued.seconds)
        log.info("The key of %s is good for %.0f s", issued.origin.name, issued.seconds)
        return _Held(issued, asked + issued.seconds - early, asked + issued.seconds)


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


class StaticCredentials:
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
        self.all: dict[tuple[CredentialProvider, Clock], RefreshingCredentials] = {}
        self.forget_threads()

    def forget_threads(self) -> None:
        """Begin as a child of a fork must; valid keys stay."""
        self._lock = threading.Lock()
        for keeper in self.all.values():
            keeper.forget_threads()

    def of(self, origin: CredentialProvider, clock: Clock) -> RefreshingCredentials:
        """Return the keeper of an origin."""
        with self._lock:
            return self.all.setdefault((origin, clock), RefreshingCredentials(origin, clock))


_KEEPERS = Keepers()
os.register_at_fork(after_in_child=_KEEPERS.forget_threads)


def keys_of(origin: Credentials | CredentialProvider, clock: Clock = SYSTEM_CLOCK) -> Keys:
    """Return the keys of an origin, which this process shares; asks nobody yet."""
    return (
        StaticCredentials(origin) if isinstance(origin, Credentials) else _KEEPERS.of(origin, clock)
    )


def new_keys_of(origin: Credentials | CredentialProvider, clock: Clock = SYSTEM_CLOCK) -> Keys:
    """Return the keys of an origin, as if this process had never asked it."""
    return (
        StaticCredentials(origin)
        if isinstance(origin, Credentials)
        else RefreshingCredentials(origin, clock)
    )
