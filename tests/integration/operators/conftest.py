"""Operators without a scheduler: a context of a few names, connections from the environment."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

# Airflow reads this when it is imported, and makes the folder.
if "AIRFLOW_HOME" not in os.environ:
    AIRFLOW = tempfile.TemporaryDirectory(prefix="faceid-airflow-")
    os.environ["AIRFLOW_HOME"] = AIRFLOW.name

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.people import ID_CARD, Person
from tests.integration.quality.conftest import great_expectations
from tests.support.outlet_events import OutletEvents

__all__ = ["great_expectations"]

UNLIMITED = dict.fromkeys(ACTIONS, 0)
FAST = dict.fromkeys(ACTIONS, 2000)


class TaskInstance:
    """Takes XComs."""

    dag_id, run_id, task_id = "dag", "manual__1", "task"

    def __init__(self, map_index: int = -1) -> None:
        self.map_index = map_index
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


class Bench:
    """A simulator, a SQLite warehouse, and the connections to both."""

    def __init__(self, server: SimulatorServer, warehouse: Path, patch: pytest.MonkeyPatch) -> None:
        self.server, self.warehouse, self._patch = server, warehouse, patch
        self.connect("warehouse", conn_type="sqlite", host=str(warehouse))
        self.connect("state", conn_type="sqlite", host=str(warehouse.with_name("state.sqlite")))
        patch.setenv("AIRFLOW__FACEID__STATE_CONN_ID", "state")
        self.faceid()

    def connect(self, conn_id: str, **fields: Any) -> None:
        """Set a connection."""
        self._patch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))

    def faceid(self, **changes: Any) -> None:
        """Set the connection to the simulator."""
        fields = {
            "host": self.server.url,
            "login": "simulator-id",
            "password": "simulator-key",
            "extra": {"quotas": FAST},
        }
        self.connect("faceid_default", conn_type="faceid", **(fields | changes))

    @property
    def ordinary(self) -> list[Person]:
        """People who match."""
        return [person for person in self.server.account.people.listed if not person.persona]

    def special(self, code: str, action: str = ID_CARD) -> Person:
        """Return the person who is answered a code."""
        return next(
            person
            for person in self.server.account.people.listed
            if person.persona and person.persona.codes[action] == code
        )

    def fill(self, rows: list[tuple[Any, ...]], table: str = "people") -> None:
        """Make a table of rows ``(id, id_card, name[, photo])``."""
        connection = sqlite3.connect(self.warehouse)
        connection.execute(
            f"CREATE TABLE {table} (id INTEGER, id_card TEXT, name TEXT, photo BLOB)"
        )
        connection.executemany(
            f"INSERT INTO {table} VALUES (?, ?, ?, ?)", [(*row, None)[:4] for row in rows]
        )
        connection.commit()
        connection.close()

    def applicants(self, people: Sequence[Person]) -> None:
        """Make a table with a column for each field of any Action, which takes any type of value."""
        gallery = self.server.account.gallery
        rows = [{"photo": gallery.submitted(one), **one.columns()} for one in people]
        with closing(sqlite3.connect(self.warehouse)) as connection, connection:
            connection.execute(f"CREATE TABLE applicants (id INTEGER, {', '.join(rows[0])})")
            marks = ", ".join("?" * (1 + len(rows[0])))
            connection.executemany(
                f"INSERT INTO applicants VALUES ({marks})",
                [(number, *row.values()) for number, row in enumerate(rows)],
            )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement in the warehouse."""
        connection = sqlite3.connect(self.warehouse)
        rows = connection.execute(sql).fetchall()
        connection.commit()
        connection.close()
        return rows

    @property
    def calls(self) -> int:
        """Return how many calls the service saw."""
        return len(self.server.account.ledger)


def make_context(**changes: Any) -> dict[str, Any]:
    """Return the part of Airflow's context our operators look at."""
    day = datetime(2026, 11, 21, tzinfo=UTC)
    run = SimpleNamespace(dag_id="dag", logical_date=day, run_id="manual__1")
    return {
        "dag_run": run,
        "run_id": "manual__1",
        "ti": TaskInstance(),
        "outlet_events": OutletEvents(),
        **changes,
    }


@pytest.fixture(scope="session", autouse=True)
def airflow() -> None:
    """Import what is slow once; Airflow's own warnings are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import airflow.providers.sqlite.hooks.sqlite  # noqa: PLC0415
        import airflow.sdk  # noqa: PLC0415

        from airflow_provider_faceid.hooks import faceid  # noqa: F401, PLC0415

        # 3.1 imports more when it first makes an operator and first looks up a connection.
        airflow.sdk.BaseOperator(task_id="loads_the_rest")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIRFLOW_CONN_LOADS_THE_REST", "sqlite://")
            airflow.sdk.BaseHook.get_connection("loads_the_rest")


@pytest.fixture(scope="session")
def running() -> Iterator[SimulatorServer]:
    with SimulatorServer(people=60, quotas=UNLIMITED) as server:
        yield server


@pytest.fixture
def bench(running, tmp_path, monkeypatch) -> Bench:
    running.account.reset()
    return Bench(running, tmp_path / "warehouse.sqlite", monkeypatch)


@pytest.fixture
def context() -> dict[str, Any]:
    return make_context()


@pytest.fixture
def told(caplog, capfd):
    """Return everything that was logged or printed so far."""

    def tell() -> str:
        output = capfd.readouterr()
        return caplog.text + output.out + output.err

    return tell
