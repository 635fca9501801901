"""How claims and records gather: until enough are together, for a moment at most, not at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine

import pytest

from airflow_provider_faceid.api.actions.id_card_verification import ACTION as ID_CARD_VERIFICATION
from airflow_provider_faceid.batch import ledger_client as module
from airflow_provider_faceid.batch.inputs import Row
from airflow_provider_faceid.batch.ledger_client import LedgerClient
from airflow_provider_faceid.client.settings import Credentials, Settings
from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.state.call_table import Decision, Record, Ruling, State
from tests.support.patience import SOON

SETTINGS = Settings(credentials=Credentials("id", "key"), url="http://127.0.0.1:1")
IN_FLIGHT = 8


class Steps:
    """A ledger that lets everybody call, and notes how many claims and records each step had."""

    has_earlier_keys = False

    def __init__(self) -> None:
        self.taken: list[tuple[int, int]] = []
        self.fenced_at = 0.0

    def begin(self, now: float) -> None:
        """Begin."""

    def step(self, records, claims) -> list[Ruling]:
        self.fenced_at = time.monotonic()
        self.taken.append((len(claims), len(records)))
        return [Ruling(Decision.CALL)] * len(claims)


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def play(steps) -> Callable[[Callable[[LedgerClient], Coroutine[object, object, None]]], None]:
    """Run something with claims that are opened before and closed after it."""

    def play(act) -> None:
        async def run() -> None:
            ledger_client = LedgerClient(
                steps, ID_CARD_VERIFICATION, SETTINGS, "c", SYSTEM_CLOCK, in_flight=IN_FLIGHT
            )
            await ledger_client.open()
            await act(ledger_client)
            await ledger_client.close()

        asyncio.run(asyncio.wait_for(run(), SOON))

    return play


async def ask(ledger_client: LedgerClient, *rows: int):
    """Claim some rows at once."""
    wanted = [ledger_client.claim_for(Row(str(row), ()), {"IdCard": str(row)}) for row in rows]
    await asyncio.gather(*map(ledger_client.claim, wanted))
    return wanted


@pytest.mark.parametrize("patience", [0.05, 1e6])
def test_half_of_what_may_be_in_flight_is_enough_and_less_waits_a_moment(
    play, steps, monkeypatch, patience
):
    monkeypatch.setattr(module, "GATHER_SECONDS", patience)

    async def act(ledger_client: LedgerClient) -> None:
        await ask(ledger_client, 1)
        await ask(ledger_client, 2, 3, 4, 5)
        few = asyncio.create_task(ask(ledger_client, 6, 7))
        await asyncio.wait({few}, timeout=SOON if patience < 1 else 0.5)
        assert few.done() is (patience < 1)
        await asyncio.gather(few, ask(ledger_client, 8, 9))

    play(act)
    middle = [(2, 0), (2, 0)] if patience < 1 else [(4, 0)]
    assert steps.taken == [(1, 0), (4, 0), *middle, (0, 0)]


def test_records_count_like_claims_and_the_last_are_written_at_once(play, steps, monkeypatch):
    monkeypatch.setattr(module, "GATHER_SECONDS", 1e6)
    began = time.monotonic()

    async def act(ledger_client: LedgerClient) -> None:
        (first,) = await ask(ledger_client, 1)
        ledger_client.record(Record(first.key, State.FREE))
        others = await ask(ledger_client, 2, 3, 4)
        for claim in others:
            ledger_client.record(Record(claim.key, State.FREE))

    play(act)
    assert steps.taken[:2] == [(1, 0), (3, 1)]
    assert sum(records for _, records in steps.taken) == 4
    assert time.monotonic() - began < SOON


def test_a_process_that_was_stopped_while_the_ledger_answered_asks_it_again(play, steps):
    """The event loop hears of the step only when it wakes: seconds after a successor has begun."""
    asked: list[int] = []

    async def act(ledger_client: LedgerClient) -> None:
        claim = ledger_client.claim_for(Row("1", ()), {"IdCard": "1"})
        step = asyncio.create_task(ledger_client.claim(claim))
        while not steps.taken:  # noqa: ASYNC110 - a thread adds to it
            await asyncio.sleep(0)
        time.sleep(0.3)  # noqa: ASYNC251 - stands for SIGSTOP
        await step
        assert not ledger_client.is_current()
        asked.append(len(steps.taken))
        await ledger_client.check_fence()
        assert ledger_client.is_current()
        asked.append(len(steps.taken))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "STALE_SECONDS", 0.2)
        play(act)
    assert asked == [1, 2]
