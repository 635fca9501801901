"""``airflow faceid report``: the report the operator writes, and what cannot be one."""

from __future__ import annotations

import json

import pytest

from .conftest import verify

GIVEN = ("report", "--warehouse-conn-id", "warehouse")


@pytest.fixture
def verified(bench, context):
    people = bench.ordinary[:12]
    bench.fill([(n, person.id_card, person.name) for n, person in enumerate(people)])
    verify(context)
    return bench


@pytest.mark.parametrize("about", [("--run-id", "manual__1", "--campaign", "dag"), ("--days", "7")])
def test_a_report_is_written_and_its_path_printed(verified, run, tmp_path, about):
    page = tmp_path / "kyc.html"
    done = run(*GIVEN, "--path", str(page), *about)
    assert done == (0, f"Report about 12 rows: {page}\nIts numbers: {tmp_path / 'kyc.json'}\n", "")
    numbers = json.loads(page.with_suffix(".json").read_text())
    assert numbers["headline"]["answered"] == 12
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert verified.calls == 12


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "Give --days or --run-id"),
        (("--days", "7", "--run-id", "manual__1"), "Give --days or --run-id"),
        (("--run-id", "manual__1"), "--run-id needs --campaign"),
        (
            ("--run-id", "manual__2", "--campaign", "dag"),
            "has no run 'manual__2' of campaign 'dag'",
        ),
        (("--days", "0"), "--days is a whole number from 1"),
        (("--days", "7", "--action", "Verify"), "unknown Action 'Verify'"),
        (("--days", "7", "--result-table", "other"), "has no such table: other"),
        (("--days", "7", "--faceid-conn-id", "no_such"), "`no_such` isn't defined"),
        (("--days", "7", "--path", "kyc.pdf"), "path: it ends with .html"),
        (("--days", "7", "--path", "/proc/no/kyc.html"), "path cannot be written"),
    ],
)
def test_what_is_wrong_is_named_in_a_sentence(verified, run, tmp_path, more, said):
    done = run(*GIVEN, "--path", str(tmp_path / "kyc.html"), *more)
    assert done.code == 1
    assert done.out == ""
    assert said in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.glob("kyc.*"))
