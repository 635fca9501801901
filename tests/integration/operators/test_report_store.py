"""A report in an object store: one request for each file, whole or not at all, and no new bucket."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import ObjectStoragePath

from airflow_provider_faceid.exceptions import ExportError
from airflow_provider_faceid.operators.report import FaceIdReportOperator
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
from tests.support.object_store import BUCKET, closed_port, object_store

ROWS, MOST = 12, 2**22
PATH = f"s3://store@{BUCKET}/reports/2026/run.html"
KEYS = [f"/{BUCKET}/reports/2026/run.{ending}" for ending in ("json", "html")]


@pytest.fixture(scope="module")
def stored():
    with object_store({}) as store:
        yield store


@pytest.fixture
def store(stored, bench, context, monkeypatch):
    """The store, and a run that can be reported."""
    monkeypatch.setattr("airflow.sdk.io.store._STORE_CACHE", {})
    stored.fault = lambda key: None
    monkeypatch.setenv("AIRFLOW_CONN_STORE", stored.connection(**quick()))
    bench.fill([(n, p.id_card, p.name) for n, p in enumerate(bench.ordinary[:ROWS])])
    IdCardVerificationBatchOperator(
        task_id="verify", source_conn_id="warehouse", source="people"
    ).execute(context)
    stored.requests.clear()
    return stored


def quick():
    """One try, so that the tests are."""
    return {"config_kwargs": {"retries": {"total_max_attempts": 1}}}


def report(context, path=PATH):
    task = FaceIdReportOperator(task_id="report", warehouse_conn_id="warehouse", path=path)
    return task.execute(context)


def read(ending):
    """Return a file as it is in the store; by a range, as the store answers no question of a length."""
    key = f"{BUCKET}/reports/2026/run.{ending}"
    return ObjectStoragePath(PATH).fs.cat_file(key, start=0, end=MOST).decode()


def test_each_file_is_one_request_the_numbers_first(store, context):
    made = report(context)
    assert store.requests == [("PUT", key) for key in KEYS]
    assert (made["path"], made["json_path"]) == (PATH, PATH.replace(".html", ".json"))
    assert json.loads(read("json"))["headline"]["rows_in"] == ROWS
    page = read("html")
    assert page.rstrip().endswith("</html>")
    assert made["bytes"] == len(page.encode())


def test_what_was_there_stays_until_the_whole_page_has_arrived(store, context):
    report(context)
    before = read("html")
    store.fault = lambda key: (503, "SlowDown") if key.endswith(".html") else None
    with pytest.raises(ExportError, match="path cannot be written: OSError"):
        report(context)
    assert context["ti"].pushed["return_value"]["success"] is False
    store.fault = lambda key: None
    assert read("html") == before
    report(context)
    assert read("html") != before  # it says when it was made


def test_a_bucket_that_is_not_there_is_not_made(store, context):
    with pytest.raises(AirflowFailException, match="path cannot be written: FileNotFoundError"):
        report(context, "s3://store@reprots/run.html")
    assert store.requests == [("PUT", "/reprots/run.json")]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{store.port}/reprots")


def test_a_store_that_refuses_fails_and_one_that_is_away_may_be_tried_again(
    store, context, monkeypatch
):
    store.fault = lambda key: (403, "AccessDenied")
    with pytest.raises(AirflowFailException, match="path cannot be written: PermissionError"):
        report(context)
    fields = json.loads(store.connection(**quick()))
    fields["extra"]["endpoint_url"] = f"http://127.0.0.1:{closed_port()}"
    monkeypatch.setenv("AIRFLOW_CONN_AWAY", json.dumps(fields))
    with pytest.raises(ExportError, match="path cannot be written: EndpointConnectionError"):
        report(context, PATH.replace("store@", "away@"))
