"""What the fault tests of one pytest run found, collected as they end.

After each test the funnel of every run it made is checked, while its databases are still there.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql.database import SQLITE

from .funnels import check, in_files
from .table import Finding, markdown, rewrite, rows
from .trial import Trial

FAILED = pytest.StashKey[bool]()
"""Whether the last phase of a test failed."""
TRIALS = pytest.StashKey[list[Trial]]()
"""Trials a test has made."""
FUNNELS = "funnels"
"""Name under which the number of runs whose funnel was checked travels in a test's report."""
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
        self.runs = self.tests_with_runs = 0

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

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Any:
        """Check the funnels of a test that held, before its databases go."""
        wrong: list[str] = []
        try:
            is_ours = Path(__file__).parent in item.path.parents  # other suites may run with these
            if is_ours and not item.stash.get(FAILED, False):
                wrong = funnels(item)
        finally:
            result = yield
        assert not wrong, wrong
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count runs whose funnel was checked, in whichever process."""
        if report.when == "teardown":
            runs = sum(value for name, value in report.user_properties if name == FUNNELS)
            self.runs += runs
            self.tests_with_runs += bool(runs)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say how many funnels were checked; print the table and rewrite the page."""
        if self.runs:
            terminalreporter.write_line(
                f"funnels: {self.runs} runs of {self.tests_with_runs} fault tests were checked"
            )
        if self.page is None:
            return
        listed = rows(self.by_number)
        terminalreporter.write_line("")
        terminalreporter.write_line(markdown(listed))
        rewrite(self.page, listed)
        terminalreporter.write_line(f"{self.page} is rewritten")


def funnels(item: pytest.Item) -> list[str]:
    """Check every run of every warehouse a test used; return what is wrong."""
    used = getattr(item, "funcargs", {})
    trials = item.stash.get(TRIALS, [])
    checked, wrong = in_files(used["tmp_path"]) if "tmp_path" in used else (0, [])
    for trial in trials:
        if trial.home.dialect is SQLITE:
            continue  # a file, and seen
        database = trial.home.open()
        names = Names(*trial.ours)
        if database.columns(names.runs):
            runs, faults = check(database, names)
            checked += runs
            wrong += faults
    if not checked and any(made.get("calls") for trial in trials for made in trial.manifests):
        wrong.append("its runs made calls, and none was found in a warehouse")
    item.user_properties.append((FUNNELS, checked))
    return wrong
