"""The dbt package builds, its tests pass and fail where they should, and its marts are the views."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_faceid.warehouse.tables import RESULTS
from airflow_provider_faceid.warehouse.views.definitions import VIEWS
from airflow_provider_faceid.warehouse.views.views import name_of
from tests.integration.warehouse.conftest import remove, upsert
from tests.integration.warehouse.recomputed_views import in_order

from .warehouses import OWN

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def built(project):
    """Return what a build said. A warning, such as one of something deprecated, is an error."""
    return project.run("--warn-error", "build")


def marts_schema(warehouse) -> str:
    return warehouse.output.get("schema", "main")


def test_models_and_their_tests_pass(warehouse, built):
    assert built.code == 0, built.printed
    assert {f"faceid__{view.name}" for view in VIEWS} <= built.results.keys()
    assert {"stg_faceid__results", "stg_faceid__runs"} <= built.results.keys()
    assert set(built.results.values()) <= {"success", "pass", "no-op"}
    assert sum(status == "pass" for status in built.results.values()) > 50
    optional = {"stg_faceid__checks", "stg_faceid__reconciliation"} <= built.results.keys()
    assert optional is bool(warehouse.variables)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_mart_says_what_its_view_says(warehouse, built, view):
    assert built.code == 0, built.printed
    database = warehouse.home.open()
    columns = [*view.columns]
    if view.with_own_columns:
        columns += [own.column for own in OWN]
    mart = database.dialect.quote_table(f"{marts_schema(warehouse)}.faceid__{view.name}")
    there = database.dialect.quote_table(name_of(view, warehouse.names.results))
    assert database.columns(f"{marts_schema(warehouse)}.faceid__{view.name}") == {*columns}
    found, expected = (
        in_order(database.rows(f"SELECT {', '.join(columns)} FROM {name}"))
        for name in (mart, there)
    )
    database.close()
    assert len(expected) > 0
    assert found == expected


def test_freshness_is_that_of_the_newest_run(warehouse, project):
    fresh = project.run("source", "freshness")
    assert fresh.code == 0, fresh.printed
    assert "PASS freshness of faceid.runs" in fresh.printed
    warehouse.run_ends(hours_ago=73)
    stale = project.run("source", "freshness")
    assert stale.code == 1
    assert "ERROR STALE freshness of faceid.runs" in stale.printed


@pytest.fixture
def impossible(warehouse) -> Iterator[None]:
    """Let a row of the result table be one that we never write."""
    database = warehouse.home.open()
    name = warehouse.names.results
    row = {"campaign": "spring", "action": "IdCardVerification", "source_key": "planted"}
    said = {"status": "answered", "outcome": "perhaps", "similarity": 101, "charged": 1}
    upsert(database, RESULTS, name, [row | said])
    database.close()
    yield
    database = warehouse.home.open()
    remove(database, name, "source_key = ?", ["planted"])
    database.close()


@pytest.mark.usefixtures("impossible")
def test_what_no_row_may_say_is_found(project):
    done = project.run("test", "--select", "source:faceid.results")
    assert done.code == 1
    by_status = {
        status: [name.split(".")[0] for name, its in done.results.items() if its == status]
        for status in ("fail", "pass")
    }
    assert [name.partition("_faceid_results_")[0] for name in sorted(by_status["fail"])] == [
        "source_faceid_from_0_to_100",
        "source_faceid_values_of_results_outcome",
    ]
    assert any("key_of_results" in name for name in by_status["pass"])
