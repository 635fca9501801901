"""The report in Chromium without a network: it asks for nothing, everybody can read it, names are text.

And its HTML is valid, in each language and form.
"""

from __future__ import annotations

import sqlite3
from functools import partial
from itertools import product

import pytest

from airflow_provider_faceid.report.numbers import Scope, read_numbers
from airflow_provider_faceid.report.page import render
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql.database import SQLITE, Database
from tests.browser.page_checks import axe_findings, invalid
from tests.support.report_rows import ACTIONS, NOW, fill

POISON = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>'&"
WIDTHS = {"wide": 1280, "middle": 820, "narrow": 390}
KINDS = ("run", "days")
MOST_BYTES = 300_000


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """Numbers of a run and of 90 days, of campaigns with hostile names and with ordinary ones."""
    made = {}
    for mark in ("", POISON):
        path = tmp_path_factory.mktemp("warehouse") / "warehouse.sqlite"
        database = Database(partial(sqlite3.connect, path), SQLITE, "warehouse")
        fill(database, 150 if mark else 600, 10 if mark else 60, mark)
        ((run_id, campaign),) = database.rows(
            "SELECT run_id, campaign FROM faceid_runs ORDER BY started_at DESC, campaign DESC LIMIT 1"
        )
        quotas = {name: action.quota for name, action in ACTIONS.items()}
        run = Scope(campaign, run_id=run_id, quotas=quotas)
        for kind, scope in (("run", run), ("days", Scope(quotas=quotas))):
            made[kind, bool(mark)] = read_numbers(database, Names(), scope, NOW)
        database.close()
    return made


@pytest.fixture
def open_page(chromium, tmp_path):
    """Open a page from a file, without a network; its console is empty at the end."""
    chromium.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    chromium.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    size = chromium.get_window_size()
    chromium.get_log("browser")

    def look(html: str, *, width: str = "wide", height: int = 900, scheme: str = "light"):
        assert len(html.encode()) <= MOST_BYTES
        (tmp_path / "report.html").write_text(html, encoding="utf-8")
        # Narrower than a window can be: as a telephone says it.
        metrics = {
            "width": WIDTHS[width],
            "height": height,
            "deviceScaleFactor": 1,
            "mobile": False,
        }
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        chromium.get((tmp_path / "report.html").as_uri())
        return chromium

    yield look
    try:
        assert [entry["message"] for entry in chromium.get_log("browser")] == []
        asked = "return performance.getEntriesByType('resource').map((one) => one.name)"
        assert chromium.execute_script(asked) == []
    finally:
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        online = offline | {"offline": False, "downloadThroughput": -1, "uploadThroughput": -1}
        chromium.execute_cdp_cmd("Network.emulateNetworkConditions", online)
        chromium.set_window_size(size["width"], size["height"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_nothing(open_page, numbers, kind, width, scheme):
    page = open_page(render(numbers[kind, False], "en"), width=width, scheme=scheme)
    assert axe_findings(page) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_charts", [True, False])
def test_axe_finds_nothing_in_the_chinese_page_or_without_charts(
    open_page, numbers, kind, with_charts
):
    page = open_page(render(numbers[kind, False], "zh", with_charts=with_charts))
    assert axe_findings(page) == []
    assert page.execute_script("return document.documentElement.lang") == "zh-CN"
    drawn = page.execute_script("return document.querySelectorAll('figure svg').length")
    assert bool(drawn) is with_charts


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_names_are_text(open_page, numbers, kind):
    page = open_page(render(numbers[kind, True], "en"))
    assert "owned" not in page.execute_script("return document.title.split(' · ')[0]")
    count = "return document.querySelectorAll('script, img, iframe, object, link').length"
    assert page.execute_script(count) == 0
    assert POISON in page.execute_script("return document.body.textContent")


def test_every_form_of_it_is_valid_html(numbers, tmp_path):
    pages = {
        f"{kind}-{language}-{'charts' if charts else 'bars'}-{'hostile' if mark else 'usual'}": render(
            numbers[kind, mark], language, with_charts=charts
        )
        for kind, language, charts, mark in product(
            KINDS, ("en", "zh"), (True, False), (True, False)
        )
    }
    assert len(set(pages.values())) == 16
    assert invalid(pages, tmp_path) == []


def test_a_page_that_is_not_valid_is_found(tmp_path):
    page = "<!doctype html><html lang=en><title>x</title><p id=a><ul></ul><b id=a>"
    assert {"no-dup-id", "close-order"} <= {
        one.split(": ")[1] for one in invalid({"broken": page}, tmp_path)
    }


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_page(open_page, numbers, width):
    page = open_page(render(numbers["days", False], "en"), width=width)
    widths = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    wide, shown = page.execute_script(widths)
    assert wide <= shown
    visible = (
        "return [...document.querySelectorAll('figure')].map((figure) => "
        "[...figure.children].filter((one) => getComputedStyle(one).display !== 'none').length)"
    )
    assert set(page.execute_script(visible)) == {1}


def test_it_prints_on_a4(open_page, numbers):
    page = open_page(render(numbers["run", False], "en"))
    printed = page.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    assert len(printed["data"]) > 20_000
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    hidden = "return getComputedStyle(document.querySelector('nav')).display"
    assert page.execute_script(hidden) == "none"
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@pytest.mark.parametrize(
    ("name", "look"),
    [
        ("report-light", {}),
        ("report-dark", {"scheme": "dark"}),
        ("report-narrow", {"width": "narrow"}),
    ],
)
def test_it_is_drawn_for_the_docs(open_page, numbers, screenshot, name, look):
    """Pictures of the top of the page, if a folder was named; the page is the same each time."""
    page = open_page(render(numbers["days", False], "en"), height=1800, **look)
    heading = page.execute_script("return document.querySelector('h1').textContent")
    assert heading == "Face ID report, last 90 days"
    screenshot(name)
