"""CSV and Parquet files as sources, through DuckDB in memory."""

from __future__ import annotations

import gzip
from itertools import chain

import duckdb
import pytest

from airflow_provider_faceid.exceptions import ConfigurationError, WarehouseError
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sources import source as sources
from airflow_provider_faceid.warehouse.sources.keyset import Shard
from airflow_provider_faceid.warehouse.sources.source import EVERYTHING, Source
from airflow_provider_faceid.warehouse.sql.database import DUCKDB, POSTGRESQL, SQLITE, Database

ROWS = 25
NUMBER = "110101199003070{:03d}"
PEOPLE = [(f"{n:04d}", f"张 {n}, x", NUMBER.format(n), f"0{n}") for n in range(ROWS)]
HEADER = "id,name,id_card,phone"


def lines(rows=PEOPLE, header=HEADER, delimiter=",", end="\n"):
    text = [header.replace(",", delimiter)]
    text += [delimiter.join(f'"{v}"' if "," in v else v for v in row) for row in rows]
    return end.join([*text, ""])


@pytest.fixture
def memory():
    """A connection in memory, as Airflow's hook opens one: nothing is installed or downloaded."""
    database = Database(
        lambda: duckdb.connect(config={"autoinstall_known_extensions": False}), DUCKDB, "files"
    )
    yield database
    database.close()


def written(memory, folder, form):
    """Write the people into files of a form, and return the source."""
    path = folder / f"people.{form}"
    match form:
        case "csv":
            path.write_text(lines())
        case "csv.gz":
            path.write_bytes(gzip.compress(lines().encode()))
        case "tsv":
            path.write_text(lines(delimiter="\t"))
        case "semicolon":
            path = folder / "semicolon.CSV"
            path.write_text("\ufeff" + lines(delimiter=";", end="\r\n"), newline="")
        case "parts":
            (folder / "b.csv").write_text(lines(PEOPLE[::2]))
            swapped = [(phone, card, key, name) for key, name, card, phone in PEOPLE[1::2]]
            (folder / "a.csv").write_text(lines(swapped, "phone,id_card,id,name"))
            return str(folder / "*.csv")
        case _:
            (folder / "x.csv").write_text(lines())
            with memory.transaction("writing") as cursor:
                cursor.execute(
                    f"COPY (FROM read_csv('{folder}/x.csv', all_varchar = true)) TO '{path}'"
                )
    return str(path)


FORMS = ["csv", "csv.gz", "csv.zst", "tsv", "semicolon", "parts", "parquet"]


@pytest.fixture(params=FORMS)
def people(request, memory, tmp_path):
    return written(memory, tmp_path, request.param)


COLUMNS = ["name", "id_card", "phone"]


@pytest.mark.parametrize("ahead", [3, 10, 50_000])
def test_files_are_read_by_their_path_and_every_digit_is_kept(memory, people, ahead, monkeypatch):
    monkeypatch.setattr(sources, "READ_AHEAD", ahead)
    one = Source(memory, people, "id")
    assert one.inspect(COLUMNS, texts=COLUMNS) == ROWS
    for size in (1, 7, ROWS, 100):
        pages = list(one.pages(COLUMNS, size))
        assert [row for page in pages for row in page] == PEOPLE
        assert {len(page) for page in pages[:-1]} <= {size}
    assert one.row("0007", ["phone"]) == ("07",)
    assert one.row("7", ["phone"]) is None


def test_files_are_cut_into_shards(memory, people):
    one = Source(memory, people, "id")
    shards = one.cut(one.inspect([]), 4)
    parts = [
        [key for page in Source(memory, people, "id", s).pages([], 3) for (key,) in page]
        for s in map(Shard.from_json, (s.as_json() for s in shards))
    ]
    assert list(chain(*parts)) == [row[0] for row in PEOPLE]
    assert [len(part) for part in parts] == [6, 6, 6, 7]


def test_a_page_reads_the_files_once_for_many_pages(memory, tmp_path):
    path = written(memory, tmp_path, "csv")
    asked = []

    class Counting:
        dialect, label, key_type, check = memory.dialect, "files", memory.key_type, memory.check

        def rows(self, sql, parameters=()):
            asked.append(sql)
            return memory.rows(sql, parameters)

    one = Source(Counting(), path, "id")
    keys = [key for page in one.pages([], 2) for (key,) in page]
    assert len(keys) == ROWS
    assert sum("ORDER BY" in sql for sql in asked) == 1
    other = one.page(["name"], 2, ["0003"])
    assert [row[0] for row in other] == ["0004", "0005"]
    assert [row[0] for row in one.page(["name"], 2, ["0009"])] == ["0010", "0011"]
    assert sum("ORDER BY" in sql for sql in asked) == 3


@pytest.mark.parametrize("name", ["it's.csv", "100%.csv", 'a"b.csv', "张三.csv", "a b.csv"])
def test_a_path_may_have_any_name_and_single_quotes_around_it(memory, tmp_path, name):
    path = tmp_path / name
    path.write_text(lines())
    for written_ in (str(path), f" {path} ", "'" + str(path).replace("'", "''") + "'"):
        assert Source(memory, written_, "id").inspect(COLUMNS) == ROWS


def test_a_query_and_a_composite_key_read_files_too(memory, tmp_path):
    path = written(memory, tmp_path, "csv")
    query = f"SELECT * FROM read_csv('{path}', all_varchar = true) WHERE id < '0010'"
    one = Source(memory, query, ["id_card", "id"])
    assert one.inspect(COLUMNS, texts=COLUMNS) == 10
    keys = [key for page in one.pages([], 3) for (key,) in page]
    assert keys == [f'["{NUMBER.format(n)}","{n:04d}"]' for n in range(10)]


def test_folders_make_columns_of_text(memory, tmp_path):
    for day in ("07", "11"):
        folder = tmp_path / f"day={day}" / "tenant=a%2Fb"
        folder.mkdir(parents=True)
        (folder / "x.csv").write_text(lines(PEOPLE[:3]))
    one = Source(memory, f"{tmp_path}/*/*/*.csv", ["day", "id"])
    assert one.inspect(["tenant"], texts=["tenant"]) == 6
    rows = [row for page in one.pages(["tenant"], 4) for row in page]
    assert rows[0] == ('["07","0000"]', "a/b")
    assert rows[-1] == ('["11","0002"]', "a/b")


def test_a_column_of_folder_and_file_is_refused(memory, tmp_path):
    folder = tmp_path / "phone=1"
    folder.mkdir()
    (folder / "x.csv").write_text(lines(PEOPLE[:3]))
    one = Source(memory, f"{tmp_path}/*/x.csv", "id")
    assert one.inspect(["name"]) == 3
    with pytest.raises(ConfigurationError, match=r"'phone' is in the files .* hive_partitioning"):
        one.inspect(["phone"])


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("{folder}/none.csv", r"file '.*none\.csv' cannot be read .*No files found that match"),
        ("{folder}/*.parquet", r"file '.*\*\.parquet' cannot be read .*No files found that match"),
        ("{folder}/", r"has to end in \.csv.* of a folder, write /folder/\*\.csv"),
        ("{folder}/people.xlsx", r"has to end in \.csv"),
        ("data/people.csv", "has to be named by its whole path"),
        ("'people.csv'", "has to be named by its whole path"),
        ("~/people.csv", "has to be named by its whole path"),
        ("s3://bucket/people.parquet", 'cannot be read .*"extensions": .*"httpfs"'),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_to_write(memory, tmp_path, path, why):
    with pytest.raises(ConfigurationError, match=why):
        Source(memory, path.format(folder=tmp_path), "id").inspect([])


def test_files_are_for_duckdb_only():
    for dialect in (SQLITE, POSTGRESQL):
        elsewhere = Database(lambda: None, dialect, "shop")
        with pytest.raises(ConfigurationError, match="through a connection of type duckdb"):
            Source(elsewhere, "/data/people.csv", "id")
    assert Source(Database(lambda: None, SQLITE, "shop"), '"/a"', "id").label == "shop:/a"


@pytest.mark.parametrize(
    "content",
    ["", "0001,x,y\n0002,x,y\n", "id,name,id_card,phone\n1,2\n"],
    ids=["empty", "without names", "with short lines"],
)
def test_a_file_without_its_columns_is_refused_without_its_values(memory, tmp_path, content):
    (tmp_path / "x.csv").write_text(content)
    with pytest.raises(ConfigurationError, match=r"'id'.* The first line of a CSV file") as caught:
        Source(memory, f"{tmp_path}/x.csv", "id").inspect(["name"])
    assert "0001" not in str(caught.value)


def test_a_broken_line_is_named_by_its_number(memory, tmp_path):
    rows = [(f"{n}", "x", "y", "z") for n in range(30_000)]
    text = lines(rows).replace("29999,x,y,z", "29999,secret")
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(WarehouseError, match=r"Line: 30001: Expected .* 4 Found: 2") as caught:
        Source(memory, f"{tmp_path}/x.csv", "id").inspect(["name"])
    assert "secret" not in str(caught.value)


def test_a_file_in_another_encoding_is_named_as_such(memory, tmp_path):
    (tmp_path / "x.csv").write_bytes(lines().encode("gbk"))
    with pytest.raises(
        (ConfigurationError, WarehouseError), match="is not utf-8 encoded"
    ) as caught:
        Source(memory, f"{tmp_path}/x.csv", "id").inspect(["name"])
    assert NUMBER[:8] not in str(caught.value)


@pytest.mark.parametrize("column", ["id", "id_card"])
def test_numbers_that_duckdb_makes_of_text_are_refused(memory, tmp_path, column):
    rows = [(f"{n + 1}", *others) for n, (_, *others) in enumerate(PEOPLE)]
    (tmp_path / "x.csv").write_text(lines(rows))
    needed = dict.fromkeys(["id", "id_card"], "VARCHAR") | {column: "BIGINT"}
    del needed[column]
    cast = ", ".join(f"CAST({c} AS VARCHAR) AS {c}" for c in needed)
    guessed = f"SELECT {cast}, {column} FROM '{tmp_path}/x.csv'"
    with pytest.raises(
        ConfigurationError, match=f"'{column}' .* was read as BIGINT.* all_varchar = true"
    ):
        Source(memory, guessed, "id").inspect(["id_card"], texts=["id_card"])
    told = f"SELECT * FROM read_csv('{tmp_path}/x.csv', types = {{'id': 'VARCHAR'}})"
    assert Source(memory, told, "id").inspect([], texts=[]) == ROWS


def test_fractions_in_parquet_are_refused_as_id_numbers(memory, tmp_path):
    with memory.transaction("writing") as cursor:
        cursor.execute(f"COPY (SELECT '1' AS id, 1.1e17 AS id_card) TO '{tmp_path}/x.parquet'")
    one = Source(memory, f"{tmp_path}/x.parquet", "id")
    assert one.inspect(["id_card"]) == 1
    with pytest.raises(ConfigurationError, match=r"'id_card' .* was read as DOUBLE"):
        one.inspect(["id_card"], texts=["id_card"])


def test_our_tables_are_not_written_where_they_would_be_lost(memory):
    with pytest.raises(
        ConfigurationError, match=r"'files' is a database in memory.*warehouse_conn_id"
    ):
        prepare(memory, Names())


def test_todays_file_is_the_same_source_as_yesterdays(memory):
    labels = {
        Source(memory, f"/data/{day}/people_{day}.csv", "id", EVERYTHING).label
        for day in ("2026-11-28", "2026-11-29")
    }
    assert labels == {"files:/data/#-#-#/people_#-#-#.csv"}
