"""Rows that cannot be read, named or written: each costs itself only."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from itertools import count

import psycopg
import pytest

from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.warehouse.records import MAX_KEY
from airflow_provider_faceid.warehouse.sources.source import Source
from airflow_provider_faceid.warehouse.sql.database import POSTGRESQL, SQLITE
from tests.integration.warehouse.conftest import Home

pytestmark = pytest.mark.long

ENCODINGS = count()
NO_UTF_8 = "D5C5C8FD"
"""A name in GBK."""


def fill(trial, type_, people, keys):
    """Make the table of people, with keys of a type."""
    trial.home.run(f"CREATE TABLE people (id {type_}, id_card TEXT, name TEXT)")
    rows = [(key, p.id_card, p.name) for key, p in zip(keys, people, strict=False)]
    trial.home.run("INSERT INTO people VALUES (?, ?, ?)", rows)


@pytest.mark.fault(47)
@pytest.mark.parametrize(
    ("home", "column"),
    [
        ("sqlite", ("", (1, "1"), "1 rows? repeats? another")),
        ("sqlite", ("REAL", (0.1, 1.1), "of type REAL")),
        ("postgresql", ("REAL", (0.1, 1.1), "of type real")),
        ("postgresql", ("BYTEA", (b"a", b"b"), "of type bytea")),
        ("duckdb", ("DOUBLE", (0.1, 1.1), "of type DOUBLE")),
    ],
    indirect=["home"],
)
def test_keys_without_a_text_of_their_own_are_refused_before_a_call(trials, home, measured, column):
    trial, (type_, keys, words) = trials(home=home), column
    fill(trial, type_, trial.ordinary, keys)
    error, _ = trial.fail(ConfigurationError)
    called = len(trial.calls())
    assert called == 0
    assert re.search(words, str(error))
    trial.home.run("DROP TABLE people")
    fill(trial, "INTEGER", trial.ordinary, (1, 2))
    assert trial.run()["answered"] == 2
    trial.hold()
    measured(f"{home.dialect.name}, {type_ or 'no'} type: refused, {called} calls")


UNUSABLE = {
    "sqlite": {"x" * 9000: "key_length", "a\0b": "key_characters", 2.5: "key_type"},
    "postgresql": {"x" * 9000: "key_length"},
    "duckdb": {"x" * 9000: "key_length", "a\0b": "key_characters"},
}


@pytest.mark.fault(47)
def test_a_key_that_cannot_be_used_costs_its_row_only(trials, home, measured):
    trial, unusable = trials(home=home), UNUSABLE[home.dialect.name]
    good = ["", "7", "b" * MAX_KEY, "张 三", "it's"]
    fill(trial, "" if home.dialect is SQLITE else "TEXT", trial.ordinary, [*good, *unusable])
    manifest = trial.run()
    assert manifest["answered"] == len(trial.calls()) == len(good)
    assert trial.results().keys() == set(good)
    assert sorted(rule for _, rule, _ in trial.quarantine()) == sorted(unusable.values())
    trial.hold()
    measured(f"{home.dialect.name}: {len(unusable)} set aside, {len(good)} answered")


@pytest.mark.fault(47)
def test_a_key_with_nul_in_a_file_and_a_warehouse_that_cannot_hold_it(
    trials, tmp_path, home, measured
):
    """The source is a SQLite file, the warehouse each database in turn."""
    trial = trials(home=home)
    file = trials(home=None, start=False)
    fill(file, "TEXT", trial.ordinary, ["1", "a\0b", "c"])
    file.held = True
    batch = trial.batch()
    batch._inputs._source = Source(file.home.open(), "people", "id")
    manifest = batch.run().as_dict()
    assert (manifest["answered"], manifest["quarantined"]) == (2, 1)
    assert [rule for _, rule, _ in trial.quarantine()] == ["key_characters"]
    assert len(trial.calls()) == 2
    trial.held = True  # the people are elsewhere
    measured(f"from SQLite into {home.dialect.name}: 1 set aside, 2 answered")


ROUNDED = {
    "postgresql": ("TIMESTAMPTZ", ["infinity", "-infinity", "2026-10-25 00:30:00.000001+00"]),
    "duckdb": ("TIMESTAMP_NS", [f"2026-01-01 00:00:00.12345678{digit}" for digit in range(9)]),
}


@pytest.mark.fault(47)
@pytest.mark.parametrize("home", ROUNDED, indirect=True)
def test_keys_a_driver_rounds_or_cannot_hold_are_answered_each_once(
    trials, home, measured, monkeypatch
):
    monkeypatch.setattr("airflow_provider_faceid.batch.inputs.PAGE_ROWS", 1)
    trial, (type_, keys) = trials(home=home), ROUNDED[home.dialect.name]
    people = trial.ordinary[: len(keys)]
    home.run(f"CREATE TABLE people (id {type_}, id_card TEXT, name TEXT)")
    for key, person in zip(keys, people, strict=True):
        home.run(
            f"INSERT INTO people VALUES (CAST('{key}' AS {type_}), ?, ?)",
            [(person.id_card, person.name)],
        )
    manifest = trial.run()
    assert manifest["answered"] == len(trial.calls()) == len(keys)
    joined = "SELECT COUNT(*) FROM people p JOIN faceid_latest v ON v.source_key = "
    assert home.query(f"{joined} CAST(p.id AS VARCHAR)") == [(len(keys),)]
    assert trial.run()["calls"] == 0
    trial.held = True  # its keys cannot be read by the driver, which is the point
    measured(f"{home.dialect.name} {type_}: {len(keys)} of {len(keys)} answered, each once")


@pytest.fixture(params=["sqlite", "postgresql"])
def not_all_text(request, tmp_path):
    """A database that takes text that is no UTF-8, and an expression for such text."""
    if request.param == "sqlite":
        home = Home(SQLITE, str(tmp_path / "here.sqlite"), sqlite3.connect)
        raw = f"CAST(x'{NO_UTF_8}' AS TEXT)"
    else:
        postgres, name = request.getfixturevalue("postgres"), f"no_utf_8_{next(ENCODINGS)}"
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(
                f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
            )
        address = psycopg.conninfo.make_conninfo(postgres, dbname=name)
        home = Home(POSTGRESQL, address, psycopg.connect)
        raw = f"convert_from('\\x{NO_UTF_8}', 'SQL_ASCII')"
    yield home, raw
    home.close()


@pytest.mark.fault(48)
def test_text_that_is_no_utf_8_costs_its_row_only(trials, not_all_text, thorough, measured):
    home, raw = not_all_text
    rows = 5000 if thorough else 1200
    trial = trials(rows + 50, home=home)
    people = trial.ordinary[:rows]
    trial.fill_with(people)
    home.run(f"UPDATE people SET name = {raw} WHERE id = 5")
    home.run(f"UPDATE people SET id_card = {raw} WHERE id = {rows - 1}")
    manifest = trial.run()
    assert manifest["quarantined_by_rule"] == {"not_text": 2}
    assert manifest["answered"] == len(trial.calls()) == rows - 2
    assert [key for key, *_ in trial.quarantine()] == sorted(["5", str(rows - 1)])
    home.run("UPDATE people SET name = ? WHERE id = 5", [(people[4].name,)])
    assert trial.run()["calls"] == 1
    trial.hold()
    measured(f"{home.dialect.name}: {rows - 2} of {rows} answered, 2 set aside")


@pytest.mark.fault(48)
@pytest.mark.parametrize("home", ["postgresql", "duckdb"], indirect=True)
def test_a_view_that_fails_for_one_row_costs_that_row_only(trials, home, measured):
    trial = trials(home=home)
    people = trial.ordinary[:60]
    trial.fill_with(people)
    view, rule = {
        "postgresql": (f"convert_from('\\x{NO_UTF_8}', 'UTF8')", "not_text"),
        "duckdb": ("error('not found: ' || name)", "not_readable"),
    }[home.dialect.name]
    query = f"SELECT id, id_card, CASE id WHEN 7 THEN {view} ELSE name END AS name FROM people"
    manifest = trial.run(source=query)
    assert manifest["quarantined_by_rule"] == {rule: 1}
    assert manifest["answered"] == len(trial.calls()) == len(people) - 1
    trial.hold(source=query)
    measured(f"{home.dialect.name}, one row of a view: 59 of 60 answered, 1 set aside")


TRIGGER = (
    "CREATE TRIGGER refuse BEFORE INSERT ON faceid_results WHEN NEW.source_key = '7' "
    "BEGIN SELECT RAISE(ABORT, 'not found, does not exist'); END"
)
REFUSE = {
    "sqlite": (
        TRIGGER,
        "DROP TRIGGER refuse",
        "warehouse:SQLITE_CONSTRAINT_TRIGGER",
    ),
    "postgresql": (
        "ALTER TABLE faceid_results ADD CONSTRAINT refuse CHECK (source_key <> '7')",
        "ALTER TABLE faceid_results DROP CONSTRAINT refuse",
        "warehouse:23514",
    ),
}


@pytest.mark.fault(49)
@pytest.mark.parametrize("home", REFUSE, indirect=True)
def test_an_answer_the_warehouse_refuses_is_set_aside_and_written_once_it_takes_it(
    trials, home, measured
):
    trial, rows = trials(home=home), 60
    trial.fill_with(trial.ordinary[:rows])
    store = trial.store()
    store.open()
    store.database.close()
    refuse, accept, rule = REFUSE[home.dialect.name]
    home.run(refuse)
    manifest = trial.run()
    assert manifest["answered"] == len(trial.results()) == rows - 1
    assert trial.quarantine() == [("7", rule, "warehouse")]
    assert manifest["quarantined_by_rule"] == {rule: 1}
    assert trial.run()["calls"] == 0
    assert trial.quarantine() == [("7", rule, "warehouse")]
    home.run(accept)
    later = trial.run()
    assert (later["answered"], later["calls"], later["reused"]) == (rows, 0, 1)
    assert trial.quarantine() == []
    assert len(trial.calls()) == rows
    trial.hold()
    measured(f"{home.dialect.name}: {rows - 1} written, 1 set aside; later written with 0 calls")


@pytest.mark.fault(49)
@pytest.mark.parametrize("home", ["sqlite"], indirect=True)
def test_a_warehouse_that_refuses_every_answer_stops_the_run(trials, home, measured):
    """No row is the cause then: to go on would only be dear."""
    trial, rows = trials(home=home), 400
    trial.fill_with(trial.ordinary[:rows])
    store = trial.store()
    store.open()
    store.database.close()
    refuse, accept, _ = REFUSE["sqlite"]
    home.run(refuse.replace("WHEN NEW.source_key = '7'", ""))
    trial.fail(Exception, settings={"quotas": {"IdCardVerification": 100}})
    called = len(trial.calls())
    assert called < rows
    home.run(accept)
    assert trial.run()["answered"] == rows
    assert len(trial.calls()) == rows
    trial.hold()
    measured(f"all refused: stopped after {called} of {rows} calls, none called again")


@pytest.mark.fault(52)
@pytest.mark.parametrize("home", ["postgresql"], indirect=True)
def test_a_server_that_restarts_while_pages_are_read_and_written_is_waited_for(
    trials, home, measured, postgres
):
    """Each of the run's connections is cut as soon as it is busy, several times."""
    trial, rows = trials(home=home), 300
    trial.fill_with(trial.ordinary[:rows])
    slowly = "SELECT * FROM people WHERE pg_sleep(0.001) IS NOT NULL"
    busy = (
        "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE query LIKE '%pg_sleep(0.001)%' AND state = 'active' AND pid <> pg_backend_pid()"
    )
    over, cuts = threading.Event(), 0

    def cut() -> None:
        nonlocal cuts
        with psycopg.connect(postgres, autocommit=True) as connection:
            while cuts < 4 and not over.is_set():
                cuts += connection.execute(busy).fetchall()[0][0]
                time.sleep(0.05)

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        manifest = trial.run(source=slowly)
    finally:
        over.set()
        thread.join()
    assert cuts >= 2
    assert manifest["answered"] == len(trial.calls()) == rows
    trial.hold(source=slowly)
    measured(f"cut {cuts} times while pages were read: {rows} of {rows} answered")
