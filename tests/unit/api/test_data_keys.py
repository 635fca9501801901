from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from airflow_provider_faceid.api.encryption.ciphers import DataKey, Wrapped
from airflow_provider_faceid.clock import Clock


class ManualClock(Clock):
    seconds = 0.0

    def monotonic(self):
        return self.seconds


@pytest.fixture
def clock():
    return ManualClock()


def holder(clock, max_uses=3, max_age_s=60.0):
    numbers = count()

    def make():
        return DataKey(b"secret", f"key {next(numbers)}")

    return Wrapped(make, max_uses=max_uses, max_age_s=max_age_s, clock=clock)


def test_a_key_serves_so_many_requests(clock):
    keys = holder(clock)
    assert [keys.take().blob for _ in range(7)] == [
        *["key 0"] * 3,
        *["key 1"] * 3,
        "key 2",
    ]


def test_a_key_serves_so_long(clock):
    keys, served = holder(clock, max_uses=100), []
    for clock.seconds in (0, 59.9, 60, 119, 121):
        served.append(keys.take().blob)
    assert served == ["key 0", "key 0", "key 1", "key 1", "key 2"]


def test_one_use_is_one_key_for_each_request(clock):
    keys = holder(clock, max_uses=1)
    assert len({keys.take().blob for _ in range(20)}) == 20


def test_threads_share_a_key_and_its_count(clock):
    keys = holder(clock, max_uses=50)
    with ThreadPoolExecutor(8) as pool:
        served = [key.blob for key in pool.map(lambda _: keys.take(), range(1000))]
    assert {served.count(blob) for blob in served} == {50}


def test_a_key_is_not_printed(clock):
    assert repr(holder(clock).take()) == "DataKey(blob='key 0')"
