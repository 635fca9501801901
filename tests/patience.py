"""How long a test has patience, however busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable

SOON = 15.0
"""Seconds: far more than anything takes that need not wait, far less than what would never end."""


def soon(holds: Callable[[], bool]) -> bool:
    """Wait until something holds; say whether it does."""
    end = time.monotonic() + SOON
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.005)
    return held
