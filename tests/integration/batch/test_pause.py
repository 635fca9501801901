"""A pause stops a run over a table without losing a row, and its end lets the run go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from airflow_provider_faceid.batch import manifest
from airflow_provider_faceid.batch import pause as batch_pause
from airflow_provider_faceid.exceptions import PausedError
from airflow_provider_faceid.simulator.people import ID_CARD
from airflow_provider_faceid.state.pauses import EVERY_ACTION, Pauses
from airflow_provider_faceid.state.rate_rows import StoredRow
from tests.support.patience import PATIENCE

ACCOUNT = "service account"
SLOW = {"quotas": {ID_CARD: 40}, "outage_patience": PATIENCE}
ROWS, FIRST = 120, 15
SILENCE = 2.5
"""Seconds in which a run without a pause would call for a hundred rows."""


@pytest.fixture(autouse=True)
def told_often(monkeypatch):
    monkeypatch.setattr(manifest, "EVERY_SECONDS", 0.5)


@pytest.fixture
def pauses(state) -> Pauses:
    return Pauses(state, ACCOUNT)


@pytest.fixture
def start(sqlite_bench, state) -> Callable[..., Running]:
    """Start runs over a table in threads."""
    sqlite_bench.fill_with(sqlite_bench.ordinary[:ROWS])

    def start(**settings) -> Running:
        row = StoredRow(state, f"{ACCOUNT} {ID_CARD}")
        return Running(sqlite_bench.batch(settings={**SLOW, **settings}, row=row))

    return start


class Running:
    """A run in a thread."""

    def __init__(self, batch) -> None:
        self.batch, self.error = batch, None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.batch.run()
        except BaseException as error:  # noqa: BLE001 - for the test
            self.error = error

    def until(self, calls: int) -> None:
        """Wait until so many calls were answered."""
        end = time.monotonic() + PATIENCE
        while self.batch.manifest.answered < calls and time.monotonic() < end:
            time.sleep(0.01)

    def join(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


@pytest.mark.parametrize("what", [ID_CARD, EVERY_ACTION])
def test_a_run_waits_and_goes_on_where_it_was(  # noqa: PLR0917 - fixtures
    sqlite_bench, start, pauses, state, caplog, what
):
    caplog.set_level("INFO")
    run = start()
    run.until(FIRST)
    pauses.pause(what, by="ann", reason="the service is being repaired")
    time.sleep(batch_pause.LOOK_SECONDS * 2)
    quiet = len(sqlite_bench.calls())
    time.sleep(SILENCE)
    assert len(sqlite_bench.calls()) == quiet < ROWS
    # Nothing is claimed while it waits, so that a dead worker would leave nothing in doubt.
    with state.transaction() as cursor:
        cursor.execute("SELECT state, COUNT(*) FROM faceid_calls GROUP BY state")
        assert "sent" not in dict(cursor.fetchall())
    pauses.resume(what, by="bob")
    run.join()
    assert run.error is None
    assert set(sqlite_bench.called().values()) == {1}
    sqlite_bench.check(run.batch.manifest.as_dict())
    assert run.batch.manifest.answered == ROWS
    assert run.batch.manifest.paused_ms > 1000 * SILENCE / 2
    assert "was paused by ann" in caplog.text
    assert "the service is being repaired" in caplog.text
    assert "paused since" in caplog.text
    assert "The pause is over" in caplog.text


def test_a_long_pause_ends_the_run_and_the_next_one_does_the_rest(sqlite_bench, start, pauses):
    run = start(outage_patience=1.0)
    run.until(FIRST)
    pauses.pause(ID_CARD, by="ann", reason="maintenance")
    run.join()
    assert isinstance(run.error, PausedError)
    assert "gives its worker slot back" in str(run.error)
    assert 200 < run.error.not_before - time.time() < 400
    results = sqlite_bench.results()
    assert 0 < len(results) < ROWS
    assert {status for status, _ in results.values()} == {"answered"}
    pauses.resume(ID_CARD, by="ann")
    again = start()
    again.join()
    assert again.error is None
    assert set(sqlite_bench.called().values()) == {1}
    assert len(sqlite_bench.results()) == ROWS


def test_a_run_that_begins_in_an_old_pause_gives_its_slot_back_at_once(sqlite_bench, start, pauses):
    pauses.pause(ID_CARD, by="ann", reason="maintenance")
    time.sleep(0.3)
    run = start(outage_patience=0.1)
    run.join()
    assert isinstance(run.error, PausedError)
    assert sqlite_bench.calls() == []
    assert not sqlite_bench.home.query("SELECT name FROM sqlite_master WHERE name = 'faceid_runs'")


def test_a_run_that_begins_in_a_pause_waits_for_its_end(sqlite_bench, start, pauses):
    pauses.pause(EVERY_ACTION, by="ann", reason="maintenance")
    run = start()
    time.sleep(0.5)
    assert sqlite_bench.calls() == []
    pauses.resume(EVERY_ACTION, by="ann")
    run.join()
    assert run.error is None
    assert run.batch.manifest.answered == ROWS


def test_a_run_that_is_stopped_in_a_pause_ends(start, pauses):
    run = start()
    run.until(FIRST)
    pauses.pause(ID_CARD, by="ann", reason="maintenance")
    time.sleep(1)
    run.batch.stop()
    run.join()
    assert run.error is not None
    assert "was stopped" in str(run.error)
