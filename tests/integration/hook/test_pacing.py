"""Quotas, as the service counts them."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from airflow_provider_faceid.clock import next_beijing_midnight, utc_seconds
from airflow_provider_faceid.exceptions import IdentityLimitError
from airflow_provider_faceid.hooks import state_store as state
from airflow_provider_faceid.hooks.faceid import FaceIdHook
from tests.support.departures import NotedRateLimiter, too_fast
from tests.support.patience import PATIENCE

ID_CARD = "IdCardVerification"


@pytest.fixture
def params(ordinary):
    return {"IdCard": ordinary.id_card, "Name": ordinary.name}


@pytest.fixture
def faults(monkeypatch, ledger):
    """Return what is wrong with the pace, if so many calls a second are the quota."""
    left: list[float] = []
    monkeypatch.setattr(state, "SlotRateLimiter", partial(NotedRateLimiter, note=left.append))
    return lambda quota: too_fast(quota, left, [utc_seconds(call["at"]) for call in ledger()])


@pytest.mark.usefixtures("short_pauses")
def test_throttled_calls_are_answered_in_the_end(client, connect, simulator, params, ledger):
    """The connection claims far more than the quota there is."""
    simulator.account.windows.quotas[ID_CARD] = 2
    hook = connect(simulator.url, id_card_verification_quota=50, max_attempts=1)
    verdicts = client.ask_all(hook, [(ID_CARD, params)] * 7)
    rows = ledger()
    assert all(verdict.is_match for verdict in verdicts)
    assert sum(verdict.throttled for verdict in verdicts) == len(rows) - 7 > 0
    assert sum(verdict.attempts for verdict in verdicts) == len(rows)
    assert simulator.account.ledger.bill[ID_CARD] == 7


def test_a_right_quota_is_never_exceeded(client, connect, simulator, params, faults):
    simulator.account.windows.quotas[ID_CARD] = 20
    hook = connect(simulator.url, id_card_verification_quota=20)
    client.ask_all(hook, [(ID_CARD, params)] * 25)
    assert simulator.account.ledger.bill[ID_CARD] == 25
    assert faults(20) == []


def test_hooks_in_threads_keep_the_quota_together(connect, simulator, ordinary, faults):
    simulator.account.windows.quotas[ID_CARD] = 20
    connect(simulator.url, id_card_verification_quota=20)
    start = threading.Barrier(4)

    def work(_):
        hook = FaceIdHook("faceid_test")
        start.wait(PATIENCE)
        return [hook.id_card_verification(ordinary.id_card, ordinary.name) for _ in range(6)]

    with ThreadPoolExecutor(4) as pool:
        verdicts = [verdict for done in pool.map(work, range(4)) for verdict in done]
    assert len(verdicts) == 24
    assert all(verdict.is_match for verdict in verdicts)
    assert faults(20) == []


def test_a_person_asked_about_too_often_is_not_asked_about_again(connect, simulator, ordinary):
    """All hooks of the account count together, and the error says when, not who."""
    limits = {ID_CARD: {"name_per_day": 2}}
    for _ in range(2):
        hook = connect(simulator.url, identity_limits=limits)
        assert hook.id_card_verification(ordinary.id_card, ordinary.name).is_match
    with pytest.raises(IdentityLimitError, match="Nothing was sent; try again from 20") as refused:
        connect(simulator.url, identity_limits=limits).id_card_verification(
            ordinary.id_card, ordinary.name
        )
    assert refused.value.not_before == next_beijing_midnight(time.time())
    assert ordinary.name not in str(refused.value)
    assert ordinary.id_card not in str(refused.value)
    assert len(simulator.account.ledger) == 2


def test_hooks_of_one_account_share_a_pace(connect, simulator):
    first, second = connect(simulator.url), connect(simulator.url)
    assert first.rate_limiter(ID_CARD) is second.rate_limiter(ID_CARD)
    assert first.rate_limiter(ID_CARD) is not first.rate_limiter("ImageRecognitionV2")
    assert first.rate_limiter(ID_CARD) is not connect(simulator.url, login="another").rate_limiter(
        ID_CARD
    )
