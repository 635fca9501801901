"""What the fault tests of one pytest run found, collected as they end."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from .table import Finding, markdown, rewrite, rows

FAILED = pytest.StashKey[bool]()
"""Whether the last phase of a test failed."""
MEASURED = "measured"
"""Name under which a test's measurement travels in its report."""


class Findings:
    """
    A plugin: collects outcomes and measurements, and shows the table at the end.

    :param page: page to rewrite; None to show nothing.
    """

    def __init__(self, page: Path | None) -> None:
        self.page = page
        self.by_number: dict[int, Finding] = defaultdict(Finding)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """Take down a test that ended, or that broke before or after."""
        report = (yield).get_result()
        item.stash[FAILED] = report.failed
        numbers = {n for mark in item.iter_markers("fault") for n in mark.args}
        if report.when != "call" and report.passed:
            return
        told = [value for name, value in report.user_properties if name == MEASURED]
        for number in numbers:
            finding = self.by_number[number]
            if report.passed:
                finding.passed += 1
                finding.measured += told
            else:
                finding.failed += 1

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the table and rewrite the page."""
        if self.page is None:
            return
        listed = rows(self.by_number)
        terminalreporter.write_line("")
        terminalreporter.write_line(markdown(listed))
        rewrite(self.page, listed)
        terminalreporter.write_line(f"{self.page} is rewritten")
