"""What OpenLineage calls our tables and files, compared with Airflow's own providers and conventions."""

from __future__ import annotations

import json

import pytest
from airflow.sdk import BaseHook

from airflow_provider_faceid.hooks.datasets import Tables, catalog_name, file_name


@pytest.fixture
def connect(monkeypatch):
    def connect(**fields):
        monkeypatch.setenv("AIRFLOW_CONN_HERE", json.dumps(fields))
        return Tables("here")

    return connect


@pytest.mark.parametrize("table", ["people", "crm.people", '"Crm"."My.People"'])
@pytest.mark.parametrize("port", [None, 6432])
def test_tables_of_postgresql_are_named_as_airflows_own_provider_names_them(connect, table, port):
    pytest.importorskip("airflow.providers.openlineage")
    from airflow.providers.openlineage.sqlparser import SQLParser  # noqa: PLC0415

    where = {"conn_type": "postgres", "host": "DB.example.com", "schema": "kyc", "port": port}
    ours = connect(login="user", password="secret", **where).name(table)
    hook = BaseHook.get_hook("here")
    info = hook.get_openlineage_database_info(BaseHook.get_connection("here"))
    parser = SQLParser("postgres", "public")  # which the hook would ask the server for
    parsed = parser.parse([f"SELECT 1 FROM {table}"])
    namespace = parser.create_namespace(info)
    (theirs,), _ = parser.get_metadata_from_parser(parsed.in_tables, [], info, namespace)
    assert (ours.namespace, ours.name) == (theirs.namespace, theirs.name.replace('"', ""))


def test_the_namespace_of_mysql_is_that_of_airflows_own_provider(connect):
    pytest.importorskip("airflow.providers.openlineage")
    hooks = pytest.importorskip("airflow.providers.mysql.hooks.mysql", exc_type=ImportError)
    tables = connect(conn_type="mysql", host="db", schema="kyc", login="user")
    info = hooks.MySqlHook("here").get_openlineage_database_info(BaseHook.get_connection("here"))
    assert tables.name("people").namespace == f"{info.scheme}://{info.authority}"


NAMES = [
    ({"conn_type": "mysql", "host": "db", "schema": "kyc"}, "people", "mysql://db:3306", "kyc.people"),
    ({"conn_type": "mysql", "host": "db", "schema": "kyc"}, "crm.people", "mysql://db:3306", "crm.people"),
    ({"conn_type": "clickhouse", "host": "ch"}, "people", "clickhouse://ch:8123", "default.people"),
    ({"conn_type": "clickhouse", "host": "ch", "port": 8443, "schema": "kyc"}, "people", "clickhouse://ch:8443", "kyc.people"),
    ({"conn_type": "sqlite", "host": "/data/w.sqlite"}, "people", "sqlite:///data/w.sqlite", "main.people"),
    ({"conn_type": "sqlite", "host": "/data/w.sqlite?mode=ro"}, "main.people", "sqlite:///data/w.sqlite", "main.people"),
    ({"conn_type": "duckdb", "host": "/data/kyc.duckdb"}, "people", "duckdb:///data/kyc.duckdb", "kyc.main.people"),
    ({"conn_type": "duckdb", "host": "/data/kyc.duckdb"}, "other.crm.people", "duckdb:///data/kyc.duckdb", "other.crm.people"),
    ({"conn_type": "duckdb"}, "people", "duckdb://:memory:", "memory.main.people"),
    ({"conn_type": "postgres", "schema": "kyc"}, "people", "postgres://localhost:5432", "kyc.public.people"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "table", "namespace", "name"), NAMES)
def test_tables_are_named_by_the_conventions(connect, fields, table, namespace, name):
    assert connect(login="user", password="secret", **fields).name(table) == (namespace, name)


@pytest.mark.parametrize(
    ("path", "namespace", "name"),
    [
        ("/lake/results", "file", "/lake/results"),
        ("file:///lake/results", "file", "/lake/results"),
        ("s3://aws_default@bucket/kyc/results/", "s3://bucket", "kyc/results"),
        ("s3a://bucket/kyc", "s3://bucket", "kyc"),
        ("gs://bucket", "gs://bucket", "/"),
    ],
)
def test_files_are_named_by_the_conventions(path, namespace, name):
    assert file_name(path) == (namespace, name)


@pytest.mark.parametrize(
    ("uri", "namespace"),
    [
        ("https://user:secret@catalog.example.com:8181/api", "https://catalog.example.com:8181"),
        ("postgresql+psycopg://user:secret@db/catalog", "postgresql+psycopg://db"),
        ("sqlite:////data/catalog.db", "sqlite:////data/catalog.db"),
        ("", "iceberg"),
    ],
)
def test_a_table_of_a_catalog_is_named_without_credentials(uri, namespace):
    properties = {"uri": uri, "credential": "user:secret"}
    assert catalog_name(properties, "kyc.results") == (namespace, "kyc.results")
