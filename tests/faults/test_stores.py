"""State store, warehouse and disk: what is not known for sure is not called for."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.exceptions import FaceIdError, StateStoreError
from airflow_provider_faceid.simulator.people import ID_CARD
from airflow_provider_faceid.state.rate_limiter import SlotRateLimiter
from airflow_provider_faceid.state.rate_rows import MemoryRow
from tests.support.patience import SOON, once

from .plant import Plant

pytestmark = pytest.mark.long

IN_FLIGHT = 32
DATABASES = count()
Away = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def locked_file(tmp_path) -> tuple[str, Away]:
    """A SQLite store, and a way to keep everybody else from writing it."""
    path = tmp_path / "state"

    @contextmanager
    def away() -> Iterator[None]:
        with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield

    return f"sqlite:///{path}", away


@pytest.fixture
def closed_server(postgres) -> tuple[str, Away]:
    """A PostgreSQL database of its own, and a way to cut and refuse its connections."""
    name = f"fault_{next(DATABASES)}"

    def tell(*orders: str) -> None:
        with psycopg.connect(postgres, autocommit=True) as connection:
            for order in orders:
                connection.execute(order)

    @contextmanager
    def away() -> Iterator[None]:
        tell(
            f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )
        yield
        tell(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    tell(f"CREATE DATABASE {name}")
    url = make_url(postgres).set(drivername="postgresql+psycopg", database=name)
    return url.render_as_string(hide_password=False), away


BOTH = pytest.mark.parametrize("kind", ["locked_file", "closed_server"])


@pytest.mark.fault(27)
@BOTH
def test_a_state_store_that_comes_back_is_waited_for(plants, request, measured, kind):
    url, away = request.getfixturevalue(kind)
    plant = plants(400, state=url)
    worker = plant.start(in_flight=IN_FLIGHT)
    assert plant.wait_for(lambda: plant.seen > 50)
    began = time.monotonic()
    with away():
        stopped = plant.stand_still()
        time.sleep(2)
        sent = plant.seen - stopped
    seconds = time.monotonic() - began
    assert worker.wait() == 0
    assert sent == 0
    assert len(plant.results()) == plant.rows
    plant.hold(most_in_doubt=IN_FLIGHT)
    measured(f"away for {seconds:.0f} s: {sent} calls meanwhile, then the run went on")


@pytest.mark.fault(27)
@BOTH
def test_a_state_store_that_stays_away_ends_the_run(plants, request, measured, kind):
    url, away = request.getfixturevalue(kind)
    plant, patience = plants(400, state=url), 0.5
    worker = plant.start(in_flight=IN_FLIGHT, lock_seconds=patience)
    assert plant.wait_for(lambda: plant.seen > 50)
    with away():
        stopped = plant.stand_still()
        assert worker.wait() != 0
        sent = plant.seen - stopped
    assert sent == 0
    assert b"StateStoreError" in (plant.folder / "log").read_bytes()
    assert plant.finish(in_flight=IN_FLIGHT) == 0
    plant.hold(most_in_doubt=IN_FLIGHT)
    measured("stays away: the run failed, 0 calls unpaced")


@pytest.mark.fault(30)
def test_a_warehouse_that_is_away_costs_no_answer_and_no_call(trial, measured, monkeypatch):
    monkeypatch.setattr("airflow_provider_faceid.batch.row_outcomes.BACKOFF_SECONDS", (0.1, 0.1))
    rows = 300
    trial.fill_with(trial.ordinary[:rows])
    batch = trial.batch(settings={"quotas": {ID_CARD: 100}})
    open_store = batch._store.open

    def impatient() -> None:
        open_store()
        batch._store.database.rows("PRAGMA busy_timeout = 100")

    batch._store.open = impatient
    over = threading.Event()

    def lock() -> None:
        with closing(sqlite3.connect(trial.home.address, isolation_level=None)) as other:
            other.execute("PRAGMA busy_timeout = 30000")
            other.execute("BEGIN IMMEDIATE")
            over.wait(60)

    with once(lambda: len(trial.calls()) >= 50, lock):
        with pytest.raises(FaceIdError, match=r"locked|OperationalError"):
            batch.run()
        over.set()
    trial.manifests.append(batch.manifest.as_dict())
    called, written = len(trial.calls()), len(trial.results())
    assert written < called < rows
    assert trial.run()["answered"] == rows
    assert len(trial.calls()) == rows
    trial.hold()
    measured(f"{called - written} answers waited in the ledger and were loaded with 0 calls")


@pytest.mark.fault(31)
def test_answers_that_were_half_loaded_are_loaded_again_each_once(plants, measured):
    plant = plants(600)
    assert plant.finish(in_flight=IN_FLIGHT, dies_loading=True) == -9
    called, loaded = plant.seen, len(plant.results())
    assert 0 < loaded < called
    assert plant.finish(in_flight=IN_FLIGHT) == 0
    assert set(plant.called().values()) == {1}
    held = Counter(plant.results().values())["held"]
    assert plant.rows - plant.seen <= held  # claimed, and killed before it was sent
    plant.hold(most_in_doubt=IN_FLIGHT, counted=False)
    measured(
        f"{loaded} of {called} answers were loaded, the others later; 0 called twice, {held} in doubt"
    )


def all_of_it(file: Path) -> None:
    """Nothing of it is a database any more."""
    file.write_bytes(b"\x5a" * file.stat().st_size)


def behind_the_head(file: Path) -> None:
    """The first page is whole, the others are not."""
    size = file.stat().st_size
    with file.open("r+b") as open_file:
        open_file.seek(4096)
        open_file.write(b"\x5a" * (size - 4096))


def half_of_it(file: Path) -> None:
    """The second half is gone."""
    os.truncate(file, file.stat().st_size // 2 // 4096 * 4096)


def its_answers(file: Path) -> None:
    """It can be read, and what it says cannot."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE faceid_calls SET answer = substr(answer, 1, 9)")


@pytest.mark.fault(34)
@pytest.mark.parametrize("damage", [all_of_it, behind_the_head, half_of_it, its_answers])
def test_a_damaged_ledger_is_not_taken_for_an_empty_one(trial, measured, damage):
    """The answers are in the ledger only: without it, all of them would be paid for again."""
    rows = 200
    trial.fill_with(trial.ordinary[:rows])
    trial.run()
    trial.home.run("DELETE FROM faceid_results")
    file = trial.folder / "state.sqlite"
    trial.state.close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    copy = shutil.copy(file, trial.folder / "copy")
    damage(file)
    error, _ = trial.fail(StateStoreError)
    called = len(trial.calls()) - rows
    assert called == 0
    assert "state store" in str(error)
    trial.state.close()
    for path in trial.folder.glob("state.sqlite*"):
        path.unlink()
    shutil.copy(copy, file)
    assert trial.run()["answered"] == rows
    trial.hold()
    measured(f"{called} calls, the error names the state store")


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path | None]:
    """A file system of one megabyte, if this user may make one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        yield None
        return
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill_up(plants: Callable[..., Plant], small_disk: Path | None) -> Plant:
    """Run until the disk is full, or a file may not grow any further."""
    if small_disk is None:
        plant = plants(600)
        assert plant.finish(in_flight=IN_FLIGHT, largest_file=300_000) != 0
        return plant
    plant = plants(600, state=f"sqlite:///{small_disk / 'state'}")
    assert plant.finish(in_flight=IN_FLIGHT) != 0
    larger = ["mount", "-o", "remount,size=64m", str(small_disk)]
    subprocess.run(larger, check=True, capture_output=True)
    return plant


@pytest.mark.fault(35)
def test_a_full_disk_stops_the_run_before_the_next_paid_call(plants, small_disk, measured):
    plant = fill_up(plants, small_disk)
    called = plant.seen
    intents = plant.query("SELECT COUNT(*) FROM faceid_calls", plant.state_file)[0][0]
    assert 0 < called < plant.rows
    unknown = called - min(called, intents)
    assert unknown == 0
    assert plant.finish(in_flight=IN_FLIGHT) == 0
    plant.hold(most_in_doubt=IN_FLIGHT, counted=False)
    measured(f"stopped after {called} calls, {unknown} of them unknown to the ledger")


class SlowRow(MemoryRow):
    """A state store that takes its time, as one behind a busy disk does."""

    is_local = False

    def __init__(self, clock, seconds: float) -> None:
        super().__init__(clock)
        self._seconds = seconds
        self.throttled = threading.Event()

    def throttle(self) -> None:
        self.throttled.set()
        time.sleep(self._seconds)
        super().throttle()


@pytest.mark.fault(55)
def test_a_state_store_that_takes_long_to_throttle_does_not_stop_the_event_loop(measured):
    """While one call waits for the store, the others go on with the slots in hand."""
    row = SlowRow(SYSTEM_CLOCK, 3.0)
    pace = SlotRateLimiter(row, 400.0)

    async def scene() -> tuple[float, int]:
        await pace.wait_async()
        slowing = asyncio.create_task(asyncio.to_thread(pace.slow_down))
        await asyncio.to_thread(row.throttled.wait, SOON)
        longest, passed, last = 0.0, 0, time.monotonic()
        while not slowing.done():
            await pace.wait_async()
            passed += 1
            now = time.monotonic()
            longest, last = max(longest, now - last), now
        await slowing
        return longest, passed

    longest, passed = asyncio.run(asyncio.wait_for(scene(), SOON))
    assert passed > 100
    assert longest < 2.0  # as long as the store's step, if its lock were held meanwhile
    measured(f"{passed} calls passed meanwhile, the longest wait {longest:.2f} s")
