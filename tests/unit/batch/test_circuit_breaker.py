"""An outage is found out by one call at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import pytest

from airflow_provider_faceid.batch.admission import (
    FAILURES_IN_A_ROW,
    LONGEST_PAUSE,
    CircuitBreaker,
)
from airflow_provider_faceid.client.call import Attempt
from airflow_provider_faceid.clock import Clock
from airflow_provider_faceid.exceptions import (
    CredentialsError,
    FaceIdError,
    NotSentError,
    OutageError,
    ThrottledError,
    UnavailableError,
    UncertainError,
)

AWAY = UnavailableError("the service is unavailable", code="http:503", request_id="r-1")
LOG = logging.getLogger("test.health")


class FastClock(Clock):
    """A clock on which sleeping passes at once."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds

    async def asleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0)

    def jitter(self, low: float, high: float) -> float:
        return (low + high) / 2


class Service:
    """Calls that end as a script says: one entry for each request, the last for all others."""

    def __init__(self, *script: FaceIdError | None, patience: float = 900.0) -> None:
        self.clock = FastClock()
        self.is_stopping = False
        self.health = CircuitBreaker(patience, lambda: self.is_stopping, self.clock, LOG)
        self.script = list(script)
        self.sent: list[float] = []
        self.under_way = self.most_under_way = 0

    async def call(self) -> None:
        """Call until there is an answer."""
        attempt = Attempt()
        while True:
            await self.health.wait_until_allowed(attempt)
            self.sent.append(self.clock.monotonic())
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
            await asyncio.sleep(0)
            self.under_way -= 1
            problem = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            self.health.observe(problem, attempt)
            if problem is None:
                attempt.ended = True
                return

    async def all_of(self, count: int) -> list[BaseException | None]:
        """Make some calls at once."""
        calls = (asyncio.create_task(self.call()) for _ in range(count))
        return await asyncio.gather(*calls, return_exceptions=True)


def run(scene: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(scene, 20))


def test_the_first_call_goes_alone_and_the_others_after_its_answer():
    service = Service(None)
    assert run(service.all_of(30)) == [None] * 30
    assert service.sent.index(service.sent[-1]) == 1
    assert service.most_under_way > 1


def test_while_nobody_answers_one_call_at_a_time_probes_at_growing_distances():
    service = Service(*[AWAY] * 12, None)
    assert run(service.all_of(40)) == [None] * 40
    pauses = [b - a for a, b in zip(service.sent[:13], service.sent[1:13], strict=False)]
    assert pauses == sorted(pauses)
    assert pauses[0] == pytest.approx(1.0, abs=0.1)
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE, abs=0.1)
    assert len(service.sent) == 12 + 40


def test_a_few_failures_among_answers_are_no_outage():
    service = Service(None, *[AWAY, AWAY, None] * 10, None)
    assert run(service.all_of(20)) == [None] * 20
    assert service.sent[-1] - service.sent[0] < 1


@pytest.mark.parametrize("kind", [NotSentError, UnavailableError, UncertainError])
def test_so_many_failures_in_a_row_are_an_outage(kind, caplog):
    service = Service(None, *[kind("no answer")] * 9, None)
    with caplog.at_level(logging.INFO):
        assert run(service.all_of(60)) == [None] * 60
    assert "calls in a row got no answer; pausing" in caplog.text
    assert "The service answers again" in caplog.text
    assert service.sent[-1] - service.sent[0] > 1


def test_a_throttled_call_shows_that_the_service_is_there():
    health = Service(None).health

    async def scene() -> bool:
        for _ in range(FAILURES_IN_A_ROW * 2):
            health.observe(AWAY, Attempt())
            health.observe(ThrottledError("too fast"), Attempt())
        return health.is_closed

    assert run(scene())


def test_a_run_gives_up_after_its_patience_and_says_why():
    service = Service(AWAY, patience=30.0)
    found = run(service.all_of(3))
    assert {type(error) for error in found} == {OutageError}
    assert "the service is unavailable" in str(found[0])
    assert "r-1" in str(found[0])
    assert 30 < service.clock.seconds - 100 < 60


def test_a_run_gives_up_soon_if_its_probes_may_be_charged():
    service = Service(UncertainError("no answer"))
    run(service.all_of(3))
    assert service.clock.seconds - 100 < 100
    assert len(service.sent) <= 10


def test_a_run_that_halts_leaves_nobody_waiting():
    service = Service(AWAY)
    service.is_stopping = True
    assert {type(error) for error in run(service.all_of(5))} == {OutageError}
    assert service.sent == []


def test_a_refused_key_says_nothing_about_the_service():
    """Its call ends the run, or signs again as the probe it is."""
    service = Service(None)

    async def scene() -> bool:
        attempt = Attempt()
        await service.health.wait_until_allowed(attempt)
        service.health.observe(CredentialsError("expired"), attempt)
        await service.health.wait_until_allowed(attempt)
        return service.health.allows(attempt) and not service.health.is_closed

    assert run(scene())


def test_a_probe_that_is_cancelled_gives_its_place_to_the_next():
    service = Service(None)

    async def scene() -> None:
        attempt = Attempt()
        probe = asyncio.create_task(service.health.wait_until_allowed(attempt))
        await asyncio.sleep(0)
        probe.cancel()
        attempt.ended = True
        await service.call()

    run(scene())
    assert service.health.is_closed
