from __future__ import annotations

import pytest

from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.warehouse.sources.source import Source
from airflow_provider_faceid.warehouse.sql.database import MYSQL

pytestmark = pytest.mark.source

PEOPLE = 14


@pytest.fixture
def people(home):
    """Fourteen rows with gaps between their keys."""
    home.run("CREATE TABLE people (id INTEGER, code VARCHAR(20), name VARCHAR(20))")
    home.run(
        "INSERT INTO people VALUES (?, ?, ?)",
        [(number * 10, f"k{number}", f"name {number}") for number in range(PEOPLE)],
    )
    return home


def source(home, relation="people", key="id"):
    return Source(home.open(), relation, key)


def test_a_table_that_can_be_read_is_counted(people):
    assert source(people).inspect(["name", "code", "id"]) == PEOPLE


def test_a_missing_table_is_named(home):
    with pytest.raises(ConfigurationError, match=r"table 'peple' cannot be read .*'here'"):
        source(home, "peple").inspect([])


def test_a_broken_query_is_an_error_of_the_configuration(people):
    with pytest.raises(ConfigurationError, match="The source query cannot be read"):
        source(people, "SELECT * FROM people WHERE").inspect([])


@pytest.mark.parametrize("missing", ["id_card", "ID card", "100%", "?"])
def test_a_missing_column_is_named(people, missing):
    with pytest.raises(ConfigurationError, match="table 'people' has no column '") as caught:
        source(people).inspect(["name", missing])
    assert f"'{missing}'" in str(caught.value)
    with pytest.raises(ConfigurationError, match="has no column 'nokey'"):
        source(people, key="nokey").inspect(["name"])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("UPDATE people SET id = NULL WHERE id < 20", "2 rows have none and 0 rows repeat"),
        ("UPDATE people SET id = 0 WHERE id < 30", "0 rows have none and 2 rows repeat"),
    ],
    ids=["NULL", "repeated"],
)
def test_a_key_that_does_not_name_each_row_is_refused(people, change, fault):
    people.run(change)
    with pytest.raises(ConfigurationError, match=f"Column 'id' .* is no key: {fault}"):
        source(people).inspect(["name"])


def test_too_few_rows_are_refused_unless_they_are_allowed(people):
    with pytest.raises(ConfigurationError, match="has 14 rows, fewer than min_rows=15"):
        source(people).inspect(["name"], min_rows=15)
    people.run("DELETE FROM people")
    with pytest.raises(ConfigurationError, match="has 0 rows, fewer than min_rows=1"):
        source(people).inspect(["name"])
    empty = source(people)
    assert empty.inspect(["name"], min_rows=0) == 0
    assert list(empty.pages(["name"], 5)) == []


@pytest.mark.parametrize("key", ["id", "code"])
@pytest.mark.parametrize("size", [1, 2, 7, PEOPLE - 1, PEOPLE, PEOPLE + 1, 500])
def test_pages_hold_every_row_once_and_in_order(people, key, size):
    pages = list(source(people, key=key).pages(["name"], size))
    assert [len(page) for page in pages[:-1]] == [size] * (len(pages) - 1)
    rows = [row for page in pages for row in page]
    there = people.query(f"SELECT {key}, name FROM people ORDER BY {key}")
    assert rows == [(str(key), name) for key, name in there]


def test_text_keys_of_any_script_are_read_once_each(home):
    keys = ["a", "B", "é", "Z", "_", "张", "😀", "a b", "10", "9", "'", "%", ""]
    home.run("CREATE TABLE people (id VARCHAR(20), name VARCHAR(20))")
    home.run("INSERT INTO people VALUES (?, ?)", [(key, "x") for key in keys])
    read = [row[0] for page in source(home).pages(["name"], 2) for row in page]
    assert len(read) == len(keys)
    assert set(read) == set(keys)


def test_rows_are_read_as_they_are_when_their_page_comes(people):
    pages = source(people).pages(["name"], 7)
    next(pages)
    people.run("INSERT INTO people VALUES (5, 'before', 'x'), (75, 'behind', 'x')")
    people.run("UPDATE people SET name = 'changed' WHERE id = 100")
    people.run("DELETE FROM people WHERE id = 110")
    assert next(pages) == [
        ("70", "name 7"),
        ("75", "x"),
        ("80", "name 8"),
        ("90", "name 9"),
        ("100", "changed"),
        ("120", "name 12"),
        ("130", "name 13"),
    ]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, name FROM people WHERE name LIKE '%1%' AND name <> '%s'",
        "  select id, name from people where name like '%1%' ;  ",
        "SELECT\n id, name FROM people WHERE name LIKE '%1%'",
        "SELECT\r\n id, name FROM people WHERE name LIKE '%1%'",
        "WITH ones AS (SELECT * FROM people WHERE name LIKE '%1%') SELECT id, name FROM ones",
        "SELECT id, name FROM people WHERE name LIKE '%1%' -- those with a one",
    ],
    ids=["percent", "lower case and semicolon", "newline", "Windows newline", "with", "comment"],
)
def test_a_query_is_a_source(people, query):
    one = source(people, query)
    assert one.inspect(["name"]) == 5
    keys = [row[0] for page in one.pages(["name"], 2) for row in page]
    assert keys == ["10", "100", "110", "120", "130"]
    assert one.row(110, ["name", "id"]) == ("name 11", 110)
    assert one.row(20, ["name"]) is None


def test_a_row_that_is_not_there_is_none(people):
    assert source(people).row(70, ["code"]) == ("k7",)
    assert source(people).row(71, ["code"]) is None


@pytest.mark.parametrize(
    "name",
    ['a "b" c', "名字", "😀", "100%s", "order", "is it?", "it's", "a;b", "back`tick"],
    ids=[
        "quotes",
        "Chinese",
        "emoji",
        "percent",
        "reserved word",
        "question mark",
        "apostrophe",
        "semicolon",
        "backtick",
    ],
)
def test_tables_and_columns_may_have_any_name(home, name):
    if home.dialect is MYSQL and name == "😀":
        with pytest.raises(ConfigurationError, match="basic plane"):
            source(home, name, name).inspect([])
        return
    home.table(name, [name, f"{name}2"], [(1, "one"), (2, "two")])
    one = source(home, name, name)
    assert one.inspect([f"{name}2"]) == 2
    assert list(one.pages([home.dialect.quote(f"{name}2")], 1)) == [[("1", "one")], [("2", "two")]]
    assert one.row(2, [f"{name}2"]) == ("two",)


def test_a_table_may_be_in_a_schema(home):
    current = {"sqlite": "'main'", "mysql": "DATABASE()"}.get(home.dialect.name, "current_schema()")
    ((schema,),) = home.query(f"SELECT {current}")
    home.table("people", ["id", "name"], [(1, "one")])
    assert source(home, f"{schema}.people").inspect(["name"]) == 1
