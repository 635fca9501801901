"""Names as users write them: taken apart, refused with what to write instead, and written again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql.database import DUCKDB, MYSQL, POSTGRESQL, SQLITE
from airflow_provider_faceid.warehouse.sql.identifiers import bare, column_of, name_of, parts_of

PARTS = st.lists(
    st.text(min_size=1, max_size=6) | st.text('a."`[] ', min_size=1, max_size=6),
    min_size=1,
    max_size=3,
)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("people", ("people",)),
        ("kyc.people", ("kyc", "people")),
        ("KYC.People", ("KYC", "People")),
        ("my people", ("my people",)),
        ('"Kyc"."My People"', ("Kyc", "My People")),
        ('lake.main."a.b"', ("lake", "main", "a.b")),
        ('"a ""b"" c".d', ('a "b" c', "d")),
        ("`kyc`.`my``people`", ("kyc", "my`people")),
        ("[kyc].[my people]", ("kyc", "my people")),
        ("[a]]b].c", ("a]b", "c")),
        ('kyc."[x]"', ("kyc", "[x]")),
        ("it's", ("it's",)),
        ('a"b', ('a"b',)),
        ('people"; DROP TABLE x; --', ('people"; DROP TABLE x; --',)),
        ("张三.表", ("张三", "表")),
        ('"."', (".",)),
        ('""""', ('"',)),
    ],
)
def test_a_name_is_taken_apart(name, parts):
    assert parts_of(name) == parts
    assert bare(name) == parts[-1]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "empty part"),
        ("kyc.", "empty part"),
        (".people", "empty part"),
        ("kyc..people", "empty part"),
        ('""', "empty part"),
        ('"people', 'begins a part with " that does not end with "'),
        ('"people"x', 'begins a part with "'),
        ('kyc."people', 'begins a part with "'),
        ("[people", r"begins a part with \[ that does not end with \]"),
        ("`people``", "begins a part with `"),
        ('"people" .x', 'begins a part with "'),
    ],
)
def test_what_is_no_name_is_refused_with_how_to_write_one(name, why):
    with pytest.raises(ConfigurationError, match=rf"{why}.*Write a name as table, schema.table"):
        parts_of(name)


@given(PARTS)
def test_any_parts_make_a_name_that_is_taken_apart_into_them(parts):
    assert parts_of(name_of(parts)) == tuple(parts)


@given(PARTS)
def test_a_table_beside_another_is_in_its_schema(parts):
    names = Names(results=name_of(parts))
    schema, table = parts[:-1], parts[-1].removesuffix("_results")
    assert parts_of(names.history) == (*schema, f"{table}_history")


def test_our_other_tables_are_named_inside_the_quotes():
    assert Names(results='"Kyc"."My.results"').history == 'Kyc."My.results_history"'
    assert Names(results="[kyc].[x_results]").history == "kyc.x_history"
    assert Names(results="kyc.faceid_results").history == "kyc.faceid_history"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("id_card", "id_card"),
        ("ID card", "ID card"),
        ("a.b", "a.b"),
        ('"ID card"', "ID card"),
        ("`a``b`", "a`b"),
        ("[a.b]", "a.b"),
        ('k"%s', 'k"%s'),
    ],
)
def test_quotes_around_a_column_are_no_part_of_its_name(written, name):
    assert column_of(written) == name


@pytest.mark.parametrize("written", ['"id', '"people"."id"', '"id"x'])
def test_a_column_is_no_qualified_name(written):
    with pytest.raises(ConfigurationError, match=r"name .* (begins a part|is a column's)"):
        column_of(written)


def test_a_name_has_no_more_parts_than_its_database_knows():
    assert POSTGRESQL.quote_table("shop.kyc.people") == '"shop"."kyc"."people"'
    assert DUCKDB.quote_table('lake.kyc."a%"') == '"lake"."kyc"."a%"'
    assert MYSQL.quote_table('kyc."a`%"') == "`kyc`.`a``%%`"
    for dialect in (SQLITE, MYSQL):
        with pytest.raises(ConfigurationError, match=r'has 3 parts, .* 2 at most.* write "a.b.c"'):
            dialect.quote_table("a.b.c")
    with pytest.raises(ConfigurationError, match="has 4 parts"):
        DUCKDB.quote_table("a.b.c.d")
