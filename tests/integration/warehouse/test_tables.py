from __future__ import annotations

import subprocess
import sys
import time

import pytest

from airflow_provider_faceid.exceptions import ConfigurationError, FaceIdError
from airflow_provider_faceid.warehouse.sql.database import MYSQL
from airflow_provider_faceid.warehouse.tables import QUARANTINE, RESULTS, RUNS, select_by_keys
from tests.support.homes import homes
from tests.support.patience import PATIENCE

from .conftest import as_text, create, remove, upsert

SCOPE = {"campaign": "c", "action": "a"}
HOSTILE = [
    pytest.param('with "quotes"', id="quotes"),
    pytest.param("it's", id="apostrophe"),
    pytest.param("脸😀", id="emoji"),
    pytest.param("100%s %d %%", id="percent"),
    pytest.param("really?", id="question mark"),
    pytest.param("select", id="reserved word"),
    pytest.param(" two words ", id="spaces"),
    pytest.param("x; DROP TABLE people --", id="injection"),
]


def result(key, **facts):
    return {**SCOPE, "source_key": key, "status": "answered", **facts}


def all_results(home, columns="source_key, status, outcome, similarity, charged"):
    return home.query(f"SELECT {columns} FROM faceid_results ORDER BY source_key")


@pytest.mark.parametrize("table", [RESULTS, QUARANTINE, RUNS], ids=lambda table: table.name)
def test_a_table_is_created_once_and_kept(home, table):
    database = home.open()
    values = {"text": "x", "timestamp": "2026-11-28T12:00:00.000+00:00", "date": "2026-11-28"}
    row = {name: values.get(column.type, 1) for name, column in table.columns.items()}
    create(database, table, "t")
    upsert(database, table, "t", [row])
    create(database, table, "t")
    names = ", ".join(map(database.dialect.quote, table.columns))
    kept = database.rows(f"SELECT {names} FROM t")
    assert [as_text(value, home.dialect) for value in kept[0]] == list(row.values())
    assert len(kept) == 1


CREATOR = """
import sys, time
from airflow_provider_faceid.warehouse.sql.database import MYSQL, POSTGRESQL, SQLITE, Database
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.tables import RESULTS, insert

kind, address, start, me = sys.argv[1:]
if kind == "sqlite":
    from sqlite3 import connect
elif kind == "postgresql":
    from psycopg import connect
else:
    from json import loads
    from MySQLdb import connect as connect_by

    def connect(address):
        return connect_by(**loads(address))
dialect = {"sqlite": SQLITE, "postgresql": POSTGRESQL, "mysql": MYSQL}[kind]
database = Database(lambda: connect(address), dialect, "here")
time.sleep(max(0, float(start) - time.time()))
prepare(database, Names())
row = {"campaign": "c", "action": "a", "source_key": me, "status": "answered"}
with database.transaction("writing") as cursor:
    insert(cursor, database, RESULTS, RESULTS.name, [row])
database.close()
"""


@homes("sqlite", "postgresql", "mariadb")
def test_four_processes_create_the_same_tables_at_once(home):
    """DuckDB lets one process write."""
    start = str(time.time() + 1.5)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CREATOR, home.dialect.name, home.address, start, str(number)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    assert [process.communicate(timeout=PATIENCE)[1] for process in processes] == [""] * 4
    assert all_results(home, "source_key") == [("0",), ("1",), ("2",), ("3",)]


@pytest.mark.parametrize("columns", ["id INTEGER", "campaign TEXT, action TEXT, source_key TEXT"])
def test_a_table_of_somebody_else_is_refused_and_left_alone(home, columns):
    home.run(f"CREATE TABLE faceid_results ({columns})")
    with pytest.raises(ConfigurationError, match="'faceid_results' is not one of ours") as caught:
        create(home.open(), RESULTS, "faceid_results")
    assert "connection 'here'" in str(caught.value)
    assert home.query("SELECT * FROM faceid_results") == []


def test_a_name_that_is_no_table_of_an_existing_schema_is_refused(home):
    with pytest.raises(ConfigurationError, match="nowhere"):
        create(home.open(), RESULTS, "nowhere.faceid_results")


@pytest.fixture
def results(home):
    database = home.open()
    create(database, RESULTS, RESULTS.name)
    return database


def test_rows_are_inserted_and_the_same_key_replaces(home, results):
    upsert(
        results, RESULTS, RESULTS.name, [result("1", outcome="match", similarity=88.5, charged=1)]
    )
    upsert(
        results, RESULTS, RESULTS.name, [result("2"), result("1", outcome="mismatch", charged=0)]
    )
    assert all_results(home) == [
        ("1", "answered", "mismatch", None, 0),
        ("2", "answered", None, None, None),
    ]


def test_columns_that_are_none_in_every_row_stay_null(home, results):
    rows = [result(str(key), similarity=None, latency_ms=None) for key in range(3)]
    upsert(results, RESULTS, RESULTS.name, rows)
    assert all_results(home, "similarity, latency_ms") == [(None, None)] * 3


def test_of_two_rows_with_one_key_in_a_batch_the_last_counts(home, results):
    rows = [result("1", outcome="match"), result("2"), result("1", outcome="review")]
    upsert(results, RESULTS, RESULTS.name, rows)
    assert all_results(home, "source_key, outcome") == [("1", "review"), ("2", None)]


def test_the_same_key_of_another_campaign_or_action_is_another_row(home, results):
    rows = [result("1"), result("1", campaign="d"), result("1", action="b")]
    upsert(results, RESULTS, RESULTS.name, rows)
    assert len(all_results(home)) == 3


def test_no_rows_are_no_statement(home, results):
    upsert(results, RESULTS, RESULTS.name, [])
    assert all_results(home) == []


@pytest.mark.parametrize(
    "text",
    ["%s", "'", '"; --', "", "张三 😀", "a\nb", "?"],
    ids=["percent", "apostrophe", "comment", "empty", "Chinese", "newline", "question mark"],
)
def test_values_are_bound_and_never_part_of_the_statement(results, text):
    upsert(results, RESULTS, RESULTS.name, [result(text, description=text)])
    found = select_by_keys(results, RESULTS.name, ("description",), SCOPE, [text])
    assert found == [(text,)]


def test_a_batch_that_is_refused_leaves_nothing_behind(home, results):
    rows = [result("1"), result("2", similarity="seventy")]
    if home.dialect.name == "sqlite":
        rows[1]["similarity"] = ["no value of a database"]
    with pytest.raises(
        FaceIdError, match="writing table 'faceid_results' through connection 'here'"
    ):
        upsert(results, RESULTS, RESULTS.name, rows)
    assert all_results(home) == []
    upsert(results, RESULTS, RESULTS.name, [result("1")])
    assert len(all_results(home)) == 1


def test_five_hundred_keys_are_looked_up_at_once(results):
    upsert(results, RESULTS, RESULTS.name, [result(str(key)) for key in range(600)])
    wanted = [str(key) for key in range(200, 700)]
    found = select_by_keys(results, RESULTS.name, ("source_key",), SCOPE, wanted)
    assert sorted(int(key) for (key,) in found) == list(range(200, 600))
    other = SCOPE | {"campaign": "d"}
    assert select_by_keys(results, RESULTS.name, ("source_key",), other, wanted) == []
    assert select_by_keys(results, RESULTS.name, ("source_key",), SCOPE, []) == []


def test_rows_are_deleted_by_condition(home, results):
    upsert(results, RESULTS, RESULTS.name, [result("1"), result("2"), result("1", campaign="d")])
    remove(results, RESULTS.name, "campaign = ? AND source_key = ?", ["c", "1"])
    assert all_results(home, "campaign, source_key") == [("d", "1"), ("c", "2")]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_table_may_have_any_name(home, name):
    database = home.open()
    if home.dialect is MYSQL and not (
        name.strip() == name and name.isprintable() and max(name) < "\U00010000"
    ):
        with pytest.raises(ConfigurationError, match=r"Next step: (name it|write names) with"):
            create(database, RESULTS, name)
        return
    create(database, RESULTS, name)
    create(database, RESULTS, name)
    upsert(database, RESULTS, name, [result("1"), result("2")])
    remove(database, name, "source_key = ?", ["2"])
    assert select_by_keys(database, name, ("source_key",), SCOPE, ["1", "2"]) == [("1",)]


@homes("postgresql", "duckdb", "mariadb")
def test_a_table_may_be_in_a_schema(home):
    """SQLite has no schemas; a schema of MySQL is a database."""
    schema = home.dialect.quote("face id")
    home.run(f"CREATE SCHEMA {schema}")
    database = home.open()
    create(database, RESULTS, "face id.results")
    upsert(database, RESULTS, "face id.results", [result("1")])
    assert home.query(f"SELECT source_key FROM {schema}.results") == [("1",)]
    database.close()
    home.run(f"DROP SCHEMA {schema} {'' if home.dialect is MYSQL else 'CASCADE'}")
