"""A real Airflow on this machine: scheduler with LocalExecutor, DAG processor, api-server."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from tests.support.patience import PATIENCE, UNHURRIED
from tests.support.processes import Part, Parts, free_port

PROJECT = Path(__file__).resolve().parents[2]
AIRFLOW = (sys.executable, "-m", "airflow")
TAKES_COMMANDS = tuple(map(int, version("apache-airflow").split(".")[:2])) >= (3, 2)
"""Whether Airflow takes commands of providers."""
FACEID = (
    (*AIRFLOW, "faceid") if TAKES_COMMANDS else (sys.executable, "-m", "airflow_provider_faceid")
)
"""How a command of ours is typed."""
DAGS = {"examples": PROJECT / "example_dags", "tests": PROJECT / "tests" / "pii_scan" / "dags"}
"""DAG files by the name of their bundle."""
PARALLEL = 4
BUSY, BUSY_TIMES, BUSY_SECONDS = (500, 503), 20, 0.5
START_SECONDS = RUN_SECONDS = PATIENCE
ENDED = {"success", "failed", "upstream_failed", "skipped"}

DATABASE, SERVER_LOCK_SECONDS = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", 10
LINEAGE = "lineage.jsonl"
ERROR = re.compile(
    r"\[(error|critical) *\]|\"level\": ?\"(error|critical)\"|^\w*(Error|Exception)\b"
)
LINES, WIDTH = 40, 600

POLICY = """\
import logging, sys
from datetime import timedelta

if "scheduler" in sys.argv:  # tasks are forks of it: seconds that none of them takes to import this
    for name in ("_docs_decorators", "expectations.registry"):
        logging.getLogger(f"great_expectations.{name}").setLevel(logging.WARNING)
    import great_expectations

def task_policy(task):
    task.retry_delay = timedelta(seconds=1)  # nobody waits five minutes for the end of a test
"""


@dataclass
class ApiServer:
    """A running api-server."""

    url: str
    token: str = ""

    def ask(
        self, path: str, body: dict[str, Any] | None = None, *, method: str = "", token: str = ""
    ) -> Any:
        """
        Send a request, with another user's token if one is given, and return the JSON answer.

        Airflow answers 500 or 503 when others hold its SQLite file, and has done nothing then, but for a
        backfill, which is there by then.
        """
        for _ in range(BUSY_TIMES):
            try:
                return self._ask(path, body, method, token)
            except urllib.error.HTTPError as error:
                if error.code not in BUSY:
                    raise
            time.sleep(BUSY_SECONDS)
        return self._ask(path, body, method, token)

    def _ask(self, path: str, body: dict[str, Any] | None, method: str, token: str) -> Any:
        request = urllib.request.Request(
            self.url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {token or self.token}",
                "Content-Type": "application/json",
            },
            method=method or None,
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return json.load(response)

    def has(self, path: str) -> bool:
        """Say whether there is something at a path."""
        try:
            return bool(self.ask(path))
        except urllib.error.HTTPError:
            return False

    def log_in(self) -> bool:
        """Take a token, if it answers by now."""
        try:
            self.token = self.ask("/auth/token")["access_token"]
        except (urllib.error.URLError, ConnectionError):
            return False
        return True


@dataclass
class Run:
    """A DAG run."""

    api: ApiServer
    parts: Parts
    dag_id: str
    run_id: str

    @property
    def path(self) -> str:
        return f"/api/v2/dags/{self.dag_id}/dagRuns/{self.run_id}"

    def state(self) -> str:
        """Return how it stands."""
        return self.api.ask(self.path)["state"]

    def tasks(self, task_id: str | None = None) -> list[dict[str, Any]]:
        """Return its task instances, or those of one task."""
        found = self.api.ask(f"{self.path}/taskInstances?limit=100")["task_instances"]
        return [ti for ti in found if task_id in {None, ti["task_id"]}]

    def states(self) -> dict[str, set[str]]:
        """Return the states of the instances of each task."""
        found: dict[str, set[str]] = {}
        for ti in self.tasks():
            found.setdefault(ti["task_id"], set()).add(ti["state"])
        return found

    def until_ended(self) -> str:
        """Return the state in which it ended."""
        self.parts.wait_for(f"end of {self.dag_id}", lambda: self.state() in ENDED, RUN_SECONDS)
        return self.state()


@dataclass
class Home:
    """
    An Airflow of its own, with everything it writes below one folder.

    :param folder: ``AIRFLOW_HOME``, what the parts print, temporary files.
    :param connections: Airflow connections by id.
    :param bundles: folders of DAG files by the name of their bundle.
    :param settings: further environment variables.
    """

    folder: Path
    connections: Mapping[str, Mapping[str, Any]]
    bundles: Mapping[str, Path] = field(default_factory=lambda: DAGS)
    settings: Mapping[str, str] = field(default_factory=dict)
    parts: Parts = field(default_factory=Parts)
    api: ApiServer = field(default_factory=lambda: ApiServer(f"http://127.0.0.1:{free_port()}"))
    runs: int = 0

    @property
    def lineage(self) -> Path:
        """Return the file OpenLineage writes its events to."""
        return self.folder / LINEAGE

    def start(self) -> None:
        """Start it, and return when it can run tasks."""
        (self.folder / "airflow" / "config").mkdir(parents=True)
        (self.folder / "airflow" / "config" / "airflow_local_settings.py").write_text(POLICY)
        for name in ("tmp", "user"):
            (self.folder / name).mkdir()
        self._migrate()
        port = self.api.url.rpartition(":")[2]
        self._begin("api-server", "--host", "127.0.0.1", "--port", port, "--workers", "1")
        # A task that begins before the api-server answers is lost.
        self.parts.wait_for("answer of the api-server", self.api.log_in, START_SECONDS)
        self._begin_scheduling()

    def errors(self) -> str:
        """Return what went wrong, as its parts and tasks tell it."""
        logs = [*self.folder.glob("*.log"), *(self.folder / "airflow" / "logs").rglob("*.log")]
        lines = [
            f"{log.name}: {line[:WIDTH]}"
            for log in sorted(logs)
            for line in log.read_text(errors="replace").splitlines()
            if ERROR.search(line)
        ]
        return "\n".join(lines[-LINES:])

    def restart(self, **settings: str) -> None:
        """Start scheduler and DAG processor anew, with other settings."""
        self.settings = {**self.settings, **settings}
        for part in [part for part in self.parts if part.name != "api-server"]:
            part.ask_to_end()
            part.end()
            self.parts.remove(part)
        self._begin_scheduling()

    def _begin_scheduling(self) -> None:
        self._begin("scheduler", "--skip-serve-logs")
        self._begin("dag-processor")

    def trigger(self, dag_id: str, **conf: Any) -> Run:
        """Start a run of a DAG, for a logical date of its own."""
        path = f"/api/v2/dags/{dag_id}"
        self.parts.wait_for(f"DAG {dag_id}", lambda: self.api.has(path), START_SECONDS)
        self.runs += 1
        day = datetime.now(UTC).replace(microsecond=0) - timedelta(days=self.runs)
        body = {"logical_date": day.isoformat(), "conf": conf}
        made = self.api.ask(f"{path}/dagRuns", body)
        return Run(self.api, self.parts, dag_id, made["dag_run_id"])

    def type_(self, *arguments: str) -> str:
        """Run a command of ours as a person on a worker does; return what it printed."""
        return self._run(*FACEID, *arguments).stdout

    def kill(self, run: Run, task_id: str) -> int:
        """Kill the process of a running task with signal 9, and return its id."""
        (ti,) = run.tasks(task_id)
        scheduler = next(part for part in self.parts if part.name == "scheduler")
        ours = {
            child.pid for child in psutil.Process(scheduler._process.pid).children(recursive=True)
        }
        assert ti["pid"] in ours, "the task is no child of this scheduler"
        os.kill(ti["pid"], signal.SIGKILL)
        return ti["pid"]

    def _begin(self, *command: str) -> None:
        environment = self._environment()
        if command[0] == "api-server":
            # It writes its audit log in the event loop, which then waits for a transaction that only
            # the event loop can end: a long wait for the lock would be a long deadlock.
            environment |= {DATABASE: self._database(SERVER_LOCK_SECONDS)}
        self.parts.append(Part(command[0], (*AIRFLOW, *command), self.folder, environment))

    def _migrate(self) -> None:
        done = self._run(*AIRFLOW, "db", "migrate")
        (self.folder / "migration.log").write_text(done.stdout + done.stderr)

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in this Airflow's environment until it ends; one that fails is an error."""
        done = subprocess.run(
            command,
            env=self._environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        return done

    def _database(self, lock_seconds: float) -> str:
        """Return the address of the metadata database, with a limit for waiting for its lock."""
        return f"sqlite:///{self.folder / 'airflow' / 'airflow.db'}?timeout={lock_seconds}"

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if "AIRFLOW" not in name}
        bundles = [
            {
                "name": name,
                "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                "kwargs": {"path": str(folder)},
            }
            for name, folder in self.bundles.items()
        ]
        return (
            kept
            | {
                "AIRFLOW_HOME": str(self.folder / "airflow"),
                "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
                "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.api.url}/execution/",
                "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                **UNHURRIED,
                "AIRFLOW__CORE__PARALLELISM": str(PARALLEL),
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
                # Five seconds, as usual, are little for so many processes on one file and a busy machine.
                DATABASE: self._database(PATIENCE),
                "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
                # As whoever looks for a mistake would set it.
                "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
                "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
                    {"type": "file", "log_file_path": str(self.lineage), "append": True}
                ),
                # Only the tests make runs, whatever the time of the day.
                "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
                "HOME": str(self.folder / "user"),
                "PYTHONDONTWRITEBYTECODE": "1",
                "TMPDIR": str(self.folder / "tmp"),
            }
            | {
                f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection)
                for name, connection in self.connections.items()
            }
            | dict(self.settings)
        )
