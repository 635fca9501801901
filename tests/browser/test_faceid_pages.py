"""The pages under Browse > Face ID, in a browser on a running Airflow: who sees what, and what moves."""

from __future__ import annotations

import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from selenium.common.exceptions import NoAlertPresentException, WebDriverException
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
SERVED = "const done = arguments[0]; fetch(location.href).then((a) => a.text()).then(done);"
"""Returns the page as it was served, before a script has touched it."""
HAS_STORAGE = not version("apache-airflow").startswith(("3.1.", "3.2."))


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

    def __init__(self, home: Home) -> None:
        self.home = home
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
    passwords.write_text(json.dumps({"admin": PASSWORD, "viewer": PASSWORD}))
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
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
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
            yield Watched(home)
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
    """The browser, as somebody."""

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


def test_progress_moves_while_a_batch_runs(running, watched, read_as, screenshot, tmp_path):
    viewer = read_as("viewer")
    viewer.open(watched.link("verify", "Face ID run"))
    viewer.wait(lambda: viewer.done() > 0, PATIENCE)
    first = viewer.done()
    viewer.wait(lambda: viewer.done() > first)
    assert running.state() == "running"
    screenshot("pages-run", "main")
    assert viewer.judged(tmp_path) == []
    viewer.open("")
    second = viewer.done()
    viewer.wait(lambda: viewer.done() > second)
    assert "in use by 1 run" in viewer.text()
    viewer.wait(lambda: "match" in viewer.text())
    screenshot("pages-overview")
    assert viewer.judged(tmp_path) == []
    assert viewer.complaints() == []


def test_it_is_in_the_menu_and_inside_airflow(running, watched, read_as, screenshot):
    viewer = read_as("viewer")
    viewer.open(f"{viewer.url}/plugin/faceid")
    frame = viewer.wait(lambda: viewer.browser.find_element(By.TAG_NAME, "iframe"))
    viewer.browser.switch_to.frame(frame)
    viewer.wait(lambda: "Running now" in viewer.text())
    screenshot("pages-in-airflow")
    viewer.browser.find_element(By.PARTIAL_LINK_TEXT, "manual__").click()
    viewer.wait(lambda: "The plan" in viewer.text())
    viewer.browser.find_element(By.CSS_SELECTOR, "a.airflow").click()
    viewer.browser.switch_to.default_content()
    viewer.wait(lambda: "/dags/watched/runs/" in viewer.browser.current_url)


def test_logged_out_is_refused(running, read_as):
    nobody = read_as()
    for page in ("", "campaign?conn=warehouse&name=kyc", "run?conn=warehouse"):
        text = nobody.open(page)
        assert "Airflow has to know who reads this" in text
        assert "kyc" not in text
    link = nobody.browser.find_element(By.LINK_TEXT, "Log in")
    link.click()
    nobody.wait(lambda: "/auth/login" in nobody.browser.current_url)


def test_a_viewer_without_right_on_a_dag_sees_nothing_of_it(running, watched, read_as):
    hidden = f"run?conn=warehouse&dag_id=secret&run_id={quote(watched.hidden.run_id)}"
    pages = ("", hidden, "campaign?conn=warehouse&name=of-secret")
    admin = read_as("admin")
    assert all("of-secret" in admin.open(page) for page in pages)
    viewer = read_as("viewer")
    for page in pages:
        text = viewer.open(page)
        assert "secret" not in text
        assert watched.hidden.run_id not in text
    assert "kyc" in viewer.open("")


@pytest.mark.skipif(not HAS_STORAGE, reason="the task state store is of Airflow 3.3")
def test_the_progress_is_in_the_storage_tab(running, watched, read_as):
    viewer = read_as("viewer")
    viewer.open(
        f"{viewer.url}/dags/watched/runs/{quote(running.run_id)}/tasks/verify/task-state-store"
    )
    viewer.wait(lambda: "faceid_progress" in viewer.text(), PATIENCE)


def test_the_report_is_linked_and_shown(running, watched, read_as, screenshot):
    assert running.until_ended() == "success", watched.home.errors()
    viewer = read_as("viewer")
    assert "kyc.html" in viewer.open(watched.link("report", "Face ID report"))
    viewer.browser.switch_to.frame(viewer.browser.find_element(By.TAG_NAME, "iframe"))
    viewer.wait(lambda: f"{ROWS + 63} rows came in" in viewer.text())
    viewer.browser.switch_to.default_content()
    screenshot("pages-report")
    viewer.open("campaign?conn=warehouse&name=kyc")
    screenshot("pages-campaign")
    assert viewer.complaints() == []
    text = viewer.open("")
    assert "No run is going on." in text
    assert "watched · " in text
    screenshot("pages-afterwards")
    assert "success" in viewer.open(watched.link("verify", "Face ID run"))


def test_hostile_names_and_keys_are_text(running, watched, read_as):
    run = watched.home.trigger("hostile")
    assert run.until_ended() == "success", watched.home.errors()
    viewer = read_as("viewer")
    viewer.wait(lambda: HOSTILE in viewer.open(""))
    text = viewer.open(f"campaign?conn=warehouse&name={quote(HOSTILE)}")
    assert HOSTILE in text
    assert "<b>9001" in text
    with pytest.raises(NoAlertPresentException):
        viewer.browser.switch_to.alert.dismiss()
    assert viewer.browser.find_elements(By.CSS_SELECTOR, "main img, main script, main b b") == []
    assert viewer.complaints() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "asked",
    [
        ("viewer", ""),
        ("viewer", "run"),
        ("viewer", "report"),
        ("viewer", "campaign?conn=warehouse&name=kyc"),
        ("viewer", f"campaign?conn=warehouse&name={quote(HOSTILE)}"),
        ("viewer", "campaign?conn=warehouse&name=of-nobody"),
        ("viewer", "run?conn=warehouse"),
        ("", ""),
    ],
    ids=["overview", "run", "report", "campaign", "hostile", "unknown", "incomplete", "logged-out"],
)
def test_axe_and_the_validator_find_nothing(running, read_as, tmp_path, asked, scheme):
    user, page = asked
    reader = read_as(user)
    assert running.until_ended() == "success", reader.watched.home.errors()
    links = {"run": ("verify", "Face ID run"), "report": ("report", "Face ID report")}
    reader.open(reader.watched.link(*links[page]) if page in links else page)
    assert reader.judged(tmp_path, scheme) == []
