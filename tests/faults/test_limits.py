"""The limits of the service: calls a second, calls about a person, the money we are ready to pay."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from airflow_provider_faceid.api.action import IdentityLimits
from airflow_provider_faceid.clock import next_beijing_midnight, utc_seconds
from airflow_provider_faceid.exceptions import BudgetError
from airflow_provider_faceid.simulator.account.account import QuotaWindows
from airflow_provider_faceid.simulator.faults import FaultRule
from airflow_provider_faceid.simulator.faults.effects import DropAfter
from airflow_provider_faceid.simulator.people import FACE, ID_CARD
from airflow_provider_faceid.state.rate_limiter import SlotRateLimiter
from airflow_provider_faceid.state.rate_rows import MemoryRow
from tests.support.patience import once

from . import virtual_time
from .plant import ACTION
from .test_processes import QUOTA, three_workers

pytestmark = pytest.mark.long

RATE = 0.97 * QUOTA
LATENCY = 0.05
OF_A_DAY = 86_400


class Account:
    """Workers that share a pace, and a service whose quota changes; in the loop's time."""

    def __init__(self, workers: int) -> None:
        self.clock = virtual_time.LoopClock()
        self.windows = QuotaWindows({ACTION: QUOTA})
        row = MemoryRow(self.clock)
        self._paces = [SlotRateLimiter(row, RATE, self.clock) for _ in range(workers)]
        self.passed: list[float] = []
        self.refused: list[float] = []

    async def work(self, seconds: float, quotas: dict[float, int]) -> None:
        """Call for so many seconds; the quota changes at the moments given."""

        async def change(moment: float, quota: int) -> None:
            await self.clock.asleep(moment)
            self.windows.quotas[ACTION] = quota

        tasks = [asyncio.create_task(self._call(pace, seconds)) for pace in self._paces]
        tasks += [asyncio.create_task(change(*one)) for one in quotas.items()]
        await asyncio.gather(*tasks)

    async def _call(self, pace: SlotRateLimiter, seconds: float) -> None:
        answers: set[asyncio.Task[None]] = set()
        while self.clock.monotonic() < seconds:
            await pace.wait_async()
            over = self.windows.arrive(ACTION, self.clock.monotonic())
            (self.refused if over else self.passed).append(self.clock.monotonic())
            if over:
                answers.add(asyncio.create_task(self._refused(pace)))
        await asyncio.gather(*answers)

    async def _refused(self, pace: SlotRateLimiter) -> None:
        await self.clock.asleep(LATENCY)
        pace.slow_down()

    def calls(self, begin: float, end: float) -> tuple[int, int]:
        """Return how many calls passed and were refused in a stretch of time."""
        return tuple(sum(begin <= at < end for at in one) for one in (self.passed, self.refused))


@pytest.mark.fault(11)
def test_the_pace_comes_back_when_somebody_else_leaves_the_quota(measured):
    account, leaves = Account(4), 40.0
    virtual_time.run(account.work(leaves + 65, {10.0: 40, leaves: QUOTA}))
    passed, _ = account.calls(leaves + 60, leaves + 65)
    share = passed / 5 / RATE
    assert share >= 0.95
    measured(f"{share:.0%} of the pace 60 s after it ended")


@pytest.mark.fault(12)
def test_a_quota_that_is_halved_is_found(measured):
    account, halved = Account(4), 10.0
    virtual_time.run(account.work(halved + 90, {halved: QUOTA // 2}))
    passed, refused = account.calls(halved + 30, halved + 90)
    share, used = refused / (passed + refused), passed / 60 / (QUOTA / 2)
    assert share < 0.02
    assert used > 0.85
    measured(f"{share:.1%} refused after 30 s, {used:.0%} of the half in use")


@pytest.mark.fault(11, 12)
def test_every_worker_slows_down_within_a_second(plants, thorough, measured):
    """Three processes; the quota becomes smaller without a word."""
    plant = plants(2000 if thorough else 900, latency_ms=(20, 60))
    workers = three_workers(plant)
    assert plant.wait_for(lambda: plant.seen > 3 * RATE)
    plant.server.account.windows.quotas[ACTION] = QUOTA // 2
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    first = min(utc_seconds(call["at"]) for call in plant.calls() if call["error"])
    after = sum(first + 1 <= moment < first + 2 for moment in plant.left())
    assert 0 < after < 0.85 * RATE
    plant.hold(quota=QUOTA)
    measured(f"3 workers let {after / RATE:.0%} of the calls go 1 s later")


def known(limits: IdentityLimits) -> dict[str, object]:
    return {"settings": {"identity_limits": {ID_CARD: limits, FACE: limits}}}


def refused(trial) -> int:
    return sum(
        call["result"] in {"-7", "limit"} or "Limit" in call["error"] for call in trial.calls()
    )


@pytest.mark.fault(13)
def test_only_the_rows_of_a_frequent_name_wait_for_tomorrow(trials, thorough, measured):
    rows, same, allowed = 10_000 if thorough else 1_000, 30, 20
    limits = IdentityLimits(id_card_per_day=0, name_per_day=allowed)
    trial = trials(rows, limits={ID_CARD: limits})
    people = trial.ordinary[:rows]
    name = people[0].name
    trial.fill([(n, p.id_card, name if n < same else p.name) for n, p in enumerate(people)])
    bearers = sum(p.name == name for p in people[same:]) + same
    today = trial.run(**known(limits))
    assert today["postponed"] == bearers - allowed
    assert today["answered"] == rows - today["postponed"]
    assert trial.run(**known(limits))["calls"] == 0
    while trial.manifests[-1]["postponed"]:
        trial.server.clock.advance(OF_A_DAY)
        tomorrow = trial.run(**known(limits))
        assert tomorrow["calls"] <= allowed
    assert tomorrow["answered"] == rows
    assert refused(trial) == 0
    trial.hold(**known(limits))
    measured(f"{rows:,} rows: only those of the name waited, {refused(trial)} calls refused")


@pytest.mark.fault(14)
def test_a_limit_of_a_minute_is_waited_for_in_the_run(trials, measured):
    """The minute is over as soon as everybody waits for it."""
    limits = IdentityLimits(id_card_per_day=0, name_per_day=0, id_card_per_minute=2)
    trial = trials(20, limits={FACE: limits})
    person, photos = trial.ordinary[0], [trial.photo(p) for p in trial.ordinary[:4]]
    trial.fill([(n, person.id_card, person.name, photo) for n, photo in enumerate(photos)], "BLOB")
    to_the_minute(trial, 5)
    began = trial.server.clock.now()

    def pass_by() -> None:
        time.sleep(1)
        trial.server.clock.advance(60)

    with once(lambda: len(trial.calls()) == 2, pass_by):
        manifest = trial.run(FACE, **known(limits))
    waited = trial.server.clock.now() - began
    assert manifest["answered"] == len(trial.calls()) == len(photos)
    assert manifest["postponed"] == refused(trial) == 0
    assert waited < 120
    charged = Counter(call["id_card"] for call in trial.calls())
    assert charged == {person.id_card: len(photos)}
    trial.hold(FACE, retries=len(photos) - 1, **known(limits))
    measured("4 photos of one person, 2 a minute: done in the next minute, 0 refused")


def to_the_minute(trial, seconds: float) -> None:
    """Put the time to so many seconds after a full minute."""
    now = trial.server.clock.now()
    trial.server.clock.advance(60 - now % 60 + seconds)


@pytest.mark.fault(15)
def test_the_counts_of_a_day_begin_anew_at_midnight_in_beijing(trials, measured):
    """Midnight comes when as many calls were made as a day may have."""
    limits = IdentityLimits(id_card_per_day=0, name_per_day=10)
    trial = trials(60, limits={ID_CARD: limits})
    people = trial.ordinary[:25]
    trial.fill([(n, p.id_card, people[0].name) for n, p in enumerate(people)])
    clock = trial.server.clock
    midnight = next_beijing_midnight(clock.now())
    clock.advance(midnight - clock.now() - 60)

    with once(lambda: len(trial.calls()) == 10, lambda: clock.advance(midnight - clock.now())):
        manifest = trial.run(**known(limits))
    moments = [utc_seconds(call["at"]) for call in trial.calls()]
    days = Counter(moment >= midnight for moment in moments)
    assert days == {False: 10, True: 10}
    assert (manifest["postponed"], refused(trial)) == (5, 0)
    clock.advance(OF_A_DAY)
    assert trial.run(**known(limits))["answered"] == 25
    trial.hold(**known(limits))
    measured("10 a day: 10 calls before midnight, 10 after, 0 refused")


@pytest.mark.fault(39)
@pytest.mark.parametrize("unanswered", [0, 5])
def test_a_run_stops_before_the_charge_that_would_exceed_its_budget(trial, measured, unanswered):
    """A call without an answer may have been charged, and counts."""
    rows, budget = 200, 60
    trial.fill_with(trial.ordinary[:rows])
    if unanswered:
        people = trial.ordinary[: 8 * unanswered : 8]
        trial.arm(*[FaultRule(DropAfter(), person=p.id_card, times=1) for p in people])
    settings = {"quotas": {ID_CARD: 200}}
    error, manifest = trial.fail(BudgetError, settings=settings, max_charged=budget)
    bill = trial.server.account.ledger.bill[ID_CARD]
    assert "max_charged" in str(error)
    assert bill == budget
    assert manifest["charged"] == budget - unanswered
    trial.fail(BudgetError, settings=settings, max_charged=budget)
    assert trial.server.account.ledger.bill[ID_CARD] == budget
    done = trial.run(settings=settings, max_charged=rows)
    assert done["answered"] == rows - unanswered
    trial.hold()
    measured(f"budget {budget}: {bill} charged, {unanswered} of them without an answer")
