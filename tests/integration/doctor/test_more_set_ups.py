"""Other misconfigurations of a month of use: of connection, configuration, state store, warehouse."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
import time
from dataclasses import asdict

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from airflow_provider_faceid.api.pseudonyms import hash_key_id
from airflow_provider_faceid.clock import utc_text
from airflow_provider_faceid.hooks import doctor as doctor_module
from airflow_provider_faceid.hooks.doctor import CHECKS
from airflow_provider_faceid.simulator.faults import FaultRule
from airflow_provider_faceid.simulator.faults.effects import AccountState
from airflow_provider_faceid.state.schema import MIGRATIONS
from airflow_provider_faceid.state.uplink import Uplink
from airflow_provider_faceid.warehouse.tables import PRICES, RUNS, insert
from tests.integration.doctor.conftest import NAMES


def write(set_up, table, name, *rows):
    with set_up.database.transaction("preparing a test") as cursor:
        insert(cursor, set_up.database, table, name, list(rows))
    set_up.database.close()


# ------------------------------------------------------------------ the connection


def test_a_connection_that_does_not_exist(doctor):
    said = doctor("--faceid-conn-id", "faceid_defualt")
    finding = said.only("connection_missing")
    assert "'faceid_defualt' does not exist (did you mean 'faceid_default'?)" in finding["cause"]
    assert {"state_store", "warehouse wh", "configuration"} <= set(said.data["checked"])
    assert set(said.data["skipped"]) == {"service", "clock", "uplink"}


@pytest.mark.parametrize("extra", ["{not json", '["a list"]', "hush-hush-text"])
def test_an_extra_that_is_no_json_object(set_up, doctor, monkeypatch, extra):
    monkeypatch.setattr(set_up, "save", lambda: set_up.connect("faceid_default", **broken))
    broken = {**set_up.fields, "extra": extra}
    said = doctor()
    assert len(said.problems) == 1, said.text
    assert said.problems[0] in {"connection_wrong", "connection_unreadable"}  # as Airflow reads it
    assert "state_store" in said.data["checked"]


def test_a_variable_that_is_no_connection(doctor, set_up, monkeypatch):
    monkeypatch.setattr(
        set_up,
        "save",
        lambda: monkeypatch.setenv("AIRFLOW_CONN_FACEID_DEFAULT", '{"conn_type": hush'),
    )
    finding = doctor().only("connection_unreadable")
    assert "AIRFLOW_CONN_FACEID_DEFAULT" in finding["cause"]


def test_a_connection_of_another_type(set_up, doctor):
    set_up.fields["conn_type"] = "http"
    assert "of type 'http'" in doctor().only("connection_type")["cause"]


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"pace_share": 1.5}, "'pace_share' must be a valid number from 0.01 to 1"),
        ({"quotas": {"idcardverification": 50}}, "did you mean 'IdCardVerification'?"),
        ({"quotas": {"IdCardVerification": 0}}, "whole numbers from 1"),
        ({"hash_secret": "short"}, "'hash_secret' must be"),
        ({"timeout": 200, "deadline": 100}, "must be at most"),
        ({"credentials": "enviroment"}, "'credentials' must be static or environment"),
        ({"proxies": {"https": "socks5://proxy:1080"}}, "Only HTTP and HTTPS proxies"),
        ({"encryption_public_key": "abc"}, "'encryption' must be filled"),
        ({"verify_ssl": False}, "has no use here"),
    ],
)
def test_a_wrong_field(set_up, doctor, extra, words):
    set_up.extra.update(extra)
    assert words in doctor().only("connection_wrong")["cause"]


def test_all_wrong_fields_are_named_at_once(set_up, doctor):
    set_up.extra.update({"pace_share": 2, "max_attempts": "many", "qoutas": {}})
    said = doctor()
    assert said.problems == ["connection_wrong"] * 3
    for name in ("pace_share", "max_attempts", "did you mean 'quotas'"):
        assert name in said.text


def test_a_region_that_does_not_exist(set_up, doctor):
    set_up.extra["region"] = "ap-singapur"
    assert "did you mean 'ap-singapore'?" in doctor().only("region_unknown")["cause"]


def test_calls_without_tls(set_up, doctor):
    set_up.fields["host"] = "http://faceid.invalid"
    assert doctor().problems == ["transport_plain", "endpoint_unreachable"]


def test_an_expired_token(set_up, doctor):
    set_up.extra["session_token"] = "other-secret-token"
    assert "token is wrong or has expired" in doctor().only("key_refused")["cause"]


@pytest.mark.parametrize(
    ("state", "problem", "code"),
    [
        ("arrears", "account_refused", "UnauthorizedOperation.Arrears"),
        ("not_activated", "account_refused", "UnauthorizedOperation.Nonactivated"),
        ("no_permission", "account_refused", "UnauthorizedOperation"),
        ("key_deleted", "key_refused", "AuthFailure.SecretIdNotFound"),
    ],
)
def test_an_account_that_may_not_call(doctor, simulator, state, problem, code):
    simulator.faults.add(FaultRule(AccountState(state)))
    assert code in doctor().only(problem)["cause"]


def test_an_encryption_key_of_another_account(set_up, doctor):
    key = rsa.generate_private_key(65537, 1024).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    set_up.extra |= {"encryption": "AES-256-CBC", "encryption_public_key": pem.decode()}
    assert "DecryptSystemError" in doctor().only("encryption_wrong")["cause"]


def test_a_role_with_few_connections(set_up, doctor, postgres_warehouse, postgres):
    role = postgres_warehouse("state", "GRANT CREATE ON SCHEMA public TO {role}", with_tables=False)
    with psycopg.connect(postgres, autocommit=True) as owner:
        owner.execute(f"ALTER ROLE {role} CONNECTION LIMIT 4")
    set_up.set("faceid__state_conn_id", "state")
    cause = doctor().only("state_connections")["cause"]
    assert cause.startswith("The role allows 4 connections")


# ------------------------------------------------------------------ the configuration


@pytest.mark.parametrize(
    ("name", "value", "problem", "words"),
    [
        ("faceid__keep_answer_days", "30", "option_unknown", "did you mean 'keep_answers_days'?"),
        ("face_id__keep_answers_days", "30", "section_misspelt", "[face_id]"),
        ("faceid__keep_answers_days", "a year", "option_value", "a number of days from 1"),
        ("faceid__ledger_survives", "powerloss", "option_value", "power_loss or process_kill"),
        ("faceid__pages_warehouses", "[{]", "option_value", "pages_warehouses"),
        ("faceid__report_roots", "/no/such/folder", "folder_missing", "/no/such/folder"),
        ("faceid__photo_roots", "photos", "folder_missing", "by its whole path"),
        ("faceid__photo_roots", "s3://nobody@bucket/x", "folder_connection", "'nobody'"),
    ],
)
def test_a_wrong_option(set_up, doctor, name, value, *, problem, words):
    set_up.set(name, value)
    assert words in doctor().only(problem)["cause"]


def test_a_warehouse_whose_connection_does_not_exist(set_up, doctor):
    set_up.set("faceid__pages_warehouses", "wh, whx")
    said = doctor()
    assert "'whx' does not exist" in said.only("warehouse_connection_wrong")["cause"]
    assert "warehouse wh" in said.data["checked"]


def test_certificates_that_are_not_there(doctor, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")
    assert "certificates_missing" in doctor().problems


# ------------------------------------------------------------------ the state store


@pytest.mark.parametrize(
    ("version", "problem"),
    [(len(MIGRATIONS) - 1, "state_older"), (len(MIGRATIONS) + 1, "state_newer")],
)
def test_a_state_store_of_another_version(set_up, doctor, version, problem):
    with sqlite3.connect(set_up.home / "faceid_state.sqlite") as store:
        store.execute("DELETE FROM faceid_state_version WHERE version > ?", (version,))
        store.execute("INSERT INTO faceid_state_version VALUES (?)", (version,))
    store.close()
    assert f"of version {version}" in doctor().only(problem)["cause"]


def test_a_state_connection_of_a_database_that_keeps_none(set_up, doctor):
    set_up.connect("state", conn_type="mysql", host="db")
    set_up.extra["state_conn_id"] = "state"
    assert (
        "needs one of type sqlite or postgres" in doctor().only("state_connection_wrong")["cause"]
    )


def test_a_state_store_in_a_folder_that_is_not_there(set_up, doctor):
    set_up.connect("state", conn_type="sqlite", host="/no/such/folder/state.sqlite")
    set_up.set("faceid__state_conn_id", "state")
    assert "/no/such/folder" in doctor().only("state_read_only")["cause"]


def test_a_fresh_state_store_is_healthy_and_is_not_made(set_up, doctor):
    store = set_up.home / "faceid_state.sqlite"
    store.unlink()
    assert doctor().code == 0
    assert not store.exists()


def test_a_state_store_on_postgresql(set_up, doctor, postgres_warehouse):
    name = postgres_warehouse("state", with_tables=False)
    set_up.set("faceid__state_conn_id", "state")
    set_up.set("core__executor", "CeleryExecutor")
    set_up.set("faceid__pages_warehouses", "")
    finding = doctor().only("state_read_only")
    assert "may make tables" in finding["cause"]
    assert "GRANT CREATE" in finding["remedy"]
    assert name


def test_a_healthy_state_store_on_postgresql_and_its_limits(set_up, doctor, postgres_warehouse):
    postgres_warehouse("state", "GRANT CREATE, USAGE ON SCHEMA public TO {role}", with_tables=False)
    set_up.set("faceid__state_conn_id", "state")
    set_up.set("core__executor", "CeleryExecutor")
    set_up.set("faceid__pages_warehouses", "")
    said = doctor()
    assert said.code == 0, said.text
    set_up.set("core__parallelism", "1000")
    finding = doctor().only("state_connections")
    assert "1000 tasks run at once" in finding["cause"]


def test_a_state_store_that_is_locked(set_up, doctor):
    holder = sqlite3.connect(set_up.home / "faceid_state.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert doctor("--photo-rate", "0").only("state_busy")
    holder.close()


def test_a_state_store_that_is_none(set_up, doctor):
    (set_up.home / "faceid_state.sqlite").write_text("hush-hush " * 1000)
    assert "SQLITE_NOTADB" in doctor().only("state_damaged")["cause"]


@pytest.mark.parametrize(("hours", "problems"), [(2, ["uplink_slow"]), (24 * 30, [])])
def test_what_uploads_of_photos_have_measured(set_up, doctor, hours, problems):
    """An uplink of 20 Mbit/s, and photos of 2.2 MB."""
    seen = Uplink(window=4, proven=4, proven_rate=2.4e6, is_found=True, mean_bytes=2.9e6)
    row = (socket.gethostname(), json.dumps(asdict(seen)), int(time.time() / 3600) - hours)
    with sqlite3.connect(set_up.home / "faceid_state.sqlite") as store:
        store.execute("INSERT INTO faceid_uplinks (host, state, seen_hour) VALUES (?, ?, ?)", row)
    store.close()
    set_up.extra["quotas"] = {"ImageRecognitionV2": 2}
    said = doctor("--photo-kb", "1") if hours > 24 else doctor()
    assert said.problems == problems, said.text
    if problems:
        assert "carried 2.4 MB/s: 0.83 photos/s of 2175 kB in place of 1.94" in said.text


def test_two_state_stores_of_one_account(set_up, doctor):
    path = str(set_up.home / "faceid_state.sqlite")
    set_up.connect("one", conn_type="sqlite", host=path)
    set_up.connect("other", conn_type="sqlite", host=path)
    set_up.extra["state_conn_id"] = "one"
    set_up.set("faceid__state_conn_id", "other")
    assert doctor().only("state_stores_two")


# ------------------------------------------------------------------ the warehouse


def test_a_warehouse_nobody_answers_for(set_up, doctor):
    set_up.connect("wh", conn_type="postgres", host="127.0.0.1", port=1, login="x", schema="x")
    assert doctor().only("warehouse_away")["severity"] == "error"


def test_a_new_warehouse_is_healthy_and_nothing_is_made(set_up, doctor):
    set_up.warehouse.unlink()
    assert doctor().code == 0
    assert not set_up.warehouse.exists()
    sqlite3.connect(set_up.warehouse).execute("CREATE TABLE people (id INTEGER)").connection.close()
    assert doctor().code == 0
    with sqlite3.connect(set_up.warehouse) as base:
        assert base.execute("SELECT name FROM sqlite_master").fetchall() == [("people",)]
    base.close()


def test_a_warehouse_in_memory(set_up, doctor):
    set_up.connect("wh", conn_type="sqlite", host=":memory:")
    assert "in memory" in doctor().only("warehouse_connection_wrong")["cause"]


def test_tables_of_a_newer_version_and_of_somebody_else(set_up, doctor):
    with sqlite3.connect(set_up.warehouse) as base:
        base.execute("UPDATE faceid_versions SET version = 99 WHERE table_name = 'faceid_runs'")
        base.execute("DROP TABLE faceid_quarantine")
        base.execute("CREATE TABLE faceid_quarantine (id INTEGER)")
        base.execute("DELETE FROM faceid_versions WHERE table_name = 'faceid_quarantine'")
    base.close()
    assert sorted(doctor().problems) == ["tables_foreign", "tables_newer"]


def test_views_that_are_missing(set_up, doctor):
    with sqlite3.connect(set_up.warehouse) as base:
        base.execute("DROP VIEW faceid_daily")
    base.close()
    assert "faceid_daily" in doctor().only("views_missing")["cause"]


def run(key: str, minute: int, campaign: str = "c", **more) -> dict:
    when = utc_text(time.time() - 86_400 + 60 * minute)
    usual = {"campaign": campaign, "action": "IdCardVerification", "map_index": -1, "dag_id": "d"}
    usual |= {"started_at": when, "updated_at": when, "state": "success", "charged": 5}
    return usual | {"run_id": f"r{minute}", "hash_key_id": hash_key_id(key)} | more


OWN, OTHER = "hush-hush-hashes", "another-hush-hush-key"


def test_a_hash_key_that_is_another_one(set_up, doctor):
    write(set_up, RUNS, NAMES.runs, run(OTHER, 1), run(OTHER, 2))
    finding = doctor().only("hash_key_changed")
    assert "campaign 'c' (IdCardVerification)" in finding["cause"]


def test_workers_with_different_hash_keys(set_up, doctor):
    write(set_up, RUNS, NAMES.runs, run(OTHER, 1), run(OWN, 2), run(OTHER, 3), run(OWN, 4))
    assert doctor().only("hash_keys_alternate")


@pytest.mark.parametrize(
    "runs",
    [[run(OTHER, 1), run(OWN, 2)], [run(OTHER, 1, "of another account"), run(OWN, 2)]],
    ids=["changed once, for good", "another account"],
)
def test_a_hash_key_that_is_as_it_should_be(set_up, doctor, runs):
    write(set_up, RUNS, NAMES.runs, *runs)
    assert doctor().code == 0


@pytest.mark.parametrize(
    ("action", "currency", "valid_to", "problems"),
    [
        ("IdCardVerification", "USD", None, []),
        ("IdCardVerification", "USD", "2020-01-31", ["price_expired"]),
        ("IdCardVerification", " ", None, ["price_currency"]),
        ("MobileStatus", "USD", None, ["price_missing"]),
    ],
)
def test_prices(set_up, doctor, action, currency, *, valid_to, problems):
    price = {"action": action, "price": 0.1, "currency": currency, "valid_from": "1970-01-01"}
    price |= {"valid_to": valid_to, "updated_at": utc_text(time.time())}
    write(set_up, PRICES, NAMES.prices, price)
    write(set_up, RUNS, NAMES.runs, run(OWN, 1))
    assert doctor().problems == problems


def test_a_warehouse_that_is_named_on_the_command_line(set_up, doctor):
    set_up.set("faceid__pages_warehouses", "")
    said = doctor("--warehouse-conn-id", "wh", "--warehouse-conn-id", "nowhere")
    assert "'nowhere' does not exist" in said.only("warehouse_connection_wrong")["cause"]
    assert "warehouse wh" in said.data["checked"]


# ------------------------------------------------------------------ the doctor itself


def test_a_check_that_breaks_or_hangs_does_not_stop_the_others(doctor, monkeypatch):
    def breaks(_):
        raise KeyError("hush-hush 张三")

    def hangs(_):
        time.sleep(60)
        yield

    checks = [check._replace(run=breaks) if check.name == "versions" else check for check in CHECKS]
    checks = [check._replace(run=hangs) if check.name == "clock" else check for check in checks]
    monkeypatch.setattr(doctor_module, "CHECKS", checks)
    began = time.monotonic()
    said = doctor("--timeout", "10")
    assert time.monotonic() - began < 50
    assert said.problems == ["check_failed", "check_slow"]
    assert "KeyError" in said.data["findings"][0]["cause"]
    assert "张" not in said.text


@pytest.mark.parametrize(
    "option", [("--timeout", "0"), ("--photo-rate", "-1"), ("--photo-kb", "0")]
)
def test_numbers_out_of_range(say, option):
    code, text = say(*option)
    assert code == 1
    assert text == ""


def test_usage(say):
    assert say("--no-such-option")[0] == 2


def test_findings_as_text(set_up, say):
    set_up.extra["region"] = "ap-singapur"
    code, text = say()
    assert code == 1
    lines = text.splitlines()
    assert lines[0].startswith(
        "WARNING region_unknown: Connection 'faceid_default' names the region"
    )
    assert lines[1].startswith("  Next step: Empty the field Region")
    assert lines[-1].startswith("1 finding by 8 checks (")


def test_output_is_json(say):
    code, text = say("-o", "json")
    assert code == 0
    assert json.loads(text)["healthy"] is True


def test_a_duckdb_file_that_is_open_elsewhere(set_up, doctor):
    path = set_up.home / "w.duckdb"
    set_up.connect("wh", conn_type="duckdb", host=str(path))
    assert doctor().code == 0
    assert not path.exists()
    hold = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        holder.stdout.readline()
        assert doctor().only("warehouse_busy")
        holder.stdin.close()
    assert doctor().code == 0


def test_a_postgresql_warehouse_that_is_healthy(doctor, postgres_warehouse):
    postgres_warehouse("wh", "GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    assert doctor().code == 0
