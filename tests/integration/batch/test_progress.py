"""The progress of a run is in its own row and at ``on_progress`` while it goes; a fault of it stops nothing."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_faceid.batch import engine
from airflow_provider_faceid.exceptions import WarehouseError
from airflow_provider_faceid.simulator.people import ID_CARD
from airflow_provider_faceid.warehouse.records import RunState

ROWS = 60
PACED = {"quotas": {ID_CARD: 40}}
SLOW = {"quotas": {ID_CARD: 10}}
"""Six seconds: a busy warehouse may take one for each write of the row."""


@pytest.fixture(autouse=True)
def recorded_often(monkeypatch):
    monkeypatch.setattr(engine, "RECORD_SECONDS", 0.1)


def watched(batch) -> list[tuple[str, int, int]]:
    """Note state, requests and answered rows of each write of the run's row."""
    seen, write = [], batch._store.write_run

    def note(numbers, started, state, **more):
        write(numbers, started, state, **more)
        seen.append((state, numbers["calls"], numbers["answered"]))

    batch._store.write_run = note
    return seen


def test_the_row_of_a_run_grows_with_it_and_ends_with_its_last_counts(bench):
    bench.fill_with(bench.ordinary[:ROWS])
    batch = bench.batch(settings=SLOW)
    seen = watched(batch)
    manifest = batch.run().as_dict()
    going = [calls for state, calls, _ in seen if state is RunState.RUNNING]
    assert going == sorted(going)
    assert len(set(going)) > 2
    assert 0 < going[-1] <= ROWS
    assert seen[-1] == (RunState.SUCCESS, ROWS, ROWS)
    ((state, calls, answered),) = bench.runs("state, calls, answered")
    assert (state, calls, answered) == ("success", ROWS, ROWS)
    bench.check(manifest)


def test_counts_are_handed_on_in_order_and_the_last_ones_are_those_of_the_manifest(sqlite_bench):
    sqlite_bench.fill_with(sqlite_bench.ordinary[:ROWS])
    told = []
    manifest = sqlite_bench.run(settings=PACED, on_progress=told.append)
    done = [one["answered"] for one in told]
    assert done == sorted(done)
    assert len(set(done)) > 2
    assert told[-1] == manifest


def test_what_shows_the_progress_may_fail_or_hang(sqlite_bench, caplog, monkeypatch):
    monkeypatch.setattr(engine, "TELL_SECONDS", 0.05)
    sqlite_bench.fill_with(sqlite_bench.ordinary[:ROWS])
    asked = []

    def fail(counts):
        asked.append(counts)
        raise ConnectionError("the api-server is away")

    with caplog.at_level(logging.WARNING):
        assert sqlite_bench.run(settings=PACED, on_progress=fail)["answered"] == ROWS
    assert asked
    assert "The progress could not be shown: ConnectionError" in caplog.text


def test_a_record_of_the_progress_that_fails_stops_no_run(sqlite_bench, caplog):
    sqlite_bench.fill_with(sqlite_bench.ordinary[:ROWS])
    batch = sqlite_bench.batch(settings=PACED)
    write = batch._store.write_run

    def refuse(*parts, is_progress=False):
        if is_progress:
            raise WarehouseError("the table is locked")
        write(*parts)

    batch._store.write_run = refuse
    with caplog.at_level(logging.WARNING):
        assert batch.run().as_dict()["answered"] == ROWS
    assert "The progress could not be recorded: the table is locked" in caplog.text
    assert sqlite_bench.runs("state") == [("success",)]
