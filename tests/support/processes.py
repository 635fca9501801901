"""The processes of a cluster: each has a log of its own and is stopped by its own id."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

STOP_SECONDS = 20
LINES, WIDTH = 40, 300


class Part:
    """
    A running process.

    :param name: what it is called in messages.
    :param folder: where it runs and writes its log.
    """

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, env: dict[str, str] | None = None
    ) -> None:
        self.name, self._log = name, folder / f"{name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True
            )
        self._children: list[psutil.Process] = []

    @property
    def log(self) -> str:
        """What it has printed until now."""
        return self._log.read_text(errors="replace")

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._process.poll() is not None

    def ask_to_end(self) -> None:
        """Ask it to end, which includes that it asks its children."""
        if not self.ended:
            self._children = psutil.Process(self._process.pid).children(recursive=True)
            self._process.terminate()

    def end(self) -> None:
        """Return when it has ended; what is left of it is killed."""
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for child in self._children:
            with suppress(psutil.NoSuchProcess):
                child.kill()


class Parts(list[Part]):
    """Processes that need each other: if one ends, the others need not be waited for."""

    def wait_for(self, what: str, look: Callable[[], Any], seconds: float) -> Any:
        """
        Look until there is something to see, and return it.

        :raises AssertionError: a process ended, or the time is over; shows the end of every log.
        """
        end = time.monotonic() + seconds
        while not (seen := look()):
            ended = [part.name for part in self if part.ended]
            assert not ended, f"{', '.join(ended)} ended before {what}\n{self.last_words()}"
            assert time.monotonic() < end, f"no {what} in {seconds:.0f} s\n{self.last_words()}"
            time.sleep(0.2)
        return seen

    def last_words(self) -> str:
        """Return the end of every log."""
        lines = []
        for part in self:
            lines.append(f"--- {part.name}")
            lines += [line[:WIDTH] for line in part.log.splitlines()[-LINES:]]
        return "\n".join(lines)

    def stop(self) -> None:
        """Stop all of them."""
        for part in self:
            part.ask_to_end()
        for part in self:
            part.end()


def free_port() -> int:
    """Return a port nobody listens on at this moment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
