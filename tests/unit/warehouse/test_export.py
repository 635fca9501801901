"""Exports: folders' names, statements of pages, values as Arrow has them, messages without secrets."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from airflow_provider_faceid.exceptions import WarehouseError
from airflow_provider_faceid.warehouse.export import batches
from airflow_provider_faceid.warehouse.export.arrow import arrow_batch, arrow_schema
from airflow_provider_faceid.warehouse.export.batches import (
    CONFLICT_BACKOFF_SECONDS,
    PageStatement,
    Selection,
    bounded,
    until_committed,
)
from airflow_provider_faceid.warehouse.export.parquet import hive_folder
from airflow_provider_faceid.warehouse.sql.dialects import DUCKDB, MYSQL, POSTGRESQL, SQLITE
from airflow_provider_faceid.warehouse.tables import HISTORY, RESULTS, Column


@pytest.mark.parametrize(
    ("value", "folder"),
    [
        ("onboarding", "campaign=onboarding"),
        ("a/b=c", "campaign=a%2Fb%3Dc"),
        ("100%", "campaign=100%25"),
        ("春 天", "campaign=春 天"),
        ("..", "campaign=.."),
        ("line\nbreak", "campaign=line%0Abreak"),
    ],
)
def test_a_folder_is_named_as_hive_names_it(value, folder):
    assert hive_folder("campaign", value) == folder


class Pauses:
    def __init__(self):
        self.slept = []

    def sleep(self, seconds):
        self.slept.append(seconds)


def test_a_lost_race_is_repeated_a_bounded_number_of_times():
    clock, tries = Pauses(), []

    def write():
        tries.append(1)
        raise LookupError

    with pytest.raises(LookupError):
        until_committed(write, (LookupError,), clock=clock)
    assert (len(tries), clock.slept) == (6, list(CONFLICT_BACKOFF_SECONDS))
    with pytest.raises(LookupError):
        until_committed(write, (LookupError,), is_conflict=lambda error: False, clock=clock)
    assert len(tries) == 7
    assert until_committed(lambda: "written", (LookupError,), clock=clock) == "written"


def test_a_message_of_a_library_is_short_and_shows_no_secret():
    said = bounded(
        "cannot open\nhttps://me:word@host/x?sig=abc&se=1 with hush-hush " + "x" * 500,
        ["hush-hush", ""],
    )
    assert said.startswith("cannot open https://***@host/x?*** with *** xxx")
    assert len(said) == batches.MESSAGE_SHOWN


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL, DUCKDB, MYSQL], ids=lambda one: one.name)
def test_a_page_is_behind_the_last_row_of_the_one_before(dialect):
    selection = Selection(HISTORY, "kyc.faceid_history", "spring")
    columns = {name: HISTORY.columns[name] for name in ("campaign", "source_key", "answer_id")}
    read = PageStatement(dialect, selection, columns, ["source_key", "answer_id"])
    q, m = dialect.quote, dialect.marker
    start = (
        f"SELECT {q('source_key')}, {q('answer_id')} FROM {q('kyc')}.{q('faceid_history')} "
        f"WHERE {q('campaign')} = {m} AND {q('action')} = {m}"
    )
    end = f" ORDER BY {q('source_key')}, {q('answer_id')} LIMIT {batches.PAGE_ROWS}"
    assert read.behind("A", []) == (start + end, ["spring", "A"])
    key, answer = q("source_key"), q("answer_id")
    assert read.behind("A", ["k", "r"]) == (
        f"{start} AND {key} >= {m} AND ({key} > {m} OR ({answer} > {m})){end}",
        ["spring", "A", "k", "k", "r"],
    )


MOMENT = datetime(2026, 11, 28, 23, 30, 0, 500_000, UTC)


@pytest.mark.parametrize(
    ("kind", "values", "read"),
    [
        ("timestamp", ["2026-11-28T23:30:00.500+00:00", None], [MOMENT, None]),
        ("timestamp", [MOMENT.astimezone(timezone(timedelta(hours=8)))], [MOMENT]),
        ("timestamp", [MOMENT.replace(tzinfo=None)], [MOMENT]),  # MySQL's
        ("timestamp", ["2026-11-28 23:30:00.5+00"], [MOMENT]),  # PostgreSQL's text
        ("timestamp", ["2026-11-28T23:30:00.5", MOMENT], [MOMENT, MOMENT]),
        ("date", ["2026-11-29", None], [date(2026, 11, 29), None]),
        ("date", [date(2026, 11, 29)], [date(2026, 11, 29)]),
        ("integer", [1, None, True], [1, None, 1]),
        ("integer", [Decimal(7), "8", 9.0], [7, 8, 9]),
        ("real", [Decimal("99.5"), 1, None], [99.5, 1.0, None]),
        ("text", ["a", UUID(int=1), None], ["a", str(UUID(int=1)), None]),
        ("text", [None, None], [None, None]),
    ],
)
def test_values_are_taken_as_drivers_return_them(kind, values, read):
    columns = {"c": Column(kind, "it")}
    schema = arrow_schema({**columns, "campaign": RESULTS.columns["campaign"]})
    batch = arrow_batch([(value,) for value in values], columns, schema, {"campaign": "x"})
    assert batch["c"].to_pylist() == read
    assert batch["campaign"].to_pylist() == ["x"] * len(values)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", "Zhang"),
        ("integer", 1.5),
        ("real", "Zhang"),
        ("timestamp", "Zhang"),
        ("date", "x"),
    ],
)
def test_what_is_of_no_such_type_is_named_by_its_column(kind, value):
    columns = {"c": Column(kind, "it")}
    with pytest.raises(WarehouseError, match=f"Column 'c' has a value that is no {kind}") as caught:
        arrow_batch([(value,)], columns, arrow_schema(columns), {})
    assert "Zhang" not in str(caught.value)
