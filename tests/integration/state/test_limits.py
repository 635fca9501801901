"""Counters of identities that many workers use at once, in both kinds of store."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_faceid.clock import next_beijing_midnight
from airflow_provider_faceid.exceptions import StateStoreError
from airflow_provider_faceid.state.identity_limits import IdentityCounts, Use
from tests.support.patience import PATIENCE

SOON, LATE = 1000.0, 2000.0


@pytest.fixture
def counts(url, stores) -> IdentityCounts:
    return IdentityCounts(stores(url))


def test_calls_pass_up_to_the_limit_and_the_others_wait_for_its_end(counts):
    call = (Use(1, 3, SOON),)
    assert counts.reserve([call] * 2) == [None, None]
    assert counts.reserve([call] * 3) == [None, SOON, SOON]
    assert counts.reserve([call]) == [SOON]


def test_who_is_over_several_limits_waits_for_the_last_to_end(counts):
    both = (Use(1, 1, SOON), Use(2, 1, LATE))
    assert counts.reserve([both, both, (Use(1, 1, SOON),)]) == [None, LATE, SOON]


def test_a_refused_call_uses_up_nothing(counts):
    name = Use(2, 2, LATE)
    assert counts.reserve([(Use(1, 1, SOON), name)]) == [None]
    assert counts.reserve([(Use(1, 1, SOON), name)] * 5) == [SOON] * 5
    assert counts.reserve([(Use(3, 1, SOON), name)]) == [None]
    assert counts.reserve([(Use(4, 1, SOON), name)]) == [LATE]


def test_an_uncounted_call_can_be_made_by_another(counts):
    call = (Use(1, 2, SOON), Use(2, 2, LATE))
    assert counts.reserve([call] * 3) == [None, None, LATE]
    with counts._store.transaction() as cursor:
        counts.uncount(cursor, [call])
    assert counts.reserve([call] * 2) == [None, LATE]


def test_nothing_to_count_asks_nobody(tmp_path, stores):
    nowhere = IdentityCounts(stores(f"sqlite:///{tmp_path / 'no' / 'such.sqlite'}"))
    assert nowhere.reserve([(), ()]) == [None, None]
    assert nowhere.reserve([]) == []
    assert nowhere.after_refusal((), SOON) == next_beijing_midnight(SOON)
    with pytest.raises(StateStoreError):
        nowhere.reserve([(Use(1, 1, SOON),)])


def test_after_a_refusal_the_shortest_window_we_asked_in_before_has_to_end(counts):
    minute, day = Use(1, 9, SOON), Use(2, 9, LATE)
    counts.reserve([(day,)])
    counts.reserve([(minute, day)])
    assert counts.after_refusal((minute, day), 0) == LATE
    counts.reserve([(minute, day)])
    assert counts.after_refusal((minute, day), 0) == SOON


def test_after_the_refusal_of_a_first_call_it_is_the_day(counts):
    uses = (Use(1, 9, SOON), Use(2, 9, LATE))
    counts.reserve([uses])
    assert counts.after_refusal(uses, 0) == next_beijing_midnight(0)


def test_the_largest_group_fits_into_a_statement(counts):
    calls = [tuple(Use(4 * call + n, 1, LATE) for n in range(4)) for call in range(500)]
    assert counts.reserve(calls) == [None] * 500
    assert counts.reserve(calls) == [LATE] * 500


def test_workers_at_once_get_no_more_than_the_limit_together(url, stores):
    """In different orders, so that they would wait for each other if they locked as they come."""
    calls = [(Use(number, 10, SOON), Use(number + 1, 10, SOON)) for number in range(0, 20, 2)]
    passed: list[Counter[int]] = []

    def work(order: int) -> None:
        counts, mine = IdentityCounts(stores(url)), Counter[int]()
        for _ in range(10):
            group = calls[::order]
            for call, wait in zip(group, counts.reserve(group), strict=True):
                mine.update(use.counter for use in call if wait is None)
        passed.append(mine)

    threads = [threading.Thread(target=work, args=(1 if n % 2 else -1,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(passed) == 4
    assert sum(passed, Counter()) == dict.fromkeys(range(20), 10)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    groups=st.lists(
        st.lists(st.lists(st.integers(0, 4), max_size=3, unique=True), max_size=6), max_size=6
    ),
    limits=st.lists(st.integers(1, 4), min_size=5, max_size=5),
)
def test_no_counter_goes_over_its_limit_and_no_call_waits_without_need(counts, groups, limits):
    counts._store.run(lambda cursor: cursor.execute("DELETE FROM faceid_identity_uses"))
    used = Counter[int]()
    for group in groups:
        calls = [tuple(Use(n, limits[n], SOON) for n in call) for call in group]
        for call, wait in zip(group, counts.reserve(calls), strict=True):
            fits = all(used[n] < limits[n] for n in call)
            assert wait == (None if fits else SOON)
            used.update(call if fits else ())
