"""Marked people, a folder and a database that give some of them away."""

from __future__ import annotations

import gzip
import json
import random
import sqlite3
import zlib
from contextlib import closing

import pytest

from airflow_provider_faceid.pii_scan import PiiScan

NUMBER, NAME, LETTERS = "11010119900307889X", "㐅𠀡", "Qxzab Vjwkab"
PHOTO = random.Random(1).randbytes(5000)
MARKERS = {"number": NUMBER, "name": NAME, "letters": LETTERS, "photo": PHOTO}


def found(data, markers=MARKERS):
    """Return markers and forms found in a text or some bytes."""
    pii_scan = PiiScan(markers)
    pii_scan.search_text("here", data)
    return {(hit.marker, hit.form) for hit in pii_scan.hits}


@pytest.fixture
def folder(tmp_path):
    """A folder with a clean log, a hit, a packed hit, and something of the source."""
    home = tmp_path / "home"
    (home / "logs").mkdir(parents=True)
    (home / "logs" / "clean.log").write_text("verified: 3/3 rows")
    (home / "logs" / "task.log").write_text(f"row 7: {NAME}")
    (home / "logs" / "old.log.gz").write_bytes(gzip.compress(NUMBER.encode()))
    (home / "source.csv").write_text(NUMBER)
    return home


@pytest.fixture
def database(tmp_path):
    """A database in which all sorts of values give somebody away, and one is only a mask."""
    file = tmp_path / "airflow.db"
    cells = {
        "packed": zlib.compress(json.dumps({"dag": NAME}).encode()),
        "gzipped": gzip.compress(NUMBER.encode()),
        "photo": PHOTO,
        "broken": b"\xff\xfe" + NUMBER.encode(),
        "no text": sqlite3.Binary(NAME.encode()),
        "note": json.dumps(NAME),
        "number": int(NUMBER[:-1]),
        "masked": f"{NUMBER[:2]}**************{NUMBER[-2:]}",
        "empty": None,
    }
    with closing(sqlite3.connect(file)) as connection, connection:
        columns = ", ".join(f'"{name}"' for name in cells)
        connection.execute(f'CREATE TABLE "all sorts" ({columns})')
        markers = ", ".join(["?"] * len(cells))
        connection.execute(f'INSERT INTO "all sorts" VALUES ({markers})', list(cells.values()))
        connection.execute('UPDATE "all sorts" SET broken = CAST(broken AS TEXT)')
        connection.execute("CREATE TABLE applicants (name TEXT)")
        connection.executemany("INSERT INTO applicants VALUES (?)", [[NAME]] * 250)
    return file


@pytest.fixture
def markers(tmp_path):
    """A file of markers, as a user writes it."""
    (tmp_path / "photo.jpg").write_bytes(PHOTO)
    file = tmp_path / "markers.txt"
    file.write_text(f"{NUMBER}\n\n  {NAME}\nfile:{tmp_path / 'photo.jpg'}\n", encoding="utf-8")
    return file
