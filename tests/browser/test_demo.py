"""``make ui`` as its user sees it: the Test button, a run, its summary; and where it listens."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from selenium.common.exceptions import ElementClickInterceptedException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.support.patience import PATIENCE

PROJECT = Path(__file__).resolve().parents[2]
SECONDS = 30
RUN_SECONDS = 240
DAG = "verify_id_cards"
BUTTON = ".//button[@aria-label='{}' or normalize-space()='{}']"


class Demo:
    """A running ``make ui`` and what it printed."""

    def __init__(self, process: subprocess.Popen[str], home: Path) -> None:
        self.process, self.home = process, home
        self.lines = []
        for line in process.stdout:
            self.lines.append(line.rstrip("\n"))
            if "Ctrl-C" in line:
                break
        self.url = re.search(r"http://\S+", self.lines[-1])[0]
        self._token = self.ask("/auth/token")["access_token"]

    def ask(self, path: str) -> Any:
        """Ask Airflow's API."""
        token = getattr(self, "_token", "")
        request = urllib.request.Request(
            self.url + path, headers={"Authorization": f"Bearer {token}"} if token else {}
        )
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.load(answer)

    def finished_run(self) -> str:
        """Return the id of the first run that has succeeded."""
        runs = self.ask(f"/api/v2/dags/{DAG}/dagRuns?order_by=run_after")["dag_runs"]
        assert "failed" not in {run["state"] for run in runs}
        return next((run["dag_run_id"] for run in runs if run["state"] == "success"), "")


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    with tempfile.TemporaryDirectory(prefix="demo-") as home:  # a short path, for the pictures
        yield from running(Path(home))


def running(home: Path) -> Iterator[Demo]:
    """Run ``make ui`` with a home of its own, and stop it as Ctrl-C does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if "AIRFLOW" not in name}
    command = [sys.executable, str(PROJECT / "demo" / "ui.py")]
    with subprocess.Popen(
        command,
        env=kept | {"FACEID_DEMO_HOME": str(home), "PORT": str(port)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield Demo(process, home)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def ui(chromium, demo):
    chromium.set_window_size(1280, 900)
    return Ui(chromium, demo)


class Ui:
    """The browser on the demo."""

    def __init__(self, browser, demo: Demo) -> None:
        self.browser, self.demo = browser, demo

    def open(self, path: str) -> None:
        self.browser.get(self.demo.url + path)

    def wait(self, look, seconds: float = SECONDS):
        return WebDriverWait(self.browser, seconds, 0.2, (WebDriverException,)).until(
            lambda _: look()
        )

    def press(self, title: str, within: str = "//body") -> None:
        """Press a button by its name; a tooltip may be in its way."""
        path = BUTTON.format(title, title)
        button = self.wait(
            lambda: self.browser.find_element(By.XPATH, within).find_element(By.XPATH, path)
        )
        try:
            button.click()
        except ElementClickInterceptedException:
            self.browser.execute_script("arguments[0].click()", button)

    def text(self) -> str:
        return self.browser.find_element(By.TAG_NAME, "body").text


def row_of(connection: str) -> str:
    return f"//tr[contains(., '{connection}')]"


def test_the_address_is_the_last_line_and_answers(demo):
    assert demo.lines[-1] == f"Airflow:   {demo.url} (Ctrl-C stops everything)"
    assert len(demo.lines) <= 4
    health = demo.ask("/api/v2/monitor/health")
    assert {part["status"] for part in health.values() if part and part["status"]} == {"healthy"}


def test_nothing_is_reached_from_elsewhere(demo):
    processes = [psutil.Process(demo.process.pid)]
    processes += processes[0].children(recursive=True)
    listening = [
        connection.laddr
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len({address.port for address in listening}) == 2  # Airflow and the simulator
    assert {address.ip for address in listening} == {"127.0.0.1"}


@pytest.mark.parametrize("connection", ["faceid_warehouse", "faceid_default"])
def test_the_demos_own_connection_passes_its_own_test(ui, connection, screenshot):
    ui.open("/connections")
    ui.press("Test Connection", within=row_of(connection))
    icon = f"{row_of(connection)}//button[@aria-label='Test Connection']//*[name()='svg']"

    def colour() -> str:
        return ui.browser.find_element(By.XPATH, icon).get_attribute("color") or ""

    ui.wait(colour)
    assert colour() == "green", ui.text()
    if connection == "faceid_default":
        screenshot("connection-test")


def test_the_form_shows_what_the_docs_say(ui, screenshot):
    ui.open("/connections")
    ui.press("Edit Connection", within=row_of("faceid_default"))
    ui.wait(lambda: "SecretId" in ui.text())
    screenshot("connection-form", "[role=dialog]", hide_tooltips=True)
    ui.press("Extra Fields", within="//*[@role='dialog'][.//button[normalize-space()='Save']]")
    ui.wait(lambda: "Similarity threshold" in ui.text())
    screenshot("connection-form-extra", "[role=dialog]", hide_tooltips=True)


def test_the_summary_of_a_run_is_readable_in_the_log(ui, demo, screenshot):
    """Pressed and looked at as a user does; nothing is unfolded."""
    ui.open(f"/dags/{DAG}")
    ui.press("Trigger Dag")
    ui.press("Trigger", within="//*[@role='dialog' and .//*[contains(., 'Logical Date')]]")
    ui.wait(lambda: "/runs/" in ui.browser.current_url)
    run = ui.wait(demo.finished_run, RUN_SECONDS)

    ui.open(f"/dags/{DAG}/runs/{run}/tasks/summarise")
    ui.wait(lambda: "calls/s" in ui.text())
    shown = dict(re.findall(r"- ([a-z_/ ]+?) {2,}([\d.]+)", ui.text()))
    assert {"rows in", "match", "mismatch", "quarantined", "held", "charged"} <= shown.keys()
    assert shown["rows in"] == "1000"
    screenshot("summary-in-the-log")

    ui.open(f"/dags/{DAG}/runs/{run}/tasks/verify")
    ui.wait(lambda: "Campaign 'verify_id_cards': 93" in ui.text())
    assert "in table 'faceid_results' of connection 'faceid_warehouse'" in ui.text()
    assert "64 rows are in quarantine until mended" in ui.text()
    screenshot("verify-in-the-log")

    ui.open(f"/dags/{DAG}/runs/{run}/tasks/validate")
    ui.wait(lambda: "64 rows are in quarantine" in ui.text())
    assert "ephemeral docs site" not in ui.text()
    assert "datasources" not in ui.text()
