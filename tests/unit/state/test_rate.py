"""The arithmetic of the pace, on times the tests make up."""

from __future__ import annotations

from collections import Counter

import pytest

from airflow_provider_faceid.state.rate import (
    DECREASE_FACTOR,
    DECREASE_INTERVAL_SECONDS,
    MAX_SLOTS_AHEAD,
    MIN_FACTOR,
    RECOVERY_PER_SECOND,
    THROTTLE_PAUSE_SECONDS,
    Rate,
    after_throttling,
    factor_now,
    reserve_slots,
)

NOW = 1_000_000.0


def throttled(times: int, every: float = DECREASE_INTERVAL_SECONDS) -> tuple[Rate, float]:
    """Return a row after so many throttled answers, and the moment of the last one."""
    row, now = Rate(next_at=NOW), NOW
    for number in range(times):
        now = NOW + number * every
        row = after_throttling(row, now)
    return row, now


def test_the_first_slot_is_now_and_the_others_follow_at_the_rate():
    row, slots = reserve_slots(Rate(), NOW, 10, 4)
    assert (slots.start, slots.interval, slots.count) == (NOW, 0.1, 4)
    assert row.next_at == pytest.approx(NOW + 0.4)


def test_who_comes_later_gets_later_slots():
    row, starts = Rate(), []
    for _ in range(5):
        row, slots = reserve_slots(row, NOW, 10, 2)
        starts.append(round(slots.start - NOW, 6))
    assert starts == [0, 0.2, 0.4, 0.6, 0.8]


def test_slots_nobody_took_are_gone():
    row, _ = reserve_slots(Rate(), NOW, 10, 1)
    row, slots = reserve_slots(row, NOW + 60, 10, 1)
    assert slots.start == NOW + 60
    assert row.next_at == pytest.approx(NOW + 60.1)


def test_a_throttled_answer_lowers_the_rate():
    row, now = throttled(1)
    assert factor_now(row, now) == DECREASE_FACTOR
    _, slots = reserve_slots(row, now, 10, 1)
    assert slots.interval == pytest.approx(0.1 / DECREASE_FACTOR)


def test_a_throttled_answer_is_followed_by_silence():
    row, now = throttled(1)
    _, slots = reserve_slots(row, now, 10, 1)
    assert slots.start == now + THROTTLE_PAUSE_SECONDS


def test_the_silence_does_not_add_to_slots_that_are_taken_already():
    row = after_throttling(Rate(next_at=NOW + 1), NOW)
    assert row.next_at == NOW + 1


@pytest.mark.parametrize(
    "later", [0, DECREASE_INTERVAL_SECONDS / 2, DECREASE_INTERVAL_SECONDS * 0.99]
)
def test_answers_of_the_same_moment_lower_it_once(later):
    row, now = throttled(1)
    assert after_throttling(row, now + later) == row


def test_answers_after_the_calm_lower_it_again():
    row, now = throttled(2)
    won_back = RECOVERY_PER_SECOND * DECREASE_INTERVAL_SECONDS
    assert factor_now(row, now) == pytest.approx((DECREASE_FACTOR + won_back) * DECREASE_FACTOR)


def test_it_recovers_by_a_share_per_second_up_to_the_full_rate():
    row, now = throttled(1)
    assert factor_now(row, now + 5) == pytest.approx(DECREASE_FACTOR + 5 * RECOVERY_PER_SECOND)
    assert factor_now(row, now + (1 - DECREASE_FACTOR) / RECOVERY_PER_SECOND) == pytest.approx(1)
    assert factor_now(row, now + 1e6) == 1


def test_taking_slots_does_not_disturb_the_recovery():
    row, now = throttled(1)
    for second in range(10):
        row, _ = reserve_slots(row, now + second, 10, 1)
    assert factor_now(row, now + 10) == pytest.approx(DECREASE_FACTOR + 10 * RECOVERY_PER_SECOND)


def test_it_never_falls_below_the_lowest():
    row, now = throttled(100)
    assert row.factor == pytest.approx(MIN_FACTOR)
    assert row.factor >= MIN_FACTOR
    _, slots = reserve_slots(row, now, 10, 1)
    assert slots.interval == pytest.approx(0.1 / MIN_FACTOR)


class TestClockSetBack:
    """NTP may set a host's clock back; nobody may wait until it has caught up."""

    def test_slots_begin_now(self):
        row, _ = reserve_slots(Rate(), NOW, 97, 8)
        _, slots = reserve_slots(row, NOW - 3600, 97, 8)
        assert slots.start == NOW - 3600

    def test_hundreds_of_workers_with_slots_in_hand_are_not_taken_for_it(self):
        row = Rate()
        for number in range(MAX_SLOTS_AHEAD // 8):
            row, slots = reserve_slots(row, NOW, 97, 8)
            assert slots.start == pytest.approx(NOW + number * 8 / 97)

    @pytest.mark.parametrize("rate", [0.1, 97, 9700])
    def test_a_pause_after_a_throttled_answer_is_not_taken_for_it(self, rate):
        row, _ = reserve_slots(Rate(), NOW, rate, 1)
        _, slots = reserve_slots(after_throttling(row, NOW), NOW, rate, 1)
        assert slots.start >= NOW + THROTTLE_PAUSE_SECONDS

    def test_throttled_answers_are_still_heard(self):
        row, _ = throttled(1)
        assert after_throttling(row, NOW - 3600).factor == pytest.approx(DECREASE_FACTOR**2)

    def test_the_rate_still_recovers(self):
        row, _ = throttled(1)
        row, _ = reserve_slots(row, NOW - 3600, 97, 8)
        assert factor_now(row, NOW - 3590) == pytest.approx(
            DECREASE_FACTOR + 10 * RECOVERY_PER_SECOND
        )


HALVED = range(10, 120)
"""Seconds in which the service allows half of the quota, without saying so."""


def simulated(rate: float, quota: int) -> tuple[Counter[int], Counter[int]]:
    """Return calls and throttled answers per second of a service with one-second windows."""
    row, now, calls, refused = Rate(), 0.0, Counter[int](), Counter[int]()
    windows: Counter[int] = Counter()
    while now < 200:
        row, slots = reserve_slots(row, now, rate, 1)
        now = slots.start
        second = int(now)
        calls[second] += 1
        windows[second] += 1
        if windows[second] > (quota // 2 if second in HALVED else quota):
            refused[second] += 1
            row = after_throttling(row, now)
    return calls, refused


@pytest.mark.parametrize(("rate", "quota"), [(97.0, 100), (19.4, 20)], ids=["100", "20"])
class TestSilentlyHalvedQuota:
    def test_few_answers_are_throttled_once_it_has_settled(self, rate, quota):
        calls, refused = simulated(rate, quota)
        settled = range(HALVED.start + 30, HALVED.stop)
        share = sum(refused[n] for n in settled) / sum(calls[n] for n in settled)
        assert 0 < share < 0.02

    def test_most_of_what_is_left_is_used(self, rate, quota):
        calls, refused = simulated(rate, quota)
        settled = range(HALVED.start + 30, HALVED.stop)
        answered = sum(calls[n] - refused[n] for n in settled)
        assert answered > 0.8 * len(settled) * quota / 2

    def test_the_rate_is_back_a_minute_after_its_end(self, rate, quota):
        calls, refused = simulated(rate, quota)
        back = range(HALVED.stop + 60, HALVED.stop + 70)
        assert sum(calls[n] for n in back) >= 0.95 * rate * len(back)
        assert sum(refused[n] for n in range(HALVED.stop + 1, 200)) == 0

    def test_nothing_is_throttled_before(self, rate, quota):
        _, refused = simulated(rate, quota)
        assert sum(refused[n] for n in range(HALVED.start)) == 0
