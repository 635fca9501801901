from __future__ import annotations

from collections import Counter

import pytest

from airflow_provider_faceid.batch.manifest import EVERY_SECONDS, Manifest, Progress, line
from airflow_provider_faceid.clock import Clock


class ManualClock(Clock):
    """Stands still until it is moved."""

    seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds


class Lines(list):
    """A logger that keeps its lines."""

    def info(self, text, *values):
        self.append(text % values)


@pytest.mark.parametrize(
    ("manifest", "text"),
    [
        (Manifest(rows_in=10), "0/10 rows, 0.0 calls/s, waiting; 0 calls, 0 charged; nothing yet"),
        (
            Manifest(rows_in=1, held=1, calls=1, charge_unknown=1, seconds=1),
            "1/1 rows, 1.0 calls/s, done; 1 call, 0 charged and 1 that may be; held 1",
        ),
        (Manifest(), "0/0 rows, 0.0 calls/s, done; 0 calls, 0 charged; nothing yet"),
        (
            Manifest(
                rows_in=100,
                outcomes=Counter(mismatch=2, match=30),
                quarantined=Counter(a=1, b=2),
                postponed=4,
                held=1,
                calls=36,
                charged=32,
                seconds=2,
            ),
            (
                "40/100 rows, 18.0 calls/s, 3 s left; 36 calls, 32 charged; "
                "match 30, mismatch 2, quarantined 3, postponed 4, held 1"
            ),
        ),
        (
            Manifest(rows_in=2, outcomes=Counter(match=2), calls=2, charged=2, seconds=1),
            "2/2 rows, 2.0 calls/s, done; 2 calls, 2 charged; match 2",
        ),
    ],
    ids=["before", "a call in doubt", "empty", "middle", "end"],
)
def test_a_line_says_how_far_how_fast_and_how_much(manifest, text):
    assert line(manifest) == text


def test_a_run_that_has_ended_promises_no_time_and_counts_one_call_as_one():
    ended = Manifest(rows_in=3, outcomes=Counter(match=1), calls=1, charged=1, seconds=1)
    assert line(ended, has_ended=True) == (
        "1/3 rows, 1.0 calls/s, ended with 2 rows left; 1 call, 1 charged; match 1"
    )


def test_the_last_line_is_not_written_twice():
    clock, lines = ManualClock(), Lines()
    progress = Progress("IdCardVerification", lines, clock)
    done = Manifest(rows_in=1, outcomes=Counter(match=1), calls=1, charged=1, seconds=1)
    clock.seconds += EVERY_SECONDS
    progress.tick(done)
    progress.tick(done, final=True)
    assert lines == ["IdCardVerification: 1/1 rows, 1.0 calls/s, done; 1 call, 1 charged; match 1"]


def test_a_line_comes_every_few_seconds_and_at_the_end():
    clock, lines = ManualClock(), Lines()
    progress = Progress("IdCardVerification", lines, clock)
    for _ in range(3):
        progress.tick(Manifest(rows_in=1))
        clock.seconds += EVERY_SECONDS / 2
    assert len(lines) == 1
    progress.tick(Manifest(rows_in=1), final=True)
    assert len(lines) == 2
    assert lines[0].startswith("IdCardVerification: 0/1 rows")
