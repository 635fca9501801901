"""``make bench``: the machine, then every section, each in a process of its own."""

from __future__ import annotations

import os
import platform
import signal
import sqlite3
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
SECTIONS = {
    "pace": "The pace: held, shared, and what a permit costs",
    "disturb": "The pace disturbed: workers killed and stopped, a quota halved",
    "priority": "A customer beside a table of 100,000 rows",
    "client": "What a signed call costs",
    "encryption": "What encrypted fields add to a call",
    "ledger": "What the ledger adds to a row",
    "store": "A state store of ten million calls",
    "photos": "Photos from a store that is far away",
    "dag": "A whole DAG",
    "million": "A million rows",
    "family": "Four Actions at once on two workers",
    "bad_rows": "Many rows of which three are bad",
    "unchanged": "A million rows of which none is due",
    "validation": "A million rows through the validation",
    "views": "The views over a million results",
    "report": "The report about a million results",
    "export": "A million results exported",
    "uplink": "Photos over a slow uplink",
    "simulator": "What the simulator keeps up with",
}
"""Scripts in the order they are run."""
SECONDS = 1800
STOP_SECONDS = 60


def main(wanted: list[str]) -> int:
    """Run some sections, or all; return 1 if one failed."""
    if unknown := set(wanted) - set(SECTIONS):
        print(f"No benchmark is called {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
        return 2
    for line in machine():
        print(line, flush=True)
    failed = []
    for name in wanted or SECTIONS:
        print(f"\n## {SECTIONS[name]}\n", flush=True)
        if code := run(HERE / f"{name}.py"):
            print(f"{name}: failed with exit code {code}", flush=True)
            failed.append(name)
    print("\nbench: " + (f"FAIL ({', '.join(failed)})" if failed else "PASS"))
    return 1 if failed else 0


def run(script: Path) -> int:
    """Run a script and return its exit code; one that takes too long is interrupted."""
    with subprocess.Popen([sys.executable, str(script)]) as process:  # noqa: S603 - ours
        for seconds, stop in ((SECONDS, signal.SIGINT), (STOP_SECONDS, signal.SIGKILL)):
            try:
                return process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(stop)
        return process.wait()


def machine() -> list[str]:
    """Return what the numbers depend on."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return [
        f"machine:    {_processor()}, {os.cpu_count()} cores, {memory:.0f} GB",
        f"kernel:     {platform.system()} {platform.release()}",
        f"Python:     {platform.python_version()}",
        f"Airflow:    {version('apache-airflow')}",
        f"SQLite:     {sqlite3.sqlite_version}",
        f"PostgreSQL: {_postgresql()}",
    ]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _postgresql() -> str:
    """Ask a running one: the package may hold several."""
    from deployment import postgres
    from psycopg import connect

    with (
        tempfile.TemporaryDirectory() as folder,
        postgres(Path(folder)) as uri,
        connect(uri) as connection,
    ):
        return str(connection.info.parameter_status("server_version"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
