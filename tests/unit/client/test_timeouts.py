"""Time limits: what is late is ended, and nothing else is; what had come in time is read."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from itertools import chain, repeat
from types import SimpleNamespace

import pytest

from airflow_provider_faceid.client import timeouts as module
from airflow_provider_faceid.client.timeouts import timeout_async, within
from tests.support.patience import SOON, soon


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


def ask(seconds: float, *, stopped: float, answered: bool) -> bytes:
    """Wait for a byte in an event loop that stands still meanwhile, as in a stopped process."""

    async def wait() -> bytes:
        here, there = socket.socketpair()
        with there:
            reader, writer = await asyncio.open_connection(sock=here)
            try:
                async with timeout_async(seconds):
                    if answered:
                        there.send(b"x")
                    time.sleep(stopped)  # noqa: ASYNC251 - it is the loop that stops
                    for _ in range(10):  # an answer passes through several hands
                        await asyncio.sleep(0)
                    return await reader.readexactly(1)
            finally:
                writer.close()

    return asyncio.run(wait())


def test_a_coroutine_is_given_up_when_its_time_is_up():
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        ask(0.1, stopped=0, answered=False)
    assert 0.1 <= time.monotonic() - began < SOON


def test_what_came_while_this_process_was_stopped_is_read():
    assert ask(0.1, stopped=0.5, answered=True) == b"x"


def test_a_process_that_was_stopped_does_not_wait_for_long():
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        ask(0.1, stopped=0.5, answered=False)
    assert 0.5 + module.LATE_EXTENSION_SECONDS <= time.monotonic() - began < SOON


def test_what_came_while_the_thread_that_waits_was_stopped_is_returned(monkeypatch):
    """The machine's clock goes on by a minute as soon as it waits."""
    clock = chain([0.0, 0.0, 0.0], repeat(60.0))
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(module, "LATE_EXTENSION_SECONDS", SOON)  # however busy the machine is
    over = threading.Event()
    threading.Timer(0.3, over.set).start()
    assert within(0.01, lambda: over.wait(SOON)) is True
