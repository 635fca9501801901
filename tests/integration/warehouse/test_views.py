"""The views say the same on every database, and the same as a recomputation in Python."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.codes import Outcome
from airflow_provider_faceid.exceptions import WarehouseError
from airflow_provider_faceid.warehouse.migrations import prepare, refresh_views
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.tables import (
    HISTORY,
    PRICES,
    QUARANTINE,
    RESULTS,
    REVIEWS,
    RUNS,
)
from airflow_provider_faceid.warehouse.views.definitions import DAILY, LATEST, VIEWS
from airflow_provider_faceid.warehouse.views.views import View, ViewColumn, ViewMaker, name_of
from tests.support.homes import homes

from .conftest import SCHEMAS, upsert
from .recomputed_views import COLUMNS, RECOMPUTED, in_order

TABLES = {
    "results": RESULTS,
    "history": HISTORY,
    "quarantine": QUARANTINE,
    "runs": RUNS,
    "prices": PRICES,
    "reviews": REVIEWS,
}
ENDED_OUTCOMES = [*map(str, Outcome)]


def moment(dice: random.Random) -> str:
    """Return a moment of two days, few enough for ties, around a midnight of Beijing."""
    hour, minute = dice.choice([15, 16, 23]), dice.choice([0, 30, 59])
    return f"2026-11-{dice.choice([28, 29])}T{hour}:{minute:02}:00.000+00:00"


def random_row(dice: random.Random, number: int) -> dict:
    """Return a row with all there is in any table of ours."""
    at = moment(dice)
    status = dice.choice(["answered", "answered", "postponed", "held"])
    outcome = dice.choice([*ENDED_OUTCOMES, "match", "mismatch", "review", "uncertain"])
    return {
        "campaign": dice.choice(["spring", "autumn"]),
        "action": dice.choice(list(ACTIONS)),
        "source_key": str(dice.randrange(12)),
        "source": dice.choice(["here/a", "here/b"]),
        "answer_id": f"answer {number}",
        "id_card_hash": dice.choice(["one", "two", None]),
        "status": status,
        "outcome": "uncertain" if status == "held" else outcome,
        "code": dice.choice(["0", "-1", "Success"]),
        "description": dice.choice(["this", "that", None]),
        "similarity": dice.choice([None, 0.0, 49.99, 50.0, 69.99, 70.0, 70.01, 99.5, 100.0]),
        "charged": dice.choice([0, 1, 1, None]),
        "attempts": dice.choice([0, 1, 1, 2, None]),
        "latency_ms": dice.choice([None, 5, 5, 5, 120, 3000]),
        "waited_ms": dice.choice([None, 0, 7, 900]),
        "answered_at": at,
        "verified_date": dice.choice(["2026-11-28", "2026-11-29", "2026-11-30"]),
        "not_before": moment(dice) if status == "postponed" else None,
        "updated_at": moment(dice),
        "rule": dice.choice(["id_card_check_digit", "name_length", "service:-2"]),
        "stage": dice.choice(["validate", "input", "service"]),
        "found_at": moment(dice),
        "run_id": f"run {number}",
        "map_index": -1,
        "started_at": moment(dice),
        "state": dice.choice(["success", "failed", "running", "planned"]),
        "quarantined": dice.choice([None, 0, 3]),
        "reused": dice.choice([None, 0, 2]),
        "still_valid": dice.choice([None, 0, 100]),
    }


def random_case(dice: random.Random, number: int) -> dict:
    """Return a row of the review queue; the due time is past or far ahead of any clock."""
    row = random_row(dice, number)
    resolved = dice.random() < 0.6
    decisions = ["approve", "approve", "reject", "recheck"] if resolved else [None, "escalate"]
    return {
        **row,
        "answer_id": row["answered_at"],
        "review_id": f"case {number}",
        "reason": dice.choice(["low_similarity", "suspected_fake"]),
        "suggested": dice.choice(["approve", "reject", None]),
        "created_at": moment(dice),
        "due_at": dice.choice(["2020-01-02T00:00:00.000+00:00", "2199-01-01T00:00:00.000+00:00"]),
        "status": "resolved" if resolved else dice.choice(["open", "in_progress"]),
        "decision": dice.choice(decisions),
        "decided_at": moment(dice),
        "second_at": dice.choice([None, moment(dice)]),
        "seconds_open": dice.choice([1, 60, 61, 90_000]) if resolved else None,
    }


def random_tables(seed: int) -> dict[str, list[dict]]:
    """Return rows for each table, none for seed 0."""
    dice = random.Random(seed)
    tables = {}
    for name, table in TABLES.items():
        count = dice.randrange(40, 160) if seed else 0
        make = random_case if table is REVIEWS else random_row
        rows = [make(dice, number) for number in range(count)]
        rows = [{c: row.get(c) for c in table.columns} for row in rows]
        tables[name] = list({tuple(row[c] for c in table.key): row for row in rows}.values())
    tables["prices"] = [
        {
            "action": action,
            "valid_from": since,
            "valid_to": until,
            "currency": "USD",
            "price": price,
        }
        for action in dice.sample(list(ACTIONS), 6 if seed else 0)
        for since, until, price in [
            ("1970-01-01", "2026-11-28", 0.1),
            ("2026-11-29", dice.choice([None, "2026-11-29"]), 0.07),
        ]
    ]
    return tables


def fill(database, tables):
    for name, rows in tables.items():
        upsert(database, TABLES[name], TABLES[name].name, rows)


@pytest.fixture
def warehouse(home):
    database = home.open()
    prepare(database, Names())
    return database


@pytest.mark.parametrize("seed", range(6))
def test_every_view_says_what_its_rows_say(warehouse, seed):
    tables = random_tables(seed)
    fill(warehouse, tables)
    assert [view.name for view in VIEWS] == list(RECOMPUTED)
    for view in VIEWS:
        chosen = COLUMNS.get(view.name, ", ".join(view.columns))
        found = warehouse.rows(f"SELECT {chosen} FROM faceid_{view.name}")
        expected = RECOMPUTED[view.name](tables)
        assert bool(expected) is bool(seed), view.name
        assert in_order(found) == in_order(expected), view.name


def test_a_changed_definition_replaces_its_view(warehouse):
    assert refresh(warehouse, changed_daily(extra="1")) == {}
    assert warehouse.columns("faceid_daily") == {*DAILY.columns, "extra"}
    assert refresh(warehouse, DAILY) == {}
    assert warehouse.columns("faceid_daily") == {*DAILY.columns}


def test_a_view_that_a_view_of_the_users_depends_on_gets_columns_at_its_end(home, warehouse):
    home.run("CREATE VIEW mine AS SELECT outcome, share FROM faceid_daily")
    assert refresh(warehouse, changed_daily(extra="1")) == {}
    assert warehouse.rows("SELECT * FROM mine") == warehouse.rows("SELECT extra FROM faceid_daily")


@homes("postgresql")
def test_a_column_that_a_view_of_the_users_may_need_is_not_taken_away(home, warehouse):
    refresh(warehouse, changed_daily(extra="1"))
    home.run("CREATE VIEW mine AS SELECT extra FROM faceid_daily")
    problem = refresh(warehouse, DAILY)["faceid_daily"]
    assert "2BP01" in problem
    assert "extra" in warehouse.columns("faceid_daily")
    home.run("DROP VIEW mine")
    assert refresh(warehouse, DAILY) == {}
    assert warehouse.columns("faceid_daily") == {*DAILY.columns}


@pytest.mark.parametrize(
    "kind", ["TABLE faceid_daily (mine INTEGER)", "VIEW faceid_daily AS SELECT 1 AS mine"]
)
def test_a_table_or_view_of_the_users_is_left_alone_and_stops_no_run(home, kind, caplog):
    home.run(f"CREATE {kind}")
    database = home.open()
    prepare(database, Names())
    assert database.columns("faceid_daily") == {"mine"}
    assert "View 'faceid_daily' could not be brought up to date" in caplog.text
    assert list(refresh_views(database, Names(), look=True)) == ["faceid_daily"]
    assert database.rows("SELECT COUNT(*) FROM faceid_funnel") == [(0,)]


def test_views_of_an_up_to_date_warehouse_are_not_made_again(home, warehouse):
    home.run("DROP VIEW faceid_daily")
    prepare(warehouse, Names())
    assert not warehouse.columns("faceid_daily")
    assert refresh_views(warehouse, Names(), look=True) == {}
    assert warehouse.columns("faceid_daily") == {*DAILY.columns}


def test_a_newer_providers_view_is_left_alone(home, warehouse):
    refresh(warehouse, changed_daily(extra="1"))
    home.change("faceid_versions", "1 = 1", provider_version="'999.0.0'")
    assert refresh(warehouse, DAILY) == {}
    assert "extra" in warehouse.columns("faceid_daily")


def test_the_view_an_earlier_version_made_becomes_ours(home, warehouse):
    home.delete("faceid_versions", "table_name = 'faceid_latest'")
    home.run("DROP VIEW faceid_latest")
    home.run("CREATE VIEW faceid_latest AS SELECT campaign, action FROM faceid_results")
    prepare(warehouse, Names())
    assert warehouse.columns("faceid_latest") == {*LATEST.columns}


def test_columns_of_single_actions_are_in_the_views_of_rows(warehouse):
    own = ACTIONS["MobileStatus"].result_columns
    prepare(warehouse, Names(), own=own)
    for name in ("faceid_latest", "faceid_history_periods"):
        assert {column.column for column in own} <= warehouse.columns(name)


def test_views_are_named_after_the_result_table(home):
    database = home.open()
    names = Names("my %s_results", "my ?quarantine", "my {runs}")
    prepare(database, names)
    for view in VIEWS:
        assert name_of(view, names.results) == f"my %s_{view.name}"
        assert set(view.columns) <= database.columns(f"my %s_{view.name}")
        database.rows(f"SELECT COUNT(*) FROM {database.dialect.quote_table(f'my %s_{view.name}')}")


@homes("postgresql")
def test_a_role_can_be_given_the_views_alone(home, warehouse):
    fill(warehouse, random_tables(1))
    role = f"analyst_{next(SCHEMAS)}"
    ((schema,),) = warehouse.rows("SELECT current_schema()")
    home.run(f"CREATE ROLE {role}")
    home.run(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    views = ", ".join(f"faceid_{view.name}" for view in VIEWS)
    home.run(f"GRANT SELECT ON {views} TO {role}")
    for view in VIEWS:
        assert count_as(warehouse, role, f"faceid_{view.name}") > 0
    for table in TABLES.values():
        with pytest.raises(WarehouseError, match="42501"):
            count_as(warehouse, role, table.name)


def count_as(warehouse, role, name):
    with warehouse.transaction("reading as an analyst") as cursor:
        cursor.execute(f"SET LOCAL ROLE {role}")
        cursor.execute(f"SELECT COUNT(*) FROM {name}")
        return cursor.fetchone()[0]


def changed_daily(**more: str) -> View:
    columns = {name: ViewColumn(sql, "integer", "") for name, sql in more.items()}
    return replace(DAILY, columns={**DAILY.columns, **columns})


def refresh(warehouse, view):
    return ViewMaker(warehouse, Names().all, ()).refresh([view], look=False)


@homes("sqlite", "postgresql", "mariadb", "clickhouse")
def test_tables_of_a_version_without_waits_get_the_column_and_keep_their_rows(home, warehouse):
    """DuckDB drops no column of a table with a key."""
    tables = random_tables(1)
    fill(warehouse, tables)
    for view in VIEWS:
        home.run(f"DROP VIEW faceid_{view.name}")
    for table in ("faceid_results", "faceid_history"):
        home.run(f"ALTER TABLE {table} DROP COLUMN waited_ms")
    database = home.open()
    prepare(database, Names())
    assert database.rows(
        "SELECT COUNT(*), COUNT(waited_ms), COUNT(run_id) FROM faceid_results"
    ) == [(len(tables["results"]), 0, len(tables["results"]))]
    assert database.rows("SELECT COUNT(p95_with_wait_ms) FROM faceid_latency") == [(0,)]
    assert database.rows("SELECT COUNT(p95_ms) FROM faceid_latency") > [(0,)]
