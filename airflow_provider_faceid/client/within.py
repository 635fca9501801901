"""A time limit over work that blocks."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


GRACE_SECONDS = 1.0
"""Work whose time is up may end by itself for as long as it had, and so much more: its own timeouts
are to come first."""


class _TooLateError(BaseException):
    """Raised in work whose time is up; no handler of its libraries takes it for an error."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """
    Return what ``work`` returns, or give up after so many seconds.

    The timeouts of requests are per read: a server that dribbles its answer resets them with every
    byte. The work therefore runs in a thread that is left behind when the time is up. If its own
    timeouts do not end it either, we do: at once if it computes, with the next byte if it waits.

    :param work: has timeouts of no more seconds than these.

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

    def end() -> None:
        with deciding:  # it cannot end meanwhile, so its number is not yet another thread's
            if not results and not errors:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_TooLateError)
                )

    thread = threading.Thread(target=run, name="faceid-call", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if results:
        return results[0]
    later = threading.Timer(seconds + GRACE_SECONDS, end)
    later.daemon = True
    later.start()
    raise TimeoutError
