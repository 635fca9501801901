"""Rows that wait within a run."""

from __future__ import annotations

from airflow_provider_faceid.batch.admission import MOST_ROWS, PATIENCE_SECONDS, DelayQueue
from airflow_provider_faceid.batch.inputs import Row
from airflow_provider_faceid.clock import Clock


class StoppedClock(Clock):
    """A clock whose two times a test sets."""

    seconds, today = 5000.0, 1e9

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> float:
        return self.today


def row(key: str) -> Row:
    return Row(key, (1,))


def test_rows_come_out_when_they_are_due_the_earliest_first():
    later = DelayQueue(clock := StoppedClock())
    for key, wait in (("c", 30), ("a", 10), ("b", 20), ("a2", 10)):
        assert later.add(row(key), wait)
    clock.seconds += 9.9
    assert later.due() is None
    clock.seconds += 15.1
    assert [later.due().key for _ in range(3)] == ["a", "a2", "b"]
    assert later.due() is None
    assert len(later) == 1


def test_a_clock_that_is_put_back_keeps_no_row_waiting():
    later = DelayQueue(clock := StoppedClock())
    later.add(row("1"), 2)
    clock.today -= 3600
    clock.seconds += 2
    assert later.due().key == "1"


def test_a_moment_too_far_away_is_not_waited_for():
    later = DelayQueue(StoppedClock())
    assert later.add(row("near"), PATIENCE_SECONDS)
    assert not later.add(row("far"), PATIENCE_SECONDS + 1)
    assert len(later) == 1


def test_memory_is_bounded():
    later = DelayQueue(StoppedClock())
    kept = [later.add(row(str(number)), 0) for number in range(MOST_ROWS + 5)]
    assert kept == [True] * MOST_ROWS + [False] * 5
