"""A table of people, a service with latency, and workers that may be killed."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_faceid.simulator import SimulatorServer

WORKER = Path(__file__).with_name("worker.py")
ACTION = "IdCardVerification"
ROWS = 600


class Plant:
    """
    One table, one service, one state store.

    :ivar server: the service, whose ledger is the truth.
    """

    def __init__(self, folder: Path, server: SimulatorServer) -> None:
        self.folder, self.server = folder, server
        self._started: list[subprocess.Popen[bytes]] = []
        people = [p for p in server.account.people.listed if not p.special][:ROWS]
        with sqlite3.connect(folder / "warehouse") as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE people (id INTEGER, id_card TEXT, name TEXT)")
            connection.executemany(
                "INSERT INTO people VALUES (?, ?, ?)",
                [(key, p.id_card, p.name) for key, p in enumerate(people)],
            )
        connection.close()

    def start(self, owner: str, in_flight: int = 32) -> subprocess.Popen[bytes]:
        """Start a run."""
        paths = [str(self.folder / name) for name in ("warehouse", "state")]
        with (self.folder / "log").open("ab") as log:
            self._started.append(
                subprocess.Popen(
                    [sys.executable, WORKER, self.server.url, *paths, owner, str(in_flight)],
                    stdout=log,
                    stderr=log,
                )
            )
        return self._started[-1]

    def finish(self, owner: str) -> int:
        """Run to the end; return the exit code."""
        return self.start(owner).wait(120)

    def calls(self) -> Counter[str]:
        """Return calls by ID number, as the service saw them."""
        return Counter(str(call["id_card"]) for call in self.server.account.ledger.rows())

    def results(self) -> dict[str, str]:
        """Return where each row stands, by its key."""
        with sqlite3.connect(self.folder / "warehouse") as connection:
            found = connection.execute("SELECT source_key, status FROM faceid_results").fetchall()
        connection.close()
        return dict(found)

    def stop(self) -> None:
        """Stop what still runs."""
        for process in self._started:
            process.kill()
            process.wait()


@pytest.fixture
def plant(tmp_path) -> Iterator[Plant]:
    with SimulatorServer(
        people=ROWS + 60, quotas={ACTION: 0}, latency_ms=(10, 60), identity_limits={}
    ) as server:
        plant = Plant(tmp_path, server)
        yield plant
        plant.stop()
