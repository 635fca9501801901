"""An Airflow whose tasks run on two hosts: who is told what, and what is started."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.distributed import host, policy
from tests.support.airflow_home import ApiServer
from tests.support.patience import PATIENCE, UNHURRIED
from tests.support.processes import Part, Parts, free_port

PROJECT = Path(__file__).resolve().parents[2]
AIRFLOW = (sys.executable, "-m", "airflow")
WORKERS = ("worker-one", "worker-two")
TASKS_PER_WORKER = 2
"""Half the shards of the example: a worker cannot take them all."""
START_SECONDS = RUN_SECONDS = PATIENCE


@dataclass
class Cluster:
    """
    Airflow with the CeleryExecutor.

    A worker gets what it would get on a host of its own: a home of its own, the addresses of
    broker, result backend and api-server, and the connections.

    :param folder: for homes and logs.
    :param broker: address of Redis.
    :param database: SQLAlchemy address of Airflow's database, which is empty.
    :param connections: Airflow connections by their variables.
    """

    folder: Path
    broker: str
    database: str
    connections: dict[str, str]
    parts: Parts = field(default_factory=Parts)
    api: ApiServer = field(default_factory=lambda: ApiServer(f"http://127.0.0.1:{free_port()}"))

    def start(self) -> None:
        """Start everything, and return when it can run tasks."""
        control = self._control()
        _migrate(control)
        port = self.api.url.rpartition(":")[2]
        self._begin(control, "api-server", "--host", "127.0.0.1", "--port", port, "--workers", "1")
        self._begin(control, "scheduler")
        self._begin(control, "dag-processor")
        for name in WORKERS:
            (self.folder / name / "config").mkdir(parents=True)
            settings = self.folder / name / "config" / "airflow_local_settings.py"
            settings.write_text(policy.SETTINGS)
        options = ("--skip-serve-logs", "--concurrency", str(TASKS_PER_WORKER))
        workers = [
            self._begin(self._worker(name), "celery", "worker", *options, "--celery-hostname", name)
            for name in WORKERS
        ]
        self.parts.wait_for("answer of the api-server", self.api.log_in, START_SECONDS)
        self.parts.wait_for(
            "both workers",
            lambda: all(" ready." in worker.log for worker in workers),
            START_SECONDS,
        )

    def run(self, dag_id: str, day: str) -> dict[str, Any]:
        """Trigger a DAG for a logical date and return its run when it has succeeded."""
        path = f"/api/v2/dags/{dag_id}"
        self.parts.wait_for(f"DAG {dag_id}", lambda: self.api.has(path), START_SECONDS)
        return self._success_of(self.api.ask(f"{path}/dagRuns", {"logical_date": day}))

    def run_again(self, run: dict[str, Any]) -> dict[str, Any]:
        """Clear every task of a run and return the run when it has succeeded again."""
        self.api.ask(f"{_path(run)}/clear", {"dry_run": False, "only_failed": False})
        return self._success_of(run)

    def tasks(self, run: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the task instances of a run."""
        return self.api.ask(f"{_path(run)}/taskInstances?limit=100")["task_instances"]

    def result(self, run: dict[str, Any], task_id: str) -> Any:
        """Return what a task of a run returned."""
        entry = f"taskInstances/{task_id}/xcomEntries/return_value?deserialize=true"
        return self.api.ask(f"{_path(run)}/{entry}")["value"]

    def left(self) -> list[float]:
        """Return when the workers let calls go, in seconds since 1970."""
        files = (self.folder / name / "left" for name in WORKERS)
        return [float(line) for file in files for line in file.read_text().split()]

    def _begin(self, env: dict[str, str], *command: str) -> Part:
        name = env[host.VARIABLE] if command[0] == "celery" else command[0]
        self.parts.append(Part(name, (*AIRFLOW, *command), self.folder, env))
        return self.parts[-1]

    def _success_of(self, run: dict[str, Any]) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            now = self.api.ask(_path(run))
            return now if now["state"] in {"success", "failed"} else None

        now = self.parts.wait_for("end of the run", ended, RUN_SECONDS)
        assert now["state"] == "success", f"the run failed\n{self.parts.last_words()}"
        return now

    def _control(self) -> dict[str, str]:
        """Return the environment of everything that is no worker."""
        return self._environment("control") | {
            # The workers have no secret: each task comes with a token.
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.database,
            # Only the tests make runs, whatever the time of the day.
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
        }

    def _worker(self, name: str) -> dict[str, str]:
        left = str(self.folder / name / "left")
        return self._environment(name) | self.connections | {policy.VARIABLE: left}

    def _environment(self, name: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
        return kept | {
            "PYTHONPATH": str(PROJECT),  # for the name of the host
            host.VARIABLE: name,
            "AIRFLOW_HOME": str(self.folder / name),
            "AIRFLOW__CELERY__BROKER_URL": self.broker,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{self.database}",
            "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "example_dags"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.api.url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": f"{host.__name__}.name",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            **UNHURRIED,
            # A line for each request would hide all others.
            "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "http.access=WARNING",
            "AIRFLOW__LOGGING__TASK_LOGS_TO_STDOUT": "True",
        }


def _migrate(env: dict[str, str]) -> None:
    done = subprocess.run(
        [*AIRFLOW, "db", "migrate"],
        env=env,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def _path(run: dict[str, Any]) -> str:
    return f"/api/v2/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}"
