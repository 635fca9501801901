"""Work that a signal does not disturb: in a thread of its own, where no handler runs."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from .threads import T



def aside(work: Callable[[], T], stop: Callable[[BaseException], None]) -> T:
    """
    Work in another thread, and wait for it.

    Python runs signal handlers in the main thread, in the middle of whatever it does. What one
    raises there, as Airflow's does when ``execution_timeout`` is over, would end some task of an
    event loop and leave the others alone. Here it is raised where we wait.

    :param stop: is told what was raised; the work shall come to its end.
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
