"""Erasure whose process is killed with signal 9, wherever it is: the same command finishes it."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.state.store import StateStore
from airflow_provider_faceid.warehouse.migrations import prepare_beside
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql.database import POSTGRESQL
from airflow_provider_faceid.warehouse.tables import ERASURES
from tests.integration.state.conftest import postgres_url, sqlite_url
from tests.support.erasures import POINTS, forget_and_die
from tests.support.forked import Forked
from tests.support.homes import homes

from .test_erasure import (
    FIRST_KEY,
    STEP,
    bill_of,
    charges,
    compare,
    delete_from_source,
    forget,
    hashes_of,
    leaks,
    plain_files,
    texts_of,
    verified,
)
from .test_erasure_server import in_files

__all__ = ["plain_files", "postgres_url", "sqlite_url"]

pytestmark = pytest.mark.long

MOMENTS = ("0.01", "0.03", "0.1", "0.2")
"""Seconds after which a process dies, whatever it does then; it may have ended before."""
WHOLE = "all is done"


@pytest.fixture
def state_url(request, home):
    """A server beside a server, a file beside a file."""
    name = "postgres_url" if home.dialect is POSTGRESQL else "sqlite_url"
    return request.getfixturevalue(name)


@pytest.fixture
def state(state_url):
    store = StateStore(state_url)
    yield store
    store.close()


def die(bench, state_url, log, key, point):
    """Run the command in a process that is killed; return its exit code."""
    bench.home.close()
    bench.state.close()
    where = (bench.home.dialect.name, bench.home.address, state_url)
    code = Forked(forget_and_die, *where, key, point, log=str(log)).wait()
    assert code == -9 or (point in MOMENTS and not code), log.read_text()
    return code


@homes("sqlite", "postgresql", "duckdb")
@pytest.mark.usefixtures("plain_files")
def test_a_killed_erasure_is_finished_by_the_same_command_with_one_receipt(
    bench, state_url, tmp_path
):
    points = [*POINTS, *MOMENTS]
    verified(bench, len(points) + 1)
    prepare_beside(bench.home.open(), Names(), ERASURES)
    bill, before = bill_of(bench), charges(bench)
    assert sum(bill.values()) == len(points) + 1
    every = []
    for number, point in enumerate(points):
        key = str(FIRST_KEY + STEP * number)
        marks = hashes_of(bench, key)
        assert len(marks) >= 5
        delete_from_source(bench, key)
        code = die(bench, state_url, tmp_path / "log", key, point)
        # Nothing of the bill is missing between two transactions either.
        assert (point, charges(bench)) == (point, before)
        assert compare(bench, bill) == []
        if point == WHOLE or not code:
            with pytest.raises(ConfigurationError, match="nothing was erased"):
                forget(bench, keys=[key])
        else:
            try:
                done = forget(bench, keys=[key])
            except ConfigurationError:  # all was done when its moment came
                assert point in MOMENTS
            else:
                assert done.problems == []
                assert bool(done.receipt) != bool(done.finished)
        assert not any(mark in text for text in texts_of(bench).values() for mark in marks)
        assert charges(bench) == before
        assert compare(bench, bill) == []
        receipts = bench.home.query(
            "SELECT results, history, answers_kept, is_rewritten, finished_at IS NOT NULL "
            "FROM faceid_erasures WHERE erased_at IS NOT NULL"
        )
        assert [tuple(map(int, one)) for one in receipts] == [(1, 1, 1, 1, 1)] * (number + 1), point
        every += marks
    assert bench.results().keys() == {str(FIRST_KEY + STEP * len(points))}
    with bench.state.transaction() as cursor:
        cursor.execute("SELECT COUNT(*) FROM faceid_calls")
        assert cursor.fetchall() == [(1,)]
    if bench.home.dialect is POSTGRESQL:
        assert in_files(state_url, every) == set()
    assert leaks(bench, tmp_path, every) == []
    assert bench.run(owner="later")["calls"] == 0
