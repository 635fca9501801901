"""Set-ups for the doctor: a connection to the simulator, a state store, a warehouse, and the command itself."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from sqlalchemy import make_url

from airflow_provider_faceid.__main__ import main
from airflow_provider_faceid.hooks import state_store
from airflow_provider_faceid.simulator import KEY, SimulatorServer
from airflow_provider_faceid.state.store import StateStore
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql.database import POSTGRESQL, SQLITE, Database
from tests.unit.hooks.conftest import airflow_has_warned

__all__ = ["airflow_has_warned"]

SECRETS = ("simulator-key", "hush-hush", "simulator-token", "other-secret")
NAMES = Names()


class Said(NamedTuple):
    """What the doctor said."""

    code: int
    text: str
    data: dict[str, Any]

    @property
    def problems(self) -> list[str]:
        return [one["problem"] for one in self.data["findings"]]

    def only(self, problem: str) -> dict[str, str]:
        """Return the one finding there is."""
        assert self.problems == [problem], self.text
        assert self.code == 1
        return self.data["findings"][0]


class SetUp:
    """
    A healthy set-up, whose parts a test breaks.

    :ivar home: folder of Airflow.
    :ivar extra: of the Face ID connection.
    """

    def __init__(self, monkeypatch, home: Path, url: str) -> None:
        self._patch, self.home = monkeypatch, home
        self.fields: dict[str, Any] = {"conn_type": "faceid", "host": url, **KEY}
        self.extra: dict[str, Any] = {
            "hash_secret": "hush-hush-hashes",
            "quotas": {"ImageRecognitionV2": 1},  # a busy machine carries one, too
        }
        self.warehouse = home / "warehouse.sqlite"
        self.database = Database(lambda: sqlite3.connect(self.warehouse), SQLITE, "wh")

    def connect(self, conn_id: str, **fields: Any) -> None:
        self._patch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))

    def set(self, name: str, value: str) -> None:
        self._patch.setenv(f"AIRFLOW__{name.upper()}", value)

    def save(self) -> None:
        self.connect("faceid_default", **self.fields, extra=self.extra)


@pytest.fixture(scope="session")
def running():
    with SimulatorServer(people=20) as server:
        yield server


@pytest.fixture
def simulator(running: SimulatorServer) -> SimulatorServer:
    running.account.reset()
    return running


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch):
    """Proxies and certificates of whoever runs the tests are none of theirs."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def set_up(monkeypatch, tmp_path, simulator) -> SetUp:
    """A healthy one: a store and a warehouse on one host, tables of this version."""
    made = SetUp(monkeypatch, tmp_path, simulator.url)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    store = StateStore(f"sqlite:///{tmp_path / state_store.DEFAULT_FILE}")
    store.run(lambda cursor: None)
    store.close()
    prepare(made.database, NAMES)
    made.database.close()
    made.connect("wh", conn_type="sqlite", host=str(made.warehouse))
    made.set("faceid__pages_warehouses", "wh")
    made.save()
    return made


@pytest.fixture
def say(set_up, simulator, capsys) -> Callable[..., tuple[int, str]]:
    """Return what runs the command; nothing it prints is a secret, and nothing it does is charged."""

    def say(*arguments: str) -> tuple[int, str]:
        set_up.save()
        code = 0
        try:
            main(["doctor", *arguments])
        except SystemExit as ended:
            code = int(ended.code)
        printed = capsys.readouterr()
        assert not any(secret in printed.out + printed.err for secret in SECRETS)
        assert sum(simulator.account.ledger.bill.values()) == 0
        return code, printed.out

    return say


@pytest.fixture
def doctor(say) -> Callable[..., Said]:
    """Return what asks the doctor for JSON."""

    def doctor(*arguments: str) -> Said:
        code, text = say("-o", "json", *arguments)
        return Said(code, text, json.loads(text))

    return doctor


@pytest.fixture
def postgres_warehouse(set_up, postgres):
    """Return what makes a database with our tables, and a role of some rights that a connection uses."""
    made = []

    def make(conn_id: str, *grants: str, with_tables: bool = True) -> str:
        name = f"doctor_{len(made)}_{os.getpid()}"
        with psycopg.connect(postgres, autocommit=True) as owner:
            owner.execute(f"CREATE DATABASE {name}")
            owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'hush-hush-pw'")
        made.append(name)
        url = make_url(postgres)
        host = url.query.get("host") or url.host
        with psycopg.connect(conninfo(postgres, name), autocommit=True) as owner:
            if with_tables:
                base = Database(
                    lambda: psycopg.connect(conninfo(postgres, name)), POSTGRESQL, conn_id
                )
                prepare(base, NAMES)
                base.close()
            for grant in grants:
                owner.execute(grant.format(role=name))
        set_up.connect(
            conn_id,
            conn_type="postgres",
            host=str(host),
            login=name,
            password="hush-hush-pw",
            schema=name,
            port=url.port,
        )
        return name

    yield make
    with psycopg.connect(postgres, autocommit=True) as owner:
        for name in made:
            owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
            owner.execute(f"DROP ROLE {name}")


def conninfo(uri: str, database: str) -> str:
    """Return the address of another database of a server."""
    return make_url(uri).set(database=database).render_as_string(hide_password=False)
