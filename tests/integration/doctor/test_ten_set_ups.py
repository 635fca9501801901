"""The doctor names what is wrong with each of ten set-ups, and says of a healthy one that it is, in one line."""

from __future__ import annotations

import socket
import sqlite3

import pytest

from airflow_provider_faceid.hooks import warehouses
from tests.integration.batch.test_migrations import statements
from tests.support.slow_link import slow_link


def test_a_healthy_set_up_is_said_to_be_in_one_line(say, simulator):
    code, text = say()
    assert code == 0, text
    assert text.startswith("Healthy: nothing was found by 8 checks (versions, configuration")
    assert text.count("\n") == 1
    assert {row["result"] for row in simulator.account.ledger.rows()} == {"-2"}


def test_a_wrong_key(set_up, doctor):
    set_up.fields["password"] = "other-secret"
    finding = doctor().only("key_refused")
    assert "the SecretKey is wrong" in finding["cause"]
    assert "Enter SecretId and SecretKey of a valid API key" in finding["remedy"]


@pytest.mark.parametrize(("minutes", "way"), [(10, "behind"), (-10, "ahead of")])
def test_a_clock_that_is_ten_minutes_off(doctor, simulator, minutes, way):
    simulator.account.clock.ahead_s = 60 * minutes
    finding = doctor().only("clock_off")
    assert finding["cause"].startswith("This machine's clock is ")
    assert f" s {way} the service's" in finding["cause"]
    assert abs(int(finding["cause"].split()[4]) - 600) <= 5
    assert "NTP" in finding["remedy"]


@pytest.mark.parametrize("executor", ["CeleryExecutor", "LocalExecutor,KubernetesExecutor"])
@pytest.mark.parametrize("is_named", [False, True])
def test_a_sqlite_state_store_with_workers_on_several_hosts(set_up, doctor, executor, is_named):
    set_up.set("core__executor", executor)
    set_up.set("faceid__pages_warehouses", "")
    if is_named:
        path = set_up.home / "faceid_state.sqlite"
        set_up.connect("state", conn_type="sqlite", host=str(path))
        set_up.extra["state_conn_id"] = "state"
    finding = doctor().only("state_on_one_host")
    assert finding["cause"].startswith(executor.rpartition(",")[2])
    assert "PostgreSQL" in finding["remedy"]


def test_a_warehouse_that_may_be_read_only(set_up, doctor):
    set_up.connect("wh", conn_type="sqlite", host=str(set_up.warehouse), extra={"mode": "ro"})
    finding = doctor().only("warehouse_read_only")
    assert "connection 'wh' cannot be written" in finding["cause"]
    assert "INSERT, UPDATE, DELETE" in finding["remedy"]


def test_a_role_that_may_only_select(set_up, doctor, postgres_warehouse):
    postgres_warehouse("wh", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    finding = doctor().only("warehouse_read_only")
    assert "permission denied" in finding["cause"]
    assert "42501" in finding["cause"]


def test_a_missing_extra(set_up, doctor, monkeypatch):
    is_there = warehouses._is_there
    monkeypatch.setattr(warehouses, "_is_there", lambda name: name != "duckdb" and is_there(name))
    set_up.connect("duck", conn_type="duckdb", host=str(set_up.home / "w.duckdb"))
    set_up.set("faceid__pages_warehouses", "wh, duck")
    finding = doctor().only("extra_missing")
    assert finding["check"] == "warehouse"
    assert "pip install 'airflow-provider-faceid[duckdb]'" in finding["cause"]


def test_an_endpoint_that_cannot_be_reached(set_up, doctor):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        set_up.fields["host"] = f"http://127.0.0.1:{unused.getsockname()[1]}"
        said = doctor()
    finding = said.only("endpoint_unreachable")
    assert "the Endpoint cannot be reached" in finding["cause"]
    assert "DNS, proxy and firewall" in finding["remedy"]
    assert set(said.data["skipped"]) == {"clock", "uplink"}


def test_tables_of_an_earlier_version(set_up, doctor):
    set_up.warehouse.unlink()
    with sqlite3.connect(set_up.warehouse) as old:
        for statement in statements("create.sqlite.sql"):
            old.execute(statement.rstrip().rstrip(";"))
    old.close()
    finding = doctor().only("tables_old")
    assert "faceid_results" in finding["cause"]
    assert "Back them up" in finding["remedy"]


def test_a_misspelt_setting(set_up, doctor):
    set_up.extra["similarity_treshold"] = 95
    said = doctor()
    finding = said.only("connection_wrong")
    assert "did you mean 'similarity_threshold'?" in finding["cause"]
    assert {"state_store", "warehouse wh"} <= set(said.data["checked"])


def test_temporary_keys_without_a_hash_key(set_up, doctor):
    set_up.extra["session_token"] = "simulator-token"
    del set_up.extra["hash_secret"]
    finding = doctor().only("hash_key_missing")
    assert "hash_secret" in finding["remedy"]


def test_an_uplink_too_slow_for_the_rate_of_photos(set_up, doctor, simulator):
    port = int(simulator.url.rpartition(":")[2])
    set_up.extra["quotas"] = {"ImageRecognitionV2": 20}
    with slow_link(port, 4_000_000) as link:
        set_up.fields["host"] = link.url
        finding = doctor().only("uplink_slow")
        assert "photos/s of 200 kB in place of 19.4" in finding["cause"]
        carried = float(finding["cause"].partition("carries ")[2].split()[0])
        assert 0.25 <= carried <= 0.75  # MB/s, of 0.5
        assert doctor("--photo-rate", "0").code == 0
