"""Photos over the network as it is: slow, far away, and sometimes still."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_faceid.client import upload
from airflow_provider_faceid.simulator.people import FACE
from airflow_provider_faceid.state.uplink import StoredUplink
from tests.support.patience import soon
from tests.support.photos import grown
from tests.support.slow_link import slow_link

pytestmark = pytest.mark.long

PHOTOS, PHOTO_BYTES, TIMEOUT = 12, 300_000, 3.0
"""Together they take more than twice as long as one may be without an answer."""
FULL_PHOTOS, FULL_BYTES, FULL_TIMEOUT = 60, 1_850_000, 30.0
SMALL_BUFFER = 2**17
AFTERWARDS = 3.0
SHARDS = 4


@pytest.fixture
def photos(trials, thorough):
    """Return a table of people with photos, and what it takes to run over it."""
    number, size = (FULL_PHOTOS, FULL_BYTES) if thorough else (PHOTOS, PHOTO_BYTES)
    trial = trials(people=number)
    people = trial.ordinary[:number]
    rows = [(n, p.id_card, p.name, grown(trial.photo(p), size)) for n, p in enumerate(people)]
    trial.fill(rows, photo="BLOB")
    return trial


def settings(link, thorough):
    return {"url": link.url, "timeout": FULL_TIMEOUT if thorough else TIMEOUT}


def port_of(trial):
    return int(trial.server.url.rpartition(":")[2])


def one_answer_each(trial, manifests, afterwards):
    """Assert that each row was answered, nothing is held, and the bill stays what it is."""
    rows = trial.rows("people", "COUNT(*)")[0][0]
    assert sum(manifest["outcomes"]["match"] for manifest in manifests) == rows
    assert [manifest["held"] for manifest in manifests] == [0] * len(manifests)
    time.sleep(afterwards)
    assert trial.server.account.ledger.bill[FACE] == len(trial.calls()) == rows


@pytest.mark.fault(61)
@pytest.mark.parametrize("buffer", [0, SMALL_BUFFER], ids=["default buffer", "128 KB"])
def test_photos_over_a_slow_uplink_are_answered_each(
    photos, thorough, measured, monkeypatch, buffer
):
    if buffer:
        options = [*upload.socket_options(), (socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)]
        monkeypatch.setattr(upload, "socket_options", lambda: options)
    with slow_link(port_of(photos), 20e6 if thorough else 4e6, delay=0.2) as link:
        manifest = photos.run(FACE, settings=settings(link, thorough))
        one_answer_each(photos, [manifest], 60 if thorough else AFTERWARDS)
        used = link.line.passed * 8 / (link.line.busy_seconds * (20e6 if thorough else 4e6))
    measured(
        f"{manifest['outcomes']['match']} of {manifest['rows_in']} answered, {used:.0%} of the link used"
    )
    photos.hold(FACE)


@pytest.mark.fault(61)
def test_shards_share_the_uplink(photos, thorough, measured):
    uplink = StoredUplink(photos.state, "host")
    with (
        slow_link(port_of(photos), 20e6 if thorough else 4e6) as link,
        ThreadPoolExecutor(SHARDS) as threads,
    ):
        runs = [
            threads.submit(
                photos.run,
                FACE,
                settings=settings(link, thorough),
                source=f"SELECT * FROM people WHERE id % {SHARDS} = {shard}",
                owner=f"shard {shard}",
                uplink=uplink,
            )
            for shard in range(SHARDS)
        ]
        one_answer_each(photos, [run.result() for run in runs], AFTERWARDS)
    measured(f"{SHARDS} shards: {len(photos.calls())} calls, 0 held")
    photos.hold(FACE)


@pytest.mark.fault(62)
def test_uploads_that_stall_are_not_billed_and_repeated(photos, measured):
    """The line stands still for longer than the patience, then goes on."""
    with slow_link(port_of(photos), 8e6) as link:

        def stand_still():
            assert soon(lambda: link.line.passed > 2 * PHOTO_BYTES)
            link.line.stalled = True
            time.sleep(2 * TIMEOUT)
            link.line.stalled = False

        standing = threading.Thread(target=stand_still)
        standing.start()
        manifest = photos.run(FACE, settings=settings(link, thorough=False))
        standing.join()
        one_answer_each(photos, [manifest], AFTERWARDS)
    measured(f"{manifest['outcomes']['match']} of {manifest['rows_in']} answered, 0 held")
    photos.hold(FACE)
