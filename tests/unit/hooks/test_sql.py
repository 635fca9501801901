from __future__ import annotations

import json
import sys
from importlib.metadata import metadata

import pytest
from airflow.sdk import BaseHook

from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.hooks.state_store import state_url
from airflow_provider_faceid.hooks.warehouses import (
    DIALECTS,
    EXTRAS,
    LAKES,
    database,
    source_database,
)
from airflow_provider_faceid.warehouse.sql.database import (
    CLICKHOUSE,
    DUCKDB,
    MYSQL,
    POSTGRESQL,
    SQLITE,
)


@pytest.fixture
def connect(monkeypatch):
    def connect(of=database, **fields):
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(fields))
        return of("warehouse")

    return connect


def test_these_databases_are_tested_and_allowed():
    assert DIALECTS == {
        "sqlite": SQLITE,
        "postgres": POSTGRESQL,
        "duckdb": DUCKDB,
        "mysql": MYSQL,
        "clickhouse": CLICKHOUSE,
    }


def test_a_warehouse_that_is_no_source_is_refused_as_one(connect, tmp_path):
    fields = {"conn_type": "clickhouse", "host": "x", "password": "hush-hush"}
    with pytest.raises(ConfigurationError, match="is no source: keep the source") as error:
        connect(of=source_database, **fields)
    assert "sqlite, postgres, duckdb, mysql" in str(error.value)
    fields = {"conn_type": "sqlite", "host": str(tmp_path / "source.db")}
    assert connect(of=source_database, **fields).dialect is SQLITE


@pytest.mark.parametrize(
    ("conn_type", "dialect"), [("sqlite", SQLITE), ("duckdb", DUCKDB)], ids=["sqlite", "duckdb"]
)
def test_a_connection_becomes_a_database_that_works(connect, tmp_path, conn_type, dialect):
    found = connect(conn_type=conn_type, host=str(tmp_path / "warehouse.db"))
    assert found.dialect is dialect
    try:
        with found.transaction("a test") as cursor:
            cursor.execute("SELECT 6 * 7")
            assert cursor.fetchone()[0] == 42
    finally:
        found.close()


def test_postgres_is_not_connected_to_before_it_is_used(connect):
    found = connect(conn_type="postgres", host="127.0.0.1", port=1, login="me", schema="db")
    assert found.dialect is POSTGRESQL


@pytest.mark.parametrize("conn_type", ["faceid", "http", "nonsense"])
def test_another_type_is_refused_by_name(connect, conn_type):
    with pytest.raises(ConfigurationError) as error:
        connect(conn_type=conn_type, host="127.0.0.1", login="me", password="hush-hush")
    assert str(error.value) == (
        f"Connection 'warehouse' is of type '{conn_type}'. Tables can be read and written through "
        "connections of type sqlite, postgres, duckdb, mysql, clickhouse"
    )


@pytest.mark.parametrize(("conn_type", "name"), LAKES.items())
def test_a_lake_is_refused_by_its_name_with_what_to_do(connect, conn_type, name):
    with pytest.raises(ConfigurationError, match=f"is of type '{conn_type}'") as error:
        connect(conn_type=conn_type, host="127.0.0.1", login="me", password="hush-hush")
    assert f"docs/export.md has the SQL by which {name} and others read them" in str(error.value)
    assert "hush-hush" not in str(error.value)


def test_redshift_behind_a_connection_of_postgres_is_refused_too(connect):
    with pytest.raises(ConfigurationError, match="SQL by which Redshift"):
        connect(conn_type="postgres", host="x", extra={"iam": True, "redshift": True})


def test_a_provider_that_is_not_installed_is_named(connect, monkeypatch):
    """Every provider is installed here, so Airflow's own words for it are put in its mouth."""

    def not_installed(conn_id):
        raise ModuleNotFoundError("No module named 'duckdb'")

    monkeypatch.setattr(BaseHook, "get_hook", not_installed)
    with pytest.raises(
        ConfigurationError, match=r"pip install 'airflow-provider-faceid\[duckdb\]'"
    ):
        connect(conn_type="duckdb", host="x.duckdb")


@pytest.mark.parametrize(
    ("conn_type", "module"),
    [
        ("duckdb", "duckdb"),
        ("duckdb", "pytz"),
        ("duckdb", "airflow.providers.duckdb"),
        ("postgres", "psycopg"),
        ("postgres", "airflow.providers.postgres"),
    ],
)
def test_a_missing_module_leads_to_the_extra_that_has_it(connect, monkeypatch, conn_type, module):
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    for name in [name for name in sys.modules if name.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, name)
    extra = rf"pip install 'airflow-provider-faceid\[{conn_type}\]'"
    with pytest.raises(ConfigurationError, match=extra) as error:
        connect(conn_type=conn_type, host="x")
    assert module in str(error.value)


def test_the_state_store_names_its_extra_too(monkeypatch):
    connection = {"conn_type": "postgres", "host": "127.0.0.1", "schema": "state"}
    monkeypatch.setenv("AIRFLOW_CONN_STATE", json.dumps(connection))
    monkeypatch.setitem(sys.modules, "psycopg", None)
    extra = r"'state' of type postgres needs .*'airflow-provider-faceid\[postgres\]'"
    with pytest.raises(ConfigurationError, match=extra):
        state_url("state")


def test_every_extra_an_error_names_is_one_of_the_package():
    declared = set(metadata("airflow-provider-faceid").get_all("Provides-Extra"))
    assert {extra.name for extra in EXTRAS.values()} <= declared
