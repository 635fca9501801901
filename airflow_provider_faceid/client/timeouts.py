"""
Timeouts and deadlines over blocking work and over coroutines.

After a stopped or starved process continues, its deadlines have passed, while answers that arrived
meanwhile, and are paid for, wait in the socket. A deadline that is noticed late is therefore extended
once, for reading them.
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
"""A deadline that is noticed this many seconds late shows that the process did not run."""
LATE_EXTENSION_SECONDS = 1.0
"""The extension: a thousand times what reading an answer that has arrived usually takes."""
GRACE_SECONDS = 1.0
"""Timed-out work may end by its own timeouts for as long as it ran, plus this; then it is interrupted."""


class _TooLateError(BaseException):
    """Raised in timed-out work. It is no ``Exception``, so that no library handles it."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """
    Run blocking work with a timeout; return its result.

    :param seconds: the timeout.
    :param work: must have timeouts of its own that are no longer.
    :raises TimeoutError: the timeout has passed.
    """
    end = time.monotonic() + seconds
    return until(lambda: end, work)


def until(end: Callable[[], float], work: Callable[[], T]) -> T:
    """
    Run blocking work with a deadline that may move meanwhile; return its result.

    The timeouts of requests are per read: a server that dribbles its answer resets them with each
    byte. The work therefore runs in a thread, which is abandoned when the deadline has passed. If its
    own timeouts do not end it either, an asynchronous exception does: at once if it computes, with the
    next byte if it blocks.

    :param end: returns the present deadline, on ``time.monotonic``.
    :param work: must have timeouts of its own that end it at about that time.
    :raises TimeoutError: the deadline has passed.
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
    thread.join(_extension(time.monotonic() - end()))
    if errors:
        raise errors[0]
    if results:
        return results[0]
    later = threading.Timer(time.monotonic() - began + GRACE_SECONDS, stop)
    later.daemon = True
    later.start()
    raise TimeoutError


@asynccontextmanager
async def timeout_async(seconds: float) -> AsyncIterator[None]:
    """
    Apply a timeout in seconds to the body.

    :raises TimeoutError: the timeout has passed.
    """
    end = asyncio.get_running_loop().time() + seconds
    async with deadline_async(lambda: end):
        yield


class deadline_async:  # noqa: N801 - a function to its users, and entered with every call
    """
    Apply a deadline that may move meanwhile to the body.

    :param end: returns the present deadline, on the event loop's clock.
    :raises TimeoutError: the deadline has passed.
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
            self._limit.reschedule(now + _extension(now - end))


def _extension(late: float) -> float:
    """Return the seconds by which to extend a deadline that is noticed so many seconds late."""
    return LATE_EXTENSION_SECONDS if late > LATE_SECONDS else 0.0
