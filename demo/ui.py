"""``make ui``: the Airflow UI on the demo's warehouse, with simulator and connections ready.

Everything listens on 127.0.0.1 only; nobody is asked for a password. Ctrl-C stops it all.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from applicants import fill
from home import HOME, WAREHOUSE, environment

from airflow_provider_faceid.simulator.process import simulator

STOP_SECONDS = 20


def main() -> int:
    """Run simulator and Airflow until Ctrl-C, and return Airflow's exit code."""
    port = os.environ.get("PORT", "8080")
    HOME.mkdir(exist_ok=True)
    # The same options as in the demo: the same people, so its warehouse fits.
    with simulator("--people", "2000", "--seed", "7") as service:
        url = service.url
        if not WAREHOUSE.exists():
            fill(WAREHOUSE, url)
        variables = environment(url)
        connections = {name: variables.pop(name) for name in list(variables) if "_CONN_" in name}
        os.environ |= variables | {
            # standalone starts its parts by name
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": port,
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        }
        store(connections)
        print(f"Airflow: http://127.0.0.1:{port} (starting takes half a minute; Ctrl-C stops)")
        return run_airflow()


def store(connections: dict[str, str]) -> None:
    """Put the connections where the form can show them: into Airflow's database."""
    from airflow.models.connection import Connection  # noqa: PLC0415 - reads what was set above
    from airflow.utils.db import initdb  # noqa: PLC0415 - the same
    from airflow.utils.session import create_session  # noqa: PLC0415 - the same

    initdb()
    with create_session() as session:
        for name, json in connections.items():
            conn_id = name.removeprefix("AIRFLOW_CONN_").lower()
            session.query(Connection).filter(Connection.conn_id == conn_id).delete()
            session.add(Connection.from_json(json, conn_id=conn_id))


def run_airflow() -> int:
    """Run Airflow's all-in-one process; stop it with all its parts, which share its session."""
    with subprocess.Popen(["airflow", "standalone"], start_new_session=True) as airflow:
        try:
            return airflow.wait()
        except KeyboardInterrupt:
            os.killpg(airflow.pid, signal.SIGTERM)
            try:
                return airflow.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(airflow.pid, signal.SIGKILL)
                return airflow.wait()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
