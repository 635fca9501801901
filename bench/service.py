"""The simulator as a process of its own: its address, its memory, what it saw."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

ANSWER_SECONDS = 60
STOP_SECONDS = 10

KEY = {"login": "simulator-id", "password": "simulator-key"}
"""Login and password of a connection to it."""


@dataclass(frozen=True)
class Service:
    """
    A running simulator.

    :param url: its address.
    :param pid: its process.
    """

    url: str
    pid: int

    def ask(self, path: str) -> Any:
        """Ask the control plane, for example ``ledger`` or ``people?limit=10``."""
        address = f"{self.url}/_sim/{path}"
        with urllib.request.urlopen(address, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - ours
            return json.load(answer)


@contextmanager
def simulator(*options: str) -> Iterator[Service]:
    """
    Start a simulator, give it, stop it.

    :param options: of its command line.
    """
    command = [sys.executable, "-m", "airflow_provider_faceid.simulator", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        try:
            first = process.stdout.readline() if process.stdout else ""
            if not first.startswith("listening on "):
                raise SystemExit("The simulator did not start")
            yield Service(first.removeprefix("listening on ").strip(), process.pid)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
