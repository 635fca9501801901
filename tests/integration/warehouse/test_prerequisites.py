"""Rows that have an earlier verdict: alike by a condition of the source's queries and by lookups."""

from __future__ import annotations

from itertools import chain

import pytest

from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.warehouse.sources.keyset import Shard
from airflow_provider_faceid.warehouse.sources.prerequisites import (
    PASSING,
    Prerequisite,
    Prerequisites,
)
from airflow_provider_faceid.warehouse.sources.source import Source
from airflow_provider_faceid.warehouse.tables import RESULTS
from tests.integration.warehouse.conftest import create, upsert
from tests.integration.warehouse.test_keys import fill, types
from tests.support.homes import homes

pytestmark = [pytest.mark.long, pytest.mark.source]

TABLE = "faceid_results"
FIRST, SECOND = "IdCardVerification", "PhoneVerification"
PEOPLE = 40


def verdict(key, outcome="match", status="answered", action=FIRST, campaign="c"):
    return {
        "campaign": campaign,
        "action": action,
        "source_key": str(key),
        "status": status,
        "outcome": outcome,
    }


def write(home, *verdicts):
    upsert(home.open(), RESULTS, TABLE, verdicts)


@pytest.fixture
def people(home):
    """Forty rows; every fourth has another fate, and only the rest a match."""
    home.table("people", ["id", "name"], [(n, f"name {n}") for n in range(PEOPLE)])
    create(home.open(), RESULTS, TABLE)
    others = [
        lambda n: verdict(n, "mismatch"),
        lambda n: verdict(n, "limit", "postponed"),
        lambda n: verdict(n, "uncertain", "held"),
        lambda n: verdict(n, campaign="another"),
    ]
    write(
        home,
        *(others[n // 4 % 4](n) if n % 4 == 0 else verdict(n) for n in range(PEOPLE) if n != 8),
        *(verdict(n, action=SECOND) for n in range(PEOPLE)),
    )
    return home


@pytest.fixture(params=["one database", "two"])
def reader(request, home):
    """Return a source in the same database as the result table, or in another one."""

    database = home.open()
    warehouse = database if request.param == "one database" else home.open()

    def read(*needed, relation="people", key="id", shard=None, table=TABLE):
        needed = needed or (Prerequisite(FIRST),)
        return Source(
            database,
            relation,
            key,
            shard or Shard(),
            Prerequisites(warehouse, table, "c", needed),
        )

    return read


def keys(source, size):
    return [key for page in source.pages([], size) for (key,) in page]


MATCHED = [str(n) for n in range(PEOPLE) if n % 4]


@pytest.mark.parametrize("size", [1, 3, 29, 30, 31, 500])
def test_pages_and_count_are_of_the_rows_with_a_verdict(people, reader, size):
    source = reader()
    assert source.inspect(["name"]) == len(MATCHED)
    rows = [row for page in source.pages(["name"], size) for row in page]
    assert rows == [(key, f"name {key}") for key in MATCHED]
    pages = [len(page) for page in source.pages(["name"], size)]
    assert pages[:-1] == [size] * (len(pages) - 1)
    assert source.label == Source(people.open(), "people", "id").label


@pytest.mark.parametrize("relation", ["SELECT * FROM people WHERE id >= 20 -- half", "people"])
@pytest.mark.parametrize("pieces", [1, 2, 7, 100])
def test_shards_are_of_equally_many_rows_with_a_verdict(people, reader, relation, pieces):
    source = reader(relation=relation)
    expected = keys(source, 7)
    shards = source.cut(source.inspect([]), pieces)
    parts = [keys(reader(relation=relation, shard=shard), 4) for shard in shards]
    assert list(chain(*parts)) == expected
    assert len(parts) == min(pieces, len(expected))
    sizes = set(map(len, parts))
    assert max(sizes) - min(sizes) <= 1
    counts = [reader(relation=relation, shard=shard).inspect([], 0) for shard in shards]
    assert counts == list(map(len, parts))


def test_a_row_needs_each_of_several_verdicts_and_outcomes_may_be_named(people, reader):
    write(people, verdict(1, "review", action=SECOND), verdict(2, "mismatch", action=SECOND))
    both = reader(Prerequisite(FIRST), Prerequisite(SECOND))
    assert keys(both, 6) == [key for key in MATCHED if key not in {"1", "2"}]
    wider = reader(Prerequisite(FIRST), Prerequisite(SECOND, (*PASSING, "review")))
    assert keys(wider, 6) == [key for key in MATCHED if key != "2"]


@pytest.mark.parametrize("table", [TABLE, "no_such_table"])
def test_while_no_row_qualifies_the_source_is_empty(home, reader, table):
    home.table("people", ["id", "name"], [(1, "x")])
    create(home.open(), RESULTS, TABLE)
    source = reader(table=table)
    assert source.inspect(["name"], 0) == 0
    assert list(source.pages(["name"], 5)) == []
    assert source.cut(0, 4) == [Shard()]
    with pytest.raises(
        ConfigurationError,
        match="has 0 rows with a current verdict of match or found by IdCardVerification in "
        "campaign 'c', fewer than min_rows=1",
    ):
        source.inspect(["name"])


def test_a_verdict_that_is_lost_meanwhile_does_not_hide_a_row_that_was_read(people, reader):
    source = reader()
    ((_, position),) = source.page([], 1, [])
    write(people, verdict(1, "mismatch"))
    assert source.row(position, ["name"]) == ("name 1",)
    assert "1" not in keys(source, 5)


def test_names_are_values_whatever_is_in_them(home, reader):
    name = "c' OR '1' = '1%s"
    home.table("people", ['k"%s', "name"], [(1, "x"), (2, "y")])
    create(home.open(), RESULTS, "my %results'")
    upsert(
        home.open(), RESULTS, "my %results'", [verdict(1, campaign="c"), verdict(2, campaign=name)]
    )
    assert keys(reader(key='k"%s', table="my %results'"), 5) == ["1"]


@pytest.mark.parametrize(("home", "type_", "values"), list(types()), indirect=["home"])
def test_a_key_of_any_type_is_found_again(home, reader, type_, values):
    fill(home, type_, values)
    create(home.open(), RESULTS, TABLE)
    whole = [row[0] for row in Source(home.open(), "people", "id").page([], 99, [])]
    write(home, *(verdict(key) for key in whole[1:]))
    source = reader()
    assert source.inspect([], 0) == len(whole) - 1
    assert keys(source, 1) == whole[1:]
    shards = source.cut(len(whole) - 1, 2)
    assert list(chain(*(keys(reader(shard=shard), 5) for shard in shards))) == whole[1:]


@homes("sqlite")
def test_bytes_and_fractions_have_no_verdict_of_the_key_that_reads_alike(home, reader):
    home.run("CREATE TABLE people (id, name TEXT)")
    home.run("INSERT INTO people VALUES (?, 'x')", [(1,), (b"2",), (3.5,), ("a",)])
    create(home.open(), RESULTS, TABLE)
    write(home, *(verdict(key) for key in ("1", "2", "3.5", "a")))
    assert keys(reader(), 5) == ["1", "a"]


COLLATED = {
    "sqlite": "TEXT COLLATE NOCASE",
    "postgresql": 'TEXT COLLATE "C"',
    "duckdb": "VARCHAR COLLATE NOCASE",
    "mysql": "VARCHAR(20) COLLATE utf8mb4_general_ci",
}


def test_a_key_is_compared_by_its_characters_whatever_its_collation(home, reader):
    home.run(f"CREATE TABLE people (id {COLLATED[home.dialect.name]}, name TEXT)")
    home.run("INSERT INTO people VALUES ('A', 'x'), ('b', 'y')")
    create(home.open(), RESULTS, TABLE)
    write(home, verdict("a"), verdict("b"))
    assert keys(reader(), 5) == ["b"]
