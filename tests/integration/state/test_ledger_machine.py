"""Any order of claims, answers, crashes and silences: no question is paid for twice."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from airflow_provider_faceid.api.messages import Reply
from airflow_provider_faceid.api.verdict import judge
from airflow_provider_faceid.exceptions import SupersededError
from airflow_provider_faceid.state.call_table import Claim, Decision, Record, State
from airflow_provider_faceid.state.ledger import LEASE_SECONDS, Ledger

from .conftest import SleepClock, StoreOnClock

OWNERS, KEYS = ("one", "two", "three"), tuple(digit * 40 for digit in "abc")
owners, keys = st.sampled_from(OWNERS), st.sampled_from(KEYS)
VERDICT = judge(Reply("IdCardVerification", "0", "", "r-1"))


class Calls(RuleBasedStateMachine):
    """
    Three tasks, three questions; a call is taken to be paid as soon as it may leave.

    :ivar flying: the tries that were allowed to call, by question.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = SleepClock()
        self.store = StoreOnClock(f"sqlite:///{self.folder / 'state'}", self.clock)
        self.tries: dict[str, list[Ledger]] = {}
        self.flying: dict[str, Ledger] = {}
        self.paid: Counter[str] = Counter()
        self.done: set[str] = set()
        for owner in OWNERS:
            self.start(owner)

    def teardown(self) -> None:
        """Remove the store."""
        self.store.close()
        shutil.rmtree(self.folder)

    def _is_current(self, ledger: Ledger) -> bool:
        return any(tries[-1] is ledger for tries in self.tries.values())

    @rule(owner=owners)
    def start(self, owner: str) -> None:
        """A new try begins, whatever became of the one before."""
        ledger = Ledger(self.store, owner)
        ledger.begin(self.clock.now())
        self.tries.setdefault(owner, []).append(ledger)

    @rule(owner=owners, key=keys)
    def claim(self, owner: str, key: str) -> None:
        """A worker asks whether it may call."""
        ledger = self.tries[owner][-1]
        (ruling,) = ledger.step([], [Claim(key, owner)])
        assert (ruling.decision is Decision.USE) == (key in self.done)
        if ruling.decision is Decision.CALL:
            self.paid[key] += 1
            self.flying[key] = ledger

    @rule(key=keys, free=st.booleans())
    def land(self, key: str, free: bool) -> None:  # noqa: FBT001 - Hypothesis passes it by name
        """A call ends: answered, or certainly not charged."""
        ledger = self.flying.pop(key, None)
        if ledger is None:
            return
        record = Record(key, State.FREE) if free else Record(key, State.DONE, VERDICT)
        if not self._is_current(ledger):
            with pytest.raises(SupersededError):
                ledger.step([record], [])
            return
        ledger.step([record], [])
        if free:
            self.paid[key] -= 1
        else:
            self.done.add(key)

    @rule(key=keys)
    def lose(self, key: str) -> None:
        """No answer comes."""
        ledger = self.flying.pop(key, None)
        if ledger is not None and self._is_current(ledger):
            ledger.step([Record(key, State.IN_DOUBT)], [])

    @rule(owner=owners, key=keys)
    def wake(self, owner: str, key: str) -> None:
        """A try that was replaced goes on where it was stopped."""
        for old in self.tries[owner][:-1]:
            with pytest.raises(SupersededError):
                old.step([], [Claim(key, owner)])

    @rule(seconds=st.sampled_from([1.0, LEASE_SECONDS + 1]))
    def wait(self, seconds: float) -> None:
        """Time passes without a word from anybody."""
        self.clock.seconds += seconds

    @invariant()
    def nothing_is_paid_twice(self) -> None:
        """Not even if every call in doubt was charged."""
        assert all(count <= 1 for count in self.paid.values())


TestCalls = Calls.TestCase
TestCalls.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
