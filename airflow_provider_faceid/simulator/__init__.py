"""A local Face ID service (simulator): start it as a child process, or as a server in a thread.

It has the data plane of the real service, and a control plane of its own. ``python -m
airflow_provider_faceid.simulator`` runs it; :func:`simulator` starts that command as a child process,
:class:`SimulatorServer` serves in a thread. The command and the class need the extra ``simulator``
(Pillow), so both are imported on first use; importing this package imports nothing heavy.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .server import SimulatorServer

__all__ = ["KEY", "SimulatorServer", "simulator"]

INSTALL = (
    "The simulator draws its people with Pillow: pip install 'airflow-provider-faceid[simulator]'"
)

ANSWER_SECONDS = 60
STOP_SECONDS = 10

_LISTENING = "listening on "
"""Printed by the command when its port is open, before the address."""


KEY = {"login": "simulator-id", "password": "simulator-key"}
"""Login and password of an Airflow connection to it: SecretId and SecretKey."""


@dataclass(frozen=True, slots=True)
class Process:
    """
    A running simulator.

    :param url: its address.
    :param pid: its process.
    """

    url: str
    pid: int

    def ask(self, path: str) -> Any:
        """Return the answer of the control plane to a GET, for example ``ledger`` or ``people?limit=10``."""
        address = f"{self.url}/_sim/{path}"
        with urllib.request.urlopen(address, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - ours
            return json.load(answer)


@contextmanager
def simulator(*options: str) -> Iterator[Process]:
    """
    Start a simulator on a free port, yield it, stop it.

    :param options: of its command line.
    :raises RuntimeError: it did not start; the cause is on stderr.
    """
    command = [sys.executable, "-m", str(__package__), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:  # noqa: S603 - ours
        try:
            first = running.stdout.readline() if running.stdout else ""
            if not first.startswith(_LISTENING):
                raise RuntimeError("The simulator did not start")
            yield Process(first.removeprefix(_LISTENING).strip(), running.pid)
        finally:
            running.terminate()
            try:
                running.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                running.kill()


def __getattr__(name: str) -> object:
    if name != "SimulatorServer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from .server import SimulatorServer  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "PIL":
            raise
        raise ModuleNotFoundError(INSTALL, name="PIL") from error
    return SimulatorServer
