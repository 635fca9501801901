"""A running api-server on a fresh Airflow home, and its command line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_faceid.simulator import SimulatorServer
from tests.support.airflow_home import ApiServer
from tests.support.patience import PATIENCE, UNHURRIED


@dataclass
class Airflow:
    """An Airflow home."""

    env: dict[str, str]
    simulator: SimulatorServer

    def run(self, *command: str) -> str:
        """Run an ``airflow`` command and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *command],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    home = tmp_path_factory.mktemp("airflow")
    with SimulatorServer(people=20) as simulator:
        env = {
            **{name: value for name, value in os.environ.items() if "AIRFLOW" not in name},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            **UNHURRIED,
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW_CONN_FACEID_DEFAULT": json.dumps(
                {
                    "conn_type": "faceid",
                    "host": simulator.url,
                    "login": "simulator-id",
                    "password": "simulator-key",
                }
            ),
        }
        airflow = Airflow(env, simulator)
        airflow.run("db", "migrate")
        yield airflow


@pytest.fixture(scope="session")
def api_server(airflow: Airflow) -> Iterator[ApiServer]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "airflow", "api-server", "--host", "127.0.0.1"]
    with subprocess.Popen(
        [*command, "--port", str(port), "--workers", "1"],
        env=airflow.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            server = ApiServer(f"http://127.0.0.1:{port}")
            _wait(server, process)
            # As the page does before anyone can press a button. A server of Airflow 3.1 that tests
            # a connection before it shows a form has no forms of any provider from then on.
            server.ask("/ui/connections/hook_meta")
            yield server
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _wait(server: ApiServer, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while not server.log_in():
        assert process.poll() is None, "the api-server ended"
        assert time.monotonic() < end, "the api-server does not answer"
        time.sleep(0.5)
