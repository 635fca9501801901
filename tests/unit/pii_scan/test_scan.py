from __future__ import annotations

import gzip
import io
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_faceid.pii_scan import CHUNK, PiiScan
from tests.support.patience import PATIENCE
from tests.unit.pii_scan.conftest import MARKERS, NAME, NUMBER


def places(pii_scan, folder):
    return [(hit.place.replace(f"{folder}/", ""), hit.marker) for hit in pii_scan.hits]


@pytest.mark.parametrize("at", [0, CHUNK - 40, CHUNK - 17, CHUNK - 1, CHUNK, 2 * CHUNK + 5])
def test_a_stream_is_searched_across_its_pieces(at):
    stream = io.BytesIO(b" " * at + NUMBER.encode() + b" " * CHUNK)
    pii_scan = PiiScan(MARKERS)
    pii_scan.search_stream("log", stream)
    assert [(hit.form, hit.times) for hit in pii_scan.hits if hit.form == "clear"] == [("clear", 1)]
    assert pii_scan.searched.bytes == at + len(NUMBER) + CHUNK


def test_a_folder_is_searched_packed_files_too(folder):
    pii_scan = PiiScan(MARKERS)
    pii_scan.search_folder(folder, skip=[folder / "source.csv"])
    assert places(pii_scan, folder) == [
        ("logs/old.log.gz (unpacked)", "number"),
        ("logs/task.log", "name"),
    ]
    assert (pii_scan.searched.files, pii_scan.searched.missed) == (3, [])


def test_the_values_of_a_parquet_file_are_searched(tmp_path):
    file = tmp_path / "a.parquet"
    people = {"key": [1, 2, 3], "name": ["x", NAME, None], "note": [None, "y", f"see {NUMBER}"]}
    pq.write_table(pa.table(people), file, compression="zstd")
    pii_scan = PiiScan(MARKERS)
    pii_scan.search_folder(tmp_path)
    assert {(f"{file} (unpacked)", "name"), (f"{file} (unpacked)", "number")} <= {
        (hit.place, hit.marker) for hit in pii_scan.hits
    }
    assert pii_scan.searched.missed == []


def test_a_folder_may_be_skipped(folder):
    pii_scan = PiiScan(MARKERS)
    pii_scan.search_folder(folder, skip=[folder / "logs"])
    assert places(pii_scan, folder) == [("source.csv", "number")]


def test_a_name_in_a_path_is_found_and_not_told(folder):
    (folder / f"photos of {NAME}").mkdir()
    (folder / f"photos of {NAME}" / "1.txt").write_text(NUMBER)
    pii_scan = PiiScan(MARKERS)
    pii_scan.search_folder(folder, skip=[folder / "logs", folder / "source.csv"])
    assert places(pii_scan, folder) == [("***/1.txt", "number"), ("name of ***/1.txt", "name")]


@pytest.mark.parametrize(
    "broken", [gzip.compress(b"x" * 99, mtime=0)[:-9], b"\x1f\x8b no", b"\x1f\x8b", b"PAR1"]
)
def test_a_packed_file_that_is_broken_is_told(tmp_path, broken):
    (tmp_path / "log.gz").write_bytes(broken)
    pii_scan = PiiScan(MARKERS)
    pii_scan.search_folder(tmp_path)
    (missed,) = pii_scan.searched.missed
    assert missed.startswith(f"{tmp_path}/log.gz: ")


def test_every_column_of_every_table_is_searched(database):
    pii_scan = PiiScan(MARKERS)
    pii_scan.search_database(f"sqlite:///{database}")
    assert {(hit.place, hit.marker, hit.form): hit.times for hit in pii_scan.hits} == {
        ("airflow.db:all sorts.packed", "name", "JSON"): 1,
        ("airflow.db:all sorts.gzipped", "number", "clear"): 1,
        ("airflow.db:all sorts.photo", "photo", "clear"): 16,
        ("airflow.db:all sorts.broken", "number", "clear"): 1,
        ("airflow.db:all sorts.no text", "name", "clear"): 1,
        ("airflow.db:all sorts.note", "name", "JSON"): 1,
        ("airflow.db:all sorts.number", "number", "part"): 1,
        ("airflow.db:applicants.name", "name", "clear"): 250,
    }
    assert (pii_scan.searched.tables, pii_scan.searched.rows) == (2, 251)


def test_the_source_is_skipped(database):
    pii_scan = PiiScan(MARKERS)
    pii_scan.search_database(f"sqlite:///{database}", skip=["applicants", "all sorts"])
    assert (pii_scan.hits, pii_scan.searched.rows) == ([], 0)


def test_memory_does_not_grow_with_what_is_searched():
    script = (
        "import resource\n"
        "from airflow_provider_faceid.pii_scan import PiiScan\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "def search(pieces):\n"
        "    class Stream:\n"
        "        left = pieces\n"
        "        def read(self, size):\n"
        "            self.left -= 1\n"
        "            return b'0123456789 event ' * (size // 17) if self.left >= 0 else b''\n"
        "    pii_scan.search_stream('log', Stream())\n"
        f"pii_scan = PiiScan({{'number': {NUMBER!r}}})\n"
        "search(4); before = peak(); search(64)\n"
        "print(peak() - before)\n"
    )
    grown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert int(grown.stdout) < 8_000  # kilobytes, of 64 MB searched
