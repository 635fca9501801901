"""The export operator on what a run against the simulator wrote: to a folder, and to an S3 server."""

from __future__ import annotations

import json
import logging
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import pyarrow.dataset as ds
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import Asset
from deltalake import DeltaTable
from pyiceberg.catalog import load_catalog
from s3fs import S3FileSystem

from airflow_provider_faceid.exceptions import ExportError
from airflow_provider_faceid.hooks import lakes
from airflow_provider_faceid.operators import export
from airflow_provider_faceid.operators.export import FaceIdExportOperator
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
from airflow_provider_faceid.simulator.people import ID_CARD
from airflow_provider_faceid.warehouse.tables import RESULTS
from tests.support.patience import PATIENCE
from tests.support.processes import Part, Parts, free_port

ROWS = 8
KEYS = "SELECT source_key, outcome FROM faceid_results ORDER BY source_key"
SECRET = "store-secret-key"


@pytest.fixture
def verified(bench, context):
    """Eight people who were verified."""
    bench.fill([(n, person.id_card, person.name) for n, person in enumerate(bench.ordinary[:ROWS])])
    IdCardVerificationBatchOperator(
        task_id="verify", source_conn_id="warehouse", source="people"
    ).execute(context)
    return bench


def export_task(**more) -> FaceIdExportOperator:
    return FaceIdExportOperator(task_id="export", warehouse_conn_id="warehouse", **more)


def test_the_manifest_says_what_was_exported_and_whereto(verified, context, told, tmp_path):
    caught = logging.getLogger().level
    path, asset = f"file://{tmp_path}/lake", Asset("lake")
    manifest = export_task(path=path, outlets=[asset]).execute(context)
    assert manifest.pop("seconds") >= 0
    assert manifest == {
        "format": "parquet",
        "target": path,
        "table": "results",
        "campaign": "dag",
        "rows": ROWS,
        "rows_by_action": {ID_CARD: ROWS},
        "version": None,
    }
    assert len(json.dumps(manifest)) < 500
    assert context["outlet_events"][asset].extra["rows"] == ROWS
    assert f"8 rows of campaign 'dag' exported to {path} as parquet" in told()
    assert logging.getLogger().level == caught
    rows = ds.dataset(tmp_path / "lake", partitioning="hive").to_table().to_pylist()
    assert sorted((r["source_key"], r["outcome"]) for r in rows) == verified.query(KEYS)
    assert {(r["campaign"], r["action"]) for r in rows} == {("dag", ID_CARD)}


def test_progress_is_said_now_and_then(verified, context, told, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "EVERY_SECONDS", 0.0)
    export_task(path=str(tmp_path / "lake")).execute(context)
    assert "Exporting campaign 'dag': 8 rows" in told()


def test_a_campaign_without_rows_is_warned_about(verified, context, told, tmp_path):
    manifest = export_task(path=str(tmp_path / "lake"), campaign="another").execute(context)
    assert (manifest["rows"], manifest["rows_by_action"]) == (0, {})
    assert "none at the target now" in told()
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "Format 'parquet' needs path: say where to export to"),
        ({"format": "delta"}, "Format 'delta' needs path"),
        ({"format": "iceberg", "path": "x"}, "Format 'iceberg' needs iceberg_table"),
        ({"format": "iceberg", "iceberg_table": "results"}, "write namespace and name with a dot"),
        ({"format": "avro", "path": "x"}, "format='avro': it is 'parquet', 'iceberg' or 'delta'"),
        ({"path": "x", "result_table": "nobody"}, "no such table: nobody"),
        ({"path": "x", "table": "prices"}, "table='prices': it is"),
        ({"path": "x", "other_columns": ["mine"]}, "other_columns: .* has no column 'mine'"),
    ],
)
def test_what_cannot_be_exported_is_said(verified, context, given, message):
    with pytest.raises(AirflowFailException, match=message):
        export_task(**given).execute(context)


@pytest.mark.parametrize(("format_", "module"), [("parquet", "pyarrow"), ("delta", "deltalake")])
def test_a_missing_extra_is_named(verified, context, format_, module, monkeypatch):
    monkeypatch.setattr(lakes, "find_spec", lambda name: None if name == module else name)
    with pytest.raises(
        AirflowFailException, match=rf"{module} cannot be imported here.*\[export\]"
    ):
        export_task(path="x", format=format_).execute(context)


def test_an_operator_is_made_without_the_extra(monkeypatch):
    for module in ("pyarrow", "pyiceberg", "deltalake"):
        monkeypatch.setitem(sys.modules, module, None)
    assert export_task(path="x").format == "parquet"


@pytest.fixture(scope="module")
def s3(tmp_path_factory) -> Iterator[str]:
    """A server that speaks S3, with an empty bucket, in a process of its own."""
    port, parts = free_port(), Parts()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    parts.append(Part("s3", command, tmp_path_factory.mktemp("s3")))
    url = f"http://127.0.0.1:{port}"

    def make_bucket() -> bool:
        request = urllib.request.Request(f"{url}/bucket", method="PUT")
        with suppress(OSError), urllib.request.urlopen(request):
            return True
        return False

    try:
        parts.wait_for("bucket", make_bucket, PATIENCE)
        yield url
    finally:
        parts.stop()


@pytest.fixture
def store(s3, monkeypatch) -> str:
    monkeypatch.setattr("airflow.sdk.io.store._STORE_CACHE", {})
    extra = {"region_name": "us-east-1", "endpoint_url": s3}
    fields = {"conn_type": "aws", "login": "store-id", "password": SECRET, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(fields))
    return s3


OPTIONS = {"key": "store-id", "secret": SECRET}


def test_parquet_files_go_to_an_object_store_and_replace_each_other(store, verified, context):
    files = S3FileSystem(**OPTIONS, client_kwargs={"endpoint_url": store}, skip_instance_cache=True)
    name = "bucket/lake/campaign=2026%2F11/action=IdCardVerification/faceid_results.parquet"
    verified.query("UPDATE faceid_results SET campaign = '2026/11'")
    for path, conn_id in (("s3://store@bucket/lake", None), ("s3://bucket/lake", "store")):
        task = export_task(path=path, storage_conn_id=conn_id, campaign="2026/11")
        assert task.execute(context)["rows"] == ROWS
        assert files.find("bucket/lake", refresh=True) == [name]
    found = ds.dataset(name, filesystem=files).to_table(columns=["source_key", "outcome"])
    assert sorted(map(tuple, (r.values() for r in found.to_pylist()))) == verified.query(KEYS)
    verified.query("DELETE FROM faceid_results")
    task.execute(context)
    files.invalidate_cache()
    assert not files.exists(name)


def test_a_delta_table_in_an_object_store(store, verified, context):
    task = export_task(path="s3://store@bucket/delta", format="delta")
    versions = [task.execute(context)["version"] for _ in range(2)]
    assert versions == ["0", "1"]
    options = lakes.delta_table("s3://store@bucket/delta", None)[1]
    rows = DeltaTable("s3://bucket/delta", storage_options=options).to_pyarrow_table().to_pylist()
    assert sorted((r["source_key"], r["outcome"]) for r in rows) == verified.query(KEYS)


def test_an_iceberg_table_in_an_object_store(store, verified, context, tmp_path, monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_CATALOG",
        json.dumps({"conn_type": "generic", "extra": {"uri": f"sqlite:///{tmp_path}/catalog.db"}}),
    )
    task = export_task(
        format="iceberg",
        iceberg_table="kyc.results",
        catalog={"name": "lake", "type": "sql", "warehouse": "s3://bucket/iceberg"},
        catalog_conn_id="catalog",
        storage_conn_id="store",
    )
    manifests = [task.execute(context) for _ in range(2)]
    assert manifests[0]["version"] != manifests[1]["version"]
    properties = lakes.catalog_properties(task.catalog, "catalog", "store")
    catalog = load_catalog(**properties)
    table = catalog.load_table("kyc.results")
    rows = table.scan().to_arrow().to_pylist()
    assert sorted((r["source_key"], r["outcome"]) for r in rows) == verified.query(KEYS)
    assert table.schema().find_field("outcome").doc == RESULTS.columns["outcome"].meaning
    assert manifests[1]["version"] == str(table.current_snapshot().snapshot_id)
    catalog.close()


@pytest.mark.parametrize("format_", ["parquet", "delta"])
def test_an_object_store_that_refuses_is_said_without_its_secret(
    store, verified, context, format_, monkeypatch
):
    task = export_task(path="s3://store@nowhere/lake", format=format_)
    with pytest.raises(ExportError, match=r"The export to .* failed: ") as caught:
        task.execute(context)
    assert SECRET not in str(caught.value)
    pushed = context["ti"].pushed["return_value"]
    assert (pushed["success"], pushed["format"]) == (False, format_)
