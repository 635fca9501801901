"""Whatever dies or hangs beside the rows: the run notices, comes to its end, and leaves no row in doubt."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from airflow_provider_faceid.batch import engine
from airflow_provider_faceid.batch.inputs import Columns
from airflow_provider_faceid.exceptions import StateStoreError, UnavailableError
from airflow_provider_faceid.simulator.people import FACE, ID_CARD
from airflow_provider_faceid.state.housekeeping import Housekeeping
from tests.support.patience import SOON, soon

pytestmark = pytest.mark.source

ROWS = 300
PACED = {"quotas": {ID_CARD: 100}}


def finish(bench) -> None:
    """Run again: the rest is called, each row once, and none is held."""
    manifest = bench.run()
    assert (manifest["answered"], manifest["held"]) == (ROWS, 0)
    assert set(bench.called().values()) == {1}


def test_a_writer_that_dies_is_noticed_at_once(sqlite_bench):
    """Of anything but its own error, such as a value no driver knows."""
    bench = sqlite_bench
    bench.fill_with(bench.ordinary[:ROWS])
    batch = bench.batch(settings=PACED)
    write = batch._store.write

    def die_once(*rows: Any) -> None:
        assert soon(bench.calls)
        batch._store.write = write
        raise TypeError("no such type")

    batch._store.write = die_once
    with pytest.raises(TypeError, match="no such type"):
        batch.run()
    called = len(bench.calls())
    assert 0 < called < ROWS
    assert len(bench.results()) == called  # the last write went well
    assert bench.runs("state") == [("failed",)]
    finish(bench)


def test_a_writer_that_dies_again_at_the_end_leaves_no_row_in_doubt(sqlite_bench):
    bench = sqlite_bench
    bench.fill_with(bench.ordinary[:ROWS])
    batch = bench.batch(settings=PACED)

    def die(*rows: Any) -> None:
        assert soon(bench.calls)
        raise TypeError("no such type")

    batch._store.write = die
    with pytest.raises(TypeError):
        batch.run()
    assert 0 < len(bench.calls()) < ROWS
    finish(bench)


def test_housekeeping_that_dies_is_noticed_and_one_without_a_store_is_not_missed(
    sqlite_bench, monkeypatch, caplog
):
    bench = sqlite_bench
    bench.fill_with(bench.ordinary[:5])
    died: list[Exception] = [StateStoreError("away"), RuntimeError("a fault")]

    def die(self: Housekeeping) -> Any:
        raise died.pop(0)
        yield

    monkeypatch.setattr(Housekeeping, "steps", die)
    assert bench.run()["answered"] == 5
    assert "which a later run will do: away" in caplog.text
    bench.home.run("DELETE FROM faceid_results")
    with pytest.raises(RuntimeError, match="a fault"):
        bench.run()


def test_a_row_that_is_given_up_makes_no_success(sqlite_bench, monkeypatch):
    """Nobody has halted the run, and the row is in no place."""
    bench = sqlite_bench
    bench.fill_with(bench.ordinary[:5])
    verify = engine.Verification.verify

    async def lose_one(self: Any, row: Any) -> None:
        if row.key == "3":
            raise engine.asyncio.CancelledError
        await verify(self, row)

    with monkeypatch.context() as patch:
        patch.setattr(engine.Verification, "verify", lose_one)
        with pytest.raises(UnavailableError, match="given up"):
            bench.run()
    assert bench.run()["answered"] == 5


def hang(batch: Any, started: threading.Event, over: threading.Event) -> None:
    """Run a batch whose reading hangs; stop it, and see that it ends."""
    ended: list[BaseException] = []

    def run() -> None:
        try:
            batch.run()
        except UnavailableError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert started.wait(SOON)
        batch.stop()
        thread.join(SOON)
        assert not thread.is_alive()
    finally:
        over.set()
        thread.join()
    assert ended


def test_a_stop_does_not_wait_for_a_photo_that_is_being_read(sqlite_bench):
    """From a mount that hangs."""
    bench, started, over = sqlite_bench, threading.Event(), threading.Event()
    bench.fill([(1, bench.ordinary[0].id_card, bench.ordinary[0].name, "a/path")])

    def read(path: str) -> bytes:
        started.set()
        over.wait(4 * SOON)
        return b""

    columns = Columns({"IdCard": "id_card", "Name": "name"}, "photo", read)
    hang(bench.batch(FACE, columns=columns), started, over)
    assert bench.calls() == []


def test_a_stop_does_not_wait_for_a_query_of_the_source(sqlite_bench):
    """Such as one that waits for a lock somebody forgot."""
    bench, started, over = sqlite_bench, threading.Event(), threading.Event()
    bench.fill_with(bench.ordinary[:5])
    batch = bench.batch()

    def page(*_: Any) -> list[Any]:
        started.set()
        over.wait(4 * SOON)
        return []

    batch._inputs._source.page = page
    hang(batch, started, over)
    assert soon(lambda: batch._inputs._source.database._connection is None)


@pytest.mark.parametrize("times", [1, 3])
def test_a_state_store_that_fails_before_the_end_leaves_no_row_in_doubt_that_never_left(
    sqlite_bench, times
):
    """What could not be written is written with the last step."""
    bench = sqlite_bench
    bench.fill_with(bench.ordinary[:ROWS])
    batch = bench.batch(settings=PACED)
    ledger, failed = batch._ledger_client._ledger, []
    step = ledger.step

    def fail(records: Any, claims: Any) -> Any:
        if records and len(bench.calls()) > 20 and len(failed) < times:
            failed.append(len(records))
            raise StateStoreError("away")
        return step(records, claims)

    ledger.step = fail
    with pytest.raises(StateStoreError, match="away"):
        batch.run()
    assert failed
    assert len(bench.calls()) < ROWS
    finish(bench)
