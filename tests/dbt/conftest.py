"""One warehouse on DuckDB and one on PostgreSQL, filled once, with a dbt project over each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg
import pytest

from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql.database import DUCKDB, POSTGRESQL
from tests.integration.warehouse.conftest import Home

from .warehouses import DBT, Project, Warehouse


def on_duckdb(folder: Path) -> Warehouse:
    """Return a warehouse with all names as they are without a word."""
    file = str(folder / "here.duckdb")
    output = {"type": "duckdb", "path": file, "threads": 2}
    return Warehouse(Home(DUCKDB, file, duckdb.connect), Names(), output, {})


def on_postgresql(uri: str) -> Warehouse:
    """Return a warehouse with names of its own, in a schema dbt does not write into."""
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA kyc")
    told = psycopg.conninfo.conninfo_to_dict(uri)
    output = {
        "type": "postgres",
        "host": told["host"],
        "port": int(told.get("port", 5432)),
        "user": told["user"],
        "password": told.get("password", ""),
        "dbname": told["dbname"],
        "schema": "analytics",
        "threads": 2,
    }
    names = Names(results="kyc.applicants_results", quarantine="kyc.bad", runs="kyc.faceid_runs")
    variables = {
        "faceid_schema": "kyc",
        "faceid_prefix": "applicants",
        "faceid_quarantine_identifier": "bad",
        "faceid_has_checks": True,
        "faceid_has_reconciliation": True,
        "faceid_has_reconciliation_calls": True,
    }
    return Warehouse(Home(POSTGRESQL, uri, psycopg.connect), names, output, variables)


@pytest.fixture(scope="module", params=["duckdb", "postgresql"])
def warehouse(request, tmp_path_factory) -> Iterator[Warehouse]:
    """Each of the two."""
    assert DBT.exists(), "dbt has an environment of its own: make test-dbt"
    is_file = request.param == "duckdb"
    one = (
        on_duckdb(tmp_path_factory.mktemp("duckdb"))
        if is_file
        else on_postgresql(request.getfixturevalue("postgres"))
    )
    one.fill(with_optional=not is_file)
    yield one
    one.home.close()


@pytest.fixture(scope="module")
def project(warehouse, tmp_path_factory) -> Project:
    """Return a user's project over it, into which the package is installed."""
    one = Project(tmp_path_factory.mktemp("analytics"), warehouse)
    installed = one.run("deps")
    assert installed.code == 0, installed.printed
    return one
