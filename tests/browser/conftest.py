"""A real browser, on a simulator's page and on the demo's Airflow."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from airflow_provider_faceid.simulator import SimulatorServer
from tests.browser.watched_airflow import read_as, running, watched

__all__ = ["read_as", "running", "watched"]

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--window-size=1200,1600",
)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One browser for all tests; it ends with its driver."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", metavar="FOLDER", help="where pictures of the demo are put")


@pytest.fixture
def screenshot(chromium, request) -> Callable[..., None]:
    """Take a picture of the page, or of an element as long as it is, if a folder was named."""
    folder = request.config.getoption("--screenshots")

    def take(name: str, element: str = "", *, hide_tooltips: bool = False) -> None:
        if not folder:
            return
        if hide_tooltips:
            chromium.execute_script(
                "document.querySelectorAll('[data-scope=tooltip][data-part=positioner]')"
                ".forEach(one => one.remove())"
            )
        picture = Path(folder) / f"{name}.png"
        if not element:
            chromium.save_screenshot(str(picture))
            return
        before = chromium.get_window_size()
        shown = [
            one for one in chromium.find_elements(By.CSS_SELECTOR, element) if one.is_displayed()
        ]
        chromium.set_window_size(before["width"], shown[-1].size["height"] + 400)
        shown[-1].screenshot(str(picture))
        chromium.set_window_size(before["width"], before["height"])

    return take


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[SimulatorServer]:
    """Another server of this machine, which is another origin."""
    with SimulatorServer(people=20) as server:
        yield server


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(people=60) as server:
        yield server
