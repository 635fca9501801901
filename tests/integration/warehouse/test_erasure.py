"""Which rows are a person's, what of them goes and what stays, table by table."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import psycopg
import pytest

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.fields import ID_CARD, PHONE
from airflow_provider_faceid.api.person import person_hashes, read_person
from airflow_provider_faceid.api.pseudonyms import row_hasher, value_hash
from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.warehouse.erasure.erasure import Erasure
from airflow_provider_faceid.warehouse.erasure.search import Answer, Row, Search
from airflow_provider_faceid.warehouse.erasure.sql import rewrite
from airflow_provider_faceid.warehouse.migrations import prepare, prepare_beside
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql.database import CLICKHOUSE
from airflow_provider_faceid.warehouse.tables import (
    ERASURES,
    HISTORY,
    QUARANTINE,
    RECONCILIATION_CALLS,
    RESULTS,
    REVIEW_LOG,
    REVIEWS,
)
from tests.support.homes import homes

from .conftest import upsert

pytestmark = pytest.mark.long

SECRET, NOW = "a hash key of this test", "2026-11-29T04:00:00.000+00:00"
ONE, OTHER = "11010119900307889X", "110101199003078873"
SHARED, OWN = "13800138000", "13800138001"
ACTION = ACTIONS["PhoneVerification"]
NAMES = Names()


@pytest.fixture
def warehouse(home):
    database = home.open()
    prepare(database, NAMES, own=ACTION.result_columns)
    prepare_beside(database, NAMES, ERASURES, REVIEW_LOG, RECONCILIATION_CALLS)
    return database


def row(key, number=None, phone=None, **more):
    return {
        "campaign": "c",
        "action": ACTION.name,
        "source_key": key,
        "status": "answered",
        "outcome": "match",
        "code": "0",
        "charged": 1,
        "attempts": 1,
        "similarity": 88.5,
        "request_id": f"request of {key}",
        "answer_id": f"request of {key}",
        "question_hash": f"v2 question {key}",
        "id_card_hash": number and value_hash(SECRET, ID_CARD, number),
        "phone_hash": phone and value_hash(SECRET, PHONE, phone),
        "verified_date": "2026-11-28",
        "answered_at": "2026-11-28T03:00:00.000+00:00",
        "source": "crm:people",
        **more,
    }


def write(warehouse, *rows):
    own = ACTION.result_columns
    upsert(warehouse, RESULTS.with_columns_of(own), NAMES.results, rows)
    upsert(warehouse, HISTORY.with_columns_of(own), NAMES.history, rows)


def erase(warehouse, found):
    receipt = {"receipt_id": "r", "began_at": NOW, "updated_at": NOW}
    search = Search(warehouse, NAMES)
    return Erasure(warehouse, NAMES, search.tables).erase(found, [], receipt, NOW)


def keys(rows):
    return {one.source_key for one in rows}


def person(**values):
    return person_hashes([SECRET], read_person(values))


def test_a_row_is_the_persons_if_one_number_is_theirs_and_none_is_anothers(warehouse):
    write(
        warehouse,
        row("both", ONE, SHARED),
        row("number alone", ONE),
        row("phone alone", None, SHARED),
        row("of the other", OTHER, SHARED),
        row("of nobody"),
        row("second phone", ONE, OWN),
    )
    search = Search(warehouse, NAMES)
    assert keys(search.find_person(person(id_card=ONE, phone=SHARED)).rows) == {
        "both",
        "number alone",
        "phone alone",
    }
    assert keys(search.find_person(person(id_card=ONE, phone=[SHARED, OWN])).rows) == {
        "both",
        "number alone",
        "phone alone",
        "second phone",
    }
    assert keys(search.find_person(person(id_card=ONE)).rows) == {
        "both",
        "number alone",
        "second phone",
    }
    assert keys(search.find_person(person(phone=SHARED)).rows) == {
        "both",
        "phone alone",
        "of the other",
    }
    assert not search.find_person(person(id_card=ONE), campaign="another")


def test_answers_under_a_key_of_somebody_else_go_alone(warehouse):
    """A number was mistyped in row 7: the stranger's answer goes, and the verdict of row 7 stays."""
    write(warehouse, row("7", ONE))
    write(warehouse, row("7", OTHER, request_id="second", answer_id="second"))
    found = Search(warehouse, NAMES).find_person(person(id_card=ONE))
    assert found.rows == set()
    assert found.answers == {Answer("c", ACTION.name, "7", "request of 7")}
    counts = erase(warehouse, found)
    assert (counts["results"], counts["history"], counts["answers_kept"]) == (0, 1, 1)
    assert not Search(warehouse, NAMES).find_person(person(id_card=ONE))
    assert keys(Search(warehouse, NAMES).find_person(person(id_card=OTHER)).rows) == {"7"}


def test_a_row_in_quarantine_is_found_by_all_its_values_or_by_its_key(warehouse):
    fields = ("IdCard", "Name", "Phone")
    hashed = row_hasher(SECRET, ACTION, fields)((ONE, "张三", OWN), "a version")
    refused = {"campaign": "c", "action": ACTION.name, "rule": "service:-4", "stage": "service"}
    upsert(
        warehouse,
        QUARANTINE,
        NAMES.quarantine,
        [{**refused, "source_key": "9", "row_hash": hashed}],
    )
    search = Search(warehouse, NAMES)
    assert not search.find_person(person(id_card=ONE))
    found = search.find_person(person(id_card=ONE, name="张三", phone=[SHARED, OWN]))
    assert found.rows == {Row("c", ACTION.name, "9")} == search.find_keys(["9"]).rows
    assert erase(warehouse, found)["quarantine"] == 1
    assert not search.find_keys(["9"])


def test_reviews_their_log_and_calls_of_the_reconciliation_go_too(warehouse, home):
    write(warehouse, row("1", ONE), row("2", OTHER))
    for key in ("1", "2"):
        case = {
            "campaign": "c",
            "action": ACTION.name,
            "source_key": key,
            "review_id": f"case {key}",
        }
        upsert(warehouse, REVIEWS, NAMES.reviews, [{**case, "answer_id": f"request of {key}"}])
        upsert(warehouse, REVIEW_LOG, NAMES.review_log, [{**case, "number": n} for n in (1, 2)])
        call = {"campaign": "c", "action": ACTION.name, "source_key": key, "code": ""}
        upsert(
            warehouse,
            RECONCILIATION_CALLS,
            NAMES.beside("reconciliation_calls"),
            [{**call, "verified_date": "2026-11-28"}],
        )
    counts = erase(warehouse, Search(warehouse, NAMES).find_keys(["1"]))
    named = ("reviews", "review_log", "reconciliation")
    assert [counts[name] for name in named] == [1, 2, 1]
    assert home.query("SELECT source_key FROM faceid_reviews") == [("2",)]
    assert home.query("SELECT DISTINCT source_key FROM faceid_review_log") == [("2",)]
    kept = sorted(
        key for (key,) in home.query("SELECT source_key FROM faceid_reconciliation_calls")
    )
    assert kept[1] == "2"
    assert kept[0].startswith("(erased) ")


def test_what_stays_of_an_answer_is_what_the_bill_needs(warehouse, home):
    write(
        warehouse,
        row("1", ONE),
        row("2", ONE, charged=None),
        row("3", ONE, charged=0),
        row("4", ONE, charged=0, attempts=0),
    )
    home.run(f"ALTER TABLE {NAMES.history} {home.dialect.add_column} reviewer_note VARCHAR(50)")
    home.change(NAMES.history, "1 = 1", reviewer_note="'about 1'")
    counts = erase(warehouse, Search(warehouse, NAMES).find_keys(["1", "2", "3", "4"]))
    assert (counts["results"], counts["history"], counts["answers_kept"]) == (4, 4, 2)
    columns = [*HISTORY.columns, "phone_hash", "reviewer_note"]
    rows = [
        dict(zip(columns, values, strict=True))
        for values in home.query(f"SELECT {', '.join(columns)} FROM {NAMES.history}")
    ]
    assert len(rows) == 2
    for one in rows:
        filled = {name for name, value in one.items() if value not in {None, ""}}
        assert filled - {"charged"} == {
            *("campaign", "action", "source_key", "answer_id", "outcome", "code", "attempts"),
            *("verified_date", "updated_at"),
        }
        assert one["source_key"].startswith("(erased) ")
    assert len({one["source_key"] for one in rows}) == 2
    assert home.query("SELECT COUNT(*) FROM faceid_history_periods") == [(0,)]
    assert home.query("SELECT COUNT(*) FROM faceid_latest") == [(0,)]


@homes("clickhouse")
def test_a_deleted_row_is_no_version_of_clickhouse_either(warehouse, home):
    write(warehouse, row("1", ONE))
    write(warehouse, row("1", ONE, outcome="mismatch"))
    erase(warehouse, Search(warehouse, NAMES).find_keys(["1"]))
    for table in (NAMES.results, NAMES.history):
        found = warehouse.rows(
            f"SELECT COUNT(*) FROM {table} WHERE source_key = '1' SETTINGS final = 0"
        )
        assert found == [(0,)]
    assert home.dialect is CLICKHOUSE


@homes("sqlite")
def test_a_reader_of_sqlite_keeps_the_journal_and_is_named(warehouse, home):
    write(warehouse, row("1", ONE))
    with closing(sqlite3.connect(home.address, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM faceid_results").fetchall()
        erase(warehouse, Search(warehouse, NAMES).find_keys(["1"]))
        problems = rewrite(warehouse, [NAMES.results])
        assert "PRAGMA wal_checkpoint(TRUNCATE)" in problems[-1]
    assert rewrite(warehouse, [NAMES.results]) == []


@homes("postgresql")
def test_a_reader_of_postgresql_is_not_waited_for_and_nobody_waits_for_us(warehouse, home):
    write(warehouse, row("1", ONE))
    with psycopg.connect(home.address) as reader:
        reader.execute("SELECT COUNT(*) FROM faceid_results")
        erase(warehouse, Search(warehouse, NAMES).find_keys(["1"]))
        (problem,) = rewrite(warehouse, [NAMES.results])
        assert "55P03" in problem
        assert 'VACUUM (FULL, ANALYZE) "faceid_results"' in problem
    assert rewrite(warehouse, [NAMES.results, NAMES.history]) == []


@homes("duckdb")
def test_a_rewritten_table_of_duckdb_has_its_key_its_columns_and_its_indexes(warehouse, home):
    home.run("ALTER TABLE faceid_results ADD COLUMN note VARCHAR DEFAULT 'none'")
    home.run("CREATE INDEX by_note ON faceid_results (note)")
    write(warehouse, row("1", ONE), row("2", OTHER))
    before = warehouse.rows("DESCRIBE faceid_results")
    assert rewrite(warehouse, [NAMES.results, NAMES.history]) == []
    assert warehouse.rows("DESCRIBE faceid_results") == before
    assert warehouse.rows("SELECT index_name FROM duckdb_indexes()") == [("by_note",)]
    write(warehouse, row("2", OTHER, outcome="mismatch"))
    assert sorted(home.query("SELECT source_key, outcome, note FROM faceid_results")) == [
        ("1", "match", "none"),
        ("2", "mismatch", "none"),
    ]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "张三"}, "give at least one of"),
        ({"id_card": True}, "is a text or a list"),
        ({"id_card": [None]}, "is a text or a list"),
        ({"id_card": 7.5}, "is a text or a list"),
        ({"photo": "x", "id_card": ONE}, "described by columns"),
    ],
)
def test_a_person_is_described_by_texts_one_of_them_a_number(given, words):
    with pytest.raises(ConfigurationError, match=words) as caught:
        read_person(given)
    assert ONE not in str(caught.value)
