"""A million results exported to Parquet, Iceberg and Delta, twice, beside pandas.

Each export is a process of its own and reads the same SQLite file. The peer reads the rows with pandas in
pages of the same size and writes one Parquet file with them.
"""

from __future__ import annotations

import argparse
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from table import show

ROWS = 1_000_000
SECONDS = {"parquet": 15.0, "iceberg": 30.0, "delta": 30.0}
MEGABYTES = 500
PEER = "pandas"

MADE = """
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows} - 1)
INSERT INTO faceid_results (campaign, action, source_key, source, question_hash, row_hash, id_card_hash,
  id_card_masked, status, outcome, code, similarity, charged, description, request_id, attempts,
  latency_ms, waited_ms, answered_at, verified_date, dag_id, run_id, map_index, provider_version,
  updated_at)
SELECT 'applicants', CASE n % 4 WHEN 3 THEN 'IdCardVerification' ELSE 'ImageRecognitionV2' END,
  printf('applicant-%08d', n), 'warehouse/applicants', lower(hex(randomblob(32))),
  lower(hex(randomblob(32))), lower(hex(randomblob(32))), printf('%02d**************%02d', n % 90, n % 97),
  'answered', CASE n % 10 WHEN 9 THEN 'mismatch' ELSE 'match' END,
  CASE n % 10 WHEN 9 THEN 'CompareLowSimilarity' ELSE 'Success' END, (n * 7919 % 10001) / 100.0, 1,
  'the faces are of one person', lower(hex(randomblob(18))), 1, 80 + n * 104729 % 1500,
  n * 1299709 % 40000,
  strftime('%Y-%m-%dT%H:%M:%S', 1790000000 + n, 'unixepoch') || printf('.%03d+00:00', n % 1000),
  date(1790028800 + n, 'unixepoch'), 'applicants', 'scheduled__2026-11-28', -1, '0.2.0',
  strftime('%Y-%m-%dT%H:%M:%S', 1790000000 + n, 'unixepoch') || '.500+00:00'
FROM numbers
"""


def warehouse(path: str) -> Any:
    """Return the database of a file."""
    from airflow_provider_faceid.warehouse.sql.database import SQLITE, Database

    return Database(lambda: sqlite3.connect(path), SQLITE, "bench")


def fill(path: str, rows: int) -> None:
    """Write results as runs of two Actions would have."""
    from airflow_provider_faceid.warehouse.migrations import prepare
    from airflow_provider_faceid.warehouse.names import Names

    database = warehouse(path)
    prepare(database, Names())
    with database.transaction("filling") as cursor:
        cursor.execute(MADE.format(rows=rows))
    database.close()


def export(kind: str, path: str, folder: str) -> int:
    """Export with ours; return the rows."""
    from airflow_provider_faceid.warehouse.export.batches import ExportReader, Selection
    from airflow_provider_faceid.warehouse.tables import RESULTS

    with ExportReader(warehouse(path), Selection(RESULTS, RESULTS.name, "applicants")) as reader:
        if kind == "parquet":
            from fsspec.implementations.local import LocalFileSystem

            from airflow_provider_faceid.warehouse.export.parquet import Place, write_parquet

            place = Place(LocalFileSystem(), folder, is_local=True, shown=folder)
            exported = write_parquet(reader, place, "bench")
        elif kind == "delta":
            from airflow_provider_faceid.warehouse.export.delta import write_delta

            exported = write_delta(reader, folder, {})
        else:
            from airflow_provider_faceid.warehouse.export.iceberg import write_iceberg

            Path(folder).mkdir(exist_ok=True)
            catalog = {"type": "sql", "uri": f"sqlite:///{folder}/catalog.db"}
            exported = write_iceberg(
                reader, "bench", "kyc.results", {**catalog, "warehouse": f"file://{folder}"}
            )
    return sum(exported.rows.values())


def peer(path: str, folder: str) -> int:
    """Export with pandas, page by page; return the rows."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    Path(folder).mkdir(exist_ok=True)
    rows, writer = 0, None
    pages = pd.read_sql(
        "SELECT * FROM faceid_results WHERE campaign = 'applicants' ORDER BY action, source_key",
        sqlite3.connect(path),
        chunksize=10_000,
        parse_dates=["answered_at", "not_before", "updated_at", "verified_date"],
        dtype={"not_before": "datetime64[ns, UTC]"},
    )
    for page in pages:
        table = pa.Table.from_pandas(page, preserve_index=False)
        writer = writer or pq.ParquetWriter(
            f"{folder}/all.parquet", table.schema, compression="zstd"
        )
        writer.write_table(table.cast(writer.schema))
        rows += len(page)
    if writer:
        writer.close()
    return rows


def read(kind: str, folder: str) -> tuple[int, int]:
    """Return how many rows a reader of the format finds, and how many different keys."""
    import pyarrow.compute as pc

    if kind == "delta":
        from deltalake import DeltaTable

        table = DeltaTable(folder).to_pyarrow_table(columns=["source_key"])
    elif kind == "iceberg":
        from pyiceberg.catalog import load_catalog

        catalog = load_catalog("bench", type="sql", uri=f"sqlite:///{folder}/catalog.db")
        table = catalog.load_table("kyc.results").scan(selected_fields=("source_key",)).to_arrow()
    else:
        import pyarrow.parquet as pq

        table = pq.read_table(folder, columns=["source_key"])
    return table.num_rows, pc.count_distinct(table["source_key"]).as_py()


def one(kind: str, path: str, folder: str) -> None:
    """Export once and print what it took; imports are not counted."""
    warm: dict[str, Callable[[], object]] = {
        "iceberg": lambda: __import__("pyiceberg.io.pyarrow"),
        "delta": lambda: __import__("deltalake"),
        PEER: lambda: __import__("pandas"),
    }
    __import__("pyarrow.parquet")
    warm.get(kind, int)()
    began = time.perf_counter()
    rows = peer(path, folder) if kind == PEER else export(kind, path, folder)
    took = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows": rows, "seconds": took, "megabytes": peak}))


def main(rows: int) -> int:
    """Print a table; return 1 if an export is too slow, takes too much memory or has other rows."""
    failed = []
    lines = []
    with tempfile.TemporaryDirectory() as base:
        path = f"{base}/warehouse.sqlite"
        fill(path, rows)
        for kind in (*SECONDS, PEER):
            folder = f"{base}/{kind}"
            for number in ("first", "again") if kind in SECONDS else ("first",):
                command = [sys.executable, __file__, "--one", kind, path, folder]
                printed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout  # noqa: S603 - ours
                took = json.loads(printed)
                found = read(kind, folder)
                is_right = found == (rows, rows) and took["rows"] == rows
                limit = SECONDS.get(kind)
                is_ok = is_right and (
                    limit is None or (took["seconds"] <= limit and took["megabytes"] <= MEGABYTES)
                )
                if not is_ok:
                    failed.append(f"{kind}, {number}")
                lines.append(
                    (
                        kind,
                        number,
                        f"{took['seconds']:.1f} s",
                        f"{took['megabytes']:.0f} MB",
                        "yes" if is_right else f"no: {found}",
                        f"<= {limit:g} s, {MEGABYTES} MB" if limit else "",
                    )
                )
    print(f"{rows:,} results in SQLite\n")
    show(("export", "time", "took", "peak memory", "rows are right", "target"), lines)
    print(f"FAIL: {'; '.join(failed)}" if failed else "PASS")
    return int(bool(failed))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--one", nargs=3, metavar=("KIND", "WAREHOUSE", "FOLDER"))
    asked = parser.parse_args()
    if asked.one:
        one(*asked.one)
        sys.exit(0)
    sys.exit(main(asked.rows))
