"""A time limit over work that blocks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T]) -> T:
    """
    Return what ``work`` returns, or give up after so many seconds.

    The timeouts of requests are per read: a server that dribbles its answer resets them with every
    byte. The work therefore runs in a thread that is left behind when the time is up.

    :raises TimeoutError: the time is up.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name="faceid-call", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]
