"""A clock that is wrong, here or there: calls are signed again with the time of the service."""

from __future__ import annotations

import json
import re
import time

import pytest

from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.exceptions import CredentialsError
from airflow_provider_faceid.simulator.faults import FaultRule, Nth
from airflow_provider_faceid.simulator.faults.effects import ClockOffset

ID_CARD = "IdCardVerification"
EXPIRED = "AuthFailure.SignatureExpire"


@pytest.fixture
def params(ordinary):
    return {"IdCard": ordinary.id_card, "Name": ordinary.name}


@pytest.mark.parametrize("minutes", [-6, 6, 60 * 24 * 400])
def test_calls_are_signed_with_the_time_of_the_service_from_the_first_refusal_on(
    client, hook, simulator, params, ledger, *, caplog, minutes
):
    simulator.account.clock.ahead_s = 60 * minutes
    verdicts = client.ask_all(hook, [(ID_CARD, params)] * 3)
    assert [(verdict.is_match, verdict.attempts) for verdict in verdicts] == [
        *((True, 2), (True, 1), (True, 1))
    ]
    assert [row["error"] for row in ledger()] == [EXPIRED, "", "", ""]
    assert [row["charged"] for row in ledger()] == [False, True, True, True]
    (told,) = (r.getMessage() for r in caplog.records if "this machine's clock" in r.getMessage())
    seconds, way = re.search(r"clock is (\d+) s (behind|ahead of) the service's", told).groups()
    assert abs(int(seconds) - 60 * abs(minutes)) <= 1  # the service dates in whole seconds
    assert way == ("behind" if minutes > 0 else "ahead of")


def test_a_wrong_clock_of_this_machine_is_no_obstacle(
    client, connect, simulator, params, *, monkeypatch
):
    monkeypatch.setattr(SYSTEM_CLOCK, "now", lambda: time.time() - 1000)
    simulator.account.clock.ahead_s = 1000
    hook = connect(simulator.url)
    assert client.ask(hook, ID_CARD, params).is_match


def test_a_clock_that_goes_wrong_between_two_calls_is_no_obstacle(
    client, hook, simulator, params, ledger
):
    simulator.faults.add(
        FaultRule(ClockOffset(900), nth=Nth(3, 3)), FaultRule(ClockOffset(0), nth=Nth(6, 6))
    )
    verdicts = client.ask_all(hook, [(ID_CARD, params)] * 5)
    assert all(verdict.is_match for verdict in verdicts)
    assert sum(verdict.attempts for verdict in verdicts) == len(ledger()) == 7
    assert [row["error"] for row in ledger()].count(EXPIRED) == 2


def test_the_raw_session_of_a_hook_is_signed_with_the_corrected_time(hook, simulator, params):
    simulator.account.clock.ahead_s = 900
    hook.call(ID_CARD, params)
    answer = hook.get_conn().post(hook.settings.url, json=params, headers={"X-TC-Action": ID_CARD})
    assert answer.json()["Response"]["Result"] == "0"


def test_the_test_button_gets_over_it_too(hook, simulator):
    simulator.account.clock.ahead_s = -900
    works, message = hook.test_connection()
    assert works, message


@pytest.mark.parametrize(
    ("date", "requests", "words"),
    [
        ("Date: Sun, 06 Nov 1994 08:49:37 GMT", 2, r"clock is .*: \d{9,} s ahead of the service's"),
        ("Date: yesterday", 1, "by how much could not be measured"),
        ("X-Date: none", 1, "by how much could not be measured"),
    ],
)
def test_what_cannot_be_put_right_ends_it_with_the_difference(
    client, connect, serve, params, *, date, requests, words
):
    error = {"Code": EXPIRED, "Message": "expired"}
    body = json.dumps({"Response": {"Error": error, "RequestId": "r-1"}}).encode()
    server = serve(lambda line: line.say(body, "200 OK", date))
    with pytest.raises(CredentialsError, match=words) as refused:
        client.ask(connect(server.url), ID_CARD, params)
    assert len(server.requests) == refused.value.requests == requests
    assert refused.value.code == EXPIRED
