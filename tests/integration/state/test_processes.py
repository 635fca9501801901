"""Processes that share one pace, in real time; one of them killed, one of them stopped."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.departures import busiest_second
from tests.support.patience import PATIENCE, in_some_try

WORKER = Path(__file__).with_name("worker.py")
QUOTA, RATE, COUNT = 100, 97.0, 4


class Workers:
    """
    Processes over one store.

    :ivar began: when they were let go.
    """

    def __init__(self, url: str, seconds: float, folder: Path) -> None:
        self.seconds = seconds
        self.logs = [folder / f"worker_{number}" for number in range(COUNT)]
        self.processes = [
            subprocess.Popen(
                [sys.executable, str(WORKER), url, str(RATE), str(seconds), str(log)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for log in self.logs
        ]
        self.began = 0.0

    def go(self) -> None:
        """Wait until all are ready and let them go at the same moment."""
        assert [process.stdout.readline() for process in self.processes] == ["ready\n"] * COUNT
        self.began = time.time()
        for process in self.processes:
            process.stdin.write(f"{self.began}\n")
            process.stdin.flush()

    def sleep_until(self, second: float) -> None:
        time.sleep(max(0.0, self.began + second - time.time()))

    def calls(self) -> list[list[float]]:
        """Wait for the end; return the moments of each one's calls."""
        for process in self.processes:
            process.wait(PATIENCE)
        return [[float(line) for line in log.read_text().splitlines()] for log in self.logs]

    def longest_gap(self, calls: list[list[float]]) -> float:
        """Return the longest time without a call of these, from the start to the end."""
        called = (moment for one in calls for moment in one)
        moments = sorted([self.began, *called, self.began + self.seconds])
        return max(after - before for before, after in itertools.pairwise(moments))

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()


@pytest.fixture
def workers(tmp_path) -> Iterator[Callable[[str, float], Workers]]:
    started: list[Workers] = []

    def start(url: str, seconds: float) -> Workers:
        started.append(Workers(url, seconds, tmp_path))
        started[-1].go()
        return started[-1]

    yield start
    for one in started:
        one.close()


def busiest(calls: list[list[float]]) -> int:
    """Return the most calls of all together in a second."""
    return busiest_second([*itertools.chain(*calls)])


def test_four_processes_hold_the_rate_and_share_it(url, workers, record_property):
    """They hold it in a second in which the machine lets them, and none is left out."""

    def share(_: int) -> bool:
        calls = workers(url, 3).calls()
        counts = [len(one) for one in calls]
        record_property("measured", f"busiest second {busiest(calls)}, shares {counts}")
        assert busiest(calls) <= QUOTA + 1
        return busiest(calls) >= 0.97 * RATE and min(counts) / max(counts) >= 0.5

    assert in_some_try(share)


def test_a_killed_process_costs_the_others_less_than_a_second(sqlite_url, workers):
    def kill(_: int) -> bool:
        running = workers(sqlite_url, 2)
        running.sleep_until(0.8)
        running.processes[0].send_signal(signal.SIGKILL)
        calls = running.calls()
        assert busiest(calls) <= QUOTA + 1
        return running.longest_gap(calls[1:]) < 1

    assert in_some_try(kill)


def test_a_stopped_process_sends_no_burst_when_it_goes_on(sqlite_url, workers):
    def stop(_: int) -> bool:
        running = workers(sqlite_url, 4.5)
        running.sleep_until(0.5)
        running.processes[0].send_signal(signal.SIGSTOP)
        running.sleep_until(3.5)
        running.processes[0].send_signal(signal.SIGCONT)
        calls = running.calls()
        assert busiest(calls) <= QUOTA + 1
        woken = any(moment > running.began + 3.5 for moment in calls[0])
        return woken and running.longest_gap(calls[1:]) < 1

    assert in_some_try(stop)
