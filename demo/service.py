"""The simulator as a process of the demo's own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

STOP_SECONDS = 10


@contextmanager
def simulator(*options: str) -> Iterator[str]:
    """Start the simulator, give its address, stop it."""
    command = [sys.executable, "-m", "airflow_provider_faceid.simulator", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            first = process.stdout.readline() if process.stdout else ""
            if not first.startswith("listening on "):
                raise SystemExit("The simulator did not start")
            yield first.removeprefix("listening on ").strip()
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
