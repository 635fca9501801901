"""Which words of a database are shown: by code and class, whatever the words are."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import duckdb
import psycopg
import pytest
from psycopg import errors

from airflow_provider_faceid.exceptions import WarehouseError
from airflow_provider_faceid.warehouse.sql.database import DUCKDB, SQLITE, Database
from airflow_provider_faceid.warehouse.sql.errors import warehouse_error

SECRET = "no such syntax error not found does not exist 440305199505132561"
"""A value that holds every word by which messages used to be shown."""


def of_postgresql(code: str) -> Exception:
    return errors.lookup(code)(SECRET)


def told(error: Exception) -> WarehouseError:
    return warehouse_error("reading", "here", error, lambda: False)


@pytest.mark.parametrize("code", ["42P01", "42703", "42601", "42501", "57P01", "53300", "40P01"])
def test_what_postgresql_says_of_tables_rights_and_the_server_is_shown_in_any_language(code):
    error = errors.lookup(code)("Relation »leute« existiert nicht\nZEILE 1: geheim")
    shown = str(told(error))
    assert "Relation »leute« existiert nicht" in shown
    assert f"[SQLSTATE {code}]" in shown
    assert "geheim" not in shown


@pytest.mark.parametrize(
    "code",
    ["22P02", "22021", "22008", "23505", "23514", "44000", "54000", "P0001", "XX000", "F0000"],
)
def test_what_postgresql_says_of_values_is_not_shown_but_its_sqlstate_is(code):
    error = told(of_postgresql(code))
    assert "440305" not in str(error)
    assert f"[SQLSTATE {code}]" in str(error)
    assert error.reason == code


def test_a_server_that_never_spoke_is_shown_in_the_drivers_words():
    shown = told(
        psycopg.OperationalError("connection failed: Connection refused\n\tIs it running?")
    )
    assert str(shown).endswith("OperationalError: connection failed: Connection refused")
    assert shown.is_transient


def test_a_broken_connection_string_is_not_shown():
    with pytest.raises(psycopg.ProgrammingError) as caught:
        psycopg.connect("s3cret")
    assert "s3cret" in str(caught.value)
    assert "s3cret" not in str(told(caught.value))


@pytest.mark.parametrize(
    ("about", "codes"),
    [
        ("is_about_data", {"22021", "23514", "54000", "P0001"}),
        ("is_transient", {"08006", "40001", "40P01", "55P03", "57014", "57P01", "53300"}),
        ("", {"42P01", "28P01", "3D000", "25006", "XX001"}),
    ],
)
def test_what_may_be_repeated_and_what_other_rows_may_survive_is_told_by_sqlstate(about, codes):
    for code in codes:
        error = told(of_postgresql(code))
        assert (error.is_about_data, error.is_transient) == (
            about == "is_about_data",
            about == "is_transient",
        ), code


@pytest.fixture
def sqlite():
    """A SQLite database whose rows hold the secret."""
    with closing(Database(lambda: sqlite3.connect(":memory:"), SQLITE, "here")) as database:
        with database.transaction("preparing") as cursor:
            cursor.execute("CREATE TABLE people (id INTEGER, name TEXT UNIQUE)")
            cursor.execute("INSERT INTO people VALUES (1, ?)", (SECRET,))
        yield database


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT * FROM nowhere", "no such table: nowhere [SQLITE_ERROR]"),
        ("SELECT nope FROM people", "no such column: nope [SQLITE_ERROR]"),
        ("SELECT json_extract('{}', name) FROM people", "OperationalError [SQLITE_ERROR]"),
        ("INSERT INTO people SELECT 2, name FROM people", "[SQLITE_CONSTRAINT_UNIQUE]"),
    ],
)
@pytest.mark.parametrize("way", ["read", "write"])
def test_sqlite_has_one_code_for_statements_and_values_and_only_the_first_are_shown(
    sqlite, statement, shown, way
):
    def act():
        if way == "read":
            sqlite.rows(statement)
        else:
            sqlite.run("writing", lambda cursor: cursor.execute(statement).fetchall())

    with pytest.raises(WarehouseError) as caught:
        act()
    assert str(caught.value).endswith(shown)
    assert "440305" not in str(caught.value)
    assert caught.value.is_about_data == ("no such" not in shown)


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT * FROM nowhere", "CatalogException: Catalog Error: Table with name nowhere"),
        ("SELEC 1", "ParserException: Parser Error: syntax error"),
        (f"SELECT CAST('{SECRET}' AS INTEGER)", "ConversionException"),
        (f"SELECT error('{SECRET}')", "InvalidInputException"),
    ],
)
def test_duckdb_is_shown_by_the_class_of_its_error(statement, shown):
    with (
        closing(Database(lambda: duckdb.connect(":memory:"), DUCKDB, "here")) as database,
        pytest.raises(WarehouseError) as caught,
    ):
        database.rows(statement)
    assert shown in str(caught.value)
    assert "440305" not in str(caught.value)


def test_a_file_that_is_no_utf_8_is_said_in_duckdbs_own_words_without_its_line(tmp_path):
    file = tmp_path / "people.csv"
    file.write_bytes("id,name\n1,440305199505132561 张三\n".encode("gbk"))
    with (
        closing(Database(lambda: duckdb.connect(":memory:"), DUCKDB, "here")) as database,
        pytest.raises(WarehouseError) as caught,
    ):
        database.rows(f"SELECT * FROM read_csv('{file}')")
    assert "This file is not utf-8 encoded." in str(caught.value)
    assert "440305" not in str(caught.value)


@pytest.mark.parametrize("error", [ValueError(SECRET), RuntimeError(SECRET), KeyError(SECRET)])
def test_an_error_of_no_driver_is_shown_by_its_class(error):
    assert str(told(error)).endswith(f"failed: {type(error).__name__}")
