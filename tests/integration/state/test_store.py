"""The store: made by whoever comes first, refused with a sentence that says why."""

from __future__ import annotations

import os
import socket
import warnings

import psycopg
import pytest
from sqlalchemy import create_engine

from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.exceptions import ConfigurationError, StateStoreError
from airflow_provider_faceid.state.rate_rows import StoredRow
from airflow_provider_faceid.state.schema import MIGRATIONS
from airflow_provider_faceid.state.store import LOCK_SECONDS, StateStore, Survives
from tests.support.forked import FORKED
from tests.support.patience import PATIENCE

from .conftest import HOURLY, SleepClock

ALL_VERSIONS = [(number,) for number in range(1, len(MIGRATIONS) + 1)]


def take_one(url: str, barrier) -> None:
    """Open a store at the same time as others, in a process of its own."""
    store = StateStore(url)
    barrier.wait(PATIENCE)
    StoredRow(store, "account").take(10, 1)
    store.close()


def rows(store: StateStore, sql: str) -> list[tuple[int]]:
    with store.transaction() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def version(store: StateStore) -> list[tuple[int]]:
    return rows(store, "SELECT version FROM faceid_state_version")


def test_six_processes_make_it_at_once(url, stores):
    barrier = FORKED.Barrier(6)
    workers = [FORKED.Process(target=take_one, args=(url, barrier)) for _ in range(6)]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(PATIENCE)
        assert [worker.exitcode for worker in workers] == [0] * 6
    finally:
        for worker in workers:
            worker.kill()
            worker.join()
            worker.close()
    assert version(stores(url)) == ALL_VERSIONS


def test_every_migration_is_noted_once(url, stores):
    assert version(stores(url)) == version(stores(url)) == ALL_VERSIONS


def test_a_newer_store_is_refused(url, stores):
    version(stores(url))
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO faceid_state_version VALUES (99)")
    engine.dispose()
    with pytest.raises(ConfigurationError, match="version 99, newer than this provider knows"):
        version(stores(url))


@pytest.mark.parametrize("url", ["mysql://host/db", "duckdb:///a.db"])
def test_another_kind_of_database_is_refused(url):
    with pytest.raises(ConfigurationError, match=r"SQLite or PostgreSQL, not '(mysql|duckdb)'"):
        StateStore(url)


def test_a_server_out_of_reach_is_an_error_without_its_password(stores):
    url = "postgresql+psycopg://somebody:hush-hush@127.0.0.1:1/state?connect_timeout=3"
    store = stores(url, SleepClock())
    with pytest.raises(StateStoreError, match="nothing is sent") as raised:
        version(store)
    assert "hush-hush" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert "127.0.0.1:1" in str(raised.value)


def test_an_error_names_host_and_database_and_no_parameter(stores):
    url = "postgresql+psycopg://me:secret@127.0.0.1:1/db?sslpassword=hidden&connect_timeout=1"
    with pytest.raises(StateStoreError, match=r"'db' at 127\.0\.0\.1:1 cannot be used") as caught:
        version(stores(url, SleepClock()))
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_new_file_is_its_owners_alone(tmp_path, stores):
    stores(f"sqlite:///{tmp_path / 'state.sqlite'}").run(lambda cursor: cursor.execute("SELECT 1"))
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes["state.sqlite"] == 0o600
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("name", ["no/such/folder/state.sqlite", "."])
def test_a_file_that_cannot_be_made_is_an_error(name, tmp_path, stores):
    with pytest.raises(StateStoreError, match="Check state_conn_id"):
        version(stores(f"sqlite:///{tmp_path / name}"))


def test_a_file_of_something_else_is_an_error(tmp_path, stores):
    file = tmp_path / "state.sqlite"
    file.write_bytes(b"not a database at all" * 200)
    with pytest.raises(StateStoreError):
        version(stores(f"sqlite:///{file}"))


def test_a_folder_nobody_may_write_to_is_an_error(stores):
    """In /proc not even root may make a file."""
    with pytest.raises(StateStoreError):
        version(stores("sqlite:////proc/state.sqlite"))


def test_a_file_that_may_only_be_read_is_an_error(tmp_path, stores):
    """Opened read-only, because root may write to any file."""
    path = tmp_path / "state.sqlite"
    version(stores(f"sqlite:///{path}"))
    with pytest.raises(StateStoreError):
        StoredRow(stores(f"sqlite:///file:{path}?mode=ro&uri=true"), "account").take(10, 1)


def test_it_can_be_used_after_it_has_failed(tmp_path, stores):
    store = stores(f"sqlite:///{tmp_path / 'later' / 'state.sqlite'}")
    with pytest.raises(StateStoreError):
        version(store)
    (tmp_path / "later").mkdir()
    assert version(store) == ALL_VERSIONS


def test_it_survives_a_restart_of_the_server(postgres, postgres_url, stores):
    """Ended by the server, the connections in the pool only show it when they are used."""
    store = stores(postgres_url)
    row = StoredRow(store, "account")
    row.take(10, 1)
    (mine,) = rows(store, "SELECT pg_backend_pid()")[0]
    with psycopg.connect(postgres) as c:
        c.execute("SELECT pg_terminate_backend(%s)", (mine,))
    row.take(10, 1)
    assert rows(store, "SELECT pg_backend_pid()") != [(mine,)]


def test_a_failed_step_changes_nothing(url, stores):
    store = stores(url)
    row = StoredRow(store, "account")
    row.take(10, 1)

    def spoil() -> None:
        with store.transaction() as cursor:
            cursor.execute("DELETE FROM faceid_pace")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spoil()
    assert rows(store, "SELECT COUNT(*) FROM faceid_pace") == [(1,)]


def test_it_is_usable_after_a_fork(url, stores):
    """As the triggerer and the executors fork."""
    store = stores(url)
    row = StoredRow(store, "account")
    row.take(HOURLY, 1)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        child = os.fork()
    if child == 0:
        try:
            row.take(HOURLY, 1)
        except BaseException:  # noqa: BLE001 - nothing of the tests' may go on in here
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    third, fourth = row.take(HOURLY, 1), row.take(HOURLY, 1)
    assert fourth.start - third.start == pytest.approx(1 / HOURLY, rel=0.1)
    assert rows(store, "SELECT COUNT(*) FROM faceid_pace") == [(1,)]


def test_closing_releases_every_file(tmp_path):
    path = tmp_path / "state.sqlite"
    store = StateStore(f"sqlite:///{path}")
    version(store)
    assert open_files(path)
    store.close()
    assert open_files(path) == []
    store.close()


def test_a_closed_store_opens_again(url, stores):
    store = stores(url)
    version(store)
    store.close()
    assert version(store)


def open_files(path) -> list[str]:
    found = []
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 - some are gone by then
        link = f"/proc/self/fd/{number}"
        if os.path.lexists(link) and os.path.realpath(link).startswith(str(path)):
            found.append(link)
    return found


@pytest.mark.parametrize(
    ("survives", "durable", "waits"),
    [
        (Survives.POWER_LOSS, True, True),
        (Survives.POWER_LOSS, False, False),
        (Survives.PROCESS_KILL, True, False),
    ],
)
def test_only_what_must_survive_a_power_cut_waits_for_the_disk(
    stores, url, survives, durable, waits
):
    store = stores(url, SYSTEM_CLOCK, survives)
    asked, answers = (
        ("PRAGMA synchronous", {True: 2, False: 1})
        if store.is_sqlite
        else ("SHOW synchronous_commit", {True: "on", False: "off"})
    )
    for _ in range(2):  # whatever the transaction before was
        with store.transaction(durable=not durable):
            pass
        with store.transaction(durable=durable) as cursor:
            cursor.execute(asked)
            assert cursor.fetchall()[0][0] == answers[waits]


def test_a_server_that_is_away_is_waited_for_and_then_given_up(stores):
    clock = SleepClock()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = stores(f"postgresql+psycopg://nobody@127.0.0.1:{port}/none", clock)
    with pytest.raises(StateStoreError, match="nothing is sent without it"), store.transaction():
        pass
    assert LOCK_SECONDS <= sum(clock.woken[-1:]) < LOCK_SECONDS + 2


def test_a_server_that_comes_back_in_time_serves(stores, postgres_url):
    """It refuses connections at first."""
    store, tries = stores(postgres_url, clock := SleepClock()), []
    connect = store._engine().raw_connection

    def refused():
        tries.append(clock.monotonic())
        if len(tries) < 4:
            raise psycopg.OperationalError("connection refused")
        return connect()

    store._engine().raw_connection = refused
    with store.transaction() as cursor:
        cursor.execute("SELECT 1")
    assert len(tries) == 4
