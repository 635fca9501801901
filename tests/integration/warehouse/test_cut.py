"""A source cut into shards: whatever the keys are, every row is in one of them."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.warehouse.sources.keyset import Shard
from airflow_provider_faceid.warehouse.sources.source import EVERYTHING, Source
from airflow_provider_faceid.warehouse.sql.database import MYSQL
from tests.support.homes import HOMES, homes

pytestmark = pytest.mark.source

# Each example empties the table; opening a database for each would take minutes.
ON_ONE_DATABASE = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-50, 50)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
OWN_ORDER = {
    "sqlite": "TEXT COLLATE NOCASE",
    "postgresql": "letter",  # the tests' server has no collation with an order of its own
    "duckdb": "VARCHAR COLLATE NOCASE",
    "mysql": "VARCHAR(9) COLLATE utf8mb4_general_ci",
}
"""Types whose order is not that of the characters' numbers."""


def people(home, type_, keys=()):
    home.run(f"CREATE TABLE people (id {type_}, name TEXT)")
    add(home, keys)


def add(home, keys):
    home.run("INSERT INTO people VALUES (?, 'x')", [(key,) for key in keys])


@pytest.fixture(autouse=True)
def kept_open(home):
    """A file of DuckDB that nobody has open takes long to open."""
    home.open().rows("SELECT 1")


@contextmanager
def source(home, shard=EVERYTHING, relation="people"):
    database = home.open()
    yield Source(database, relation, "id", shard)
    database.close()


def read(home, *parts):
    with source(home, *parts) as one:
        return [row[0] for page in one.pages([], 3) for row in page]


def count(home, *parts):
    with source(home, *parts) as one:
        return one.inspect(["name"], min_rows=0)


def cut(home, pieces, rows=None):
    """Return the shards as a planning task hands them to the others."""
    with source(home) as one:
        shards = one.cut(one.inspect([], 0) if rows is None else rows, pieces)
    return [Shard.from_json(json.loads(json.dumps(shard.as_json()))) for shard in shards]


def assert_shards_cover_every_key_once(home, keys, later, pieces):
    home.run("DELETE FROM people")
    add(home, keys)
    shards = cut(home, pieces)
    parts = [read(home, shard) for shard in shards]
    assert [key for part in parts for key in part] == read(home)
    assert sorted(key for part in parts for key in part) == sorted(map(str, keys))
    sizes = [len(part) for part in parts]
    assert len(sizes) == max(1, min(pieces, len(keys)))
    assert max(sizes) - min(sizes) <= 1
    add(home, later)
    parts = [read(home, shard) for shard in shards]
    assert [key for part in parts for key in part] == read(home)
    assert [count(home, shard) for shard in shards] == list(map(len, parts))


@ON_ONE_DATABASE
@given(st.data(), st.sets(INTEGERS, max_size=30), st.integers(1, 9))
def test_shards_cover_every_number_once_those_to_come_too(home, data, keys, pieces):
    home.run("CREATE TABLE IF NOT EXISTS people (id BIGINT, name TEXT)")
    later = data.draw(st.sets(INTEGERS, max_size=8)) - keys
    assert_shards_cover_every_key_once(home, keys, later, pieces)


@ON_ONE_DATABASE
@given(st.data(), st.sets(TEXTS, max_size=30), st.integers(1, 9))
def test_shards_cover_every_text_once_those_to_come_too(home, data, keys, pieces):
    home.run("CREATE TABLE IF NOT EXISTS people (id TEXT, name TEXT)")
    later = data.draw(st.sets(TEXTS, max_size=8)) - keys
    assert_shards_cover_every_key_once(home, keys, later, pieces)


def test_the_order_is_the_databases_own(home):
    if home.dialect.name == "postgresql":
        home.run("CREATE TYPE letter AS ENUM ('a', 'B', 'c', 'D', 'e')")
    people(home, OWN_ORDER[home.dialect.name], ["c", "D", "e", "B", "a"])
    assert [read(home, shard) for shard in cut(home, 3)] == [["a"], ["B", "c"], ["D", "e"]]


TYPES = {
    "DATE": ["1999-12-31", "2026-01-02", "2026-11-21"],
    "TIMESTAMP": ["2026-03-29 02:30:00", "2026-10-25 02:30:00.000001", "2026-11-21 00:00:00"],
    "UUID": [f"{digit}fffffff-0000-4000-8000-000000000000" for digit in "07f"],
    "DECIMAL(30, 9)": ["-1.5", "12345678901234567890.000000001", "12345678901234567890.1"],
    # Two of them have the same hour where the clocks go back.
    "TIMESTAMPTZ": ["2026-10-25 00:30+00", "2026-10-25 01:30+00", "2026-10-25 09:30:00.000001+08"],
}

MARIADB = {
    **{type_: TYPES[type_] for type_ in ("DATE", "UUID", "DECIMAL(30, 9)")},
    "DATETIME(6)": TYPES["TIMESTAMP"],
    "TIMESTAMP(6)": TYPES["TIMESTAMP"],
    "TIME(3)": ["-838:59:59", "00:00:00.001", "838:59:59"],
    "ENUM('c', 'B', 'a')": ["c", "B", "a"],
    "DECIMAL(65, 0)": ["-1", "9" * 64, "9" * 65],
    "DECIMAL(65, 30)": ["0.000000000000000000000000000001", "0.5", "9" * 35 + ".5"],
}


@pytest.mark.parametrize(
    ("home", "type_"),
    [
        *(("postgresql", type_) for type_ in TYPES),
        *(("duckdb", type_) for type_ in TYPES),
        *(("mariadb", type_) for type_ in MARIADB if "mariadb" in HOMES),
    ],
    indirect=["home"],
)
def test_keys_may_be_of_any_type_that_has_an_order(home, type_):
    people(home, type_)
    for text in MARIADB[type_] if home.dialect is MYSQL else TYPES[type_]:
        value = f"'{text}'" if home.dialect is MYSQL else f"CAST('{text}' AS {type_})"
        home.run(f"INSERT INTO people VALUES ({value}, 'x')")
    shards = cut(home, 3)
    everything = read(home)
    assert len(everything) == 3
    assert [read(home, shard) for shard in shards] == [[key] for key in everything]
    assert [count(home, shard) for shard in shards] == [1, 1, 1]


@homes("sqlite")
def test_keys_of_sqlite_may_be_of_several_types(home):
    people(home, "", [1, 2, 10, "a", "11"])
    assert [read(home, shard) for shard in cut(home, 5)] == [["1"], ["2"], ["10"], ["11"], ["a"]]


def test_a_source_of_few_rows_has_few_shards(home):
    people(home, "INTEGER")
    assert cut(home, 4) == [Shard()]
    add(home, [7])
    assert cut(home, 4) == [Shard()]
    add(home, [9])
    assert cut(home, 4) == [Shard(until=7), Shard(after=7)]
    assert cut(home, 1) == [Shard()]


def test_rows_that_come_or_go_before_the_cut_are_in_a_shard_all_the_same(home):
    people(home, "INTEGER", range(10, 20))
    assert cut(home, 4, rows=1000) == [Shard()]
    assert cut(home, 2, rows=6) == [Shard(until=12), Shard(after=12)]
    add(home, [None])
    assert cut(home, 2, rows=10) == [Shard(until=14), Shard(after=14)]


def test_a_shard_is_as_if_the_other_rows_were_not_there(home):
    people(home, "INTEGER", [1, 2, 2, 3, None])
    with source(home, Shard(until=1)) as first:
        assert first.inspect(["name"]) == 1
        assert first.row(1, ["name"]) == ("x",)
        assert first.row(3, ["name"]) is None
        with pytest.raises(ConfigurationError, match="has 1 row, fewer than min_rows=2"):
            first.inspect([], min_rows=2)
    assert count(home, Shard(1, 1)) == 0
    assert count(home, Shard(2)) == 1


def test_a_key_that_does_not_name_each_row_is_found_before_the_cut_and_in_its_shard(home):
    people(home, "INTEGER", [1, 2, 2, 3, None])
    with pytest.raises(ConfigurationError, match="1 row has none and 1 row repeats"):
        cut(home, 2)
    with pytest.raises(ConfigurationError, match="0 rows have none and 1 row repeats"):
        count(home, Shard(1, 2))


@pytest.mark.parametrize("shard", [EVERYTHING, Shard(1)], ids=["whole", "shard"])
def test_a_row_that_lost_its_key_while_pages_are_read_ends_them(home, shard):
    people(home, "INTEGER", [1, 2, None])
    with source(home, shard) as one:
        assert one.page([], 2, [None]) == []


def test_a_query_can_be_cut(home):
    people(home, "TEXT", ["a%", "b%", "c", "d%", "it's; DROP TABLE people --%"])
    backslash = "\\\\" if home.dialect is MYSQL else "\\"
    query = f"SELECT id FROM people WHERE id LIKE '%{backslash}%' ESCAPE '{backslash}'"
    with source(home, relation=query) as one:
        shards = one.cut(one.inspect([]), 4)
    assert [read(home, shard, query) for shard in shards] == [
        ["a%"],
        ["b%"],
        ["d%"],
        ["it's; DROP TABLE people --%"],
    ]
