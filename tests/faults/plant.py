"""A table of people, a service, and workers in processes of their own that may be killed."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.state.store import StateStore
from tests.support.forked import Forked
from tests.support.patience import PATIENCE

from .invariants import Facts, hold
from .worker import main

ACTION = "IdCardVerification"
RATE = 400
"""Calls per second of all workers together, unless a test says otherwise."""
MOST_STOPS = 20
LATEST_TRY = """
    SELECT t.number, COUNT(c.call_key) FROM faceid_tries t LEFT JOIN faceid_calls c
    ON c.owner = t.owner AND c.try_number = t.number AND c.state = 'sent' GROUP BY t.owner
"""


def contents(url: str) -> dict[str, bytes]:
    """Return everything a state store holds: its tables, and the files of SQLite."""
    store = StateStore(url)
    tables = (
        "faceid_calls",
        "faceid_tries",
        "faceid_identity_uses",
        "faceid_pace",
        "faceid_housekeeping",
    )
    with store.transaction() as cursor:
        held = {}
        for table in tables:
            cursor.execute(f"SELECT * FROM {table}")
            held[table] = repr(cursor.fetchall()).encode()
    store.close()
    if store.is_sqlite:
        file = Path(url.removeprefix("sqlite:///"))
        held |= {path.name: path.read_bytes() for path in file.parent.glob(f"{file.name}*")}
    return held


def is_held(file: Path) -> bool:
    """Say whether somebody is writing a SQLite file, and not just for a moment."""
    with closing(sqlite3.connect(file, timeout=0.5, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
    return False


class Worker(Forked):
    """
    A run in a process of its own.

    :param job: what :func:`worker.main` takes, and ``log``.
    """

    def __init__(self, **job: Any) -> None:
        super().__init__(main, **job)

    def stop(self, files: Iterable[Path]) -> None:
        """
        Stop it between two of its writes.

        :param files: the SQLite files it writes. One it held would keep everybody else waiting.
        """
        for _ in range(MOST_STOPS):
            self.send(signal.SIGSTOP)
            self._wait_until_it_stands()
            if not any(is_held(file) for file in files):
                return
            self.send(signal.SIGCONT)
        raise TimeoutError("the worker writes without end")

    def _wait_until_it_stands(self) -> None:
        """Wait for every thread of it: on a busy machine one goes on for a while, and may write."""
        end = time.monotonic() + PATIENCE
        threads = Path(f"/proc/{self.pid}/task")
        while time.monotonic() < end:
            states = [
                stat.read_text().rpartition(")")[2].split()[0] for stat in threads.glob("*/stat")
            ]
            if set(states) <= {"T"}:
                return
            time.sleep(0.001)
        raise TimeoutError("the worker does not stop")


class Plant:
    """
    One table, one service, one state store, many workers.

    :param rows: people of the table.
    :param state: URL of the state store; a file beside the table if not given.
    :ivar server: the service, whose ledger is the truth.
    """

    def __init__(self, folder: Path, server: SimulatorServer, rows: int, state: str = "") -> None:
        self.folder, self.server, self.rows = folder, server, rows
        self.held = False
        self.state = state or f"sqlite:///{folder / 'state'}"
        self.state_file = Path(self.state.removeprefix("sqlite:///"))
        self._workers: list[Worker] = []
        self.people = [p for p in server.account.people.listed if not p.persona][:rows]
        with closing(sqlite3.connect(folder / "warehouse")) as connection, connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(
                "CREATE TABLE people (id INTEGER PRIMARY KEY, id_card TEXT, name TEXT)"
            )
            connection.executemany(
                "INSERT INTO people VALUES (?, ?, ?)",
                [(key, p.id_card, p.name) for key, p in enumerate(self.people)],
            )

    def start(self, owner: str = "task", **job: Any) -> Worker:
        """Start a run; ``job`` is what :func:`worker.main` takes."""
        usual = {
            "url": self.server.url,
            "warehouse": str(self.folder / "warehouse"),
            "state": self.state,
            "owner": owner,
            "rate": RATE,
            "log": str(self.folder / "log"),
            "left": str(self.folder / "left"),
        }
        self._workers.append(Worker(**usual | job))
        return self._workers[-1]

    def finish(self, owner: str = "task", **job: Any) -> int:
        """Run to the end; return the exit code."""
        return self.start(owner, **job).wait()

    @property
    def files(self) -> tuple[Path, Path]:
        """Return the SQLite files all workers write."""
        return self.state_file, self.folder / "warehouse"

    @property
    def seen(self) -> int:
        """Return how many calls the service saw."""
        return len(self.server.account.ledger)

    def calls(self) -> list[dict[str, Any]]:
        """Return what the service saw."""
        return list(self.server.account.ledger.rows())

    def left(self) -> list[float]:
        """Return when the pace let calls go, of all workers."""
        return [float(line) for line in (self.folder / "left").read_text().split()]

    def called(self) -> Counter[str]:
        """Return calls by ID number."""
        return Counter(str(call["id_card"]) for call in self.calls())

    def wait_for(self, holds: Callable[[], bool], seconds: float = PATIENCE) -> bool:
        """Wait until something holds; say whether it does."""
        end = time.monotonic() + seconds
        while not holds() and time.monotonic() < end:
            time.sleep(0.002)
        return holds()

    def stand_still(self) -> int:
        """Wait until the service has seen no call for a second; return how many it saw."""
        before = -1
        while before < self.seen:
            before = self.seen
            time.sleep(1)
        return before

    def query(self, sql: str, file: Path | None = None) -> list[tuple[Any, ...]]:
        """Run a query in the warehouse, or in another SQLite file."""
        file = file or self.folder / "warehouse"
        with closing(sqlite3.connect(file, timeout=30)) as connection:
            return connection.execute(sql).fetchall()

    def latest_try(self) -> tuple[int, int]:
        """Return its number, and how many of its calls are on their way, as the ledger says."""
        with suppress(sqlite3.OperationalError):  # there is no ledger yet
            if found := self.query(LATEST_TRY, self.state_file):
                return found[0]
        return 0, 0

    def results(self) -> dict[str, str]:
        """Return where each row stands, by its key."""
        return dict(self.query("SELECT source_key, status FROM faceid_results"))

    def hold(
        self, *, most_in_doubt: int = 0, retries: int = 0, quota: int = 0, counted: bool = True
    ) -> None:
        """
        Assert all invariants, with one more run to see that it calls nobody.

        :param most_in_doubt: rows that may be in doubt.
        :param retries: calls of rows in doubt that the policy allows.
        :param quota: calls a second, if they were held back.
        :param counted: whether every worker came to an end and could say what it paid.
        """
        self.held = True
        calls, left = self.calls(), self.left()
        charged = self.query("SELECT SUM(charged) FROM faceid_runs")[0][0] if counted else None
        assert self.finish("the last") == 0
        people = dict(self.query("SELECT id, id_card FROM people"))
        names = [name for (name,) in self.query("SELECT name FROM people")]
        facts = Facts(
            source={str(key): number for key, number in people.items()},
            results=self.query("SELECT source_key, status FROM faceid_results"),
            quarantine=[k for (k,) in self.query("SELECT source_key FROM faceid_quarantine")],
            calls=calls,
            retries=retries,
            most_in_doubt=most_in_doubt,
            quota=quota,
            left=left,
            texts=self.texts(),
            identities=sorted({*names, *people.values()}),
            charged=charged,
            calls_again=self.seen - len(calls),
        )
        hold(facts)

    def texts(self) -> dict[str, bytes]:
        """Return everything that was written down, by where it stands."""
        ours = ("faceid_results", "faceid_quarantine", "faceid_runs")
        return {
            "log": (self.folder / "log").read_bytes(),
            "tables": repr([self.query(f"SELECT * FROM {table}") for table in ours]).encode(),
            **contents(self.state),
        }

    def stop(self) -> None:
        """End what still runs."""
        for worker in self._workers:
            worker.send(signal.SIGCONT)
            worker.kill()
