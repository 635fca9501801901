"""``make ui``: the Airflow UI on the demo's warehouse, with simulator and connections ready.

Everything listens on 127.0.0.1 only, Airflow's log servers are left out, and no password is asked
for. The address is printed last, once all components answer; Ctrl-C stops them all.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from applicants import fill
from home import HOME, UI_LOG, WAREHOUSE, environment, relative

from airflow_provider_faceid.simulator import simulator

# Airflow's log servers listen on every interface, whatever is configured: here they are not needed,
# since the api-server reads the same files.
COMPONENTS = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
CHECKED = ("metadatabase", "scheduler", "triggerer", "dag_processor")
START_SECONDS = 180
STOP_SECONDS = 20


def main() -> int:
    """Run simulator and Airflow until Ctrl-C; 1 if a component does not start or ends."""
    port = int(os.environ.get("PORT", "8080"))
    if in_use(port):
        say(f"Port {port} of 127.0.0.1 is taken. Choose another one: make ui PORT=8081")
        return 1
    HOME.mkdir(parents=True, exist_ok=True)
    with ExitStack() as running:
        # Airflow's loggers keep the stream they find first: the terminal is for our lines only.
        sys.stdout = sys.stderr = running.enter_context(UI_LOG.open("w", encoding="utf-8"))
        try:
            # The same options as in the demo: the same people, so its warehouse fits.
            service = running.enter_context(simulator("--people", "2000", "--seed", "7"))
            if not WAREHOUSE.exists():
                fill(WAREHOUSE, service.url)
            variables = environment(service.url)
            connections = {
                name: variables.pop(name) for name in list(variables) if "_CONN_" in name
            }
            os.environ |= variables | serving(port)
            store(connections)
            say(f"starting Airflow, which takes half a minute (log: {relative(UI_LOG)})")
            parts = {
                name: running.enter_context(component(command))
                for name, command in COMPONENTS.items()
            }
            running.callback(stop, parts)
            url = f"http://127.0.0.1:{port}"
            if not wait_until_healthy(url, parts):
                return 1
            say(f"simulator: {service.url}")
            say(f"Airflow:   {url} (Ctrl-C stops everything)")
            return wait(parts)
        except KeyboardInterrupt:
            say("\nstopping")
            return 0


def serving(port: int) -> dict[str, str]:
    """Return the variables that bring the components together on one port of this machine."""
    return {
        # the components are found by name
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    }


def store(connections: Mapping[str, str]) -> None:
    """Put the connections where the form can show them: into Airflow's database."""
    from airflow.models.connection import Connection  # noqa: PLC0415 - reads what was set above
    from airflow.utils.db import initdb  # noqa: PLC0415 - the same
    from airflow.utils.session import create_session  # noqa: PLC0415 - the same

    initdb()
    with create_session() as session:
        for name, text in connections.items():
            conn_id = name.removeprefix("AIRFLOW_CONN_").lower()
            session.query(Connection).filter(Connection.conn_id == conn_id).delete()
            # Not from_json(): that makes nothing of port 0, which the form's Test button sends.
            session.add(Connection(conn_id=conn_id, **json.loads(text)))


def in_use(port: int) -> bool:
    """Say whether something listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def component(command: tuple[str, ...]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a component of Airflow; stop it with all its processes, which share its session."""
    with subprocess.Popen(
        ["airflow", *command],
        stdin=subprocess.DEVNULL,
        stdout=sys.stdout,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            kill(process, signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                kill(process, signal.SIGKILL)


def stop(parts: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """Tell all components to stop, so that they do it at the same time."""
    for process in parts.values():
        kill(process, signal.SIGTERM)


def kill(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a component's processes, unless it has ended."""
    if process.poll() is None:
        os.killpg(process.pid, number)


def wait_until_healthy(url: str, parts: Mapping[str, subprocess.Popen[bytes]]) -> bool:
    """Say whether all components answer by the end of the time they have to start."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if ended(parts):
            return False
        if is_healthy(url):
            return True
        time.sleep(0.5)
    say(f"Airflow has not become healthy within {START_SECONDS} s; see {relative(UI_LOG)}")
    return False


def is_healthy(url: str) -> bool:
    """Ask Airflow for the health of its components."""
    try:
        with urllib.request.urlopen(f"{url}/api/v2/monitor/health", timeout=5) as answer:
            health = json.load(answer)
    except (OSError, ValueError):
        return False
    return all((health.get(name) or {}).get("status") == "healthy" for name in CHECKED)


def wait(parts: Mapping[str, subprocess.Popen[bytes]]) -> int:
    """Wait until a component ends by itself, which none should."""
    while not ended(parts):
        time.sleep(0.5)
    return 1


def ended(parts: Mapping[str, subprocess.Popen[bytes]]) -> bool:
    """Say whether a component has ended, and which, with the end of the log."""
    for name, process in parts.items():
        if process.poll() is not None:
            lines = UI_LOG.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
            say(f"Airflow's {name} has ended (exit code {process.returncode}):", *lines)
            return True
    return False


def say(*lines: str) -> None:
    """Print at once."""
    print(*lines, sep="\n", file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT):
        # SIGINT too: whatever a shell starts in the background ignores it, and would never stop.
        signal.signal(number, signal.default_int_handler)
    sys.exit(main())
