from __future__ import annotations

import asyncio

import pytest

from airflow_provider_faceid.clock import Clock, OffsetClock, skew_text
from tests.unit.client.conftest import ManualClock


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def service(clock):
    return OffsetClock(clock)


def test_it_is_the_clock_of_the_machine_until_it_is_corrected(service, clock):
    assert service.now() == clock.now()
    service.ahead_s = -400
    assert service.now() == clock.now() - 400


def test_correcting_it_moves_the_time_of_day_alone(service, clock):
    service.ahead_s = 400
    assert service.monotonic() == clock.monotonic()
    assert service.jitter(1, 3) == 2
    assert clock.jitters == [(1, 3)]


def test_waiting_is_left_to_the_machine():
    class Waiting(Clock):
        waits: list[float] = []  # noqa: RUF012 - of this one test

        def sleep(self, seconds):
            self.waits.append(seconds)

        async def asleep(self, seconds):
            self.waits.append(-seconds)

    service = OffsetClock(Waiting())
    service.sleep(2)
    asyncio.run(service.asleep(3))
    assert Waiting.waits == [2, -3]


def test_skew_is_measured_from_the_clock_of_the_machine(service, clock):
    service.ahead_s = 77
    assert service.measure_skew(clock.now() + 400) == 400
    assert service.measure_skew(None) is None


def test_no_warning_while_the_clock_is_right(service, caplog):
    service.ahead_s = 60
    service.warn_of_skew("kyc")
    assert caplog.records == []


def test_each_skew_is_warned_of_once(service, caplog):
    for ahead_s in (400, 400, 401, 3, 0, -500, -500):
        service.ahead_s = ahead_s
        service.warn_of_skew("kyc")
    assert [record.args[1] for record in caplog.records] == [
        "400 s behind the service's",
        "500 s ahead of the service's",
    ]


@pytest.mark.parametrize(
    ("ahead_s", "words"),
    [
        (400.4, "400 s behind the service's"),
        (-86_400.0, "86400 s ahead of the service's"),
    ],
)
def test_skew_text_has_whole_seconds_and_the_direction(ahead_s, words):
    assert skew_text(ahead_s) == words
