"""The sharded example DAG, run unchanged and twice, on two Celery workers and one simulator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, make_url

from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.people import ID_CARD
from tests.distributed.applicants import Applicants
from tests.distributed.cluster import Cluster
from tests.support.processes import Part, Parts, free_port

DAG = "verify_in_shards"
APPLICANTS = 2000
PEOPLE = APPLICANTS + 100  # some of them are special
REDIS_SECONDS = 60
DATABASES = ("airflow", "warehouse", "state")


@dataclass(repr=False)
class Story:
    """
    What there is after two runs.

    :ivar databases: addresses by name.
    :ivar folder: homes and logs of all processes.
    :ivar tasks: task instances of the first run.
    :ivar tasks_again: those of the second one.
    :ivar shards: its plan, from one key to another.
    :ivar calls: what the service saw in the first run.
    :ivar calls_again: how often it was called in the second one.
    :ivar left: when the workers let them go.
    :ivar charged: calls on the service's bill.
    """

    applicants: Applicants
    databases: dict[str, str]
    folder: Path
    tasks: list[dict[str, Any]]
    tasks_again: list[dict[str, Any]]
    shards: list[dict[str, Any]]
    calls: list[dict[str, Any]]
    calls_again: int
    left: list[float]
    charged: int

    def query(self, sql: str, database: str = "warehouse") -> list[tuple[Any, ...]]:
        """Run a query."""
        with psycopg.connect(self.databases[database]) as connection:
            return connection.execute(sql).fetchall()

    def hosts(self) -> list[str]:
        """Return where each shard was verified."""
        by_shard = {t["map_index"]: t["hostname"] for t in self.tasks if t["task_id"] == "verify"}
        return [by_shard[shard] for shard in range(len(self.shards))]

    def called(self) -> list[int]:
        """Return the key of the row each call was about, 0 if there is none."""
        keys = self.applicants.keys()
        return [keys.get(call["id_card"], 0) for call in self.calls]

    def moments(self) -> list[tuple[float, int]]:
        """Return when each call arrived, and which shard its row is in."""
        ends = [shard["until"] for shard in self.shards[:-1]]
        arrived = (datetime.fromisoformat(call["at"]).timestamp() for call in self.calls)
        shards = (sum(key > end for end in ends) for key in self.called())
        return list(zip(arrived, shards, strict=True))


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of the tests' own, which keeps nothing; gives its address."""
    port = str(free_port())
    command = ["redis-server", "--bind", "127.0.0.1", "--port", port, "--save", ""]
    part = Part("redis", command, tmp_path_factory.mktemp("redis"))
    parts = Parts([part])
    try:
        parts.wait_for("Redis", lambda: "Ready to accept connections" in part.log, REDIS_SECONDS)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        parts.stop()


@pytest.fixture(scope="session")
def databases(postgres: str) -> dict[str, URL]:
    """Three empty databases."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        for name in DATABASES:
            connection.execute(f"CREATE DATABASE {name}")
    return {name: make_url(postgres).set(database=name) for name in DATABASES}


@pytest.fixture(scope="session")
def story(redis: str, databases: dict[str, URL], tmp_path_factory: pytest.TempPathFactory) -> Story:
    addresses = {name: url.render_as_string(hide_password=False) for name, url in databases.items()}
    folder = tmp_path_factory.mktemp("cluster")
    with SimulatorServer(people=PEOPLE, latency_ms=(50, 150), quotas={ID_CARD: 0}) as simulator:
        account = simulator.account
        ordinary = [person for person in account.people.listed if not person.persona]
        applicants = Applicants(ordinary[:APPLICANTS])
        applicants.fill(addresses["warehouse"])
        metadata = databases["airflow"].set(drivername="postgresql+psycopg")
        cluster = Cluster(
            folder,
            redis,
            metadata.render_as_string(hide_password=False),
            _connections(simulator.url, databases),
        )
        try:
            cluster.start()
            run = cluster.run(DAG, datetime.now(UTC).isoformat())
            tasks, shards = cluster.tasks(run), cluster.result(run, "plan")
            calls = list(account.ledger.rows())
            tasks_again = cluster.tasks(cluster.run_again(run))
        finally:
            cluster.parts.stop()
        return Story(
            applicants=applicants,
            databases=addresses,
            folder=folder,
            tasks=tasks,
            tasks_again=tasks_again,
            shards=shards,
            calls=calls,
            calls_again=len(account.ledger) - len(calls),
            left=cluster.left(),
            charged=account.ledger.bill[ID_CARD],
        )


def _connections(simulator: str, databases: dict[str, URL]) -> dict[str, str]:
    """Return what the workers are told: the account, the warehouse, and where the pace is kept."""
    postgres = {"conn_type": "postgres", "login": "postgres"}
    sockets = databases["state"].query["host"]  # the server listens nowhere else
    connections = {
        "faceid_default": {
            "conn_type": "faceid",
            "host": simulator,
            "login": "simulator-id",
            "password": "simulator-key",
            "extra": {"state_conn_id": "faceid_state"},
        },
        "faceid_warehouse": postgres | {"schema": "warehouse", "host": sockets},
        "faceid_state": postgres
        | {"schema": "state", "extra": {"sqlalchemy_query": {"host": sockets}}},
    }
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(c) for name, c in connections.items()}
