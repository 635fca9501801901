"""Pages over a SQLite warehouse, read as users with different rights."""

from __future__ import annotations

import json
import sqlite3
import warnings
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from airflow_provider_faceid.clock import SYSTEM_CLOCK, utc_text
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql.database import SQLITE, Database
from airflow_provider_faceid.warehouse.tables import (
    QUARANTINE,
    RESULTS,
    RUNS,
    Table,
    insert,
)
from tests.unit.hooks.conftest import airflow_has_warned

__all__ = ["airflow_has_warned"]

with warnings.catch_warnings(action="ignore"):  # Airflow 3.1 imports what is deprecated in 3.1
    for module in ("fastapi.testclient", "airflow_provider_faceid.plugins.pages.app"):
        import_module(module)

HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'&{{ 7777*7777 }}"
ONE = "IdCardVerification"
NAMES = Names()


class Warehouse:
    """A file with our tables."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.database = Database(lambda: sqlite3.connect(path), SQLITE, "wh")
        prepare(self.database, NAMES)

    def write(self, table: Table, name: str, **row: Any) -> None:
        usual = {"campaign": "c", "action": ONE, "run_id": "r1", "map_index": -1, "dag_id": "open"}
        usual |= {"updated_at": utc_text(SYSTEM_CLOCK.now())}
        with self.database.transaction("preparing a test") as cursor:
            insert(cursor, self.database, table, name, [usual | row])
        self.database.close()

    def run(self, **row: Any) -> None:
        began = utc_text(SYSTEM_CLOCK.now() - 60)
        usual = {"started_at": began, "state": "running", "rows_in": 100, "answered": 40}
        usual |= {"calls": 41, "charged": 39, "calls_per_second": 5.0, "throttled": 1}
        usual |= {"planned_calls": 60, "planned_seconds": 6.0, "quarantined": 2, "held": 1}
        self.write(RUNS, NAMES.runs, **usual | row)

    def result(self, key: str, **row: Any) -> None:
        usual = {"source_key": key, "status": "answered", "outcome": "match", "attempts": 1}
        self.write(RESULTS, NAMES.results, **usual | row)

    def refused(self, key: str, **row: Any) -> None:
        usual = {"source_key": key, "rule": "name_missing", "stage": "input"}
        usual["found_at"] = utc_text(SYSTEM_CLOCK.now())
        self.write(QUARANTINE, NAMES.quarantine, **usual | row)


@pytest.fixture
def warehouse(tmp_path, monkeypatch) -> Warehouse:
    """A warehouse that is configured, and an Airflow home without a state store."""
    path = str(tmp_path / "warehouse.sqlite")
    monkeypatch.setenv("AIRFLOW_CONN_WH", json.dumps({"conn_type": "sqlite", "host": path}))
    monkeypatch.setenv("AIRFLOW__FACEID__PAGES_WAREHOUSES", "wh")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    return Warehouse(path)


@pytest.fixture
def visit(monkeypatch) -> Iterator[Any]:
    """Return what opens a page as somebody: a function of path and role; no role for nobody."""
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser  # noqa: PLC0415
    from airflow.api_fastapi.core_api import security  # noqa: PLC0415
    from fastapi.testclient import TestClient  # noqa: PLC0415

    from airflow_provider_faceid.plugins.pages import reports, rights  # noqa: PLC0415
    from airflow_provider_faceid.plugins.pages.app import make_app  # noqa: PLC0415
    from tests.support.auth_manager import GuardedAuthManager  # noqa: PLC0415

    class Manager(GuardedAuthManager):
        """One whose DAGs are not in Airflow's database."""

        def get_authorized_dag_ids(self, *, user: Any, **_: Any) -> set[str]:
            return self.filter_authorized_dag_ids(dag_ids={"open", "secret"}, user=user)

    manager = Manager()
    monkeypatch.setattr(security, "get_auth_manager", lambda: manager)
    monkeypatch.setattr(rights, "get_auth_manager", lambda: manager)
    monkeypatch.setattr(reports, "latest", lambda _: [])
    app = make_app()
    client = TestClient(app, raise_server_exceptions=False)

    def visit(path: str, role: str | None = "admin") -> Any:
        app.dependency_overrides.clear()
        if role is not None:
            user = SimpleAuthManagerUser(username=role, role=role)
            app.dependency_overrides[security.get_user] = lambda: user
        return client.get(path, follow_redirects=False)

    visit.app, visit.client = app, client
    yield visit
    client.close()
