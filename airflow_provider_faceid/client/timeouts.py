"""
Time limits, over work that blocks and over coroutines.

A process that was stopped or starved finds its limits over when it goes on, while answers that came
meanwhile, and are paid for, wait to be read. A limit that is seen late therefore gives a moment more.
"""

from __future__ import annotations

import asyncio
import ctypes
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")

LATE_SECONDS = 0.2
"""A limit that is seen so much too late was not looked at: this process had no time."""
MOMENT_SECONDS = 1.0
"""What it takes to read what has come: a thousand times as long as that usually takes."""
GRACE_SECONDS = 1.0
"""Work whose time is up may end by itself for as long as it had, and so much more: its own timeouts
are to come first."""


class _TooLateError(BaseException):
    """Raised in work whose time is up; no handler of its libraries takes it for an error."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """
    Return what ``work`` returns, or give up after so many seconds.

    :param work: has timeouts of no more seconds than these.
    :raises TimeoutError: the time is up.
    """
    end = time.monotonic() + seconds
    return until(lambda: end, work)


def until(end: Callable[[], float], work: Callable[[], T]) -> T:
    """
    Return what ``work`` returns, or give up at a moment that may move while it works.

    The timeouts of requests are per read: a server that dribbles its answer resets them with every
    byte. The work therefore runs in a thread that is left behind when the time is up. If its own
    timeouts do not end it either, we do: at once if it computes, with the next byte if it waits.

    :param end: says when, as things stand, on ``time.monotonic``.
    :param work: has timeouts of its own that end it about then.
    :raises TimeoutError: the time is up.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    deciding = threading.Lock()

    def run() -> None:
        with suppress(_TooLateError):
            try:
                results.append(work())
            except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
                errors.append(error)
            with deciding:
                pass

    def stop() -> None:
        with deciding:  # it cannot end meanwhile, so its number is not yet another thread's
            if not results and not errors:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_TooLateError)
                )

    thread = threading.Thread(target=run, name="faceid-call", daemon=True)
    began = time.monotonic()
    thread.start()
    while thread.is_alive() and (left := end() - time.monotonic()) > 0:
        thread.join(left)
    thread.join(_moment(time.monotonic() - end()))
    if errors:
        raise errors[0]
    if results:
        return results[0]
    later = threading.Timer(time.monotonic() - began + GRACE_SECONDS, stop)
    later.daemon = True
    later.start()
    raise TimeoutError


@asynccontextmanager
async def within_async(seconds: float) -> AsyncIterator[None]:
    """
    Give up what the body awaits after so many seconds.

    :raises TimeoutError: the time is up.
    """
    end = asyncio.get_running_loop().time() + seconds
    async with until_async(lambda: end):
        yield


class until_async:  # noqa: N801 - a function to its users, and entered with every call
    """
    Give up what the body awaits at a moment that may move meanwhile.

    :param end: says when, as things stand, on the event loop's clock.
    :raises TimeoutError: the time is up.
    """

    def __init__(self, end: Callable[[], float]) -> None:
        self._end = end

    async def __aenter__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = asyncio.timeout(None)
        await self._limit.__aenter__()
        self._alarm = self._loop.call_at(self._end(), self._look)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._alarm.cancel()
        await self._limit.__aexit__(kind, error, trace)

    def _look(self) -> None:
        end, now = self._end(), self._loop.time()
        if end > now:
            self._alarm = self._loop.call_at(end, self._look)
        else:
            self._limit.reschedule(now + _moment(now - end))


def _moment(late: float) -> float:
    """Return how much longer to wait when the end is seen so many seconds late."""
    return MOMENT_SECONDS if late > LATE_SECONDS else 0.0
