"""Keys of MariaDB under collations that take different texts for equal: refused or read, never lost."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.warehouse.sources.source import Source

COLLATIONS = ["utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_bin", "utf8mb4_nopad_bin"]
ALIKE = [("a", "A"), ("e", "é"), ("ß", "ss"), ("a", "a "), ("😀", "😁")]
TEXTS = st.text(st.sampled_from("aAäeéEßsS zZ😀😁张"), max_size=3)


@pytest.mark.parametrize("collation", COLLATIONS)
@pytest.mark.parametrize("pair", ALIKE, ids="=".join)
def test_two_keys_are_refused_as_repeats_or_read_both(home, collation, pair):
    home.run(f"CREATE TABLE people (id VARCHAR(20) COLLATE {collation}, name TEXT)")
    home.run("INSERT INTO people VALUES (?, 'x')", [(key,) for key in (*pair, "q")])
    source = Source(home.open(), "people", "id")
    try:
        assert source.inspect(["name"]) == 3
    except ConfigurationError as error:
        assert "1 row repeats another's" in str(error)  # noqa: PT017
        ((equal,),) = home.query(
            "SELECT COUNT(*) - COUNT(DISTINCT id) FROM people"  # the collation's own word for it
        )
        assert equal == 1
        return
    for size in (1, 2, 5):
        read = [key for page in source.pages([], size) for (key,) in page]
        assert sorted(read) == sorted((*pair, "q"))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(keys=st.sets(TEXTS, min_size=1, max_size=12), size=st.integers(1, 4))
def test_no_set_of_keys_that_passes_the_inspection_loses_one(home, keys, size):
    home.run("CREATE TABLE IF NOT EXISTS people (id VARCHAR(20) COLLATE utf8mb4_unicode_ci)")
    home.run("DELETE FROM people")
    home.run("INSERT INTO people VALUES (?)", [(key,) for key in sorted(keys)])
    database = home.open()
    source = Source(database, "people", "id")
    try:
        source.inspect([])
    except ConfigurationError:
        return
    finally:
        read = [key for page in source.pages([], size) for (key,) in page]
        database.close()
    assert sorted(read) == sorted(keys)


def test_keys_a_query_makes_of_literals_are_read(home):
    query = "SELECT 'b' AS id UNION ALL SELECT 'a' UNION ALL SELECT CONCAT('c', 1)"
    source = Source(home.open(), query, "id")
    assert source.inspect([]) == 3
    assert [key for page in source.pages([], 1) for (key,) in page] == ["a", "b", "c1"]


def test_a_query_is_written_as_in_mysql(home):
    home.run("CREATE TABLE people (id BIGINT PRIMARY KEY, name VARCHAR(20))")
    home.run("INSERT INTO people VALUES (1, ?), (2, 'b;c')", [("it's",)])
    query = """
        # those with a quote; or a semicolon
        SELECT id, `name` FROM people -- of all
        WHERE name IN ("it\\'s", 'b;c') AND name <> 'x\\'; y' /* 'z */;
    """
    source = Source(home.open(), query, "id")
    assert source.inspect(["name"]) == 2
    other = query.replace("b;c", "d;e").replace("it\\'s", "她")
    assert Source(home.open(), other, "id").label == source.label  # literals are no part of it


def test_a_moment_is_named_alike_whatever_the_servers_time_zone(home, mariadb):
    home.run("CREATE TABLE people (id TIMESTAMP(3) NOT NULL PRIMARY KEY)")
    home.run("INSERT INTO people VALUES ('2026-10-25 00:30:00.5')")
    mariadb.run("SET GLOBAL time_zone = '+08:00'")
    try:
        source = Source(home.open(), "people", "id")
        (((key,),),) = source.pages([], 5)
    finally:
        mariadb.run("SET GLOBAL time_zone = '+00:00'")
    assert key == "2026-10-25 00:30:00.500"
