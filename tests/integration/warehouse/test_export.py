"""Exports: what readers of each format find is what the table has, also after a kill in the middle."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.exceptions import ConfigurationError, ExportError, WarehouseError
from airflow_provider_faceid.warehouse.export import batches, iceberg
from airflow_provider_faceid.warehouse.export.batches import TABLES, ExportReader, Selection
from airflow_provider_faceid.warehouse.migrations import prepare, prepare_checks
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.tables import HISTORY, RESULTS, Column, insert
from tests.support.exports import FORMATS, comments, export_and_die, read, write
from tests.support.forked import Forked
from tests.support.homes import homes
from tests.support.patience import PATIENCE

ASKED = ("IdCardVerification", "MobileStatus")
ROWS = 30
NOW = datetime(2026, 11, 28, 23, 30, tzinfo=UTC)
PROJECT = Path(__file__).parents[3]

each_format = pytest.mark.parametrize("format_", FORMATS)
on_sqlite = homes("sqlite")


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(batches, "PAGE_ROWS", 7)
    monkeypatch.setattr(iceberg, "FILE_ROWS", 10)


@pytest.fixture
def lake(tmp_path) -> Path:
    return tmp_path / "lake"


def value(column: Column, number: int) -> Any:
    """Return a value of a column as it is written, NULL now and then."""
    if number % 5 == 0:
        return None
    moment = NOW + timedelta(seconds=number)
    return {
        "text": f"{number}的 'text' %",
        "integer": number,
        "real": number / 8,
        "timestamp": moment.isoformat(timespec="milliseconds"),
        "date": moment.date().isoformat(),
    }[column.type]


def made(campaign: str, rows: int = ROWS) -> list[dict[str, Any]]:
    """Return result rows of two Actions, with the columns that only one of them has."""
    own = {c.column: Column(c.type, c.meaning) for a in ASKED for c in ACTIONS[a].result_columns}
    columns = RESULTS.columns | own
    return [
        {name: value(column, number) for name, column in columns.items()}
        | {"campaign": campaign, "action": ASKED[number % 2], "source_key": f"{number:04}"}
        | {"updated_at": NOW.isoformat(timespec="milliseconds"), "status": "answered"}
        for number in range(rows)
    ]


def as_read(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with the types and in the order a reader has them."""
    read_as = {"timestamp": datetime.fromisoformat, "date": date.fromisoformat}
    kinds = {name: column.type for name, column in RESULTS.columns.items()}
    typed = [
        {
            name: read_as[kinds[name]](item) if item and kinds.get(name) in read_as else item
            for name, item in row.items()
        }
        for row in rows
    ]
    return sorted(typed, key=lambda row: (row["campaign"], row["action"], row["source_key"]))


def fill(home, rows, table=RESULTS) -> None:
    database = home.open()
    own = [c for a in ASKED for c in ACTIONS[a].result_columns]
    prepare(database, Names(), own=own)
    with database.transaction("filling") as cursor:
        insert(cursor, database, table.with_columns_of(own), table.name, rows)
    database.close()


def do_export(home, format_, folder, campaign="spring", *, table=RESULTS, owner="task", **more):
    selection = Selection(table, table.name, campaign, **more)
    with ExportReader(home.open(), selection) as reader:
        return write(format_, reader, folder, owner)


@each_format
def test_a_reader_finds_the_rows_of_the_table_and_the_same_after_a_repeat(home, format_, lake):
    spring, autumn = made("spring"), made("autumn", 9)
    fill(home, spring + autumn)
    for campaign in ("spring", "autumn"):
        exported = do_export(home, format_, lake, campaign)
    assert exported.rows == {"IdCardVerification": 5, "MobileStatus": 4}
    assert read(format_, lake) == as_read(spring + autumn)
    first = exported.version
    again = do_export(home, format_, lake, "autumn")
    assert again.rows == exported.rows
    assert (again.version == first) is (format_ == "parquet")
    assert read(format_, lake) == as_read(spring + autumn)


@on_sqlite
@each_format
def test_what_has_changed_or_gone_since_does_not_stay(home, format_, lake):
    fill(home, made("spring") + made("autumn"))
    for campaign in ("spring", "autumn"):
        do_export(home, format_, lake, campaign)
    home.run("DELETE FROM faceid_results WHERE campaign = 'spring' AND action = 'MobileStatus'")
    home.run("UPDATE faceid_results SET outcome = 'match'")
    do_export(home, format_, lake)
    left = [row | {"outcome": "match"} for row in made("spring") if row["action"] == ASKED[0]]
    assert read(format_, lake) == as_read(left + made("autumn"))


@on_sqlite
@each_format
def test_other_actions_are_left_alone_if_some_are_named(home, format_, lake):
    fill(home, made("spring"))
    do_export(home, format_, lake)
    home.run("UPDATE faceid_results SET outcome = 'match'")
    exported = do_export(home, format_, lake, actions=[ASKED[1]])
    assert exported.rows == {ASKED[1]: ROWS // 2}
    expected = [
        r | ({"outcome": "match"} if r["action"] == ASKED[1] else {}) for r in made("spring")
    ]
    assert read(format_, lake) == as_read(expected)


@on_sqlite
@each_format
def test_a_campaign_without_rows_is_removed_and_nothing_is_made_for_it(home, format_, lake):
    fill(home, made("spring") + made("autumn", 3))
    assert do_export(home, format_, lake, "nobody") == ({}, None)
    assert read(format_, lake) == []
    for campaign in ("spring", "autumn"):
        do_export(home, format_, lake, campaign)
    home.run("DELETE FROM faceid_results WHERE campaign = 'spring'")
    exported = do_export(home, format_, lake)
    assert (exported.rows, exported.version is None) == ({}, format_ == "parquet")
    assert read(format_, lake) == as_read(made("autumn", 3))
    assert not list(lake.rglob("campaign=spring*")) or format_ != "parquet"


NAMES = [
    "a/b",
    "c=d",
    "100%",
    "it's",
    'q"x',
    "春 天",
    "back\\slash",
    "2026",
    "..",
    "{x}",
    "[a]*?",
    "+&",
]


@on_sqlite
@each_format
def test_a_campaign_may_be_called_anything(home, format_, lake):
    rows = [row for name in NAMES for row in made(name, 2)]
    fill(home, rows)
    for name in NAMES:
        do_export(home, format_, lake, name)
    do_export(home, format_, lake, NAMES[0])
    assert read(format_, lake) == as_read(rows)
    if format_ == "parquet":
        found = duckdb.sql(
            f"SELECT DISTINCT campaign FROM read_parquet('{lake}/**/*.parquet', "
            "hive_types = {'campaign': VARCHAR})"
        ).fetchall()
        assert {name for (name,) in found} == set(NAMES)


@on_sqlite
@each_format
def test_columns_say_what_they_mean_and_a_new_one_of_the_definition_comes_along(
    home, format_, lake
):
    fill(home, made("spring"))
    do_export(home, format_, lake)
    said = comments(format_, lake)
    partition = {"campaign", "action"} if format_ == "parquet" else set()
    assert RESULTS.columns.keys() - partition <= said.keys()
    assert {said[name] for name in RESULTS.columns.keys() - partition} == {
        column.meaning for name, column in RESULTS.columns.items() if name not in partition
    }
    newer = replace(RESULTS, columns={**RESULTS.columns, "region": Column("text", "where from")})
    with pytest.raises(ConfigurationError, match="no column 'region': it is of an older version"):
        do_export(home, format_, lake, table=newer)
    home.run("ALTER TABLE faceid_results ADD COLUMN region TEXT DEFAULT 'south'")
    do_export(home, format_, lake, table=newer)
    assert comments(format_, lake)["region"] == "where from"
    assert {row["region"] for row in read(format_, lake)} == {"south"}


@on_sqlite
@each_format
def test_columns_of_the_users_own_are_exported_if_they_are_asked_for(home, format_, lake):
    fill(home, made("spring", 2))
    home.run("ALTER TABLE faceid_results ADD COLUMN branch INTEGER DEFAULT 7")
    do_export(home, format_, lake)
    assert "branch" not in read(format_, lake)[0]
    do_export(home, format_, lake, other_columns=["branch", "code"])
    assert [row["branch"] for row in read(format_, lake)] == ["7", "7"]
    with pytest.raises(ConfigurationError, match=r"has no column 'brunch' \(did you mean 'branch'"):
        do_export(home, format_, lake, other_columns=["brunch"])


@pytest.mark.parametrize("table", TABLES)
def test_each_table_of_a_campaign_can_be_exported(home, table, lake):
    definition, name_in = TABLES[table]
    database = home.open()
    prepare(database, Names())
    prepare_checks(database, Names())
    key, last = dict.fromkeys(definition.key, "x"), definition.key[-1]
    kind = definition.columns[last].type
    rows = [
        {name: value(column, number) for name, column in definition.columns.items()}
        | {c: key[c] for c in definition.key if definition.columns[c].type == "text"}
        | {"campaign": "spring", "action": ASKED[0], definition.key[2]: f"{number % 3}"}
        | {last: str(number) if kind == "text" else value(definition.columns[last], number)}
        for number in range(1, 100)
        if number % 5
    ]
    rows = [row | ({"map_index": 0} if "map_index" in definition.key else {}) for row in rows]
    if len(definition.key) == 3:
        rows = [row | {"source_key": f"{number}"} for number, row in enumerate(rows)]
    with database.transaction("filling") as cursor:
        insert(cursor, database, definition, name_in(Names()), rows)
    database.close()
    selection = Selection(definition, name_in(Names()), "spring")
    with ExportReader(home.open(), selection) as reader:
        found = [row for batch in reader.batches(reader.begin()) for row in batch.to_pylist()]
    keys = [tuple(row[c] for c in definition.key) for row in found]
    assert len(set(keys)) == len(rows)
    assert {row[definition.key[2]] for row in found} == {row[definition.key[2]] for row in rows}


@on_sqlite
@each_format
def test_exports_at_once_lose_nothing_and_mix_nothing(home, format_, lake):
    rows = [row for name in ("a", "b", "c") for row in made(name, 10)]
    fill(home, rows)
    do_export(home, format_, lake, "a")
    jobs = [(name, number) for name in ("a", "b", "c") for number in range(2)]
    with ThreadPoolExecutor(len(jobs)) as threads:
        running = [
            threads.submit(do_export, home, format_, lake, name, owner=f"task {number}")
            for name, number in jobs
        ]
        for one in running:
            one.result(PATIENCE)
    assert read(format_, lake) == as_read(rows)


KILLS = {
    "parquet": ("page 3", "write 1", "publish 1"),
    "iceberg": ("page 3", "append 2", "stage 1", "commit 1"),
    "delta": ("page 3", "commit 1"),
}


@on_sqlite
@each_format
def test_an_export_that_is_killed_ends_with_the_same_rows_the_next_time(
    home, format_, lake, tmp_path
):
    fill(home, made("spring") + made("autumn", 3))
    folders = {point: lake / point.replace(" ", "_") for point in KILLS[format_]}
    for folder in folders.values():
        do_export(home, format_, folder, "autumn")
        do_export(home, format_, folder)
    home.run("UPDATE faceid_results SET outcome = 'match' WHERE campaign = 'spring'")
    before = as_read(made("spring") + made("autumn", 3))
    after = as_read([r | {"outcome": "match"} for r in made("spring")] + made("autumn", 3))

    log = tmp_path / "log"
    for point, folder in folders.items():
        died = Forked(export_and_die, format_, home.address, str(folder), point, log=str(log))
        assert died.wait() == -9, log.read_text()
    for point, folder in folders.items():
        left = read(format_, folder)
        if point == "publish 1":  # an Action of the one export, an Action of the other
            assert [r["action"] for r in left] == [r["action"] for r in before]
        else:
            assert left == (after if point == "commit 1" else before)
        do_export(home, format_, folder)
        assert read(format_, folder) == after
        assert not list(folder.rglob("*.tmp"))


@on_sqlite
def test_unfinished_files_of_others_stay_for_a_day(home, lake):
    fill(home, made("spring", 2))
    do_export(home, "parquet", lake)
    folder = lake / "campaign=spring"
    (folder / "_faceid_results.parquet-another-1.tmp").touch()
    do_export(home, "parquet", lake)
    assert [file.name for file in folder.glob("*.tmp")] == ["_faceid_results.parquet-another-1.tmp"]
    os.utime(folder / "_faceid_results.parquet-another-1.tmp", (0, 0))
    do_export(home, "parquet", lake)
    assert not list(folder.glob("*.tmp"))


@on_sqlite
@each_format
def test_a_value_of_another_type_is_said_by_its_column_alone(home, format_, lake):
    fill(home, made("spring", 3))
    home.run("UPDATE faceid_results SET attempts = 'Zhang San' WHERE source_key = '0001'")
    with pytest.raises(
        WarehouseError, match="Column 'attempts' has a value that is no integer"
    ) as e:
        do_export(home, format_, lake)
    assert "Zhang" not in str(e.value)
    assert read(format_, lake) == []


@on_sqlite
@each_format
def test_a_place_that_refuses_is_said(home, format_, lake):
    fill(home, made("spring", 3))
    lake.mkdir()
    (lake / "file").write_text("none of ours")
    folder = lake / "file" / "below"
    if format_ == "iceberg":  # its catalog would be there
        folder = lake
        (lake / "kyc").write_text("none of ours")
    with pytest.raises(ExportError, match=r"The export to .* failed: "):
        do_export(home, format_, folder)


@on_sqlite
def test_a_table_that_is_not_there_is_said(home, lake):
    with pytest.raises(ConfigurationError, match="no such table: faceid_history"):
        do_export(home, "parquet", lake, table=HISTORY)
