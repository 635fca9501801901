"""Daemon threads for work that may hang, and a thread that signal handlers do not interrupt.

A photo on a mount may hang, a query may wait for a lock. Python waits at its end for the threads of
its own pools, whatever those wait for; :class:`DaemonThreads` end with the process.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from ..exceptions import UnavailableError

T = TypeVar("T")


def run_off_main_thread(work: Callable[[], T], stop: Callable[[BaseException], None]) -> T:
    """
    Do some work in another thread, which no signal handler interrupts, and wait for it.

    Python runs signal handlers in the main thread, in the middle of whatever it does. What one
    raises there, as Airflow's does when ``execution_timeout`` is over, would end some task of an
    event loop and leave the others alone. Here it is raised where we wait.

    :param stop: called with what was raised; it makes the work end.
    :raises BaseException: what was raised, or what the work raises, after its end.
    """
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1, "faceid-batch") as thread:
        working = thread.submit(context.run, work)
        try:
            wait([working])
        except BaseException as error:
            stop(error)
            raise  # after the work's end, for which the thread's own makes us wait
    return working.result()


LOOK_SECONDS = 0.5
"""Seconds between two looks at the stop signal while a thread is waited for."""
END_SECONDS = 2.0
"""Seconds that a shutdown waits for a thread."""

_Job = tuple["Future[Any]", Callable[[], Any]]


class DaemonThreads(Executor):
    """
    A pool of daemon threads: the process can end while one hangs.

    :param most: threads at most; they are started as they are needed.
    :param name: of the threads.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name = most, name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Do something in a thread."""
        future: Future[T] = Future()
        self._jobs.put((future, partial(fn, *args, **kwargs)))
        if not self._idle.acquire(blocking=False) and len(self._threads) < self._most:
            thread = threading.Thread(
                target=self._work, name=f"{self._name}_{len(self._threads)}", daemon=True
            )
            self._threads.append(thread)
            thread.start()
        return future

    def shutdown(
        self,
        wait: bool = True,  # noqa: FBT001, FBT002 - as the base class has it
        *,
        cancel_futures: bool = False,
    ) -> None:
        """
        Let all threads end, and go on after :data:`END_SECONDS` if one does not.

        :param cancel_futures: whether jobs that wait are dropped.
        """
        while cancel_futures and not self._jobs.empty():
            if (job := self._jobs.get()) is not None:
                job[0].cancel()
        for _ in self._threads:
            self._jobs.put(None)
        end = time.monotonic() + (END_SECONDS if wait else 0.0)
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, work = job
            if future.set_running_or_notify_cancel():
                try:
                    result = work()
                except BaseException as error:  # noqa: BLE001 - handed to the future
                    future.set_exception(error)
                else:
                    future.set_result(result)
            del future, work, job  # a picture is not kept until the next one comes
            self._idle.release()


async def in_thread(
    threads: Executor, is_stopping: Callable[[], bool], work: Callable[..., T], *args: Any
) -> T:
    """
    Await what is done in a thread, as long as the run goes on.

    :param is_stopping: says whether the run is stopping.
    :raises UnavailableError: it is, and the thread is left to itself.
    """
    doing = asyncio.get_running_loop().run_in_executor(threads, partial(work, *args))
    while not (await asyncio.wait({doing}, timeout=LOOK_SECONDS))[0]:
        if is_stopping():
            doing.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise UnavailableError("The run was stopped; run it again for the remaining rows")
    return doing.result()
