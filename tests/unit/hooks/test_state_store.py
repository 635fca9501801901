"""Which state store a hook uses, and what it is told about itself."""

from __future__ import annotations

import json
import logging
import sys
import threading

import pytest
from sqlalchemy import make_url

from airflow_provider_faceid.client.settings import Credentials, Settings
from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.hooks import state_store as state
from airflow_provider_faceid.hooks.state_store import DEFAULT_FILE, shared_rate_limiter, state_url
from tests.support.patience import PATIENCE

ACTION = "IdCardVerification"
SECRET_ID = "AKIDsecretsecretsecret"


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """A home of its own, and nothing remembered from or for other tests."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    monkeypatch.setattr(state, "_paces", {})
    state._warn_of_several_hosts.cache_clear()
    yield tmp_path
    state._warn_of_several_hosts.cache_clear()


@pytest.fixture
def connections(monkeypatch, tmp_path):
    """SQLite connections by the names of who names them; returns the file of each."""
    for name in ("operator", "connection", "configuration"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", f"sqlite://{tmp_path}/{name}.sqlite")
    return lambda name: str(tmp_path / f"{name}.sqlite")


def settings(**more) -> Settings:
    return Settings(Credentials(SECRET_ID, "a-key"), **more)


def file_of(pace) -> str:
    return pace._row._store._url.database


@pytest.mark.parametrize(
    ("operator", "connection", "configuration", "expected"),
    [
        ("operator", "connection", "configuration", "operator"),
        (None, "connection", "configuration", "connection"),
        ("", "", "configuration", "configuration"),
        ("operator", "", "", "operator"),
    ],
)
def test_the_nearest_one_who_names_a_store_is_followed(
    connections, monkeypatch, *, operator, connection, configuration, expected
):
    monkeypatch.setenv("AIRFLOW__FACEID__STATE_CONN_ID", configuration)
    pace = shared_rate_limiter(settings(state_conn_id=connection), ACTION, operator)
    assert file_of(pace) == connections(expected)


def test_without_a_name_it_is_a_file_in_airflows_home(home):
    assert file_of(shared_rate_limiter(settings(), ACTION)) == str(home / DEFAULT_FILE)
    assert DEFAULT_FILE == "faceid_state.sqlite"


def test_asking_for_a_pace_opens_nothing(home):
    shared_rate_limiter(settings(), ACTION)
    assert list(home.iterdir()) == []


def test_a_postgresql_connection_is_opened_with_psycopg(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_PACE", "postgres://me:p%40ss@db.example:5433/airflow")
    assert state_url("pace") == "postgresql+psycopg://me:p%40ss@db.example:5433/airflow"


@pytest.mark.parametrize(
    "connection",
    [
        "postgres://me:p%40ss@db.example/airflow?sslmode=verify-full&connect_timeout=5&cursor=dict",
        json.dumps(
            {
                "conn_type": "postgres",
                "host": "db.example",
                "login": "me",
                "password": "p@ss",
                "schema": "airflow",
                "extra": {
                    "sslmode": "verify-full",
                    "connect_timeout": 5,
                    "cursor": "dict",
                    "iam": False,
                },
            }
        ),
    ],
)
def test_what_a_postgresql_connection_says_to_the_driver_is_said(monkeypatch, connection):
    monkeypatch.setenv("AIRFLOW_CONN_PACE", connection)
    url = make_url(state_url("pace"))
    assert url.query == {"sslmode": "verify-full", "connect_timeout": "5"}
    assert (url.host, url.username, url.password) == ("db.example", "me", "p@ss")


def test_a_server_is_reached_by_the_folder_of_its_socket(monkeypatch):
    fields = {"conn_type": "postgres", "host": "/var/run/postgresql", "login": "me"}
    extra = {"application_name": "faceid"}
    monkeypatch.setenv(
        "AIRFLOW_CONN_PACE",
        json.dumps({**fields, "password": "p@ss", "schema": "db", "extra": extra}),
    )
    url = make_url(state_url("pace"))
    assert url.query == {"host": "/var/run/postgresql", **extra}
    assert (url.host, url.database, url.username, url.password) == (None, "db", "me", "p@ss")


def test_a_file_whose_path_has_a_question_mark_is_that_file(monkeypatch, tmp_path):
    path = f"{tmp_path}/what?/state.sqlite"
    monkeypatch.setenv("AIRFLOW_CONN_PACE", json.dumps({"conn_type": "sqlite", "host": path}))
    assert make_url(state_url("pace")).database == path


def test_the_name_of_the_row_shows_no_key():
    name = shared_rate_limiter(settings(), ACTION)._row._name
    assert SECRET_ID not in name
    assert "a-key" not in name
    assert ACTION in name
    assert len(name) <= 200


def test_the_same_account_and_action_share_a_pace():
    assert shared_rate_limiter(settings(), ACTION) is shared_rate_limiter(settings(), ACTION)


@pytest.mark.parametrize(
    ("other", "action"),
    [
        (settings(url="https://other.example"), ACTION),
        (Settings(Credentials("another", "a-key")), ACTION),
        (settings(), "ImageRecognitionV2"),
    ],
    ids=["endpoint", "key", "action"],
)
def test_anything_else_has_a_row_of_its_own(other, action):
    assert (
        shared_rate_limiter(other, action)._row._name
        != shared_rate_limiter(settings(), ACTION)._row._name
    )


def test_another_rate_paces_over_the_same_row():
    one, other = (
        shared_rate_limiter(settings(), ACTION),
        shared_rate_limiter(settings(pace_share=0.5), ACTION),
    )
    assert one is not other
    assert one._row._name == other._row._name


def test_threads_that_ask_at_once_share_a_pace():
    """Made slow, because the race is lost within microseconds."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for number in range(30):
            account, paces, barrier = settings(pace_share=0.1 + number / 100), [], None
            barrier = threading.Barrier(8)

            def ask(account=account, paces=paces, barrier=barrier):
                barrier.wait(PATIENCE)
                paces.append(shared_rate_limiter(account, ACTION))

            threads = [threading.Thread(target=ask) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE)
            assert len(paces) == 8
            assert len(set(map(id, paces))) == 1
    finally:
        sys.setswitchinterval(interval)


class TestWarningOfSeveralHosts:
    @pytest.fixture
    def warnings(self, caplog):
        def warnings(executor: str, monkeypatch, **more) -> list[str]:
            monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
            with caplog.at_level(logging.WARNING, state.log.name):
                for _ in range(3):
                    shared_rate_limiter(settings(**more), ACTION)
            return [r.getMessage() for r in caplog.records if r.name == state.log.name]

        return warnings

    @pytest.mark.parametrize(
        "executor",
        [
            "CeleryExecutor",
            "KubernetesExecutor",
            "LocalExecutor,CeleryExecutor",
            "team:my.own.KubernetesExecutor",
        ],
    )
    def test_it_is_given_once(self, warnings, monkeypatch, executor):
        (warning,) = warnings(executor, monkeypatch)
        assert executor.rpartition(".")[2].rpartition(",")[2] in warning
        assert "Set state_conn_id to a PostgreSQL connection" in warning

    @pytest.mark.parametrize(
        "executor",
        ["LocalExecutor", "SequentialExecutor", "airflow.executors.local_executor.LocalExecutor"],
    )
    def test_it_is_not_given_on_one_host(self, warnings, monkeypatch, executor):
        assert warnings(executor, monkeypatch) == []

    @pytest.mark.usefixtures("connections")
    def test_it_is_not_given_if_there_is_a_connection(self, warnings, monkeypatch):
        assert warnings("CeleryExecutor", monkeypatch, state_conn_id="connection") == []


def test_a_connection_of_another_type_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_SOMEWHERE", "http://127.0.0.1")
    with pytest.raises(ConfigurationError, match="'somewhere' is of type 'http'"):
        state_url("somewhere")
