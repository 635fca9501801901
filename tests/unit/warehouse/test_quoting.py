from __future__ import annotations

import pytest

from airflow_provider_faceid.warehouse.sql.database import DUCKDB, POSTGRESQL, SQLITE
from airflow_provider_faceid.warehouse.tables import QUARANTINE, RESULTS, RUNS


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL, DUCKDB], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("plain", '"plain"'),
        ('a "b"', '"a ""b"""'),
        ('"', '""""'),
        ("it's", '"it\'s"'),
        ("姓名 😀", '"姓名 😀"'),
        ("a.b", '"a.b"'),
    ],
    ids=["plain", "quotes", "quote", "apostrophe", "Chinese", "dot"],
)
def test_a_name_is_quoted_whatever_is_in_it(dialect, name, quoted):
    assert dialect.quote(name) == quoted


def test_a_percent_sign_is_doubled_where_the_driver_formats():
    assert [d.quote("100%") for d in (SQLITE, DUCKDB, POSTGRESQL)] == [
        '"100%"',
        '"100%"',
        '"100%%"',
    ]


def test_a_dot_parts_a_schema_from_a_table():
    assert POSTGRESQL.quote_table('my "schema".people') == '"my ""schema"""."people"'
    assert POSTGRESQL.quote_table("people") == '"people"'


@pytest.mark.parametrize("table", [RESULTS, QUARANTINE, RUNS], ids=lambda table: table.name)
def test_our_tables_fit_every_dialect_and_hold_no_personal_column(table):
    kinds = {column.type for column in table.columns.values()}
    for dialect in (SQLITE, POSTGRESQL, DUCKDB):
        assert kinds <= dialect.types.keys()
    assert set(table.key) <= table.columns.keys()
    assert not {"name", "id_card", "photo"} & table.columns.keys()
