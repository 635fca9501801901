"""A time limit over work that blocks: what is late is ended, and nothing else is."""

from __future__ import annotations

import threading
import time

import pytest

from airflow_provider_faceid.client import within as module
from airflow_provider_faceid.client.within import within
from tests.patience import SOON, soon


def no_thread_is_left() -> bool:
    return all(thread.name != "faceid-call" for thread in threading.enumerate())


def test_what_is_in_time_is_returned():
    assert within(SOON, lambda: 7) == 7


@pytest.mark.parametrize("kind", [ValueError, SystemExit])
def test_what_it_raises_is_raised(kind):
    def fail() -> None:
        raise kind("why")

    with pytest.raises(kind, match="why"):
        within(SOON, fail)


@pytest.fixture
def no_grace(monkeypatch):
    monkeypatch.setattr(module, "GRACE_SECONDS", 0)


@pytest.mark.usefixtures("no_grace")
def test_work_that_goes_on_is_ended():
    went_on = []

    def work() -> None:
        try:
            while True:
                time.sleep(0.001)
        except Exception:  # noqa: BLE001 - as libraries do
            went_on.append(True)

    with pytest.raises(TimeoutError):
        within(0.05, work)
    assert soon(no_thread_is_left)
    assert went_on == []


def test_work_that_ends_by_itself_is_left_to_it():
    over, ended = threading.Event(), []
    with pytest.raises(TimeoutError):
        within(0.01, lambda: [over.wait(SOON), ended.append(True)])
    over.set()
    assert soon(no_thread_is_left)
    assert ended == [True]


@pytest.mark.usefixtures("no_grace")
def test_what_ends_at_the_last_moment_is_returned_or_late_and_harms_nobody():
    """Whatever is raised in another thread than the one that is late fails this test."""
    ends = {True: 0, False: 0}
    for number in range(400):
        try:
            ends[within(0.001, lambda wait=number % 21 / 10_000: time.sleep(wait)) is None] += 1
        except TimeoutError:
            ends[False] += 1
    assert soon(no_thread_is_left)
    assert min(ends.values()) > 0
