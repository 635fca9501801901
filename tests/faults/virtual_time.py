"""An event loop whose time jumps to the next timer: minutes of pacing in a moment, deterministic."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

from airflow_provider_faceid.clock import Clock


class JumpingSelector(selectors.SelectSelector):
    """Waits for nothing: the time it would have waited has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """Return what is ready now; if nothing is, move on by the time-out."""
        ready = super().select(0)
        if not ready and timeout:
            self.seconds += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop on the selector's time."""

    def __init__(self) -> None:
        self.jumping = JumpingSelector()
        super().__init__(self.jumping)

    def time(self) -> float:
        """Return the selector's seconds."""
        return self.jumping.seconds


class LoopClock(Clock):
    """The time of the running loop."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    monotonic = now


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end on such a loop."""
    loop = JumpingLoop()
    try:
        loop.run_until_complete(work)
    finally:
        loop.close()
