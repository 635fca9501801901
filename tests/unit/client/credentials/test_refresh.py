"""One key for many: renewed once, early, by one; and what happens if it cannot be."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import warnings
from dataclasses import dataclass, field, replace

import pytest

from airflow_provider_faceid.client.credentials import Credentials, IssuedCredentials
from airflow_provider_faceid.client.credentials.refresh import (
    PATIENCE_SECONDS,
    PAUSES,
    REFRESH_EARLY_SECONDS,
    REREAD_SECONDS,
    RETRY_SECONDS,
    RefreshingCredentials,
    StaticCredentials,
    new_signing_credentials,
    signing_credentials,
)
from airflow_provider_faceid.exceptions import CredentialsError, OutageError, UnavailableError
from tests.support.patience import PATIENCE
from tests.unit.client.conftest import ManualClock

HOUR = 3600


class QuickClock(ManualClock):
    """Stands still but for sleeping, which takes no time."""

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass(eq=False)
class Mint:
    """
    A provider that gives numbered keys.

    :ivar fails: raised in place of the next keys.
    :ivar open: whoever asks waits until this is set.
    """

    seconds: float | None = HOUR
    account: str = "a-role"
    same: bool = False
    fails: list[Exception] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    asked: int = 0

    name = "mint"

    def __post_init__(self):
        self.open.set()

    def fetch(self, clock):
        self.asked += 1
        assert self.open.wait(PATIENCE)
        if self.fails:
            raise self.fails.pop(0)
        return IssuedCredentials(
            self.key(1 if self.same else self.asked), self, self.account, self.seconds
        )

    def key(self, number):
        return Credentials(f"id-{number}", "hush-key", "hush-token")


@pytest.fixture
def clock():
    return QuickClock()


@pytest.fixture
def mint():
    return Mint()


@pytest.fixture
def refreshing(mint, clock):
    return RefreshingCredentials(mint, clock)


def settled(refreshing) -> None:
    """Wait until nobody fetches."""
    fetching = refreshing._fetching
    if fetching is not None:
        fetching.result(PATIENCE)


def test_nobody_is_asked_before_a_key_is_needed(refreshing, mint):
    assert refreshing.ready() is None
    assert mint.asked == 0


def test_the_first_key_is_waited_for_and_then_at_hand(refreshing, mint):
    assert refreshing.wait("kyc") == refreshing.ready() == mint.key(1)
    assert mint.asked == 1


@pytest.mark.parametrize(
    ("seconds", "early"), [(7200, REFRESH_EARLY_SECONDS), (3000, 300), (900, 90), (60, 6)]
)
def test_a_key_is_renewed_early(refreshing, mint, clock, seconds, early):
    mint.seconds = seconds
    refreshing.wait("kyc")
    clock.seconds += seconds - early - 1
    assert refreshing.ready() == mint.key(1)
    assert mint.asked == 1
    clock.seconds += 1
    assert refreshing.ready() == mint.key(1)  # which does not wait
    settled(refreshing)
    assert refreshing.ready() == mint.key(2)
    assert mint.asked == 2


def test_while_one_is_renewed_the_old_one_goes_on_and_nobody_else_asks(refreshing, mint, clock):
    refreshing.wait("kyc")
    mint.open.clear()
    clock.seconds += HOUR - 1
    assert {refreshing.ready() for _ in range(50)} == {mint.key(1)}
    assert refreshing.wait("kyc") == mint.key(1)
    mint.open.set()
    settled(refreshing)
    assert (refreshing.ready(), mint.asked) == (mint.key(2), 2)


def test_an_expired_key_is_never_given(refreshing, mint, clock):
    refreshing.wait("kyc")
    clock.seconds += HOUR
    assert refreshing.ready() is None
    assert refreshing.wait("kyc") == mint.key(2)


def test_an_early_failure_keeps_the_old_key_and_asks_again_after_seconds(
    refreshing, mint, clock, caplog
):
    refreshing.wait("kyc")
    clock.seconds += HOUR - 200
    mint.fails = [UnavailableError("mint is away"), CredentialsError("mint says no")]
    for asked in (2, 3):
        assert refreshing.ready() == mint.key(1)
        settled(refreshing)
        clock.seconds += RETRY_SECONDS - 1
        assert refreshing.ready() == mint.key(1)
        settled(refreshing)
        assert mint.asked == asked
        clock.seconds += 1
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING] == [
        "Credential refresh failed; the present key expires in 200 s. mint is away",
        "Credential refresh failed; the present key expires in 195 s. mint says no",
    ]
    assert refreshing.ready() == mint.key(1)
    settled(refreshing)
    assert refreshing.ready() == mint.key(4)


def test_without_a_valid_key_what_may_pass_is_waited_for(refreshing, mint, clock):
    mint.fails = [UnavailableError("mint is away")] * len(PAUSES)
    began = clock.seconds
    assert refreshing.wait("kyc") == mint.key(1 + len(PAUSES))
    assert clock.seconds - began == sum(PAUSES)


def test_patience_ends(refreshing, mint, clock):
    mint.fails = [UnavailableError("mint is away")] * 99
    with pytest.raises(OutageError, match=r"^Connection 'kyc': no key\. mint is away$"):
        refreshing.wait("kyc")
    assert mint.asked == 1 + len(PAUSES)


def test_what_takes_long_is_not_repeated_for_long(refreshing, mint, clock):
    def slowly(clock):
        mint.asked += 1
        clock.seconds += PATIENCE_SECONDS - 0.1
        raise UnavailableError("mint is slow")

    mint.fetch = slowly
    with pytest.raises(OutageError, match="mint is slow"):
        refreshing.wait("kyc")
    assert mint.asked == 1


def test_what_cannot_pass_is_not_repeated(refreshing, mint):
    mint.fails = [CredentialsError("mint says no", code="No.Way", request_id="r-1")]
    with pytest.raises(CredentialsError) as error:
        refreshing.wait("kyc")
    assert (error.value.code, error.value.request_id) == ("No.Way", "r-1")
    assert str(error.value) == (
        "Connection 'kyc': no key. mint says no [code No.Way, RequestId r-1]"
    )
    assert mint.asked == 1


def test_after_a_failure_all_fail_alike_for_seconds_without_asking(refreshing, mint, clock):
    mint.fails = [CredentialsError("mint says no")]
    for _ in range(9):
        with pytest.raises(CredentialsError, match="mint says no"):
            refreshing.wait("kyc")
    assert mint.asked == 1
    clock.seconds += RETRY_SECONDS
    assert refreshing.wait("kyc") == mint.key(2)


def test_whatever_an_origin_raises_nobody_waits_for_ever(refreshing, mint):
    mint.fails = [ZeroDivisionError("hush-key")]
    with pytest.raises(CredentialsError, match=r"no key\. mint: ZeroDivisionError$"):
        refreshing.wait("kyc")


def test_a_refused_key_is_renewed_before_its_time(refreshing, mint):
    refused = refreshing.wait("kyc")
    assert refreshing.wait("kyc", refused) == refreshing.ready() == mint.key(2)


def test_one_that_was_renewed_meanwhile_is_not_renewed_again(refreshing, mint):
    refused = refreshing.wait("kyc")
    for _ in range(9):
        assert refreshing.wait("kyc", refused) == mint.key(2)
    assert mint.asked == 2


def test_an_origin_that_has_no_other_key_is_told_and_not_asked_on_and_on(refreshing, mint):
    mint.same = True
    refused = refreshing.wait("kyc")
    for _ in range(9):
        with pytest.raises(CredentialsError, match="mint has no other key than the one that was"):
            refreshing.wait("kyc", refused)
    assert mint.asked == 2


def test_a_key_of_which_nobody_knows_its_time_is_read_again(refreshing, mint, clock):
    mint.seconds = None
    refreshing.wait("kyc")
    clock.seconds += REREAD_SECONDS
    assert refreshing.ready() == mint.key(1)
    settled(refreshing)
    assert refreshing.ready() == mint.key(2)
    clock.seconds += 10 * REREAD_SECONDS
    mint.fails = [CredentialsError("half written")]
    assert refreshing.ready() == mint.key(2)
    settled(refreshing)
    assert refreshing.ready() == mint.key(2)


def test_the_origin_that_worked_is_the_one_that_is_asked_again(clock):
    class First(Mint):
        def fetch(self, clock):
            return replace(super().fetch(clock), provider=other)

    first, other = First(), Mint()
    refreshing = RefreshingCredentials(first, clock)
    refreshing.wait("kyc")
    clock.seconds += HOUR
    refreshing.wait("kyc")
    assert (first.asked, other.asked) == (1, 1)


def test_the_account_is_told_with_the_first_key_and_kept(refreshing, mint, clock):
    assert refreshing.account("kyc") == "a-role"
    clock.seconds += HOUR
    mint.fails = [CredentialsError("no")]
    assert refreshing.account("kyc") == "a-role"
    assert mint.asked == 1


def test_threads_and_coroutines_at_the_moment_of_expiry_make_one_fetch(refreshing, mint, clock):
    refreshing.wait("kyc")
    clock.seconds += HOUR
    mint.open.clear()
    got, at_once = [], threading.Barrier(33)

    def one_thread():
        at_once.wait(PATIENCE)
        got.append(refreshing.ready() or refreshing.wait("kyc"))

    async def one_coroutine():
        return refreshing.ready() or await refreshing.wait_async("kyc")

    async def loop():
        at_once.wait(PATIENCE)
        work = asyncio.gather(*(one_coroutine() for _ in range(200)))
        await asyncio.sleep(0.05)
        ticks = asyncio.get_running_loop().time()
        mint.open.set()
        got.extend(await work)
        return asyncio.get_running_loop().time() - ticks

    threads = [threading.Thread(target=one_thread) for _ in range(32)]
    for thread in threads:
        thread.start()
    assert asyncio.run(loop()) < 2
    for thread in threads:
        thread.join(PATIENCE)
    assert got == [mint.key(2)] * 232
    assert mint.asked == 2


def test_who_stops_waiting_stops_nobody_else(refreshing, mint):
    mint.open.clear()

    async def run():
        impatient = asyncio.create_task(refreshing.wait_async("kyc"))
        patient = asyncio.create_task(refreshing.wait_async("kyc"))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.sleep(0)
        mint.open.set()
        assert await patient == mint.key(1)
        assert impatient.cancelled()

    asyncio.run(run())
    assert mint.asked == 1


def test_a_loop_may_end_while_a_key_is_fetched(refreshing, mint):
    mint.open.clear()

    async def run():
        await asyncio.wait_for(refreshing.wait_async("kyc"), 0.01)

    with pytest.raises(TimeoutError):
        asyncio.run(run())
    mint.open.set()
    assert refreshing.wait("kyc") == mint.key(1)


def test_a_forked_child_waits_for_no_thread_of_its_parent(mint, clock):
    """The parent forks while it fetches, and while somebody holds the lock."""
    refreshing = signing_credentials(mint, clock)
    refreshing.wait("kyc")
    mint.open.clear()
    clock.seconds += HOUR - 1
    assert refreshing.ready() == mint.key(1)
    assert refreshing._fetching is not None
    refreshing._lock.acquire()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, 3.12 on
        child = os.fork()
    if child == 0:
        mint.open = threading.Event()
        mint.open.set()
        clock.seconds += 1
        os._exit(0 if refreshing.wait("kyc") == signing_credentials(mint, clock).ready() else 1)
    refreshing._lock.release()
    mint.open.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    settled(refreshing)
    assert refreshing.ready() == mint.key(2)


def test_a_process_shares_one_keeper_for_each_origin(mint, clock):
    assert signing_credentials(mint, clock) is signing_credentials(mint, clock)
    assert signing_credentials(mint, clock) is not signing_credentials(Mint(), clock)
    assert new_signing_credentials(mint, clock) is not new_signing_credentials(mint, clock)


def test_a_key_of_the_connection_is_at_hand_and_all_there_is():
    key = Credentials("an-id", "hush-key")
    keys = signing_credentials(key)
    assert keys.ready() is keys.wait("kyc", key) is asyncio.run(keys.wait_async("kyc", key)) is key
    assert isinstance(new_signing_credentials(key), StaticCredentials)
    assert keys.account("kyc") == "an-id"
    assert signing_credentials(Credentials("an-id", "hush-key", "hush-token")).account("kyc") == ""


def test_nothing_is_logged_that_is_a_secret(refreshing, mint, clock, caplog):
    caplog.set_level(logging.DEBUG)
    refreshing.wait("kyc")
    clock.seconds += HOUR - 1
    mint.fails = [UnavailableError("mint is away")]
    refreshing.ready()
    settled(refreshing)
    assert "expires in 3600 s" in caplog.text
    assert "hush" not in caplog.text + repr(refreshing._held) + repr(refreshing._last)
