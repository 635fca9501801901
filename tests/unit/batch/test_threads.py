"""Threads that keep nobody waiting."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from airflow_provider_faceid.batch import threads as module
from airflow_provider_faceid.batch.threads import DaemonThreads, in_thread
from airflow_provider_faceid.exceptions import UnavailableError
from tests.support.patience import SOON

HANGS = """
import threading
from airflow_provider_faceid.batch.threads import DaemonThreads
DaemonThreads(1, "hangs").submit(threading.Event().wait)
print("the end", flush=True)
"""


def test_what_is_done_comes_back_and_so_does_what_went_wrong():
    pool = DaemonThreads(2, "some")
    doubled = [pool.submit(lambda number: 2 * number, number) for number in range(50)]
    assert [future.result(SOON) for future in doubled] == list(range(0, 100, 2))
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 / 0).result(SOON)
    pool.shutdown()


def test_no_more_threads_than_may_be_and_none_without_need():
    pool, most = DaemonThreads(3, "few"), 3
    for _ in range(5):
        pool.submit(lambda: None).result(SOON)
        while pool._idle._value == 0:
            pass
    assert len(pool._threads) == 1
    together = threading.Barrier(most + 1)
    waiting = [pool.submit(together.wait, SOON) for _ in range(most)]
    together.wait(SOON)
    assert [future.result(SOON) is not None for future in waiting] == [True] * most
    assert len(pool._threads) == most
    pool.shutdown()
    assert not any(thread.is_alive() for thread in pool._threads)


def test_who_hangs_is_left_behind(monkeypatch):
    monkeypatch.setattr(module, "END_SECONDS", 0.01)
    pool, over = DaemonThreads(1, "hangs"), threading.Event()
    pool.submit(over.wait)
    dropped = pool.submit(lambda: None)
    pool.shutdown(cancel_futures=True)
    assert dropped.cancelled()
    over.set()


def test_a_process_ends_whatever_its_threads_wait_for():
    ended = subprocess.run(
        [sys.executable, "-c", HANGS], check=True, capture_output=True, timeout=4 * SOON
    )
    assert ended.stdout == b"the end\n"


def test_a_halt_is_seen_while_a_thread_hangs(monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    pool, over = DaemonThreads(1, "hangs"), threading.Event()
    looks = iter([False, False, True])
    with pytest.raises(UnavailableError, match="stopped"):
        asyncio.run(in_thread(pool, lambda: next(looks), over.wait))
    over.set()
    assert asyncio.run(in_thread(pool, lambda: False, lambda: "done")) == "done"
    pool.shutdown()
