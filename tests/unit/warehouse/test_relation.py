"""Tables and queries are told apart however a query begins, and a query may come from a file."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.warehouse.sources.relation import is_query, shape, statement


@pytest.mark.parametrize(
    "source",
    [
        "SELECT * FROM people",
        "  \n select id from people",
        "SELECT*FROM people",
        "-- everybody\nSELECT * FROM people",
        "/* everybody; or not */ SELECT * FROM people",
        "-- one\n-- two\n\n/* three\n */\nSELECT 1",
        "(SELECT * FROM people)",
        "( -- why not\n ( SELECT 1 ) )",
        "WITH adults AS (SELECT * FROM people) SELECT * FROM adults",
        "-- recent\nwith a as (select 1) select * from a",
        "VALUES (1, 'x')",
        "FROM people",
        "TABLE people",
        'SELECT"id"FROM people',
    ],
)
def test_a_query_is_a_query(source):
    assert is_query(source)


@pytest.mark.parametrize(
    "source",
    [
        "people",
        "hr.people",
        "select_people",
        "selections",
        "with",
        "select",
        "select.people",
        "within",
        "values",
        "my people",
        "table",
        "from",
        "-- people",
        "",
    ],
)
def test_a_table_is_a_table(source):
    assert not is_query(source)


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("SELECT 1", "SELECT 1"),
        ("SELECT 1;\n", "SELECT 1"),
        ("SELECT 1 ;;", "SELECT 1"),
        ("SELECT 1; -- done\n", "SELECT 1"),
        ("SELECT 1 -- done; really", "SELECT 1"),
        ("-- first\nSELECT 1 /* ; */;", "-- first\nSELECT 1"),
        ("SELECT ';' AS a, '--' AS b;", "SELECT ';' AS a, '--' AS b"),
        ("SELECT 'it''s;' AS a;", "SELECT 'it''s;' AS a"),
        ('SELECT 1 AS ";";', 'SELECT 1 AS ";"'),
        (r"SELECT E'\';' AS a;", r"SELECT E'\';' AS a"),
        ("SELECT $x$;$x$ AS a;", "SELECT $x$;$x$ AS a"),
    ],
)
def test_the_end_of_a_file_is_no_part_of_the_query(query, left):
    assert statement(query) == left


@pytest.mark.parametrize("query", ["SELECT 1; SELECT 2", "SELECT 1;\nDROP TABLE people;"])
def test_two_statements_are_refused(query):
    with pytest.raises(ConfigurationError, match="more than one SQL statement"):
        statement(query)


def test_comments_and_literals_do_not_make_another_source():
    """The fingerprint of a query names it from run to run; today's date stands in either."""
    first = "-- made on 2026-11-28\nSELECT * FROM people WHERE day = '2026-11-28' /* 28 */;"
    second = "SELECT * FROM people -- again\nWHERE day = '2026-11-29' ;"
    assert shape(first).rstrip("; ") == shape(second).rstrip("; ")
    assert shape("SELECT  1") == "SELECT ?"
