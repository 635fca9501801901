"""How long a test has patience, however busy the machine is."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SOON = 30.0
"""Seconds: far more than anything takes that need not wait, far less than what would never end."""
PATIENCE = 300.0
"""Seconds after which something that ends by itself is given up: a process, a thread, an Airflow."""
TRIES, MOST_TRIES = 3, 12
"""Tries of something that has to be fast, and of the same on a machine that is overloaded."""
OVERLOADED = 2.5
"""Processes that want a core, per core, from which a machine is overloaded: four workers of a test run
and two busy processes beside them are fewer on two cores."""
UNHURRIED = {
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": str(PATIENCE),
    "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": str(int(PATIENCE)),
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": str(PATIENCE),
}
"""Environment of an Airflow that fails no task because the machine is slow."""


def soon(holds: Callable[[], object]) -> bool:
    """Wait until something holds; say whether it does."""
    end = time.monotonic() + SOON
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.005)
    return bool(held)


def in_some_try(fast: Callable[[int], bool]) -> bool:
    """
    Say whether one of three tries is as fast as it should be; of more, while the machine is overloaded.

    A busy machine loses seconds now and then; what we lose ourselves is lost in every try.
    """
    for number in range(MOST_TRIES):
        if fast(number):
            return True
        if number + 1 >= TRIES and os.getloadavg()[0] <= OVERLOADED * (os.cpu_count() or 1):
            return False
    return False


@contextmanager
def once(holds: Callable[[], object], act: Callable[[], object]) -> Iterator[None]:
    """Do something beside the body as soon as something holds, which it must; wait for its end."""
    done: list[bool] = []

    def watch() -> None:
        if soon(holds):
            act()
            done.append(True)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    assert done, "what was waited for never was, or what was to be done then failed"
