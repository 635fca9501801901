"""What the doctor says of a warehouse, on each of the databases; it makes and changes nothing there."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from airflow_provider_faceid.api.pseudonyms import hash_key_id
from airflow_provider_faceid.hooks.doctor import warehouse as doctor
from airflow_provider_faceid.hooks.doctor.subject import Named, Subject
from airflow_provider_faceid.hooks.readers import Warehouse
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.tables import PRICES, RUNS
from tests.integration.warehouse.conftest import upsert
from tests.support.homes import WITH_TRANSACTIONS, homes

NAMES = Names()
KEY = "hush-hush-hashes"
MOMENT = "2026-11-01T10:00:00.000+00:00"


@pytest.fixture
def ask(home, monkeypatch):
    """Return what examines the database; gives the problems that were found."""
    connection = {
        "conn_type": "faceid",
        "login": "x",
        "password": "x",
        "extra": {"hash_secret": KEY},
    }
    monkeypatch.setenv("AIRFLOW_CONN_FACEID_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    monkeypatch.setattr(doctor, "database", lambda conn_id: home.open())
    monkeypatch.setattr(Subject, "connection", _connection(Subject.connection))
    monkeypatch.setattr(doctor, "sqlite_path", lambda conn_id: None)

    def ask() -> dict[str, str]:
        found = doctor.check_warehouse(Subject(Named()), Warehouse("here", NAMES))
        return {one.problem: one.cause for one in found}

    return ask


def _connection(usual):
    def connection(subject, conn_id):
        return SimpleNamespace(host="") if conn_id == "here" else usual(subject, conn_id)

    return connection


@pytest.fixture
def ours(home):
    """Return the database, with our tables."""
    base = home.open()
    prepare(base, NAMES)
    base.close()
    return base


def write(base, table, name, *rows):
    upsert(base, table, name, list(rows))
    base.close()


def run(minute: int, key: str = KEY, **more) -> dict:
    moment = MOMENT.replace(":00:00.", f":{minute:02}:00.")
    usual = {"campaign": "c", "action": "IdCardVerification", "map_index": -1, "dag_id": "d"}
    usual |= {"started_at": moment, "updated_at": moment, "state": "success", "charged": 5}
    return usual | {"run_id": f"r{minute}", "hash_key_id": hash_key_id(key)} | more


def test_an_empty_database_is_healthy_and_stays_empty(home, ask):
    assert ask() == {}
    base = home.open()
    assert not any(base.columns(name) for name in (*NAMES.all.values(), "faceid_versions"))


def test_tables_of_this_version_are_healthy(ours, ask):
    write(ours, RUNS, NAMES.runs, run(1))
    price = {"action": "IdCardVerification", "price": 0.1, "currency": "USD"}
    write(ours, PRICES, NAMES.prices, price | {"valid_from": "2026-01-01", "updated_at": MOMENT})
    assert ask() == {}


def test_hash_keys_and_prices(ours, ask):
    rows = [run(minute, key) for minute, key in enumerate((KEY, "another-hush-hush", KEY))]
    write(ours, RUNS, NAMES.runs, *rows)
    price = {"action": "IdCardVerification", "price": 0.1, "currency": ""}
    days = {"valid_from": "2020-01-01", "valid_to": "2020-12-31", "updated_at": MOMENT}
    write(ours, PRICES, NAMES.prices, price | days)
    assert set(ask()) == {"hash_keys_alternate", "price_currency", "price_expired"}


def test_calls_that_were_refused_as_too_fast(ours, ask):
    quiet, busy = run(1, calls=5000, throttled=100), run(2, calls=5000, throttled=900)
    write(ours, RUNS, NAMES.runs, quiet)
    assert ask() == {}
    write(ours, RUNS, NAMES.runs, busy)
    assert "refused 10 % of the calls" in ask()["quota_exceeded"]


def test_a_provider_that_is_older_than_the_tables(home, ours, ask):
    home.change("faceid_versions", "table_name = 'faceid_runs'", provider_version="'99.1.0'")
    assert "by version 99.1.0 of this provider" in ask()["provider_older"]


def test_views_that_are_missing(home, ours, ask):
    base = home.open()
    with base.transaction("preparing a test") as cursor:
        cursor.execute(f"DROP VIEW {base.dialect.quote_table('faceid_daily')}", ())
    base.close()
    assert "faceid_daily" in ask()["views_missing"]


def test_tables_of_a_newer_version(home, ours, ask):
    home.change("faceid_versions", "table_name = 'faceid_runs'", version="99")
    assert "faceid_runs" in ask()["tables_newer"]


@homes(*WITH_TRANSACTIONS)
def test_a_table_of_somebody_else(home, ask):
    home.table("faceid_results", ["id", "name"], [(1, "one")])
    assert "faceid_results" in ask()["tables_foreign"]
