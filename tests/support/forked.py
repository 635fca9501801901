"""Processes forked from a server that has imported what they need: they begin at once, and may be killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

from tests.support.patience import PATIENCE

FORKED = get_context("forkserver")
"""Start method whose server has no thread, connection or file of the tests that a child would inherit."""

FORKED.set_forkserver_preload(
    ["tests.faults.worker", "tests.support.erasures", "tests.support.exports"]
)


class Forked:
    """
    A function in a process of its own.

    :param work: function of a module.
    :param log: file to which what it prints is added.
    :ivar pid: of the process.
    """

    def __init__(
        self, work: Callable[..., None], *parts: Any, log: str = os.devnull, **more: Any
    ) -> None:
        self._process = FORKED.Process(target=_run, args=(log, work, parts, more), daemon=True)
        self._process.start()
        self.pid = int(self._process.pid or 0)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        return self._process.exitcode

    def wait(self) -> int:
        """Return the exit code when it has ended."""
        self._process.join(PATIENCE)
        if (code := self.poll()) is None:
            self._process.kill()
            raise TimeoutError("the process does not end")
        return code

    def kill(self) -> None:
        """End it at once."""
        self.send(signal.SIGKILL)
        self.wait()


def _run(log: str, work: Callable[..., None], parts: tuple[Any, ...], more: dict[str, Any]) -> None:
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(file, 1)
    os.dup2(file, 2)
    work(*parts, **more)
