"""What a run does when the service, the endpoint, the source or the warehouse fails."""

from __future__ import annotations

import json
import logging
import signal
import socket
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing

import duckdb
import psycopg
import pytest

from airflow_provider_faceid.batch import admission as health
from airflow_provider_faceid.batch.inputs import Columns
from airflow_provider_faceid.client.settings import Credentials
from airflow_provider_faceid.exceptions import (
    AccountError,
    ConfigurationError,
    CredentialsError,
    FaceIdError,
    OutageError,
    UnavailableError,
)
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.people import FACE, ID_CARD
from airflow_provider_faceid.warehouse.sql.database import MYSQL
from tests.support.homes import HOMES, homes
from tests.support.patience import once, soon

pytestmark = [pytest.mark.long, pytest.mark.source]

HTML = (b"<html>Not here, 440305199505132561</html>", 200, "text/html")


def answer(**fields):
    return (json.dumps({"Response": {"RequestId": "r", **fields}}).encode(),)


@pytest.mark.parametrize("result", ["99", "", "FailedOperation.Brandnew"])
def test_an_unknown_result_code_is_recorded_as_error_and_the_run_goes_on(bench, stub, result):
    bench.fill_with(bench.ordinary[:5])
    bench.url = stub(*answer(Result=result, Description="new")).url
    manifest = bench.run()
    assert manifest["outcomes"] == {"error": 5}
    assert (manifest["charged"], manifest["charge_unknown"]) == (0, 5)
    facts = bench.results(columns="status, outcome, code, charged, request_id")
    assert set(facts.values()) == {("answered", "error", result, None, "r")}
    assert bench.runs("state, answered") == [("success", 5)]


@pytest.mark.parametrize("sim", [None, 101, "88", -1, True])
def test_a_face_match_without_a_plausible_similarity_is_an_error(sqlite_bench, stub, sim):
    bench = sqlite_bench
    person = bench.ordinary[0]
    bench.fill([(1, person.id_card, person.name, bench.photo(person))], photo="BLOB")
    bench.url = stub(*answer(Result="Success", Description="", Sim=sim)).url
    assert bench.run(FACE)["outcomes"] == {"error": 1}


def test_a_wrong_key_stops_at_once_and_records_nothing(bench):
    bench.fill_with(bench.ordinary[:100])
    wrong = {"credentials": Credentials("simulator-id", "wrong"), "quotas": {ID_CARD: 100}}
    error, manifest = bench.fail(CredentialsError, settings=wrong)
    assert "faceid_default" in str(error)
    assert manifest["calls"] == len(bench.calls())
    assert manifest["answered"] == manifest["charged"] == 0
    assert len(bench.calls()) == 1
    assert bench.results() == {}
    assert bench.runs("state, answered, calls") == [("failed", 0, manifest["calls"])]
    assert bench.run()["answered"] == 100


def test_a_run_that_stops_leaves_the_rest_of_a_long_page_alone(sqlite_bench):
    """More rows are left than may be in flight."""
    bench = sqlite_bench
    bench.fill_with(bench.ordinary[:600])
    wrong = {"credentials": Credentials("simulator-id", "wrong"), "quotas": {ID_CARD: 20}}
    _, manifest = bench.fail(CredentialsError, settings=wrong)
    assert manifest["calls"] == len(bench.calls()) == 1


def test_a_broken_account_in_the_middle_keeps_what_was_answered(bench):
    """In flight are at most two seconds' worth of calls, and all of them are written."""
    people = bench.ordinary[:80]
    people.insert(40, bench.special("FailedOperation.StsUnAuthErrError"))
    bench.fill_with(people)
    error, manifest = bench.fail(AccountError, settings={"quotas": {ID_CARD: 100}})
    assert error.request_id in str(error)
    assert 40 <= manifest["answered"] < 60
    assert manifest["answered"] == len(bench.results())
    assert manifest["calls"] == len(bench.calls()) == manifest["answered"] + 1
    assert manifest["charged"] == bench.server.account.ledger.bill[ID_CARD]
    assert bench.runs("state") == [("failed",)]
    person = bench.ordinary[80]
    bench.home.run(
        "UPDATE people SET id_card = ?, name = ? WHERE id = 41", [(person.id_card, person.name)]
    )
    again = bench.run()
    assert again["answered"] == 81
    assert again["already"] == manifest["answered"]
    assert set(bench.called().values()) == {1}


def test_an_endpoint_nobody_listens_at_is_said_and_nothing_is_recorded(bench):
    bench.fill_with(bench.ordinary[:3])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        bench.url = f"http://127.0.0.1:{free.getsockname()[1]}"
    error, manifest = bench.fail(OutageError)
    assert "No call was answered" in str(error)
    assert "the Endpoint cannot be reached" in str(error)
    assert "nothing was sent" in str(error)
    assert manifest["answered"] == manifest["held"] == manifest["charged"] == 0
    assert bench.results() == {}
    assert bench.quarantine() == []
    bench.url = bench.server.url
    assert bench.run()["answered"] == 3


def test_an_endpoint_that_is_a_web_site_stops_the_run_and_holds_its_rows(
    sqlite_bench, stub, caplog
):
    bench = sqlite_bench
    bench.fill_with(bench.ordinary[:300])
    site = stub(*HTML)
    bench.url = site.url
    error, manifest = bench.fail(OutageError, settings={"quotas": {ID_CARD: 200}})
    assert "no Face ID answer" in str(error)
    assert 2 <= site.calls <= 10
    assert manifest["held"] == site.calls == manifest["calls"]
    assert set(bench.results().values()) == {("held", "uncertain")}
    assert len(bench.results()) == site.calls
    assert bench.home.query("SELECT DISTINCT charged FROM faceid_results") == [(None,)]
    assert "440305" not in str(error) + caplog.text
    bench.url = bench.server.url
    again = bench.run()
    assert again["held"] == site.calls
    assert again["calls"] == len(bench.calls()) == 300 - site.calls
    retried = bench.run(retry_held=True)
    assert retried["calls"] == site.calls
    assert retried["held"] == 0
    assert set(bench.results().values()) == {("answered", "match")}


def test_a_held_row_the_service_refuses_on_retry_is_in_quarantine_only(bench, stub):
    bench.fill_with(bench.ordinary[:1])
    bench.url = stub(*HTML).url
    assert bench.run()["held"] == 1
    bench.url = stub(*answer(Result="-2", Description="Invalid")).url
    assert bench.run(retry_held=True)["quarantined_by_rule"] == {"service:-2": 1}
    assert bench.results() == {}
    assert bench.quarantine() == [("1", "service:-2", "service")]


@pytest.mark.parametrize("status", [502, 503])
def test_a_gateway_without_a_service_postpones_rows(sqlite_bench, stub, monkeypatch, status):
    monkeypatch.setattr(health, "LONGEST_PAUSE", 0.5)
    bench = sqlite_bench
    bench.fill_with(bench.ordinary[:3])
    bench.url = stub(b"<html>Bad gateway</html>", status, "text/html").url
    account = {"max_attempts": 2, "outage_patience": 60.0, "repeat_gateway_errors": True}
    manifest = bench.run(settings=account)
    assert (manifest["charged"], manifest["charge_unknown"]) == (0, 12)
    assert (manifest["postponed"], manifest["calls"]) == (3, 12)  # two rounds
    assert set(bench.results().values()) == {("postponed", "unavailable")}


def test_stop_waits_for_what_is_in_flight_and_keeps_it(sqlite_bench):
    bench = sqlite_bench
    bench.fill_with(bench.ordinary[:300])
    batch = bench.batch(settings={"quotas": {ID_CARD: 100}})
    with (
        once(lambda: len(bench.calls()) > 20, batch.stop),
        pytest.raises(UnavailableError, match="run it again"),
    ):
        batch.run()
    manifest = batch.manifest.as_dict()
    assert 20 < manifest["answered"] < 150
    assert manifest["answered"] == len(bench.results()) == len(bench.calls())
    bench.check_counts(manifest)
    assert bench.runs("state, answered") == [("failed", manifest["answered"])]
    again = bench.run()
    assert again["answered"] == 300
    assert again["calls"] == again["answered"] - manifest["answered"]


class TimeIsUp(BaseException):
    """What Airflow raises out of a signal handler when ``execution_timeout`` is over."""


def test_a_run_whose_time_is_up_waits_for_what_is_in_flight(sqlite_bench):
    bench = sqlite_bench
    people = bench.ordinary[:40]
    bench.fill_with(people)

    def cut_off(*_):
        raise TimeIsUp

    with SimulatorServer(people=len(bench.people) + 20, latency_ms=(400, 400)) as slow:
        bench.server, bench.url = slow, slow.url
        batch = bench.batch(settings={"quotas": {ID_CARD: 40}})
        before, me = signal.signal(signal.SIGALRM, cut_off), threading.get_ident()
        try:
            with (
                once(
                    lambda: len(bench.calls()) > 10,
                    lambda: signal.pthread_kill(me, signal.SIGALRM),
                ),
                pytest.raises(TimeIsUp),
            ):
                batch.run()
        finally:
            signal.signal(signal.SIGALRM, before)
        places = Counter(status for status, _ in bench.results().values())
        assert 0 < places["answered"] == len(bench.calls()) < len(people)
        assert set(places) == {"answered"}
        assert bench.runs("state") == [("failed",)]
        assert bench.run()["answered"] == len(bench.calls()) == len(people)


def test_a_run_stopped_before_it_began_calls_nobody(bench):
    bench.fill_with(bench.ordinary[:3])
    batch = bench.batch()
    batch.stop()
    with pytest.raises(UnavailableError):
        batch.run()
    assert bench.calls() == []


@pytest.mark.parametrize(("action", "ours", "real"), [(ID_CARD, 20, 10), (FACE, 20, 10)])
def test_a_smaller_quota_than_thought_costs_time_and_nothing_else(sqlite_bench, action, ours, real):
    bench = sqlite_bench
    bench.server.account.windows.quotas[action] = real
    people = bench.ordinary[:30]
    bench.fill([(key, p.id_card, p.name, bench.photo(p)) for key, p in enumerate(people)], "BLOB")
    manifest = bench.run(action, settings={"quotas": {action: ours}})
    bench.check(manifest, action)
    assert manifest["outcomes"] == {"match": 30}
    assert manifest["throttled"] > 0
    assert manifest["charged"] == 30


def test_a_warehouse_locked_for_three_seconds_loses_nothing(sqlite_bench, caplog):
    """The lock outlasts our patience with SQLite, so that the engine has to try again."""
    bench = sqlite_bench
    people = bench.ordinary[:300]
    bench.fill_with(people)
    batch = bench.batch(settings={"quotas": {ID_CARD: 100}})

    def impatient(open_store=batch._store.open):
        open_store()
        batch._store.database.rows("PRAGMA busy_timeout = 100")

    batch._store.open = impatient

    def hold():
        with closing(sqlite3.connect(bench.home.address, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(3)
            other.execute("COMMIT")

    with once(lambda: len(bench.calls()) > 20, hold), caplog.at_level(logging.WARNING):
        manifest = batch.run().as_dict()
    assert "trying again in 1 s" in caplog.text
    bench.check(manifest)
    assert manifest["answered"] == len(people)
    assert bench.run()["calls"] == 0


def test_answers_that_come_while_the_last_ones_are_written_are_written_too(sqlite_bench):
    """Each write takes longer than the rest of the run."""
    bench = sqlite_bench
    people = bench.ordinary[:90]
    bench.fill_with(people)
    batch = bench.batch(settings={"quotas": {ID_CARD: 60}})
    write = batch._store.write

    def slow(*rows):
        time.sleep(0.9)
        write(*rows)

    batch._store.write = slow
    bench.check(batch.run().as_dict())


def test_a_warehouse_that_stays_away_fails_the_run(sqlite_bench, monkeypatch):
    bench = sqlite_bench
    monkeypatch.setattr("airflow_provider_faceid.batch.row_outcomes.BACKOFF_SECONDS", (0.01, 0.01))
    bench.fill_with(bench.ordinary[:40])
    batch = bench.batch(settings={"quotas": {ID_CARD: 20}})
    write, broken = batch._store.write, [True] * 4

    def away(*rows):
        if broken and any(rows):
            broken.pop()
            raise FaceIdError("the warehouse is away")
        write(*rows)

    batch._store.write = away
    with pytest.raises(FaceIdError, match="the warehouse is away"):
        batch.run()
    assert len(bench.results()) == len(bench.calls()) == batch.manifest.answered
    assert bench.runs("state") == [("failed",)]


@homes("postgresql", "mariadb")
def test_a_warehouse_whose_connections_are_cut_loses_nothing(bench, request):
    """A server restarts, or a firewall forgets the connection; the others have no network."""
    server = request.getfixturevalue("postgres" if "mariadb" not in HOMES else "mariadb")
    bench.fill_with(bench.ordinary[:200])
    batch = bench.batch(settings={"quotas": {ID_CARD: 100}})

    def cut():
        if bench.home.dialect is MYSQL:
            sessions = "FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND db = "
            for (number,) in bench.home.query(f"SELECT id {sessions} DATABASE()"):
                server.run(f"KILL {number}")
            return
        with psycopg.connect(server, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND query LIKE '%faceid_%'"
            )

    with once(lambda: len(bench.calls()) > 20, cut):
        manifest = batch.run().as_dict()
    bench.check(manifest)


def test_a_source_that_breaks_in_the_middle_stops_the_run_and_keeps_the_answers(sqlite_bench):
    """Dozens of calls are in flight at that moment, and paid for."""
    bench = sqlite_bench
    with SimulatorServer(people=800, quotas={ID_CARD: 0}, latency_ms=(150, 150)) as slow:
        bench.server, bench.url = slow, slow.url
        bench.fill_with(bench.ordinary[:700])
        batch = bench.batch(settings={"quotas": {ID_CARD: 1000}})
        page, planned = batch._inputs._source.page, []

        def breaking(expressions, size, last):
            planned.append(last)
            if last and planned.count([]) > 1:
                soon(lambda: len(slow.account.ledger) > 20)
                raise FaceIdError("reading failed")
            return page(expressions, size, last)

        batch._inputs._source.page = breaking
        with pytest.raises(FaceIdError, match="reading failed"):
            batch.run()
        assert batch.manifest.answered == len(bench.results()) == len(bench.calls()) > 20
        assert bench.runs("state") == [("failed",)]
        assert bench.run()["answered"] == 700
        assert len(bench.calls()) == 700


def test_a_photo_that_cannot_be_read_from_the_source_stops_the_run(sqlite_bench):
    """It is the source that failed, not the row: no row may be without a place."""
    bench = sqlite_bench
    bench.fill([(key, p.id_card, p.name) for key, p in enumerate(bench.ordinary[:4])])
    batch = bench.batch(FACE)

    def broken(*_):
        raise FaceIdError("reading failed")

    batch._inputs._source.row = broken
    with pytest.raises(FaceIdError, match="reading failed"):
        batch.run()
    assert bench.runs("state") == [("failed",)]
    assert bench.calls() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "nobody"}, "table 'nobody' cannot be read"),
        ({"key": "nokey"}, "has no column 'nokey'"),
        ({"columns": Columns({"IdCard": "id", "Name": "nome"})}, "has no column 'nome'"),
        ({"min_rows": 4}, "has 3 rows, fewer than min_rows=4"),
    ],
)
def test_a_source_that_cannot_be_read_is_said_before_anything_is_sent(bench, change, message):
    bench.fill_with(bench.ordinary[:3])
    error, _ = bench.fail(ConfigurationError, **change)
    assert message in str(error)
    assert bench.calls() == []
    assert bench.results() == {}


def test_keys_that_repeat_are_said_before_anything_is_sent(bench):
    person = bench.ordinary[0]
    bench.fill([(key, person.id_card, person.name) for key in (1, 1, 2, None)])
    error, _ = bench.fail(ConfigurationError)
    assert "1 row has none and 1 row repeats" in str(error)
    assert bench.calls() == []


def test_a_file_that_is_no_warehouse_of_ours_is_said_before_anything_is_sent(bench):
    bench.fill_with(bench.ordinary[:3])
    bench.home.run("CREATE TABLE faceid_results (id INTEGER)")
    error, _ = bench.fail(ConfigurationError)
    assert "not one of ours" in str(error)
    assert bench.calls() == []


def test_two_runs_leave_no_connection_and_no_thread_behind(bench):
    bench.fill_with(bench.ordinary[:3])
    bench.run()
    bench.fail(ConfigurationError, source="nobody")
    ours = ("faceid-source", "faceid-store", "faceid-photo")
    assert [t.name for t in threading.enumerate() if t.name.startswith(ours)] == []
    if bench.home.dialect.name == "duckdb":
        bench.home.close()  # what is open besides would be another configuration's
        duckdb.connect(bench.home.address, config={"threads": 1}).close()


def test_a_service_that_hangs_up_in_the_middle_of_a_run_leaves_rows_in_one_place(sqlite_bench):
    bench = sqlite_bench
    with SimulatorServer(people=120, quotas={ID_CARD: 0}, latency_ms=(20, 60)) as dying:
        bench.url = dying.url
        bench.fill_with([p for p in dying.account.people.listed if not p.persona][:90])
        with once(lambda: len(dying.account.ledger) > 20, dying.stop):
            _, manifest = bench.fail(OutageError, settings={"quotas": {ID_CARD: 100}})
        seen, bill = len(dying.account.ledger), dying.account.ledger.bill[ID_CARD]
    assert manifest["answered"] + manifest["held"] == len(bench.results())
    assert manifest["charged"] <= bill <= manifest["charged"] + manifest["held"]
    assert manifest["answered"] <= seen <= manifest["answered"] + manifest["held"]
