from __future__ import annotations

import re

import pytest

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.warehouse import tables
from airflow_provider_faceid.warehouse.records import MAX_KEY
from airflow_provider_faceid.warehouse.sql.dialects import (
    CLICKHOUSE,
    DUCKDB,
    MYSQL,
    POSTGRESQL,
    SQLITE,
)
from airflow_provider_faceid.warehouse.sql.upsert import (
    delete_statement,
    page_of_json,
    update_statement,
    upsert_statement,
)
from airflow_provider_faceid.warehouse.tables import RESULTS, Table
from airflow_provider_faceid.warehouse.views.views import VERSIONS

OURS = [one for one in vars(tables).values() if isinstance(one, Table)] + [VERSIONS]
MOST_BYTES = 3072
"""Of a key of InnoDB (MySQL's manual, 17.21 InnoDB Limits)."""


@pytest.mark.parametrize("table", OURS, ids=lambda table: table.name)
def test_every_key_fits_into_an_index_of_mysql(table):
    size = 0
    for column in table.key:
        declared = MYSQL.column_type(column, table.columns[column].type, is_key=True)
        if table.columns[column].type == "text":
            length = re.match(r"VARCHAR\((\d+)\)( CHARACTER SET ascii .*)?$", declared)
            assert length, f"{column} is {declared}, and such a type is in no key"
            size += int(length[1]) * (1 if length[2] else 4)
        else:
            size += 8
    assert size <= MOST_BYTES


def test_a_key_of_a_source_and_the_name_of_an_action_fit():
    assert MYSQL.longest("source_key") >= MAX_KEY
    assert MYSQL.longest("action") >= max(map(len, ACTIONS))
    assert MYSQL.longest("run_id") >= 250  # Airflow's limit
    assert POSTGRESQL.longest("source_key") is None


def test_a_name_is_quoted_as_the_database_does():
    assert MYSQL.quote('a`b"c%') == '`a``b"c%%`'
    assert POSTGRESQL.quote('a`b"c%') == '"a`b""c%%"'
    assert SQLITE.quote('a"%') == '"a""%"'
    assert MYSQL.quote_table("a.b") == "`a`.`b`"
    assert CLICKHOUSE.quote('a"b\\c%') == '"a""b\\\\c%%"'


CONDITION = "excluded.status = 'x' OR old.status <> 'x'"


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL, DUCKDB], ids=lambda one: one.name)
def test_on_conflict(dialect):
    columns = ("k", "status", "n")
    head = 'INSERT INTO "t" AS old ("k", "status", "n") VALUES (1) ON CONFLICT ("k") DO '
    sets = 'UPDATE SET "status" = excluded."status", "n" = excluded."n" WHERE '
    write = upsert_statement
    assert write(dialect, "t", columns, ("k",), "VALUES (1)") == f"{head}{sets}1 = 1"
    assert write(dialect, "t", columns, ("k",), "VALUES (1)", replaces="") == f"{head}NOTHING"
    assert (
        write(dialect, "t", columns, ("k",), "VALUES (1)", replaces=CONDITION)
        == f"{head}{sets}{CONDITION}"
    )


def test_on_duplicate_key_computes_the_condition_once_and_first():
    columns = ("k", "status", "n")
    head = "INSERT INTO `s`.`t` (`k`, `status`, `n`) VALUES (1) ON DUPLICATE KEY UPDATE "
    write = upsert_statement
    assert write(MYSQL, "s.t", columns, ("k",), "VALUES (1)") == (
        f"{head}`status` = VALUES(`status`), `n` = VALUES(`n`)"
    )
    assert write(MYSQL, "s.t", columns, ("k",), "VALUES (1)", replaces="") == (
        f"{head}`k` = `s`.`t`.`k`"
    )
    assert write(MYSQL, "s.t", columns, ("k",), "VALUES (1)", replaces=CONDITION) == (
        f"{head}`status` = IF(@faceid_replaces := (VALUES(`status`) = 'x' OR `s`.`t`.`status` <> 'x'), "
        "VALUES(`status`), `s`.`t`.`status`), "
        "`n` = IF(@faceid_replaces, VALUES(`n`), `s`.`t`.`n`)"
    )


def test_only_key_columns_have_types_of_their_own():
    assert MYSQL.column_type("run_id", RESULTS.columns["run_id"].type, is_key=False) == "TEXT"
    assert MYSQL.column_type("run_id", "text", is_key=True) == "VARCHAR(250)"
    assert SQLITE.column_type("run_id", "text", is_key=True) == "TEXT"


def test_no_column_of_a_key_may_be_null_in_clickhouse_and_every_other_may():
    declared = RESULTS.declared(CLICKHOUSE)
    assert {name for name, type_ in declared.items() if "Nullable" not in type_} == {*RESULTS.key}
    assert declared["answered_at"] == "Nullable(DateTime64(3, 'UTC'))"


def test_insert_replacing_keeps_what_the_condition_keeps_and_is_above_what_is_there():
    page = page_of_json(CLICKHOUSE, {"k": "String", "status": "Nullable(DateTime64(3, 'UTC'))"})
    assert page == (
        "SELECT * FROM format(JSONCompactEachRow, "
        "'\"k\" String, \"status\" Nullable(DateTime64(3, \\'UTC\\'))', %s)"
    )

    def written(**more):
        return upsert_statement(CLICKHOUSE, "t", ("k", "status"), ("k",), page, **more)

    end = "WHERE old.faceid_version = 0 OR old.faceid_deleted = 1{} SETTINGS final = 0"
    assert written().endswith(end.format(" OR (1 = 1)"))
    assert written(replaces="").endswith(end.format(""))
    assert written(replaces=CONDITION).endswith(end.format(f" OR ({CONDITION})"))
    # A row that is written in any case is above one that was decided on at that moment.
    assert "+ 60000000, old.faceid_version + 1)" in written()
    assert "+ 0, old.faceid_version + 1)" in written(replaces=CONDITION)


def test_clickhouse_changes_and_deletes_rows_by_newer_versions_of_them():
    head = 'INSERT INTO "t" SELECT * REPLACE ('
    tail = 'FROM (SELECT * FROM "t" FINAL WHERE k = %s) AS faceid_old'
    changed = update_statement(CLICKHOUSE, "t", {"status": "%s"}, "k = %s")
    assert changed.startswith(f'{head}%s AS "status", 0 AS "faceid_deleted", greatest(')
    deleted = delete_statement(CLICKHOUSE, "t", "k = %s")
    assert deleted.startswith(f'{head}1 AS "faceid_deleted", greatest(')
    assert changed.endswith(tail)
    assert deleted.endswith(tail)
    assert (
        update_statement(SQLITE, "t", {"a": "?"}, "k = ?") == 'UPDATE "t" SET "a" = ? WHERE k = ?'
    )
    assert delete_statement(SQLITE, "t", "k = ?") == 'DELETE FROM "t" WHERE k = ?'
