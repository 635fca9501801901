"""Composite keys: pages, shards, prerequisites and single rows, by several columns together."""

from __future__ import annotations

from itertools import chain, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.warehouse.records import MAX_KEY, UnusableKey
from airflow_provider_faceid.warehouse.sources.composite import encode
from airflow_provider_faceid.warehouse.sources.keyset import Shard
from airflow_provider_faceid.warehouse.sources.prerequisites import Prerequisite, Prerequisites
from airflow_provider_faceid.warehouse.sources.source import EVERYTHING, Source
from airflow_provider_faceid.warehouse.sql.database import DUCKDB, MYSQL, POSTGRESQL, SQLITE
from airflow_provider_faceid.warehouse.tables import RESULTS
from tests.integration.warehouse.conftest import create, upsert
from tests.support.homes import homes

pytestmark = pytest.mark.source

KEY = ["tenant", "no"]
HOSTILE = ["", "a", '"', "\\", '","', "a b", "[", "'", "%s", "?", "张三", "😀"]
TABLE = "faceid_results"
FIRST = "IdCardVerification"
ON_ONE_DATABASE = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3)
ROWS = st.lists(st.tuples(TEXTS, st.integers(-5, 5)), min_size=1, max_size=25, unique=True)


@pytest.fixture
def people(home):
    """One row for each of 12 hostile tenants and 3 numbers, which repeat from tenant to tenant."""
    home.run("CREATE TABLE people (tenant VARCHAR(20), no INTEGER, name VARCHAR(20))")
    rows = [(tenant, no, f"name {no}") for tenant, no in product(HOSTILE, (2, 10, 33))]
    home.run("INSERT INTO people VALUES (?, ?, ?)", rows)
    return home


def source(home, shard=EVERYTHING, key=KEY, relation="people", needed=None):
    return Source(home.open(), relation, key, shard, needed)


def keys(one, size=7):
    return [key for page in one.pages([], size) for (key,) in page]


def in_order(home):
    rows = home.query("SELECT tenant, no FROM people ORDER BY tenant, no")
    return [encode((tenant, str(no))) for tenant, no in rows]


@pytest.mark.parametrize("size", [1, 5, 36, 100])
def test_pages_hold_every_row_once_in_the_databases_order(people, size):
    one = source(people)
    assert one.inspect(["name"]) == 36
    assert keys(one, size) == in_order(people)
    for key, position, name in one.page(["name"], 100, []):
        assert one.row(position, ["name"]) == (name,), key
    assert one.row(["a", 10], ["name"]) == ("name 10",)
    assert one.row(("a", "33"), ["name"]) == ("name 33",)
    assert one.row(["a", 11], ["name"]) is None
    assert one.earlier_keys(one.page([], 3, [])) == {}


@ON_ONE_DATABASE
@given(rows=ROWS, size=st.integers(1, 9), pieces=st.integers(1, 5))
def test_whatever_the_keys_are_pages_and_shards_are_in_the_databases_order(
    home, rows, size, pieces
):
    home.run("DROP TABLE IF EXISTS people")
    home.run("CREATE TABLE people (tenant VARCHAR(20), no INTEGER)")
    home.run("INSERT INTO people VALUES (?, ?)", rows)
    one = source(home)
    expected = in_order(home)
    assert one.inspect([]) == len(rows)
    assert keys(one, size) == expected
    shards = [Shard.from_json(s.as_json()) for s in one.cut(len(rows), pieces)]
    parts = [keys(source(home, shard), size) for shard in shards]
    assert list(chain(*parts)) == expected
    assert [source(home, shard).inspect([]) for shard in shards] == list(map(len, parts))
    home.close()


def test_the_databases_own_text_is_the_key_and_finds_its_verdict(people):
    """As a condition in one database, by lookups in another; with the text an analyst would type."""
    create(people.open(), RESULTS, TABLE)
    everybody = in_order(people)
    chosen = everybody[1::3]
    upsert(
        people.open(),
        RESULTS,
        TABLE,
        [
            {
                "campaign": "c",
                "action": FIRST,
                "source_key": key,
                "status": "answered",
                "outcome": "match",
            }
            for key in chosen
        ],
    )
    database = people.open()
    for warehouse in (database, people.open()):
        needed = Prerequisites(warehouse, TABLE, "c", [Prerequisite(FIRST)])
        one = Source(database, "people", KEY, EVERYTHING, needed)
        assert one.inspect(["name"], 0) == len(chosen)
        assert keys(one, 4) == chosen
        shards = one.cut(len(chosen), 3)
        parts = [keys(Source(database, "people", KEY, shard, needed)) for shard in shards]
        assert list(chain(*parts)) == chosen


JOINS = {
    "sqlite": r"""'["' || replace(replace(tenant, '\', '\\'), '"', '\"') || '","' || no || '"]'""",
    "postgresql": r"""'["' || replace(replace(tenant, '\', '\\'), '"', '\"') || '","' || no || '"]'""",
    "duckdb": r"""'["' || replace(replace(tenant, '\', '\\'), '"', '\"') || '","' || no || '"]'""",
    "mysql": r"""concat('["', replace(replace(tenant, '\\', '\\\\'), '"', '\\"'), '","', no, '"]')""",
}
"""As ``docs/sources.md`` has them."""


def test_an_analyst_makes_the_same_text(people):
    made = people.query(f"SELECT {JOINS[people.dialect.name]} FROM people ORDER BY tenant, no")
    assert [text for (text,) in made] == in_order(people)


PARTS = {
    "sqlite": "SELECT json_extract(k, '$[0]'), json_extract(k, '$[1]') FROM (SELECT ? AS k) AS t",
    "postgresql": "SELECT k::jsonb ->> 0, k::jsonb ->> 1 FROM (SELECT ?::text AS k) AS t",
    "duckdb": "SELECT k ->> '$[0]', k ->> '$[1]' FROM (SELECT CAST(? AS VARCHAR) AS k) AS t",
    "mysql": "SELECT json_unquote(json_extract(k, '$[0]')), json_unquote(json_extract(k, '$[1]')) "
    "FROM (SELECT ? AS k) AS t",
}


def test_an_analyst_takes_it_apart_as_json(home):
    database = home.open()
    for tenant in HOSTILE:
        sql = PARTS[home.dialect.name].replace("?", home.dialect.marker)
        assert database.rows(sql, [encode((tenant, "17"))]) == [(tenant, "17")]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("UPDATE people SET no = NULL WHERE no = 2", "12 rows have none and 0 rows repeat"),
        ("UPDATE people SET tenant = NULL WHERE tenant = 'a'", "3 rows have none and 0 rows"),
        ("UPDATE people SET no = 10 WHERE tenant = 'a'", "0 rows have none and 2 rows repeat"),
    ],
    ids=["NULL in the last", "NULL in the first", "repeated"],
)
def test_columns_that_do_not_name_each_row_together_are_refused(people, change, fault):
    people.run(change)
    with pytest.raises(
        ConfigurationError, match=rf"The set of columns 'tenant' and 'no' .* is no key: {fault}"
    ):
        source(people).inspect(["name"])


def test_a_row_that_lost_a_part_while_pages_are_read_does_not_end_them(people):
    everybody = in_order(people)
    pages = source(people).pages([], 5)
    read = [key for (key,) in next(pages)]
    people.run("UPDATE people SET no = NULL WHERE no = 10 AND tenant = '张三'")
    read += [key for page in pages for (key,) in page]
    assert read == [key for key in everybody if key != '["张三","10"]']


def test_columns_are_asked_for_by_name(people):
    for wrong in ([], ["tenant", "tenant"]):
        with pytest.raises(ConfigurationError, match="one column, or several different ones"):
            source(people, key=wrong)
    with pytest.raises(ConfigurationError, match="has no column 'tenent'"):
        source(people, key=["tenent", "no"]).inspect([])
    for key in ("a", 17, ["a"], ["a", 1, 2]):
        with pytest.raises(ConfigurationError, match=r"is a list of 2 values, .* tenant, no"):
            source(people).row(key, ["name"])
    assert keys(source(people, key=["name"], relation="SELECT 'x' AS name")) == ["x"]


MIXED = {
    "sqlite": ("TEXT", "INTEGER", "TEXT"),
    "postgresql": ("UUID", "NUMERIC(20, 3)", "TIMESTAMPTZ"),
    "duckdb": ("UUID", "DECIMAL(20, 3)", "TIMESTAMPTZ"),
    "mysql": ("UUID", "DECIMAL(20, 3)", "DATETIME(6)"),
}
MOMENTS = ["2026-10-25 00:30:00", "2026-10-25 01:30:00.100000"]


def test_parts_may_be_of_any_type_that_names_rows(home):
    types = MIXED[home.dialect.name]
    home.run(f"CREATE TABLE people (a {types[0]}, b {types[1]}, c {types[2]}, name TEXT)")
    zone = "+00" if home.dialect in (POSTGRESQL, DUCKDB) else ""
    uuids = [f"{digit}fffffff-0000-4000-8000-000000000000" for digit in "07"]
    rows = [(a, b, f"{c}{zone}", "x") for a, b, c in product(uuids, (-1, 20), MOMENTS)]
    home.run("INSERT INTO people VALUES (?, ?, ?, ?)", rows)
    one = source(home, key=["a", "b", "c"])
    assert one.inspect(["name"]) == 8
    found = keys(one, 3)
    assert len(set(found)) == 8
    assert found[0].startswith('["0fffffff-0000-4000-8000-000000000000","-1')
    shards = one.cut(8, 4)
    parts = [keys(source(home, shard, ["a", "b", "c"])) for shard in shards]
    assert (list(chain(*parts)), {len(part) for part in parts}) == (found, {2})
    for _, position in one.page([], 9, []):
        assert one.row(position, ["name"]) == ("x",)


COLLATED = {
    "sqlite": "TEXT COLLATE NOCASE",
    "postgresql": 'TEXT COLLATE "C"',
    "duckdb": "VARCHAR COLLATE NOCASE",
    "mysql": "VARCHAR(9) COLLATE utf8mb4_general_ci",
}


def test_the_order_of_a_column_is_its_own(home):
    type_ = COLLATED[home.dialect.name]
    home.run(f"CREATE TABLE people (tenant {type_}, no {type_})")
    home.run("INSERT INTO people VALUES (?, ?)", list(product("aBcD", "xYz")))
    one = source(home)
    assert one.inspect([]) == 12
    assert [keys(one, size) for size in (1, 2, 5)] == [in_order(home)] * 3


@homes("sqlite")
def test_parts_that_cannot_be_used_have_names_and_different_keys_have_different_ones(home):
    home.run("CREATE TABLE people (tenant, no)")
    good = [(1, "a"), ("t", 2)]
    bad = [
        ("t", 2.5),
        (b"\xff", 1),
        (b"\xfe", 1),
        ("a\0b", "c"),
        ("a", "b\0c"),
        ("a\0", "b\0"),
        ("x" * MAX_KEY, "y"),
    ]
    home.run("INSERT INTO people VALUES (?, ?)", [*good, *bad])
    one = source(home)
    assert one.inspect([]) == 9
    for size in (1, 4, 20):
        read = keys(one, size)
        assert [k for k in read if not isinstance(k, UnusableKey)] == ['["1","a"]', '["t","2"]']
        assert len(set(read)) == 9
    rules = sorted(k.rule for k in read if isinstance(k, UnusableKey))
    assert rules == [*["key_characters"] * 3, "key_length", *["key_not_text"] * 2, "key_type"]
    home.run("INSERT INTO people VALUES ('1', 'a')")
    with pytest.raises(ConfigurationError, match="0 rows have none and 1 row repeats"):
        one.inspect([])


def test_a_part_of_a_type_that_names_no_rows_is_refused(home):
    if home.dialect is SQLITE:
        home.run("CREATE TABLE people (tenant TEXT, no REAL)")
        home.run("INSERT INTO people VALUES ('t', 1.5)")
    else:
        home.run("CREATE TABLE people (tenant VARCHAR(9), no DOUBLE PRECISION)")
    with pytest.raises(ConfigurationError, match="cannot name rows safely"):
        source(home).inspect([])


def test_a_page_after_many_rows_of_one_tenant_is_found_through_the_index(home):
    """``(a, b) > (1, 2)`` where the database knows it, its parts where it does not."""
    home.run("CREATE TABLE people (tenant VARCHAR(20), no INTEGER, PRIMARY KEY (tenant, no))")
    one = source(home)
    test, values = one._key.compared(">", ("t", 3))
    if home.dialect in (SQLITE, POSTGRESQL):
        assert values == ["t", 3]
        assert test.endswith(f"> ({home.dialect.marker}, {home.dialect.marker})")
    else:
        assert values == ["t", "t", 3]
        assert home.dialect in (DUCKDB, MYSQL)
