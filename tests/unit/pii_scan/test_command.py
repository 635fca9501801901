from __future__ import annotations

import gzip
import os
import subprocess
import sys

import pytest

from airflow_provider_faceid.pii_scan.__main__ import main
from tests.support.patience import PATIENCE
from tests.unit.pii_scan.conftest import NAME, found


def test_the_command_tells_places_and_nobodys_name(database, folder, markers, monkeypatch, capsys):
    monkeypatch.setenv("THE_DATABASE", f"sqlite:///{database}")
    arguments = ["--markers", str(markers), "--database", "THE_DATABASE", "--skip-table"]
    arguments += ["applicants", "--folder", str(folder), "--skip-file", str(folder / "source.csv")]
    assert main(arguments) == 1
    told, errors = capsys.readouterr()
    assert "airflow.db:all sorts.packed: line 3, JSON, 1x\n" in told
    assert "airflow.db:all sorts.photo: line 4, clear, 16x\n" in told
    assert f"{folder}/logs/old.log.gz (unpacked): line 1, clear, 1x\n" in told
    assert told.splitlines()[-1].startswith("searched 1 table with 1 row, 3 files, 0.0 MB: 24 hits")
    assert (found(told), errors) == (set(), "")


def test_the_command_reads_what_is_piped_into_it(markers):
    def run(text):
        command = [sys.executable, "-m", "airflow_provider_faceid.pii_scan", "--stdin"]
        done = subprocess.run(
            [*command, "--markers", markers],
            input=text,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
            env=os.environ | {"PYTHONUTF8": "1"},
        )
        return done.returncode, done.stdout.splitlines()

    assert run("nobody\n") == (0, ["searched 0 tables with 0 rows, 0 files, 0.0 MB: 0 hits"])
    assert run(f"verified {NAME}\n") == (
        1,
        [
            "standard input: line 3, clear, 1x",
            "searched 0 tables with 0 rows, 0 files, 0.0 MB: 1 hit",
        ],
    )


@pytest.fixture
def nothing(tmp_path, monkeypatch):
    """A folder without files, and one with a file that cannot be read, in the working folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "broken"):
        (tmp_path / name).mkdir()
    (tmp_path / "broken" / "log.gz").write_bytes(gzip.compress(b"x" * 99)[:-9])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--folder", "empty"], "0 hits"),
        (["--database", "NO_SUCH_VARIABLE"], "KeyError"),
        (["--database", "sqlite:////no/such/place"], "OperationalError"),
        (["--database", "nothing://"], "NoSuchModuleError"),
        (["--folder", "broken"], "not searched: broken/log.gz: EOFError"),
    ],
)
def test_the_command_says_when_nothing_is_proven(nothing, markers, capsys, arguments, told):
    assert main(["--markers", str(markers), *arguments]) == 2
    assert told in "".join(capsys.readouterr())


@pytest.mark.parametrize("text", ["", "\n", "Li Na\n", "file:no such photo\n"])
def test_the_command_refuses_markers_that_are_none(tmp_path, text, capsys):
    file = tmp_path / "markers.txt"
    file.write_text(text)
    assert main(["--markers", str(file), "--folder", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("pii_scan: ")
