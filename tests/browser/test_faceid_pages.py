"""The pages under Browse > Face ID, in a browser on a running Airflow: who sees what, and what moves."""

from __future__ import annotations

from importlib.metadata import version
from urllib.parse import quote

import pytest
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver.common.by import By

from tests.browser.watched_airflow import HOSTILE, ROWS
from tests.support.patience import PATIENCE

HAS_STORAGE = not version("apache-airflow").startswith(("3.1.", "3.2."))


@pytest.mark.long  # before the others, while the run it watches goes on
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
