"""A column of a table stands in one place: DDL, docs, dbt package and data contract are made from it."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from airflow_provider_faceid.api.action import ResultColumn
from airflow_provider_faceid.quality import validator
from airflow_provider_faceid.warehouse import migrations
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql.database import DUCKDB, POSTGRESQL, SQLITE, Database
from airflow_provider_faceid.warehouse.tables import RESULTS, Column, Table
from airflow_provider_faceid.warehouse.views.definitions import DAILY, VIEWS
from airflow_provider_faceid.warehouse.views.views import ViewColumn

PROJECT = Path(__file__).parents[2]
MODULES = ("sql_layout", "warehouse_facts", "dbt_package", "data_contract")


@pytest.fixture(scope="module")
def generators() -> Iterator[dict[str, ModuleType]]:
    """The modules of codegen/ that read the definitions, by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PROJECT / "codegen"))
        yield {name: importlib.import_module(name) for name in MODULES}
        for name in MODULES:
            del sys.modules[name]


@pytest.fixture(scope="module")
def pages() -> ModuleType:
    """The module that makes the tables of the docs."""
    spec = importlib.util.spec_from_file_location("pages", PROJECT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PROJECT / "docs"))
        spec.loader.exec_module(module)
    return module


@pytest.fixture
def defined(generators):
    return generators["warehouse_facts"].definitions()


@pytest.fixture
def made(generators):
    """Return the files of the dbt package, and the contract as a value."""

    def make(of):
        files = generators["dbt_package"].dbt_files(of)
        return files, yaml.safe_load(generators["data_contract"].contract(of))

    return make


def named(listed, name):
    (found,) = [one for one in listed if one["name"] == name]
    return found


COLOUR = Column("integer", "a colour as a number")


def test_a_column_of_a_table_is_added_in_one_place(defined, made, pages, monkeypatch, tmp_path):
    table = replace(RESULTS, columns={**RESULTS.columns, "colour": COLOUR})
    tables = tuple(table if one is RESULTS else one for one in defined.tables)
    files, contract = made(replace(defined, tables=tables))

    source = named(yaml.safe_load(files["models/sources.yml"])["sources"][0]["tables"], "results")
    words = yaml.safe_load(files["models/staging/staging.yml"])["models"]
    for listed in (source["columns"], named(words, "stg_faceid__results")["columns"]):
        assert named(listed, "colour")["description"] == COLOUR.meaning
    assert re.search(r"\bcolour\b", files["models/staging/stg_faceid__results.sql"])

    promised = named(named(contract["schema"], "faceid_results")["properties"], "colour")
    assert promised["logicalType"] == "integer"
    assert promised["description"] == COLOUR.meaning

    assert f"| `colour` | integer | {COLOUR.meaning} |" in pages.columns(table)

    monkeypatch.setattr(migrations, "RESULTS", table)
    database = Database(lambda: sqlite3.connect(tmp_path / "here.sqlite"), SQLITE, "here")
    prepare(database, Names())
    ((ddl,),) = database.rows("SELECT sql FROM sqlite_master WHERE name = 'faceid_results'")
    database.close()
    assert '"colour" INTEGER' in ddl


def test_a_column_of_an_action_is_described_where_it_can_be(defined, made):
    own = ResultColumn("shade", "text", "a shade")
    files, contract = made(replace(defined, own=(*defined.own, own)))
    assert '"shade"' in files["macros/own_columns.sql"]
    tables = yaml.safe_load(files["models/sources.yml"])["sources"][0]["tables"]
    having = [table["name"] for table in tables if "shade" in str(table["columns"])]
    assert having == ["results", "history"]
    parts = [part["name"] for part in contract["schema"] if "shade" in str(part["properties"])]
    views = [f"faceid_{view.name}" for view in VIEWS if view.with_own_columns]
    assert parts == ["faceid_results", "faceid_history", *views]


def test_a_table_and_a_column_of_a_view_are_added_in_one_place(defined, made):
    table = Table("faceid_colours", ("colour",), {"colour": COLOUR})
    hue = ViewColumn("MAX(charged)", "integer", "a hue")
    daily = replace(DAILY, columns={**DAILY.columns, "hue": hue})
    views = tuple(daily if view is DAILY else view for view in defined.views)
    files, contract = made(replace(defined, tables=(*defined.tables, table), views=views))
    assert (
        "FROM {{ source('faceid', 'colours') }}" in files["models/staging/stg_faceid__colours.sql"]
    )
    assert "MAX(charged) AS hue" in files["models/marts/faceid__daily.sql"]
    marts = yaml.safe_load(files["models/marts/marts.yml"])["models"]
    assert named(named(marts, "faceid__daily")["columns"], "hue")["description"] == "a hue"
    assert named(contract["schema"], "faceid_colours")["properties"][0]["primaryKey"] is True
    assert named(named(contract["schema"], "faceid_daily")["properties"], "hue")


def test_a_mart_is_the_query_of_its_view_with_other_white_space(generators, defined, made):
    files, _ = made(defined)
    squeeze = re.compile(r"\s+")
    portable = replace(DUCKDB, newest_by="keys")
    for view in VIEWS:
        one_line = view.select(portable, {name: f"the {name}" for name in Names().all})
        laid_out = generators["sql_layout"].laid_out(one_line)
        assert squeeze.sub("", laid_out) == squeeze.sub("", one_line)
        text = files[f"models/marts/faceid__{view.name}.sql"]
        text = re.sub(r"\{#-.*?-#\}|\{\{ faceid\.own_columns\(ref\('\w+'\)\) \}\}", "", text)
        text = re.sub(r"\{\{ ref\('stg_faceid__(\w+)'\) \}\}", r'"the \1"', text)
        for macro, expression in {
            "real_type": DUCKDB.types["real"],
            "whole_number_type": DUCKDB.whole_number,
            "this_moment": DUCKDB.now,
        }.items():
            text = text.replace(f"{{{{ faceid.{macro}() }}}}", expression)
        for macro in ("floor", "service_day"):
            text = re.sub(
                rf'\{{\{{ faceid\.{macro}\("(.*?)"\) \}}\}}',
                lambda found, macro=macro: getattr(DUCKDB, macro).format(found[1]),
                text,
            )
        assert "{{" not in text
        expected = re.sub(r'AS "(\w+)"', r"AS \1", one_line)
        assert squeeze.sub("", text) == squeeze.sub("", expected), view.name


def test_what_differs_between_databases_is_that_of_the_dialects(defined, made):
    files, _ = made(defined)
    for adapter, dialect in {"duckdb": DUCKDB, "postgres": POSTGRESQL}.items():
        for macro, expected in {
            "real_type()": dialect.nullable.format(dialect.types["real"]),
            "whole_number_type()": dialect.whole_number,
            "floor(number)": dialect.floor.format("{{ number }}"),
            "service_day(moment)": dialect.service_day.format("{{ moment }}"),
        }.items():
            start = f"{{% macro {adapter}__{macro} -%}}\n{expected}\n"
            assert start in files["macros/dialects.sql"]


def test_what_is_promised_is_about_columns_that_exist(generators, defined):
    facts = generators["warehouse_facts"]
    columns = {facts.short(table): table.columns for table in defined.tables}
    assert [key for key in facts.ACCEPTED if key[1] not in columns[key[0]]] == []
    for view in defined.views:
        assert set(facts.key_of(view)) <= view.columns.keys()
    assert set(facts.VIEW_KEYS) == {view.name for view in defined.views if not view.group_by}
    of_views = {name for view in defined.views for name in view.columns}
    assert facts.RANGES.keys() <= of_views | {c for table in columns.values() for c in table}
    assert facts.LOADED_AT in columns[facts.FRESH_TABLE]
    assert set(facts.SEVERITIES) == set(validator._SEVERITIES)


def test_every_setting_is_on_the_page():
    told = yaml.safe_load((PROJECT / "dbt" / "dbt_project.yml").read_text(encoding="utf-8"))
    page = (PROJECT / "docs" / "dbt.md").read_text(encoding="utf-8")
    settings = told["vars"]["faceid"]
    assert "`faceid_results_identifier`, and so on for each table" in page
    listed = [name for name in settings if not name.endswith("_identifier")]
    assert [name for name in listed if f"`{name}`" not in page] == []
    hours = [settings[f"faceid_{word}_after_hours"] for word in ("warn", "error")]
    assert f"| {hours[0]}, {hours[1]} |" in page
    assert told["require-dbt-version"] == [">=1.8.0", "<3.0.0"]
