"""The list of faults is whole: every number has a test."""

from __future__ import annotations

import re
from pathlib import Path

from .catalogue import FAULTS
from .table import Finding, markdown, rewrite, rows

HERE = Path(__file__).parent
MARK = re.compile(r"pytest\.mark\.fault\(([\d, ]+)\)")


def marked() -> set[int]:
    """Return the numbers the tests are marked with."""
    marks = [found for path in HERE.glob("test_*.py") for found in MARK.findall(path.read_text())]
    return {int(number) for mark in marks for number in mark.split(",")}


def test_the_list_is_in_order_of_its_numbers():
    assert list(FAULTS) == sorted(FAULTS)
    assert set(range(1, 47)) <= FAULTS.keys()


def test_every_fault_has_a_test_and_every_test_a_fault():
    assert marked() == FAULTS.keys()


def test_the_table_shows_what_failed_and_what_was_not_tested():
    findings = {
        1: Finding(passed=2, measured=["0 lost", "0 lost"]),
        2: Finding(passed=3, failed=1),
    }
    shown = {row[0]: row[3:] for row in rows(findings)}
    assert shown["1"] == ("0 lost", "yes")
    assert shown["2"] == ("", "no")
    assert shown["3"] == ("", "not yet")


def test_the_table_is_put_between_its_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- measured: faults -->\nold\n<!-- end -->\nafter\n")
    rewrite(page, rows({}))
    text = page.read_text()
    assert text.startswith("before\n<!-- measured: faults -->\n| # | fault |")
    assert text.endswith("<!-- end -->\nafter\n")
    assert markdown(rows({})) in text
