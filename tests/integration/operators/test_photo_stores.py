"""Photos in an object store or a folder that fails: the rows are not at fault."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_faceid.batch import photos as batch_photos
from airflow_provider_faceid.exceptions import (
    ConfigurationError,
    InvalidInputError,
    PhotoStoreError,
)
from airflow_provider_faceid.operators import photo_files as photos
from airflow_provider_faceid.operators.photo_files import LARGEST, photo_reader
from airflow_provider_faceid.operators.verify import ImageRecognitionV2Operator
from airflow_provider_faceid.operators.verify_batch import ImageRecognitionV2BatchOperator
from tests.support.object_store import BUCKET, Store, closed_port, object_store

pytestmark = pytest.mark.long

PEOPLE = {"source_conn_id": "warehouse", "source": "people", "photo_is_path": True}
ROOT = f"s3://store@{BUCKET}/photos"
ROWS = 12


@pytest.fixture(scope="module")
def stored(running) -> Iterator[Store]:
    """A store with a photo for each of some people, and odd objects."""
    people = [person for person in running.account.people.listed if not person.persona][:ROWS]
    objects = {
        f"photos/{n}.jpg": running.account.gallery.submitted(person)
        for n, person in enumerate(people)
    }
    odd = {"photos/empty.jpg": b"", "photos/large.jpg": bytes(3 * LARGEST), "secret": b"a secret"}
    with object_store(objects | odd) as store:
        yield store


@pytest.fixture
def store(stored, bench, monkeypatch) -> Store:
    """The store without faults, named by a connection no test before has used."""
    impatient(monkeypatch)
    monkeypatch.setattr("airflow.sdk.io.store._STORE_CACHE", {})
    monkeypatch.setenv("AIRFLOW__FACEID__PHOTO_ROOTS", ROOT)
    stored.fault, stored.latency = lambda key: None, 0.0
    stored.sent = stored.most_at_once = 0
    stored.requests.clear()
    # One try of its own, so that the tests are quick.
    quick = {"config_kwargs": {"retries": {"total_max_attempts": 1}}}
    monkeypatch.setenv("AIRFLOW_CONN_STORE", stored.connection(**quick))
    people = enumerate(bench.ordinary[:ROWS])
    bench.fill([(n, p.id_card, p.name, f"{ROOT}/{n}.jpg") for n, p in people])
    return stored


def impatient(monkeypatch) -> None:
    """Wait a second for what people wait a minute for."""
    quick = {"STORE_SECONDS": 0.5, "REFUSAL_SECONDS": 0.5, "FIRST_PAUSE": 0.1, "LONGEST_PAUSE": 0.2}
    for name, value in quick.items():
        monkeypatch.setattr(batch_photos, name, value)


def run(context: dict[str, Any]) -> dict[str, Any]:
    return ImageRecognitionV2BatchOperator(task_id="t", **PEOPLE).execute(context)


def places(bench) -> list[tuple[Any, ...]]:
    """Return how many rows are in a result table, by status, and in quarantine."""
    quarantined = bench.query("SELECT rule, COUNT(*) FROM faceid_quarantine GROUP BY rule")
    return bench.query("SELECT status, COUNT(*) FROM faceid_results GROUP BY status") + quarantined


def test_a_photo_is_read_by_one_ranged_request(store, bench, context):
    assert run(context)["outcomes"] == {"match": ROWS}
    assert sorted(store.requests) == sorted(("GET", f"/bucket/photos/{n}.jpg") for n in range(ROWS))


def test_photos_of_a_distant_store_are_read_many_at_a_time(store, bench, context):
    """19.4 a second at half a second each, which bench/photos.py measures."""
    bench.faceid(extra={})
    store.latency = 0.5
    assert run(context)["outcomes"] == {"match": ROWS}
    assert store.most_at_once >= 8


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("missing.jpg", "photo_unreadable"),
        ("", "photo_unreadable"),
        (f"{'x' * 1025}.jpg", "photo_unreadable"),
        ("empty.jpg", "photo_missing"),
        ("large.jpg", "photo_size"),
        ("../secret", "photo_path"),
    ],
)
def test_an_object_that_is_no_photo_costs_only_its_row(store, bench, context, name, rule):
    bench.query(f"UPDATE people SET photo = '{ROOT}/{name}' WHERE id = 3")
    result = run(context)
    assert result["outcomes"] == {"match": ROWS - 1}
    assert result["quarantined_by_rule"] == {rule: 1}
    assert store.sent < 2 * LARGEST


FAULTS = {
    "forbidden": (403, "AccessDenied", "PermissionError, code AccessDenied, HTTP 403"),
    "unavailable": (503, "ServiceUnavailable", "OSError, code ServiceUnavailable, HTTP 503"),
    "an error of the store": (500, "InternalError", "OSError, code InternalError, HTTP 500"),
    "credentials that have expired": (400, "ExpiredToken", "PermissionError, code ExpiredToken"),
    "no such bucket": (404, "NoSuchBucket", "FileNotFoundError, code NoSuchBucket, HTTP 404"),
    "a wrong key": (403, "SignatureDoesNotMatch", "code SignatureDoesNotMatch, HTTP 403"),
    "a code that is none": (502, "370102200305173681", "OSError, HTTP 502"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_store_that_fails_ends_the_run_with_its_cause_and_leaves_the_rows(
    store, bench, context, told, fault
):
    status, code, cause = FAULTS[fault]
    store.fault = lambda key: (status, code)
    with pytest.raises(PhotoStoreError, match="Photos cannot be read from s3://bucket/photos") as e:
        run(context)
    assert cause in str(e.value)
    assert bench.calls == 0
    assert places(bench) == []
    log = told()
    assert cause in log
    assert ".jpg" not in log + str(e.value)
    assert "370102200305173681" not in log + str(e.value)
    store.fault = lambda key: None
    assert run(context)["outcomes"] == {"match": ROWS}
    assert bench.calls == ROWS


@pytest.mark.parametrize("where", ["a closed port", "no such host"])
def test_a_store_out_of_reach_ends_the_run_and_leaves_the_rows(
    store, bench, context, monkeypatch, where
):
    host = "store.invalid" if where == "no such host" else f"127.0.0.1:{closed_port()}"
    quick = {"retries": {"total_max_attempts": 1}}
    away = store.connection(endpoint_url=f"http://{host}", config_kwargs=quick)
    monkeypatch.setenv("AIRFLOW_CONN_STORE", away)
    with pytest.raises(PhotoStoreError, match="EndpointConnectionError"):
        run(context)
    assert (bench.calls, places(bench)) == (0, [])


def test_a_store_that_fails_for_a_while_is_waited_for(store, bench, context, monkeypatch):
    monkeypatch.setattr(batch_photos, "STORE_SECONDS", 30.0)
    failed: list[str] = []

    def fault(key: str) -> tuple[int, str] | None:
        failed.append(key)
        return (503, "SlowDown") if 3 < len(failed) < 3 + ROWS else None

    store.fault = fault
    assert run(context)["outcomes"] == {"match": ROWS}
    assert bench.calls == ROWS


def test_an_outage_in_the_middle_pays_for_nobody_it_cannot_ask_about(store, bench, context):
    read: list[str] = []

    def fault(key: str) -> tuple[int, str] | None:
        read.append(key)
        return (503, "ServiceUnavailable") if len(read) > 5 else None

    store.fault = fault
    with pytest.raises(PhotoStoreError, match="HTTP 503"):
        run(context)
    assert (bench.calls, places(bench)) == (5, [("answered", 5)])
    store.fault = lambda key: None
    assert run(context)["answered"] == bench.calls == ROWS


def test_one_object_that_is_refused_leaves_its_row_and_the_others_are_answered(
    store, bench, context, told
):
    store.fault = lambda key: (403, "AccessDenied") if key.endswith("/3.jpg") else None
    with pytest.raises(PhotoStoreError, match=r"1 rows were left.*code AccessDenied, HTTP 403"):
        run(context)
    assert "Photos cannot be read" in told()
    store.fault = lambda key: None
    assert places(bench) == [("answered", ROWS - 1)]
    assert run(context)["answered"] == bench.calls == ROWS


def test_a_missing_connection_is_named_before_anything_is_asked(store, bench, context, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_STORE")
    with pytest.raises(AirflowFailException, match="there is no connection 'store'"):
        run(context)
    assert (bench.calls, places(bench), store.requests) == (0, [], [])


def test_a_store_that_nothing_reads_says_which_provider_is_missing(bench, monkeypatch):
    monkeypatch.setenv("AIRFLOW__FACEID__PHOTO_ROOTS", "nowhere://bucket/photos")
    with pytest.raises(ConfigurationError, match="nothing here reads nowhere:// URLs"):
        photo_reader()("nowhere://bucket/photos/1.jpg")


def test_a_single_call_waits_for_the_store_and_then_fails_as_one_to_be_retried(
    store, bench, context
):
    bench_row = {"source_conn_id": "warehouse", "source": "people", "photo_is_path": True}
    task = ImageRecognitionV2Operator(task_id="t", key=3, **bench_row)
    store.fault = lambda key: (403, "AccessDenied")
    with pytest.raises(PhotoStoreError, match="code AccessDenied"):
        task.execute(context)
    assert len(store.requests) > 1
    store.fault = lambda key: None
    assert task.execute(context)["outcome"] == "match"
    assert bench.calls == 1


FOLDER_FAULTS = [errno.EACCES, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ETIMEDOUT]


@pytest.fixture
def folder(bench, tmp_path, monkeypatch) -> Any:
    """A folder with a photo for each row."""
    impatient(monkeypatch)
    root = tmp_path / "photos"
    root.mkdir()
    for n, person in enumerate(bench.ordinary[:ROWS]):
        (root / f"{n}.jpg").write_bytes(bench.server.account.gallery.submitted(person))
    people = enumerate(bench.ordinary[:ROWS])
    bench.fill([(n, p.id_card, p.name, f"{root}/{n}.jpg") for n, p in people])
    monkeypatch.setenv("AIRFLOW__FACEID__PHOTO_ROOTS", str(root))
    return root


@pytest.mark.parametrize("number", FOLDER_FAULTS, ids=errno.errorcode.get)
def test_a_folder_that_fails_ends_the_run_with_its_cause_and_leaves_the_rows(
    folder, bench, context, monkeypatch, number
):
    def fails(real: Any) -> int:
        raise OSError(number, os.strerror(number), str(real))

    monkeypatch.setattr(photos, "_open", fails)
    with pytest.raises(PhotoStoreError, match=errno.errorcode[number]) as error:
        run(context)
    assert ".jpg" not in str(error.value)
    assert (bench.calls, places(bench)) == (0, [])
    monkeypatch.undo()


@pytest.mark.parametrize("how", ["removed", "not mounted"])
def test_a_folder_that_goes_away_in_the_middle_is_no_fault_of_the_rows(
    folder, bench, context, monkeypatch, how
):
    opened: list[Any] = []
    real_open: Callable[[Any], int] = photos._open

    def open_and_go(real: Any) -> int:
        opened.append(real)
        if len(opened) == 5:
            folder.rename(folder.with_name("away"))
            if how == "not mounted":
                folder.mkdir()
        return real_open(real)

    monkeypatch.setattr(photos, "_open", open_and_go)
    monkeypatch.setattr(batch_photos, "THREADS", 1)
    with pytest.raises(PhotoStoreError, match="the folder is not there or empty"):
        run(context)
    assert places(bench) == [("answered", 4)]
    assert bench.calls == 4


@pytest.mark.parametrize(
    "make",
    [
        lambda path: None,
        lambda path: path.mkdir(),
        lambda path: path.symlink_to(path),
        lambda path: path.symlink_to("nowhere"),
    ],
    ids=["missing", "a folder", "a link to itself", "a link to nothing"],
)
def test_a_file_that_is_none_costs_only_its_row(folder, bench, context, make):
    (folder / "3.jpg").unlink()
    make(folder / "3.jpg")
    result = run(context)
    assert result["outcomes"] == {"match": ROWS - 1}
    assert sum(result["quarantined_by_rule"].values()) == 1


def test_a_name_that_is_too_long_costs_only_its_row(folder):
    with pytest.raises(InvalidInputError) as error:
        photo_reader()(f"{folder}/{'x' * 300}.jpg")
    assert error.value.rule == "photo_unreadable"
    assert json.dumps(error.value.args)
