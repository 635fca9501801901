"""Exports to each format in a folder, and what readers of the formats find there."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deltalake
import pyarrow.parquet as pq
from deltalake import DeltaTable
from fsspec.implementations.local import LocalFileSystem
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import NoSuchTableError

from airflow_provider_faceid.warehouse.export import batches, delta, iceberg, parquet
from airflow_provider_faceid.warehouse.export.batches import Exported, ExportReader, Selection
from airflow_provider_faceid.warehouse.sql.database import Database
from airflow_provider_faceid.warehouse.sql.dialects import SQLITE
from airflow_provider_faceid.warehouse.tables import RESULTS

FORMATS = ("parquet", "iceberg", "delta")
TABLE = "kyc.results"


def catalog(folder: Path) -> dict[str, str]:
    """Return the properties of an Iceberg catalog in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    uri = f"sqlite:///{folder}/catalog.db"
    return {"type": "sql", "uri": uri, "warehouse": f"file://{folder}"}


def write(format_: str, reader: ExportReader, folder: Path, owner: str = "task") -> Exported:
    """Export to a folder."""
    if format_ == "parquet":
        place = parquet.Place(LocalFileSystem(), str(folder), is_local=True, shown=str(folder))
        return parquet.write_parquet(reader, place, owner)
    if format_ == "delta":
        return delta.write_delta(reader, str(folder), {})
    return iceberg.write_iceberg(reader, "tests", TABLE, catalog(folder))


def read(format_: str, folder: Path) -> list[dict[str, Any]]:
    """Return what a reader of the format finds, ordered by key; nothing if there is no table."""
    if format_ == "parquet":
        if not any(folder.rglob("*.parquet")):
            return []
        rows = pq.read_table(folder, partitioning=_as_text()).to_pylist()
    elif format_ == "delta":
        if not DeltaTable.is_deltatable(str(folder)):
            return []
        rows = DeltaTable(str(folder)).to_pyarrow_table().to_pylist()
    else:
        opened = load_catalog("tests", **catalog(folder))
        try:
            rows = opened.load_table(TABLE).scan().to_arrow().to_pylist()
        except NoSuchTableError:
            return []
        finally:
            opened.close()
    return sorted(rows, key=lambda row: (row["campaign"], row["action"], row["source_key"]))


def comments(format_: str, folder: Path) -> dict[str, str | None]:
    """Return what the schema says of each column."""
    if format_ == "parquet":
        schema = pq.read_schema(next(folder.rglob("*.parquet")))
        return {field.name: field.metadata[b"comment"].decode() for field in schema}
    if format_ == "delta":
        fields = DeltaTable(str(folder)).schema().fields
        return {field.name: field.metadata.get("comment") for field in fields}
    opened = load_catalog("tests", **catalog(folder))
    found = {field.name: field.doc for field in opened.load_table(TABLE).schema().fields}
    opened.close()
    return found


def _as_text() -> Any:
    """Return the partitioning of the folders, its values as text also where they are digits."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.dataset as ds  # noqa: PLC0415

    return ds.partitioning(
        pa.schema([("campaign", pa.string()), ("action", pa.string())]), flavor="hive"
    )


def _die_after(calls: int, work: Callable[..., Any]) -> Callable[..., Any]:
    """Let the process kill itself when a function has been called so many times."""
    left = [calls]

    def call(*args: Any, **kwargs: Any) -> Any:
        result = work(*args, **kwargs)
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return call


def export_and_die(format_: str, source: str, folder: str, point: str) -> None:
    """Export, and die when a function was called so many times: ``page 3``, ``commit 1``."""
    from pyiceberg.catalog.sql import SqlCatalog  # noqa: PLC0415
    from pyiceberg.table import Transaction  # noqa: PLC0415

    what, calls = point.split()
    owner, name = {
        "page": (batches, "arrow_batch"),
        "write": (parquet, "_write"),
        "publish": (parquet, "_publish"),
        "append": (Transaction, "append"),
        "stage": (SqlCatalog, "_write_metadata"),
        "commit": (SqlCatalog, "commit_table")
        if format_ == "iceberg"
        else (deltalake, "write_deltalake"),
    }[what]
    dying = _die_after(int(calls), getattr(owner, name))
    setattr(owner, name, staticmethod(dying) if what == "stage" else dying)
    batches.PAGE_ROWS, iceberg.FILE_ROWS = 7, 10
    database = Database(lambda: sqlite3.connect(source), SQLITE, "source")
    with ExportReader(database, Selection(RESULTS, RESULTS.name, "spring")) as reader:
        write(format_, reader, Path(folder))
