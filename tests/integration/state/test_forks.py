"""Processes of one task: what they share, and what a fork must not copy."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from airflow_provider_faceid.api.encryption.ciphers import Wrapped
from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.exceptions import SupersededError
from airflow_provider_faceid.hooks import state_store as state
from airflow_provider_faceid.state.call_table import Claim, Decision, Record, State
from airflow_provider_faceid.state.ledger import LEASE_SECONDS, Ledger
from airflow_provider_faceid.state.rate_limiter import SlotRateLimiter
from airflow_provider_faceid.state.rate_rows import MemoryRow, StoredRow
from airflow_provider_faceid.state.uplink import MemoryUplink, Report
from tests.support.patience import SOON

from .conftest import SleepClock, StoreOnClock

KEYS = ["a" * 40, "b" * 40, "c" * 40]


def in_a_child(work: Callable[[], object]) -> int:
    """Do something in a forked process; return its exit code, that of a kill if it hangs."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    end = time.monotonic() + SOON
    while not (ended := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < end:
        time.sleep(0.005)
    if not ended[0]:
        os.kill(child, signal.SIGKILL)
        ended = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(ended[1])


@pytest.fixture
def store(url: str, clock: SleepClock) -> Iterator[StoreOnClock]:
    made = StoreOnClock(url, clock)
    yield made
    made.close()


def ask(ledger: Ledger, *keys: str) -> list[Decision]:
    return [ruling.decision for ruling in ledger.step([], [Claim(key, "1") for key in keys])]


def locks_of(one: Any) -> list[threading.Lock]:
    return [value for value in vars(one).values() if isinstance(value, type(threading.Lock()))]


def test_a_child_goes_on_whatever_locks_were_held(store, clock):
    """By threads that are not there any more."""
    pace = SlotRateLimiter(StoredRow(store, "account"), 1000.0, clock)
    memory, uplink = MemoryRow(SYSTEM_CLOCK), MemoryUplink()
    keys = Wrapped(object, max_uses=1, max_age_s=1.0, clock=SYSTEM_CLOCK)  # type: ignore[arg-type]
    ledger = Ledger(store, "one")
    ledger.join(0)

    def work() -> None:
        pace.wait()
        memory.take(1.0, 1)
        memory.throttle()
        uplink.step("one", 0, 0, Report())
        keys.take()
        with state._MAKING.lock:
            Ledger(store, "one").join(0)
        assert ask(ledger, KEYS[0]) == [Decision.CALL]

    with ExitStack() as held:
        owners = (store, store.process, pace, memory, uplink, keys, state._MAKING)
        locks = [lock for owner in owners for lock in locks_of(owner)]
        for lock in locks:
            held.enter_context(lock)
        assert len(locks) == 10
        code = in_a_child(work)
    assert code == 0


def test_slots_in_hand_stay_with_the_parent():
    """Used twice, they would be a burst."""
    pace = SlotRateLimiter(MemoryRow(SYSTEM_CLOCK), 10.0)
    for _ in range(3):
        pace.wait()
    pace._slots.extend([SYSTEM_CLOCK.monotonic() + 100] * 4)

    def work() -> None:
        assert not pace._slots

    assert in_a_child(work) == 0
    assert len(pace._slots) >= 4


@pytest.mark.parametrize("parent_first", [True, False])
def test_a_pool_shares_the_attempt_of_its_task(store, parent_first):
    """Whether the task had called before it made the pool or not."""
    if parent_first:
        Ledger(store, "task").join(0, "attempt 1")

    def child(key: str) -> Callable[[], None]:
        def work() -> None:
            ledger = Ledger(store, "task")
            ledger.join(0, "attempt 1")
            assert ask(ledger, key) == [Decision.CALL]
            ledger.step([Record(key, State.FREE)], [])

        return work

    assert [in_a_child(child(key)) for key in KEYS] == [0, 0, 0]
    ledger = Ledger(store, "task")
    ledger.join(0, "attempt 1")
    assert ask(ledger, *KEYS) == [Decision.CALL] * 3


def test_the_next_attempt_supersedes_all_processes_of_the_one_before(url, clock):
    """Each with a store of its own, as processes that were not forked have."""
    stores = [StoreOnClock(url, clock) for _ in range(3)]
    try:
        one, two, later = (Ledger(store, "task") for store in stores)
        one.join(0, "attempt 1")
        two.join(0, "attempt 1")
        assert ask(one, KEYS[0]) == ask(two, KEYS[1]) == [Decision.CALL]
        later.join(0, "attempt 2")
        for old in (one, two):
            with pytest.raises(SupersededError):
                ask(old, KEYS[2])
        assert ask(later, *KEYS) == [Decision.HOLD, Decision.HOLD, Decision.CALL]
    finally:
        for store in stores:
            store.close()


def test_a_call_of_a_sibling_is_on_its_way_until_it_can_only_be_lost(url, clock):
    stores = [StoreOnClock(url, clock) for _ in range(2)]
    try:
        one, two = (Ledger(store, "task") for store in stores)
        one.join(0, "attempt 1")
        two.join(0, "attempt 1")
        assert ask(one, KEYS[0]) == [Decision.CALL]
        assert ask(two, KEYS[0]) == [Decision.BUSY]
        clock.seconds += LEASE_SECONDS + 1
        assert ask(two, KEYS[0]) == [Decision.HOLD]
    finally:
        for store in stores:
            store.close()


def test_a_call_of_the_parent_is_on_its_way_for_its_child_and_the_other_way_round(store):
    ledger = Ledger(store, "task")
    ledger.join(0)
    assert ask(ledger, KEYS[0]) == [Decision.CALL]

    def work() -> None:
        assert ask(ledger, KEYS[0], KEYS[1]) == [Decision.BUSY, Decision.CALL]

    assert in_a_child(work) == 0
    assert ask(ledger, KEYS[1]) == [Decision.BUSY]


def test_a_call_whose_end_could_not_be_recorded_is_in_doubt_at_once(store, monkeypatch):
    """Nobody is waited for who will never tell."""
    ledger = Ledger(store, "task")
    ledger.join(0, "attempt 1")
    assert ask(ledger, KEYS[0]) == [Decision.CALL]
    with monkeypatch.context() as patch:
        patch.setattr(store, "run", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ledger.step([Record(KEYS[0], State.FREE)], [])
    assert ask(ledger, KEYS[0]) == [Decision.HOLD]
