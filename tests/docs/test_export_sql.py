"""The SQL of the page about exports is SQL of its database, and the common part does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
import sqlglot
from sqlglot import exp

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sql\n-- (\w+)\n(.*?)```", PAGE, re.DOTALL)
DATABASES = ("snowflake", "bigquery", "redshift", "databricks", "duckdb")
READS = [(one, text) for name, text in BLOCKS for one in (DATABASES if name == "any" else (name,))]


NOT_KNOWN = re.compile("WITH PARTITION COLUMNS")
"""What sqlglot does not know of BigQuery."""


@pytest.mark.parametrize(("dialect", "text"), READS)
def test_each_statement_is_understood_in_its_dialect(dialect, text):
    statements = sqlglot.parse(text, read=dialect)
    assert len(statements) == len(re.findall(r";$", text.rstrip(), re.MULTILINE))
    unknown = [s for s in statements if isinstance(s, exp.Command)]
    assert len(unknown) == len(NOT_KNOWN.findall(text))


def test_each_database_has_a_statement():
    assert {name for name, _ in BLOCKS} == {*DATABASES, "any"}


@pytest.fixture
def lake():
    """A table with rows of two Actions, and the file of one of them: a row changed, came and went."""
    (load,) = (text for name, text in BLOCKS if name == "redshift")
    columns = re.search(r"faceid_results_load \((.*?)\n\);", load, re.DOTALL)[1]
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE faceid_results_load ({columns})")
        connection.execute(
            f"CREATE TABLE faceid_results (campaign VARCHAR, action VARCHAR, {columns})"
        )
        rows = [(a, k) for a in ("IdCardVerification", "MobileStatus") for k in ("1", "2")]
        connection.executemany(
            "INSERT INTO faceid_results (campaign, action, source_key, outcome) "
            "VALUES ('onboarding', ?, ?, 'mismatch')",
            rows,
        )
        connection.execute(
            "INSERT INTO faceid_results_load (source_key, outcome) "
            "VALUES ('2', 'match'), ('3', 'match')"
        )
        yield connection


@pytest.mark.parametrize("number", [0, 1], ids=["replace", "merge"])
def test_the_rows_of_the_action_are_those_of_its_file(lake, number):
    text = [text for name, text in BLOCKS if name == "any"][number]
    for _ in range(2):
        lake.execute(text)
        found = lake.execute(
            "SELECT action, source_key, outcome FROM faceid_results ORDER BY ALL"
        ).fetchall()
        assert found == [
            ("IdCardVerification", "2", "match"),
            ("IdCardVerification", "3", "match"),
            ("MobileStatus", "1", "mismatch"),
            ("MobileStatus", "2", "mismatch"),
        ]
