"""Names of rows: what earlier versions called them, and what a warehouse's encoding can hold."""

from __future__ import annotations

import sqlite3
from itertools import count

import psycopg
import pytest

from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.warehouse.sources.source import Source
from airflow_provider_faceid.warehouse.sql.database import POSTGRESQL, SQLITE
from tests.integration.warehouse.conftest import Home

from .conftest import Bench

pytestmark = pytest.mark.source

NAMES = count()
EARLIER = {
    "BOOLEAN": {"true": "True", "false": "False"},
    "TIMESTAMPTZ": {"2026-10-25 00:30:00.5+00": "2026-10-25 02:30:00.500000+02:00"},
    "TIMESTAMP": {"2026-10-25 00:30:00.25": "2026-10-25 00:30:00.250000"},
    "CHAR(6)": {"ab": "ab    ", "abcdef": "abcdef"},
    "DATE": {"2026-10-25": "2026-10-25"},
}
"""By type of key: what a row was called by version 0.1, by its name of today."""


def fill(bench, type_, keys):
    bench.home.run(f"CREATE TABLE people (id {type_}, id_card TEXT, name TEXT)")
    for key, person in zip(keys, bench.ordinary, strict=False):
        row = (person.id_card, person.name)
        bench.home.run(f"INSERT INTO people VALUES (CAST('{key}' AS {type_}), ?, ?)", [row])


@pytest.mark.parametrize("home", ["postgresql"], indirect=True)
@pytest.mark.parametrize("type_", EARLIER)
def test_rows_an_earlier_version_called_otherwise_are_found_and_renamed(bench, type_):
    """Their answers stay where they are, the history too, and nobody is called for again."""
    names = EARLIER[type_]
    fill(bench, type_, names)
    address = psycopg.conninfo.conninfo_to_dict(bench.home.address)
    address["options"] += " -c timezone=Europe/Berlin"
    bench.home.address = psycopg.conninfo.make_conninfo(**address)
    first = bench.run()
    assert first["answered"] == len(names)
    for today, earlier in names.items():
        for table in ("faceid_results", "faceid_history"):
            bench.home.run(
                f"UPDATE {table} SET source_key = ? WHERE source_key = ?", [(earlier, today)]
            )
    assert bench.results().keys() == set(names.values())
    again = bench.run()
    assert (again["calls"], again["reused"], again["still_valid"]) == (0, 0, len(names))
    assert bench.results().keys() == names.keys()
    history = bench.home.query("SELECT source_key FROM faceid_history")
    assert {key for (key,) in history} == names.keys()


@pytest.fixture
def latin(postgres, server, state):
    """A bench whose warehouse is a PostgreSQL database in LATIN1."""
    name = f"latin_{next(NAMES)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
        )
    address = psycopg.conninfo.make_conninfo(postgres, dbname=name)
    home = Home(POSTGRESQL, address, psycopg.connect)
    yield Bench(server, home, state)
    home.close()


@pytest.fixture
def file(tmp_path):
    """People in a SQLite file, with keys of several scripts."""
    home = Home(SQLITE, str(tmp_path / "people.sqlite"), sqlite3.connect)
    yield home
    home.close()


@pytest.mark.parametrize("client", ["LATIN1", "UTF8"])
def test_a_campaign_the_warehouse_cannot_hold_is_named_before_a_call(latin, client):
    latin.home.address += f" client_encoding={client}"
    latin.home.run("CREATE TABLE people (id INTEGER, id_card TEXT, name TEXT)")
    error, _ = latin.fail(ConfigurationError, campaign="客户")
    assert "The campaign '客户' cannot be written through connection 'here'" in str(error)
    assert latin.calls() == []


@pytest.mark.parametrize("client", ["LATIN1", "UTF8"])
def test_a_key_the_warehouse_cannot_hold_costs_its_row_only(latin, file, client):
    latin.home.address += f" client_encoding={client}"
    file.run("CREATE TABLE people (id TEXT, id_card TEXT, name TEXT)")
    keys = ("1", "é", "张", "4")
    rows = [(key, p.id_card, p.name) for key, p in zip(keys, latin.ordinary, strict=False)]
    file.run("INSERT INTO people VALUES (?, ?, ?)", rows)
    for calls in (3, 0):
        batch = latin.batch()
        batch._inputs._source = Source(file.open(), "people", "id")
        manifest = batch.run().as_dict()
        assert (manifest["answered"], manifest["calls"]) == (3, calls)
        assert manifest["quarantined_by_rule"] == {"key_encoding": 1}
    assert latin.results().keys() == {"1", "é", "4"}
    ((name, rule, stage),) = latin.quarantine()
    assert (rule, stage) == ("key_encoding", "input")
    assert name.startswith("\\u5f20... ")
