"""A running Airflow whose pages under Browse > Face ID are tested, and its readers in a browser: fixtures."""

from __future__ import annotations

import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from airflow_provider_faceid.simulator import KEY, SimulatorServer
from airflow_provider_faceid.simulator.people import ID_CARD
from tests.browser.page_checks import axe_findings, invalid
from tests.support import auth_manager
from tests.support.airflow_home import PROJECT, ApiServer, Home, Run
from tests.support.patience import PATIENCE
from tests.support.processes import free_port

HOSTILE = "kyc <script>alert('x')</script><img src=x onerror=alert(1)> & \"co\""
ROWS, QUOTA = 700, 8
SECONDS = 60
PASSWORD = "viewed"
USERS = {"admin": "admin", "ann": "user", "viewer": "viewer"}
"""Their roles: all but administrators see nothing of the DAG ``secret``."""
SERVED = "const done = arguments[0]; fetch(location.href).then((a) => a.text()).then(done);"
"""Returns the page as it was served, before a script has touched it."""


class GuardedApi(ApiServer):
    """An api-server that asks for a password."""

    def token_of(self, user: str) -> str:
        body = json.dumps({"username": user, "password": PASSWORD}).encode()
        request = urllib.request.Request(
            f"{self.url}/auth/token", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)["access_token"]

    def log_in(self) -> bool:
        try:
            self.token = self.token_of("admin")
        except (urllib.error.URLError, ConnectionError):
            return False
        return True


class Watched:
    """The Airflow, and the runs that were made in it."""

    def __init__(self, home: Home, warehouse: Path) -> None:
        self.home, self.warehouse = home, warehouse
        self.hidden = home.trigger("secret")
        assert self.hidden.until_ended() == "success", home.errors()
        self.run = home.trigger("watched")

    def link(self, task_id: str, name: str) -> str:
        """Return an extra link of a task as Airflow's UI shows it; empty if it has none yet."""
        found = self.home.api.ask(f"{self.run.path}/taskInstances/{task_id}/links")
        return found["extra_links"].get(name) or ""


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("pages")
    passwords, reports = folder / "passwords.json", folder / "reports"
    passwords.write_text(json.dumps(dict.fromkeys(USERS, PASSWORD)))
    reports.mkdir()
    with SimulatorServer(people=800, quotas={ID_CARD: QUOTA}) as service:
        warehouse = folder / "warehouse.sqlite"
        fill(warehouse, service)
        home = Home(
            folder,
            {
                "faceid_default": {
                    "conn_type": "faceid",
                    "host": service.url,
                    "extra": {"quotas": {ID_CARD: QUOTA}},
                    **KEY,
                },
            },
            {"tests": PROJECT / "tests" / "browser" / "dags"},
            {
                "AIRFLOW__API__BASE_URL": "",
                "AIRFLOW__CORE__AUTH_MANAGER": "tests.support.auth_manager.GuardedAuthManager",
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
                    f"{name}:{role}" for name, role in USERS.items()
                ),
                "AIRFLOW__FACEID__PAGES_WAREHOUSES": "warehouse",
                "AIRFLOW__FACEID__REPORT_ROOTS": str(reports),
                "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
                "PYTHONPATH": str(PROJECT),
                auth_manager.HIDDEN_DAGS: "secret",
                "TEST_REPORTS": str(reports),
            },
            api=GuardedApi(f"http://127.0.0.1:{free_port()}"),
        )
        home.settings = {**home.settings, "AIRFLOW__API__BASE_URL": home.api.url}
        try:
            home.start()
            # In Airflow's own database, from which the api-server must read it as tasks do.
            home.api.ask(
                "/api/v2/connections",
                {"connection_id": "warehouse", "conn_type": "sqlite", "host": str(warehouse)},
            )
            yield Watched(home, warehouse)
        finally:
            home.parts.stop()


def fill(file: Path, service: SimulatorServer) -> None:
    """Make the table of applicants: ordinary people, and some bad rows."""
    people = [one for one in service.account.people.listed if not one.persona][:ROWS]
    with sqlite3.connect(file) as base:
        base.execute("CREATE TABLE applicants (applicant_id INTEGER, id_card TEXT, name TEXT)")
        rows = [(key, one.id_card, one.name) for key, one in enumerate(people, 1)]
        rows += [
            (key, one.id_card, other.name)
            for key, (one, other) in enumerate(zip(people[:60], people[60:120], strict=True), 5001)
        ]
        rows += [(9001, "123", "李四"), (9002, people[0].id_card, ""), (9003, None, "王五")]
        base.executemany("INSERT INTO applicants VALUES (?, ?, ?)", rows)
    base.close()


class Reader:
    """The browser, logged in as a user, or logged out."""

    def __init__(self, browser: Any, watched: Watched, user: str = "") -> None:
        self.browser, self.watched, self.url = browser, watched, watched.home.api.url
        browser.get(f"{self.url}/faceid/style.css")
        browser.delete_all_cookies()
        browser.get_log("browser")
        if user:
            token = watched.home.api.token_of(user)
            browser.add_cookie({"name": "_token", "value": token, "path": "/"})

    def open(self, path: str) -> str:
        self.browser.get(path if path.startswith("http") else f"{self.url}/faceid/{path}")
        return self.text()

    def text(self) -> str:
        return self.browser.find_element(By.TAG_NAME, "body").text

    def wait(self, look, seconds: float = SECONDS):
        return WebDriverWait(self.browser, seconds, 0.2, (WebDriverException,)).until(
            lambda _: look()
        )

    def done(self) -> int:
        """Return how many rows are done, as the page says."""
        shown = self.browser.find_element(By.CSS_SELECTOR, ".card.live .count strong").text
        return int(shown.replace(",", ""))

    def judged(self, folder: Path, scheme: str = "light", name: str = "page") -> list[Any]:
        """Return what axe-core and html-validate find on the page that is shown."""
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        try:
            found = axe_findings(self.browser)
        finally:
            self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        served = self.browser.execute_async_script(SERVED)
        return found + invalid({name: served}, folder)

    def complaints(self) -> list[str]:
        """Return what the browser complains about, but not pages we asked for in vain."""
        return [
            line["message"]
            for line in self.browser.get_log("browser")
            if line["level"] == "SEVERE" and "favicon" not in line["message"]
        ]


@pytest.fixture
def read_as(chromium, watched):
    chromium.set_window_size(1280, 1100)
    return lambda user="": Reader(chromium, watched, user)


@pytest.fixture(scope="session")
def running(watched) -> Run:
    """The watched run, once it calls."""
    link = lambda: watched.link("verify", "Face ID run")  # noqa: E731
    watched.home.parts.wait_for("link to the run", link, PATIENCE)
    return watched.run
