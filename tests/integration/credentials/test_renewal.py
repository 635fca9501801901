"""Long runs, across keys that expire and keys that are revoked."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from airflow_provider_faceid.client.credentials import Credentials
from airflow_provider_faceid.client.credentials import providers as cvm_role
from airflow_provider_faceid.client.credentials.providers import InstanceRole
from airflow_provider_faceid.client.credentials.refresh import (
    REFRESH_EARLY_SHARE,
    signing_credentials,
)
from airflow_provider_faceid.client.credentials.sts import AssumedRole, Sts
from airflow_provider_faceid.clock import Clock
from airflow_provider_faceid.exceptions import CredentialsError, OutageError
from airflow_provider_faceid.simulator.faults import FaultRule, Nth
from airflow_provider_faceid.simulator.faults.effects import AccountState
from airflow_provider_faceid.simulator.people import ID_CARD
from tests.integration.hook.conftest import HASH_SECRET
from tests.support.cloud import METADATA, ROLE_ARN, Cloud
from tests.support.patience import PATIENCE, soon

ROWS, IN_FLIGHT = 400, 16
STEP_SECONDS = 60
OWN = Credentials("simulator-id", "simulator-key")


class ServiceTime(Clock):
    """The time of the service, which a test puts forward; waits take a tenth of what they do."""

    def __init__(self, time: Clock) -> None:
        self._time = time

    def now(self) -> float:
        return self._time.now()

    def jitter(self, low: float, high: float) -> float:
        return super().jitter(low, high) / 10


@pytest.fixture
def bench(sqlite_bench, server):
    sqlite_bench.clock = ServiceTime(server.clock)
    return sqlite_bench


@pytest.fixture
def cloud(server, monkeypatch):
    """A cloud of the bench's simulator, with metadata where an instance finds them."""
    cloud = Cloud(server)
    monkeypatch.setattr(cvm_role, "METADATA", cloud.url + METADATA)
    yield cloud
    cloud.stop()


@pytest.fixture(params=["cvm_role", "role"])
def settings(request, cloud):
    provider = {
        "cvm_role": InstanceRole(),
        "role": AssumedRole(OWN, ROLE_ARN, sts=Sts(cloud.url)),
    }[request.param]
    return {"credentials": provider, "hash_secret": HASH_SECRET, "deadline": 1e6}


class Hours(threading.Thread):
    """
    Lets hours pass during a run: a minute for every few calls.

    It halts while a key is due to be renewed, and then until the calls in flight have arrived: that
    takes moments, and a real run has minutes for it.
    """

    def __init__(self, cloud: Cloud) -> None:
        super().__init__()
        self.cloud, self.account = cloud, cloud.simulator.account
        self.stopping = threading.Event()

    def run(self) -> None:
        clock, cloud = self.cloud.simulator.clock, self.cloud
        keys = next_step = 0
        while not self.stopping.wait(0.001):
            calls = len(self.account.ledger)
            if len(cloud.issued) > keys:
                keys, next_step = len(cloud.issued), calls + 2 * IN_FLIGHT
            is_due = cloud.expires - clock.now() <= REFRESH_EARLY_SHARE * cloud.seconds
            if keys and not is_due and calls >= next_step:
                next_step = calls + 4
                clock.advance(STEP_SECONDS)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.join()


def test_a_run_over_many_keys_answers_every_row_once_and_is_refused_nothing(
    bench, cloud, settings, caplog
):
    caplog.set_level(logging.DEBUG)
    cloud.seconds = 1000
    bench.fill_with(bench.ordinary[:ROWS])
    with Hours(cloud):
        manifest = bench.run(settings=settings, max_in_flight=IN_FLIGHT)
    assert manifest["answered"] == manifest["charged"] == manifest["calls"] == ROWS
    assert len(bench.calls()) == ROWS
    assert not [call for call in bench.calls() if call["error"]]
    assert len(cloud.issued) >= 4
    assert "hush" not in caplog.text


def test_threads_and_coroutines_at_the_moment_of_expiry_ask_once(server, cloud):
    clock = ServiceTime(server.clock)
    keys = signing_credentials(InstanceRole(), clock)
    keys.wait("kyc")
    server.clock.advance(cloud.seconds)
    got, at_once = [], threading.Barrier(33)
    cloud.trouble = lambda _: cloud.stopping.wait(0.05)  # False: it answers a little later

    def one_thread() -> None:
        at_once.wait(PATIENCE)
        got.append(keys.ready() or keys.wait("kyc"))

    async def coroutines() -> None:
        async def one() -> Credentials:
            return keys.ready() or await keys.wait_async("kyc")

        at_once.wait(PATIENCE)
        got.extend(await asyncio.gather(*(one() for _ in range(200))))

    threads = [threading.Thread(target=one_thread) for _ in range(32)]
    for thread in threads:
        thread.start()
    asyncio.run(coroutines())
    for thread in threads:
        thread.join(PATIENCE)
    assert {key.secret_id for key in got} == {"tmp-id-2"}
    assert (len(got), len(cloud.issued)) == (232, 2)


def test_a_key_that_is_revoked_in_the_middle_is_renewed_once(bench, cloud, settings):
    bench.fill_with(bench.ordinary[:ROWS])
    bench.server.faults.add(FaultRule(AccountState(token="fresh"), nth=Nth(80, 80)))
    manifest = bench.run(settings=settings, max_in_flight=IN_FLIGHT)
    refused = [call for call in bench.calls() if call["error"]]
    assert {call["error"] for call in refused} == {"AuthFailure.TokenFailure"}
    assert 1 <= len(refused) <= IN_FLIGHT
    assert manifest["answered"] == manifest["charged"] == ROWS
    assert len(bench.calls()) == ROWS + len(refused)
    assert len(cloud.issued) == 2


def test_a_key_that_is_revoked_and_given_again_ends_the_run_and_a_later_one_does_the_rest(
    bench, cloud, settings
):
    """Metadata keep keys themselves, and may not have heard."""
    bench.fill_with(bench.ordinary[:ROWS])
    first = cloud.issue()
    cloud.issue = lambda: dict(first)
    bench.server.faults.add(FaultRule(AccountState(token="fresh"), nth=Nth(80, 80)))
    error, manifest = bench.fail(CredentialsError, settings=settings, max_in_flight=IN_FLIGHT)
    assert "has no other key than the one that was refused or has expired. A run continues" in str(
        error
    )
    assert manifest["held"] == 0
    refused = [call for call in bench.calls() if call["error"]]
    assert 1 <= len(refused) <= IN_FLIGHT
    assert bench.run(settings={"hash_secret": HASH_SECRET})["answered"] == ROWS
    assert bench.server.account.ledger.bill["IdCardVerification"] == ROWS


def test_an_origin_that_is_away_stops_the_run_only_when_the_key_expires(
    bench, cloud, settings, caplog
):
    caplog.set_level(logging.DEBUG)
    cloud.seconds, cloud.grace_s = 1000, 60  # for what is in flight at that moment
    clock, bill = bench.server.clock, bench.server.account.ledger.bill
    bench.fill_with(bench.ordinary[:ROWS])

    def away(answering) -> bool:
        answering.say(503, b"hush-hush")
        return True

    def expire() -> None:
        assert soon(lambda: cloud.issued and bill[ID_CARD] >= 40)
        cloud.trouble = away
        clock.advance(950)
        assert soon(lambda: "Credential refresh failed" in caplog.text and bill[ID_CARD] >= 80)
        clock.advance(51)

    expiring = threading.Thread(target=expire)
    expiring.start()
    try:
        error, manifest = bench.fail(OutageError, settings=settings, max_in_flight=4)
    finally:
        expiring.join(PATIENCE)
    assert str(error).startswith("Connection 'faceid_default': no key. ")
    assert f"{settings['credentials'].name}: {cloud.url[7:]}" in str(error)
    assert "Credential refresh failed; the present key expires in" in caplog.text
    assert manifest["held"] == 0
    assert 80 <= manifest["answered"] < ROWS
    cloud.trouble = lambda _: False
    bench.clock = ServiceTime(clock)  # as a new process, which has not just been refused
    assert bench.run(settings=settings)["answered"] == ROWS
    assert bench.server.account.ledger.bill["IdCardVerification"] == ROWS
    assert "hush" not in caplog.text + str(error)
