from __future__ import annotations

from datetime import datetime

import pytest

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.clock import BEIJING
from airflow_provider_faceid.simulator.account.account import (
    IdentityCounter,
    QuotaWindows,
    documented_quotas,
)

FACE = "ImageRecognitionV2"
SECOND = 1_780_286_400
PERSON = {"id_card": "number", "name": "name"}


def beijing(*parts: int) -> float:
    return datetime(*parts, tzinfo=BEIJING).timestamp()


def test_the_first_calls_of_a_second_pass_and_the_others_learn_their_number():
    windows = QuotaWindows(documented_quotas())
    assert [windows.arrive(FACE, SECOND + 0.5) for _ in range(22)] == [0] * 20 + [21, 22]


def test_a_window_is_a_full_second_not_a_sliding_one():
    windows = QuotaWindows({FACE: 2})
    moments = (0.8, 0.9, 0.99, 1.0, 1.1, 1.2, 2.0)
    passed = [not windows.arrive(FACE, SECOND + moment) for moment in moments]
    assert passed == [True, True, False, True, True, False, True]


def test_a_body_that_was_read_slowly_counts_in_the_second_it_arrived():
    windows = QuotaWindows({FACE: 1})
    assert windows.arrive(FACE, SECOND + 1) == 0
    assert windows.arrive(FACE, SECOND) == 0
    assert windows.arrive(FACE, SECOND) == 2


def test_actions_have_windows_of_their_own():
    windows = QuotaWindows({FACE: 1, "IdCardVerification": 1})
    assert windows.arrive(FACE, SECOND) == 0
    assert windows.arrive("IdCardVerification", SECOND) == 0


def test_no_quota_means_unlimited():
    windows = QuotaWindows({FACE: 0})
    assert not any(windows.arrive(FACE, SECOND) for _ in range(1000))


def test_pace_tells_the_busiest_second():
    windows = QuotaWindows({FACE: 3})
    for moment in (0, 0, 5, 5, 5, 5, 9):
        windows.arrive(FACE, SECOND + moment)
    assert windows.pace() == {
        FACE: {"busiest_second": 4, "throttled": 1, "seconds": 10, "calls": 7}
    }
    windows.clear()
    assert windows.pace() == {}


def test_an_id_number_may_be_asked_about_15_times_a_minute():
    counter = IdentityCounter()
    start = beijing(2026, 6, 1, 12, 0)
    exceeded = [counter.exceeded(FACE, PERSON, start) for _ in range(16)]
    assert exceeded == [False] * 15 + [True]
    assert not counter.exceeded(FACE, PERSON, start + 60)


def test_the_day_ends_at_midnight_in_beijing():
    counter = IdentityCounter()
    limit = ACTIONS[FACE].identity_limits["id_card_per_day"]
    for call in range(limit):
        minute = beijing(2026, 6, 1, 23, 0) + 60 * call
        assert not counter.exceeded(FACE, PERSON, minute)
    assert counter.exceeded(FACE, PERSON, beijing(2026, 6, 1, 23, 59, 59))
    assert not counter.exceeded(FACE, PERSON, beijing(2026, 6, 2, 0, 0))


def test_a_name_has_a_limit_of_its_own():
    counter = IdentityCounter()
    noon = beijing(2026, 6, 1, 12, 0)
    limit = ACTIONS["IdCardVerification"].identity_limits["name_per_day"]
    exceeded = [
        counter.exceeded("IdCardVerification", {"id_card": f"number {call}", "name": "name"}, noon)
        for call in range(limit + 1)
    ]
    assert exceeded == [False] * limit + [True]
    assert not counter.exceeded(FACE, PERSON, noon)


def test_a_latecomer_of_yesterday_does_not_restart_the_day():
    counter = IdentityCounter()
    limit = ACTIONS["IdCardVerification"].identity_limits["name_per_day"]
    today, yesterday = beijing(2026, 6, 2, 0, 0, 1), beijing(2026, 6, 1, 23, 59, 59)
    moments = [today] * (limit - 1) + [yesterday, today]
    exceeded = [
        counter.exceeded(
            "IdCardVerification", {"id_card": f"number {call}", "name": "name"}, moment
        )
        for call, moment in enumerate(moments)
    ]
    assert exceeded == [False] * limit + [True]


@pytest.mark.parametrize("action", ACTIONS)
def test_without_limits_nobody_is_asked_about_too_often(action):
    counter = IdentityCounter({})
    assert not any(counter.exceeded(action, PERSON, SECOND) for _ in range(2000))
