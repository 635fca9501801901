"""Rows that wait within a run."""

from __future__ import annotations

from airflow_provider_faceid.batch.inputs import Row
from airflow_provider_faceid.batch.later import MOST_ROWS, PATIENCE_SECONDS, Later

NOW = 5000.0


def row(key: str) -> Row:
    return Row(key, (1,))


def test_rows_come_out_when_they_are_due_the_earliest_first():
    later = Later()
    for key, wait in (("c", 30), ("a", 10), ("b", 20), ("a2", 10)):
        assert later.add(row(key), NOW + wait, NOW)
    assert later.due(NOW + 9.9) is None
    assert [later.due(NOW + 25).key for _ in range(3)] == ["a", "a2", "b"]
    assert later.due(NOW + 25) is None
    assert len(later) == 1


def test_a_moment_too_far_away_is_not_waited_for():
    later = Later()
    assert later.add(row("near"), NOW + PATIENCE_SECONDS, NOW)
    assert not later.add(row("far"), NOW + PATIENCE_SECONDS + 1, NOW)
    assert len(later) == 1


def test_memory_is_bounded():
    later = Later()
    kept = [later.add(row(str(number)), NOW, NOW) for number in range(MOST_ROWS + 5)]
    assert kept == [True] * MOST_ROWS + [False] * 5
