"""ClickHouse as a warehouse: no transactions, rows that are versions, and errors that quote statements."""

from __future__ import annotations

import json
import threading
from itertools import count

import pytest

from airflow_provider_faceid.api.messages import Reply
from airflow_provider_faceid.api.verdict import judge
from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.exceptions import ConfigurationError, FaceIdError
from airflow_provider_faceid.hooks.warehouses import database
from airflow_provider_faceid.simulator.people import ID_CARD
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.records import RunContext, Stage
from airflow_provider_faceid.warehouse.results import ResultsRepository
from airflow_provider_faceid.warehouse.sql.clickhouse import SETTINGS, ClickHouseCursor
from airflow_provider_faceid.warehouse.sql.database import CLICKHOUSE, Database
from tests.integration.warehouse.conftest import Home
from tests.support.patience import PATIENCE

PLANTED = "AYGUL syntax 440305199505132561"
CAMPAIGNS = count()
WRITERS, ROUNDS, KEYS = 4, 6, [str(number) for number in range(20)]
FACTS = "source_key, status, outcome, row_hash"


class Killed(BaseException):
    """What ends a process ends this test's write."""


@pytest.fixture(scope="module")
def home(clickhouse):
    """One database for this file: its tests have campaigns of their own."""
    clickhouse.run("CREATE DATABASE own")
    one = Home(CLICKHOUSE, "own", clickhouse.open)
    prepare(one.open(), Names())
    yield one
    one.close()


def repository(home: Home, campaign: str) -> ResultsRepository:
    """Return the tables of a campaign, through a connection of its own."""
    context = RunContext(campaign, ID_CARD, "run", source="here:people")
    return ResultsRepository(home.open(), context, SYSTEM_CLOCK)


@pytest.fixture
def store(home) -> ResultsRepository:
    return repository(home, f"campaign {next(CAMPAIGNS)}")


def answer(store, key, code="0", **facts):
    facts = {"row_hash": "one", **facts}
    store.buffer.add_answer(key, judge(Reply(ID_CARD, code, "", f"request {key}")), **facts)
    store.write(*store.buffer.drain())


def hold(store, key, **facts):
    results, _ = [], store.buffer
    row = {**store.buffer.origin(key), "status": "held", "outcome": "uncertain", "row_hash": "one"}
    results.append(row | facts)
    store.write(results, [])


def found(home, store, columns=FACTS, table="faceid_results"):
    campaign = store.context.campaign
    return sorted(home.query(f"SELECT {columns} FROM {table} WHERE campaign = '{campaign}'"))


def merge(home):
    """Let the server merge all versions, as it does some day."""
    for table in ("results", "history", "quarantine"):
        home.run(f"OPTIMIZE TABLE faceid_{table} FINAL")


def test_an_answer_gives_way_to_an_answer_and_to_another_question_only(home, store):
    answer(store, "1")
    hold(store, "1")
    hold(store, "2")
    answer(store, "2", "-1")
    answer(store, "3")
    hold(store, "3", row_hash="two")
    hold(store, "3", row_hash="three")
    expected = [
        ("1", "answered", "match", "one"),
        ("2", "answered", "mismatch", "one"),
        ("3", "held", "uncertain", "three"),
    ]
    assert found(home, store) == expected
    merge(home)
    assert found(home, store) == expected
    assert len(found(home, store, table="faceid_history", columns="answer_id")) == 3


def test_a_row_that_is_deleted_is_gone_and_may_come_again(home, store):
    answer(store, "1")
    answer(store, "2")
    store.delete_results(["1"])
    assert [key for key, *_ in found(home, store)] == ["2"]
    hold(store, "1")
    assert found(home, store)[0] == ("1", "held", "uncertain", "one")
    store.delete_results(["1", "2"])
    merge(home)
    assert found(home, store) == []


def test_rows_are_released_renamed_and_given_another_hash(home, store):
    for key in KEYS:
        hold(store, key)
    answer(store, "an 'old' name %s")
    assert store.release(["1", "2"]) == 2
    assert store.release(["1", "2"]) == 0
    assert store.count_released() == 2
    assert store.release() == len(KEYS) - 2
    assert store.rename({"an 'old' name %s": "new"})
    assert not store.rename({"an 'old' name %s": "new"})
    store.set_row_hashes({"new": "it's", "1": "%s"})
    rows = {key: rest for key, *rest in found(home, store)}
    assert rows.keys() == {*KEYS, "new"}
    assert rows["new"] == ["answered", "match", "it's"]
    assert rows["1"] == ["postponed", "uncertain", "%s"]
    assert rows["3"] == ["postponed", "uncertain", "one"]
    assert found(home, store, "source_key", "faceid_history") == [("new",)]


def lines(store):
    """Return rows of a page of each kind: answers, a held row, a refused one that was held before."""
    for key in ("1", "2"):
        store.buffer.add_answer(key, judge(Reply(ID_CARD, "0", "", f"request {key}")))
    held = {**store.buffer.origin("3"), "status": "held", "outcome": "uncertain"}
    store.buffer.add_quarantined("4", "rule", Stage.SERVICE)
    answers, bad = store.buffer.drain()
    return [*answers, held], bad


def before(store):
    """Write what was there before: all four rows held, and one in quarantine."""
    for key in ("1", "4"):
        hold(store, key)
    store.buffer.add_quarantined("2", "name_missing", Stage.INPUT)
    store.write(*store.buffer.drain())


def everything(home, store):
    history = found(home, store, "source_key, answer_id, outcome", "faceid_history")
    return found(home, store), history, found(home, store, "source_key, rule", "faceid_quarantine")


def test_a_page_that_is_cut_off_anywhere_is_completed_by_the_next_try(home, store, monkeypatch):
    """No answer is lost or there twice, whichever statement was the last one."""
    written, execute = [], ClickHouseCursor.execute

    def counted(cursor, sql, parameters=None):
        written.append(sql)
        return execute(cursor, sql, parameters)

    before(store)
    with monkeypatch.context() as patch:
        patch.setattr(ClickHouseCursor, "execute", counted)
        store.write(*lines(store))
    whole = everything(home, store)
    assert [len(part) for part in whole] == [3, 2, 1]
    assert len(written) > 5
    for place in range(len(written)):
        left = [place]

        def cut(cursor, sql, parameters=None, left=left):
            if not left[0]:
                raise Killed
            left[0] -= 1
            return execute(cursor, sql, parameters)

        again = repository(home, f"campaign {next(CAMPAIGNS)}")
        before(again)
        with monkeypatch.context() as patch:
            patch.setattr(ClickHouseCursor, "execute", cut)
            with pytest.raises(Killed):
                again.write(*lines(again))
        results, history, _ = everything(home, again)
        # What the history has not is in no other place as an answer: it is due, and the ledger knows it.
        assert {row[0] for row in results if row[1] == "answered"} <= {row[0] for row in history}
        again.write(*lines(again))
        assert everything(home, again) == whole


def test_no_held_row_covers_an_answer_of_the_same_moment(home, store):
    """Four writers write the same rows at once: one has the answers, three know of none."""
    start, errors = threading.Barrier(WRITERS), []

    def write(number):
        mine = repository(home, store.context.campaign)
        try:
            for turn in range(ROUNDS):
                start.wait(PATIENCE)
                for key in (f"{turn}/{key}" for key in KEYS[:3]):
                    if number:
                        hold(mine, key)
                    else:
                        answer(mine, key)
        except BaseException as error:
            errors.append(error)
            start.abort()
            raise

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    rows = found(home, store)
    assert len(rows) == ROUNDS * 3
    assert {row[1] for row in rows} == {"answered"}
    merge(home)
    assert found(home, store) == rows
    assert len(found(home, store, "answer_id", "faceid_history")) == ROUNDS * 3


def test_many_tasks_make_the_tables_at_once(clickhouse):
    clickhouse.run("CREATE DATABASE together")
    start, errors = threading.Barrier(WRITERS), []

    def make():
        one = Database(lambda: clickhouse.open("together"), CLICKHOUSE, "here")
        try:
            start.wait(PATIENCE)
            prepare(one, Names())
        except BaseException as error:
            errors.append(error)
            raise
        finally:
            one.close()

    threads = [threading.Thread(target=make) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    one = Home(CLICKHOUSE, "together", clickhouse.open)
    assert one.query("SELECT COUNT(*) FROM faceid_latest") == [(0,)]
    one.close()


def test_an_analyst_without_our_settings_reads_one_row_a_key_from_the_views(
    home, store, clickhouse
):
    client = clickhouse.open("own")
    client.command("SYSTEM STOP MERGES faceid_results")  # it would unite rows at a time of its own
    for code in ("0", "-1", "0"):
        answer(store, "1", code)
    hold(store, "2")
    client.set_client_setting("join_use_nulls", "1")
    ours = f"WHERE campaign = '{store.context.campaign}'"
    assert client.query(f"SELECT COUNT(*) FROM faceid_results {ours}").result_rows[0][0] == 4
    assert client.query(f"SELECT outcome FROM faceid_latest {ours}").result_rows == [("match",)]
    funnel = f"SELECT rows_in, matched, held, review_rate FROM faceid_funnel {ours}"
    assert client.query(funnel).result_rows == [(2, 1, 1, 0.0)]
    client.command("SYSTEM START MERGES faceid_results")
    client.close()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT toInt32(?)",
        "SELECT CAST(? AS Date)",
        "SELECT nothing FROM faceid_results WHERE campaign = ?",
        "SELECT * FROM nowhere WHERE campaign = ?",
        "SELECT ? FROM WHERE",
        "SELECT no_function(?)",
        "INSERT INTO faceid_results (campaign) SELECT throwIf(1, ?)",
    ],
)
def test_an_error_names_no_value(home, statement):
    opened = home.open()
    with (
        pytest.raises(FaceIdError, match=r"reading it through connection 'here' failed") as caught,
        opened.transaction("reading it") as cursor,
    ):
        cursor.execute(statement.replace("?", "%s"), (PLANTED,))
    assert "440305" not in str(caught.value)
    assert "AYGUL" not in str(caught.value)
    assert "CLICKHOUSE_" in str(caught.value)
    assert caught.value.__cause__ is None


def test_airflows_hook_opens_it_and_no_setting_of_the_connection_changes_what_is_read(
    clickhouse, monkeypatch, home, store
):
    for code in ("0", "-1"):
        answer(store, "1", code)
    fields = {
        "conn_type": "clickhouse",
        "schema": "own",
        "extra": {
            "client_kwargs": {"dsn": f"chdb://{clickhouse.path}", "query_limit": 1},
            "session_settings": {"final": 0, "join_use_nulls": 1, "max_threads": 1},
        },
    }
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps(fields))
    opened = database("lake")
    assert opened.dialect is CLICKHOUSE
    ours = f"WHERE campaign = '{store.context.campaign}'"
    assert opened.rows(f"SELECT outcome FROM faceid_results {ours}") == [("mismatch",)]
    assert len(opened.rows("SELECT number FROM system.numbers LIMIT 9")) == 9
    set_ = opened.rows("SELECT name, value FROM system.settings WHERE changed")
    known = {name: value for name, value in SETTINGS.items() if name != "wait_end_of_query"}
    assert known.items() <= {**known, **dict(set_)}.items()
    opened.close()


def test_a_table_of_somebody_else_is_refused(home, clickhouse):
    clickhouse.run("CREATE DATABASE other")
    names = ", ".join(f"{name} String" for name in ("campaign", "action", "source_key"))
    clickhouse.run(f"CREATE TABLE other.faceid_results ({names}) ORDER BY campaign")
    one = Home(CLICKHOUSE, "other", clickhouse.open)
    with pytest.raises(ConfigurationError, match="'faceid_results' is not one of ours"):
        prepare(one.open(), Names())
    one.close()
