"""What happens when a statement fails: who sees what, and what is left open."""

from __future__ import annotations

import sqlite3
import threading
import time

import psycopg
import pytest

from airflow_provider_faceid.clock import Clock
from airflow_provider_faceid.exceptions import ConfigurationError, FaceIdError
from airflow_provider_faceid.warehouse.sources.source import Source
from airflow_provider_faceid.warehouse.sql.database import (
    BACKOFF_SECONDS,
    POSTGRESQL,
    SQLITE,
    Database,
)
from airflow_provider_faceid.warehouse.tables import RESULTS
from tests.support.homes import WITH_TRANSACTIONS, homes

from .conftest import create, upsert

PLANTED = "阿依古丽·买买提 syntax 440305199505132561"


def everything(error):
    """Return all text an error could put into a log, its causes included."""
    texts = []
    while error is not None:
        texts.append(repr(error) + str(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "".join(texts)


@homes(*WITH_TRANSACTIONS)
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO people VALUES (CAST(? AS INTEGER), 'x')",
        "INSERT INTO people SELECT CAST(? AS DATE), 'x'",
        "INSERT INTO people VALUES (1, ?), (1, 'again')",
    ],
    ids=["number", "date", "unique"],
)
def test_a_failed_statement_names_no_value_and_is_rolled_back(home, statement):
    home.run("CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(200))")
    database, marker = home.open(), home.dialect.marker
    error = None
    try:
        with database.transaction("writing people") as cursor:
            cursor.execute("INSERT INTO people VALUES (7, 'before')", ())
            cursor.execute(statement.replace("?", marker), (PLANTED,))
            cursor.execute("INSERT INTO people VALUES (7, 'SQLite converts anything')", ())
    except FaceIdError as caught:
        error = caught
    assert str(error).startswith("writing people through connection 'here' failed: ")
    assert PLANTED not in everything(error)
    assert "440305" not in everything(error)
    assert home.query("SELECT * FROM people") == []


@homes("postgresql", "duckdb")
def test_a_conversion_that_fails_while_reading_names_no_value(home):
    """SQLite converts anything."""
    home.table("people", ["id", "name"], [(1, PLANTED)])
    query = "SELECT id, CAST(name AS INTEGER) AS number FROM people"
    source = Source(home.open(), query, "id")
    with pytest.raises(FaceIdError, match="reading through connection 'here' failed") as caught:
        list(source.pages(["number"], 5))
    assert "440305" not in everything(caught.value)
    with pytest.raises(FaceIdError) as caught:
        source.database.rows(f"SELECT CAST({home.dialect.marker} AS INTEGER)", [PLANTED])
    assert "440305" not in everything(caught.value)


def test_a_failed_query_leaves_the_connection_usable(home):
    database = home.open()
    with pytest.raises(FaceIdError, match="nowhere"):
        database.rows("SELECT * FROM nowhere")
    assert database.rows("SELECT 1") == [(1,)]


def insert_and_fail(cursor):
    cursor.execute("INSERT INTO people VALUES (1)")
    raise ZeroDivisionError(PLANTED)


@homes(*WITH_TRANSACTIONS)
def test_an_error_in_the_middle_rolls_back_and_says_where(home):
    home.run("CREATE TABLE people (id INTEGER)")
    database = home.open()
    with (
        pytest.raises(FaceIdError, match=r"counting people .* failed: ZeroDivisionError$"),
        database.transaction("counting people") as cursor,
    ):
        insert_and_fail(cursor)
    assert database.rows("SELECT COUNT(*) FROM people") == [(0,)]


def test_a_check_is_an_error_of_the_configuration(home):
    with pytest.raises(ConfigurationError, match=r"^The thing \(connection 'here'\): "):
        home.open().check("SELECT * FROM nowhere", "The thing")


def test_a_database_is_opened_on_first_use_and_again_after_it_was_closed(home):
    database = home.open()
    database.close()
    assert database.rows("SELECT 1") == [(1,)]
    database.close()
    database.close()
    assert database.rows("SELECT 1") == [(1,)]


def test_a_database_that_cannot_be_opened_is_an_error_of_ours(tmp_path):
    path = tmp_path / "no such folder" / "x.sqlite"
    database = Database(lambda: sqlite3.connect(path), SQLITE, "here")
    with pytest.raises(FaceIdError, match="connection 'here' failed: OperationalError: unable"):
        database.rows("SELECT 1")
    with (
        pytest.raises(FaceIdError, match="connection 'here' failed"),
        database.transaction("writing"),
    ):
        pass
    with pytest.raises(FaceIdError, match="connection 'here' failed"):
        create(database, RESULTS, "t")


class QuickClock(Clock):
    """Pauses last no time, and are remembered."""

    def __init__(self):
        self.pauses = []

    def sleep(self, seconds):
        self.pauses.append(seconds)


def write_nothing(database):
    with database.transaction("writing") as cursor:
        cursor.execute("SELECT 1", ())


@pytest.fixture
def cut(postgres):
    """A database, and a way to cut its connection from outside."""
    clock = QuickClock()
    database = Database(lambda: psycopg.connect(postgres), POSTGRESQL, "here", clock)

    def cut():
        pid = database.rows("SELECT pg_backend_pid()")[0][0]
        with psycopg.connect(postgres) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])

    yield database, cut, clock
    database.close()


def test_a_connection_the_server_cut_is_opened_again(cut):
    database, cut_it, _ = cut
    cut_it()
    with pytest.raises(FaceIdError, match=r"AdminShutdown: terminating .* \[SQLSTATE 57P01\]"):
        write_nothing(database)
    write_nothing(database)


def test_a_read_and_a_write_that_may_be_repeated_survive_a_cut_connection(cut):
    database, cut_it, clock = cut
    for use in (
        lambda: database.rows("SELECT 1"),
        lambda: database.run("writing", lambda cursor: cursor.execute("SELECT 1", ())),
    ):
        cut_it()
        use()
    assert clock.pauses == [1.0, 1.0]


def test_a_server_that_stays_away_is_not_waited_for_for_ever(postgres):
    clock, there = QuickClock(), [True]

    def connect():
        return psycopg.connect(postgres if there else "host=127.0.0.1 port=1")

    database = Database(connect, POSTGRESQL, "here", clock)
    database.rows("SELECT 1")
    there.clear()
    database.close()
    with pytest.raises(FaceIdError, match=r"OperationalError: connection failed: .*refused"):
        database.rows("SELECT 1")
    assert clock.pauses == list(BACKOFF_SECONDS)


def test_a_server_that_was_never_there_is_not_waited_for():
    clock = QuickClock()
    away = Database(lambda: psycopg.connect("host=127.0.0.1 port=1"), POSTGRESQL, "here", clock)
    with pytest.raises(FaceIdError, match="connection 'here' failed: OperationalError: "):
        away.rows("SELECT 1")
    assert clock.pauses == []


def test_sqlite_writers_wait_for_each_other(tmp_path):
    path = tmp_path / "here.sqlite"
    database = Database(lambda: sqlite3.connect(path), SQLITE, "here")
    create(database, RESULTS, "t")
    locked = threading.Event()

    def hold():
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        locked.set()
        time.sleep(0.5)
        other.execute("COMMIT")
        other.close()

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait()
    upsert(database, RESULTS, "t", [{"campaign": "c", "action": "a", "source_key": "1"}])
    holder.join()
    assert database.rows("SELECT COUNT(*) FROM t") == [(1,)]
    database.close()


def test_sqlite_readers_read_while_somebody_writes(tmp_path):
    path = tmp_path / "here.sqlite"
    writer = Database(lambda: sqlite3.connect(path), SQLITE, "here")
    reader = Database(lambda: sqlite3.connect(path), SQLITE, "here")
    create(writer, RESULTS, "t")
    with writer.transaction("writing") as cursor:
        cursor.execute("INSERT INTO t (campaign) VALUES ('c')")
        assert reader.rows("SELECT COUNT(*) FROM t") == [(0,)]
    assert reader.rows("SELECT COUNT(*) FROM t") == [(1,)]
    writer.close()
    reader.close()
