"""Literals and errors of ClickHouse: what is written into a statement, what is shown of a message."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from airflow_provider_faceid.warehouse.sql import clickhouse
from airflow_provider_faceid.warehouse.sql.clickhouse import literal
from airflow_provider_faceid.warehouse.sql.errors import About, diagnose, warehouse_error

PLANTED = "440305199505132561"


class DatabaseError(Exception):
    """An error as clickhouse-connect raises it."""

    def __init__(self, text, code=None):
        super().__init__(text)
        self.code = code


class OperationalError(DatabaseError):
    """An error of the connection."""


DatabaseError.__module__ = OperationalError.__module__ = "clickhouse_connect.driver.exceptions"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "NULL"),
        (True, "1"),
        (-7, "-7"),
        (0.1, "0.1"),
        ("it's", "'it\\'s'"),
        ("a\\", "'a\\\\'"),
        ("a%s\n", "'a%s\n'"),
        (date(2026, 11, 29), "'2026-11-29'"),
        (datetime(2026, 11, 29, 1, tzinfo=UTC), "'2026-11-29T01:00:00+00:00'"),
        (["a'", None], "['a\\'', NULL]"),
    ],
)
def test_a_value_is_written_so_that_it_stays_one(value, written):
    assert literal(value) == written


def test_what_has_no_literal_is_an_error():
    with pytest.raises(TypeError, match="given no bytes"):
        literal(b"x")


def test_no_code_is_of_two_classes():
    codes = [code for some in clickhouse._BY_CLASS.values() for code in some]
    assert len(codes) == len(set(codes))
    assert clickhouse.ADVICE.keys() <= clickhouse.CLASS.keys()
    assert clickhouse.CLASS.keys() >= clickhouse.SHOWN
    assert set(clickhouse.CLASS.values()) <= {about.value for about in About}


@pytest.mark.parametrize(
    ("code", "about"),
    [
        *((n, About.STATEMENT) for n in (16, 47, 60, 62, 81, 497, 516)),
        *((n, About.CONNECTION) for n in (159, 210, 241, 252, 999)),
        *((n, About.DATA) for n in (6, 27, 41, 53, 349, 469)),
        (99999, About.OTHER),
    ],
)
def test_an_error_is_classified_by_its_code(code, about):
    found = diagnose(DatabaseError(PLANTED, code), lambda: False)
    assert (found.about, found.code) == (about, f"CLICKHOUSE_{code}")


def test_a_server_that_never_spoke_is_one_that_is_away():
    error = warehouse_error("reading", "here", OperationalError(f"url {PLANTED}"), lambda: False)
    assert error.is_transient
    assert PLANTED not in str(error)
    assert "Next step: check host, port and secure" in str(error)


@pytest.mark.parametrize(
    ("code", "text", "shown"),
    [
        (
            60,
            f"Unknown table expression identifier 'x'. Maybe you meant y? In scope SELECT '{PLANTED}'.",
            "UNKNOWN_TABLE: Unknown table expression identifier 'x'",
        ),
        (
            47,
            f"Unknown expression identifier `y` in scope SELECT y = '{PLANTED}'. (UNKNOWN_IDENTIFIER)",
            "UNKNOWN_IDENTIFIER: Unknown expression identifier `y`",
        ),
        (
            497,
            "me: Not enough privileges. (ACCESS_DENIED)",
            "ACCESS_DENIED: me: Not enough privileges",
        ),
        (62, f"Syntax error: failed at position 8 ('{PLANTED}')", "SYNTAX_ERROR"),
        (6, f"Cannot parse string '{PLANTED}' as Int32", "CANNOT_PARSE_TEXT"),
        (99999, f"Anything about {PLANTED}", ""),
    ],
)
def test_of_a_message_only_names_are_shown(code, text, shown):
    told = DatabaseError(f"Code: {code}. DB::Exception: {text}", code)
    assert clickhouse.message_of(told) == shown
    error = warehouse_error("writing", "here", told, lambda: False)
    assert PLANTED not in str(error)
    assert error.reason == f"CLICKHOUSE_{code}"
