"""Qualified and quoted names of sources and of our tables, on every database."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sources.source import Source
from airflow_provider_faceid.warehouse.sql.database import DUCKDB, MYSQL, POSTGRESQL, SQLITE
from airflow_provider_faceid.warehouse.sql.identifiers import name_of
from airflow_provider_faceid.warehouse.tables import RESULTS, select_by_keys
from tests.integration.warehouse.conftest import upsert
from tests.support.homes import homes

pytestmark = pytest.mark.source

SCOPE = {"campaign": "c", "action": "IdCardVerification"}
SCHEMA = "Kyc.2026"


@pytest.fixture
def schema(home):
    """A schema with a dot and capitals in its name, and a table of people in it."""
    quote = home.dialect.quote
    if home.dialect is SQLITE:
        schema = "main"
    elif home.dialect is MYSQL:
        ((schema,),) = home.query("SELECT DATABASE()")
    else:
        schema = SCHEMA
        home.run(f"CREATE SCHEMA {quote(schema)}")
    table = f"{quote(schema)}.{quote('My.People')}"
    home.run(f"CREATE TABLE {table} (id INTEGER, {quote('Full Name')} VARCHAR(20))")
    home.run(f"INSERT INTO {table} VALUES (1, 'x')")
    yield schema
    if home.dialect is POSTGRESQL:
        home.run(f"DROP SCHEMA {quote(schema)} CASCADE")


@pytest.mark.parametrize("marks", ['""', "``", "[]"])
def test_a_source_is_found_by_its_quoted_name(home, schema, marks):
    opening, closing = marks
    written = f"{opening}{schema}{closing}.{opening}My.People{closing}"
    source = Source(home.open(), written, "id")
    assert source.inspect(["Full Name"]) == 1
    assert source.row(1, ["Full Name"]) == ("x",)
    assert source.label == f"here:{name_of([schema, 'My.People'])}"


def test_our_tables_and_views_are_in_a_schema_of_any_name(home, schema):
    names = Names(
        results=name_of([schema, "Our.results"]),
        quarantine=name_of([schema, 'a "quarantine"']),
        runs=name_of([schema, "RUNS"]),
    )
    database = home.open()
    for _ in "ab":
        prepare(database, names)
    upsert(database, RESULTS, names.results, [{**SCOPE, "source_key": "1", "status": "held"}])
    assert select_by_keys(database, names.results, ("status",), SCOPE, ["1"]) == [("held",)]
    for name in (names.history, names.beside("daily"), names.beside("waiting")):
        assert database.columns(name), name
        database.rows(f"SELECT * FROM {home.dialect.quote_table(name)}")
    versions = database.dialect.quote_table(name_of([schema, "faceid_versions"]))
    recorded = {name for (name,) in database.rows(f"SELECT table_name FROM {versions}")}
    assert {"Our.results", "Our.results_history", "Our.results_daily", "RUNS"} <= recorded


@homes("postgresql", "duckdb")
def test_a_name_may_begin_with_its_database(home, schema):
    function = "current_database()"
    ((name,),) = home.query(f"SELECT {function}")
    assert Source(home.open(), name_of([name, schema, "My.People"]), "id").inspect([]) == 1
    names = Names(*(name_of([name, schema, table]) for table in ("r_results", "q", "u")))
    for _ in "ab":
        prepare(home.open(), names)
    assert home.open().columns(names.history)


@homes("duckdb")
def test_an_attached_database_is_named_as_duckdb_names_it(home, tmp_path):
    database = home.open()
    with database.transaction("attaching") as cursor:
        cursor.execute(f"ATTACH '{tmp_path / 'lake.duckdb'}' AS \"Lake\"")
    names = Names("lake.a_results", "LAKE.main.q", "Lake.u")
    for _ in "ab":
        prepare(database, names)
    assert database.columns("lake.main.A_HISTORY") == database.columns(names.history) != set()


def test_a_name_that_is_none_is_refused_before_the_database_is_asked(home):
    with pytest.raises(ConfigurationError, match=r'kyc\."people begins a part with "'):
        Source(home.open(), 'kyc."people', "id")
    if home.dialect not in (POSTGRESQL, DUCKDB):
        with pytest.raises(ConfigurationError, match=r"a\.b\.c has 3 parts"):
            Source(home.open(), "a.b.c", "id")
