"""Processes that write MariaDB and are killed: nothing is lost, nothing is twice."""

from __future__ import annotations

import random
import time

import pytest

from airflow_provider_faceid.simulator.people import ID_CARD
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.views.definitions import VIEWS
from airflow_provider_faceid.warehouse.views.views import name_of
from tests.support import loader
from tests.support.patience import PATIENCE

pytestmark = pytest.mark.long

KILLS, RUNS, MAKINGS = 30, 8, 15
LOADED = 20_000
RATE = 20


def test_thirty_kills_while_rows_are_written_lose_none_and_write_none_twice(home, forks):
    """A page of rows is in results and history, or in neither."""
    keys = [f"key {number}" for number in range(LOADED)]
    loader.make_tables(home.address)
    chance, interrupted = random.Random(16), 0
    for _ in range(KILLS):
        process = forks.Process(target=loader.write, args=(home.address, keys, "match", 50))
        before = written(home)
        process.start()
        end = time.monotonic() + PATIENCE
        while written(home) == before and process.is_alive() and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(chance.random() / 3)
        interrupted += process.is_alive()
        process.kill()
        process.join()
        ((answered,),) = home.query("SELECT COUNT(*) FROM faceid_results WHERE status = 'answered'")
        assert answered == home.query("SELECT COUNT(*) FROM faceid_history")[0][0]
    assert interrupted == KILLS, "it must be killed while it writes"
    last = forks.Process(target=loader.write, args=(home.address, keys, "match", 50))
    last.start()
    last.join(PATIENCE)
    rows = home.query("SELECT source_key, status, outcome FROM faceid_results")
    assert sorted(rows) == sorted((key, "answered", "match") for key in keys)
    history = home.query("SELECT source_key FROM faceid_history")
    assert sorted(history) == sorted((key,) for key in keys)


def written(home):
    """Return when a result row was last written, and how many there are."""
    return home.query("SELECT COUNT(*), MAX(updated_at) FROM faceid_results")


def test_a_run_that_is_killed_again_and_again_asks_nobody_twice(bench, forks, tmp_path):
    people = bench.ordinary[:600]
    bench.fill_with(people)
    work = (bench.home.address, bench.url, str(tmp_path / "loading.sqlite"))
    chance, seen = random.Random(16), 0
    for _ in range(RUNS):
        process = forks.Process(target=loader.run, args=(*work, RATE))
        process.start()
        end = time.monotonic() + PATIENCE
        while len(bench.calls()) < seen + 6 and process.is_alive() and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(chance.random() * 2)
        assert process.is_alive(), "it must be killed while it runs"
        process.kill()
        process.join()
        seen = len(bench.calls())
    last = forks.Process(target=loader.run, args=(*work, 2000))
    last.start()
    last.join(PATIENCE)
    assert last.exitcode == 0
    results = bench.results(columns="status")
    assert sorted(map(int, results)) == list(range(1, len(people) + 1))
    assert set(bench.called().values()) == {1}
    answered = {key for key, status in results.items() if status == "answered"}
    assert len(answered) > seen
    history = bench.home.query("SELECT source_key, request_id FROM faceid_history")
    assert sorted(key for key, _ in history) == sorted(answered)
    # What was claimed in the moment of a death may have been sent: it is held, and asked by nobody.
    assert set(results.values()) == {"answered", "held"}
    known = {call["request_id"] for call in bench.calls()}
    assert {request for _, request in history} <= known


def test_a_process_killed_while_it_makes_tables_is_followed_by_one_that_goes_on(
    mariadb, database_name, home, forks
):
    """A change of a table is no transaction there."""
    chance = random.Random(3)
    for number in range(MAKINGS):
        mariadb.run(f"DROP DATABASE {database_name}", f"CREATE DATABASE {database_name}")
        process = forks.Process(target=loader.make_tables, args=(home.address,))
        process.start()
        # At some statement of the making: there are about forty.
        wanted, end = number * 3, time.monotonic() + PATIENCE
        while process.is_alive() and time.monotonic() < end:
            ((there,),) = home.query(
                "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()"
            )
            if there * 3 >= wanted + chance.randrange(3):
                break
        process.kill()
        process.join()
        database = home.open()
        prepare(database, Names())
        versions = dict(database.rows("SELECT table_name, version FROM faceid_versions"))
        for view in VIEWS:
            name = name_of(view, "faceid_results")
            database.rows(f"SELECT * FROM {name}")
            assert versions[name] != 0
        assert versions["faceid_results"] == versions["faceid_runs"] == 2
        database.close()


def test_a_held_row_never_replaces_an_answer_to_the_same_question(home):
    store = loader.repository(home.address)
    store.open()
    row = {**store.buffer.origin("1"), "source": "here:people", "answer_id": "1", "row_hash": "h"}
    answer = {
        **row,
        "status": "answered",
        "outcome": "match",
        "answered_at": "2026-11-01T00:00:00Z",
    }
    held = {**row, "status": "held", "outcome": "uncertain"}

    def written(*rows):
        store.write([dict(one) for one in rows], [])
        return home.query("SELECT status, outcome, row_hash, answered_at FROM faceid_results")

    moment = "2026-11-01T00:00:00.000+00:00"
    assert written(held) == [("held", "uncertain", "h", None)]
    assert written(answer) == [("answered", "match", "h", moment)]
    assert written(held) == [("answered", "match", "h", moment)]
    other = {**held, "row_hash": "another question"}
    assert written(other) == [("held", "uncertain", "another question", None)]
    assert written(answer) == [("answered", "match", "h", moment)]
    store.valid_for = 3600.0  # the answer has expired
    assert written(held) == [("held", "uncertain", "h", None)]
    store.database.close()


def test_all_actions_keys_fit_into_the_primary_key(home):
    store = loader.repository(home.address, campaign="张" * 200)
    store.open()
    key = "😀" * 500
    row = {**store.buffer.origin(key), "status": "answered", "answer_id": "r" * 200}
    store.write([row], [{**store.buffer.origin(key), "rule": "x" * 200, "stage": "input"}])
    ((found, action),) = home.query("SELECT source_key, action FROM faceid_history")
    assert (found, action) == (key, ID_CARD)
    store.database.close()
