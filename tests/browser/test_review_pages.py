"""The pages of the review queue, in a browser on a running Airflow: who decides a case, and how often."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from hashlib import sha256
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of

from airflow_provider_faceid.clock import SYSTEM_CLOCK, utc_text
from airflow_provider_faceid.plugins.pages.rights import FIELD, form_token
from airflow_provider_faceid.warehouse.migrations import prepare, prepare_review_log
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.review.decisions import Case
from airflow_provider_faceid.warehouse.review.repository import ReviewsRepository
from airflow_provider_faceid.warehouse.sql.database import SQLITE, Database
from airflow_provider_faceid.warehouse.tables import REVIEWS, insert
from tests.browser.watched_airflow import HOSTILE
from tests.support.patience import PATIENCE

QUEUE, CASES = "reviews", "reviews?conn=warehouse&name=faces"
HOSTILE_CASES = f"reviews?conn=warehouse&name={quote(HOSTILE)}"
SIZES = {"wide": (1280, 1100), "narrow": (390, 844)}
"""CSS pixels of a window: of a desk, of a phone."""
PAUSED, WHY = "ImageRecognitionV2", "the <b>bill</b> is twice what it was"
HOUR = 3600.0
SEND = """
const form = Object.assign(document.createElement("form"), {method: "post", action: "review"});
for (const [name, value] of Object.entries(arguments[0])) {
  form.append(Object.assign(document.createElement("input"), {name, value}));
}
document.body.append(form);
form.submit();
"""


class Queue:
    """Cases in the warehouse, entered as the DAGs of the tests would."""

    def __init__(self, path: Any) -> None:
        self.base = Database(lambda: sqlite3.connect(path, timeout=PATIENCE), SQLITE, "warehouse")
        prepare(self.base, Names())
        prepare_review_log(self.base, Names())
        self.base.close()

    def enter(self, key: str, *, hours: float = 24.0, **row: Any) -> str:
        """
        Enter a case, and return its id.

        :param hours: until it is due; negative if it is overdue.
        """
        now = SYSTEM_CLOCK.now()
        usual = {"campaign": "faces", "action": PAUSED, "run_id": "run", "map_index": -1}
        usual |= {"source_key": key, "answer_id": key}
        usual |= {"review_id": sha256(key.encode()).hexdigest()[:32]}
        usual |= {"reason": "low_similarity", "outcome": "review", "code": "Success"}
        usual |= {"similarity": 65.5, "suggested": "reject", "priority": 3, "four_eyes": 0}
        usual |= {"created_at": utc_text(now - 30 * HOUR), "due_at": utc_text(now + hours * HOUR)}
        usual |= {"dag_id": "watched", "status": "open", "version": 1, "updated_at": utc_text(now)}
        with self.base.transaction("entering a case") as cursor:
            insert(cursor, self.base, REVIEWS, "faceid_reviews", [usual | row])
        self.base.close()
        return str((usual | row)["review_id"])

    def case(self, review_id: str) -> Case:
        try:
            return ReviewsRepository(self.base, SYSTEM_CLOCK).case(review_id)
        finally:
            self.base.close()


@pytest.fixture(scope="session")
def queue(watched) -> Queue:
    """A queue with undecided cases of each kind, of three DAGs."""
    found = Queue(watched.warehouse)
    fake = {"similarity": None, "suggested": None, "code": "FailedOperation.LifePhotoDetectFake"}
    four = {"four_eyes": 1, "status": "in_progress", "decision": "reject", "decided_by": "ann"}
    found.enter("applicant-1042", hours=-3, reason="suspected_fake", priority=1, **fake, **four)
    found.enter("applicant-0117", reason="mismatch_after_match", outcome="mismatch", priority=2)
    found.enter(
        "applicant-0311",
        similarity=71.25,
        suggested="approve",
        assigned_to="ann",
        status="in_progress",
    )
    ended = {"status": "resolved", "decided_by": "ann", "decided_at": utc_text(SYSTEM_CLOCK.now())}
    for number, decision in enumerate(("approve", "reject", "reject", "recheck"), 400):
        ended["seconds_open"] = number * 9
        found.enter(f"applicant-0{number}", similarity=66.0, decision=decision, **ended)
    found.enter("secret-key", campaign="of-secret", dag_id="secret")
    found.enter(
        f"<b>{HOSTILE}", campaign=HOSTILE, dag_id="hostile", assigned_to=HOSTILE, code=HOSTILE
    )
    return found


@pytest.fixture
def resized(chromium, read_as) -> Iterator[Callable[[str], None]]:
    """Return what gives the window a size, as a phone has it too."""
    del read_as  # sets a size of its own, first

    def resize(size: str) -> None:
        width, height = SIZES[size]
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    yield resize
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture(scope="session")
def paused(watched) -> str:
    """An Action that a person has paused from the command line, and why."""
    watched.home.type_("pause", PAUSED, "--reason", WHY)
    return PAUSED


def open_case(reader: Any, review_id: str) -> None:
    """Open the cases once a new one is among them: what was read a moment ago is shown again."""

    def is_there() -> bool:
        reader.open(CASES)
        return bool(reader.browser.find_elements(By.ID, review_id))

    reader.wait(is_there)


def press(reader: Any, review_id: str, decision: str, note: str = "") -> None:
    """Fill in the form of a case, press a button, and wait for the page that follows."""
    card = reader.browser.find_element(By.ID, review_id)
    card.find_element(By.NAME, "note").send_keys(note)
    card.find_element(By.CSS_SELECTOR, f"button[value={decision}]").click()
    left = staleness_of(card)
    reader.wait(lambda: left(reader.browser), PATIENCE)


def test_a_viewer_sees_the_queue_and_cannot_decide(queue, read_as):
    viewer = read_as("viewer")
    assert "low similarity" in viewer.open(QUEUE)
    viewer.browser.find_element(By.LINK_TEXT, "faces").click()
    viewer.wait(lambda: "applicant-1042" in viewer.text())
    assert "does not let you edit runs of DAG watched" in viewer.text()
    assert viewer.browser.find_elements(By.TAG_NAME, "form") == []
    review_id = queue.enter("applicant-0500")
    token = viewer.browser.get_cookie("_token")["value"]
    session = SimpleNamespace(headers={}, cookies={"_token": token})
    form = {"conn": "warehouse", "review_id": review_id, "version": "1", "do": "approve"}
    form[FIELD] = form_token(session, review_id, 1)  # even with a token of their own session
    viewer.browser.execute_script(SEND, form)
    viewer.wait(lambda: "Nothing was changed" in viewer.text())
    assert "Airflow does not let you edit runs of DAG 'watched'" in viewer.text()
    assert queue.case(review_id).version == 1


def test_an_administrator_decides_with_the_form_and_the_queue_shows_it(queue, read_as):
    review_id = queue.enter("applicant-0501", reason="poor_registered_photo")
    admin = read_as("admin")
    open_case(admin, review_id)
    press(admin, review_id, "take")
    assert queue.case(review_id).assigned_to == "admin"
    press(admin, review_id, "approve", "looked at the original")
    assert admin.browser.current_url.endswith(CASES)
    assert "applicant-0501" not in admin.text()
    case = queue.case(review_id)
    assert (case.status, case.decision, case.decided_by) == ("resolved", "approve", "admin")
    assert case.note == "looked at the original"
    assert counts(admin, "poor registered photo") == {"unresolved": "0", "approved": "1"}
    assert admin.complaints() == []


def test_a_double_click_decides_once(queue, read_as):
    review_id = queue.enter("applicant-0503")
    admin = read_as("admin")
    open_case(admin, review_id)
    card = admin.browser.find_element(By.ID, review_id)
    button = card.find_element(By.CSS_SELECTOR, "button[value=reject]")
    left = staleness_of(card)
    ActionChains(admin.browser).double_click(button).perform()
    admin.wait(lambda: left(admin.browser), PATIENCE)
    admin.wait(lambda: "Cases to decide" in admin.text())
    assert review_id not in admin.browser.page_source
    assert queue.case(review_id).decision == "reject"


def counts(reader: Any, reason: str) -> dict[str, str]:
    """Return numbers of a reason on the page of the whole queue."""
    reader.open(QUEUE)
    (table, *_) = reader.browser.find_elements(By.TAG_NAME, "table")
    names = [cell.text.lower() for cell in table.find_elements(By.CSS_SELECTOR, "thead th")]
    rows = [
        dict(zip(names, [cell.text for cell in row.find_elements(By.TAG_NAME, "td")], strict=True))
        for row in table.find_elements(By.CSS_SELECTOR, "tbody tr")
    ]
    ours = [row for row in rows if row["campaign"] == "faces"]
    (found,) = [row for row in ours if row["reason"].startswith(reason)]
    return {name: found[name] for name in ("unresolved", "approved")}


def test_of_two_decisions_at_once_one_holds_and_the_other_is_told(queue, read_as):
    review_id = queue.enter("applicant-0502")
    ann = read_as("ann")
    open_case(ann, review_id)
    first = ann.browser.current_window_handle
    ann.browser.switch_to.new_window("tab")
    try:
        ann.open(CASES)
        press(ann, review_id, "reject")
        ann.browser.close()
    finally:
        ann.browser.switch_to.window(first)
    before = queue.case(review_id)
    press(ann, review_id, "approve")
    assert "Nothing was changed" in ann.text()
    assert "was resolved by 'ann'" in ann.text()
    assert queue.case(review_id) == before
    assert before.decision == "reject"
    ann.browser.find_element(By.LINK_TEXT, "Back to the cases").click()
    ann.wait(lambda: "Cases to decide" in ann.text())


def test_a_user_without_right_on_the_dag_sees_nothing_of_its_cases(queue, read_as):
    pages = (QUEUE, "reviews?conn=warehouse&name=of-secret")
    admin = read_as("admin")
    assert all("of-secret" in admin.open(page) for page in pages)
    assert "secret-key" in admin.text()
    for user in ("ann", "viewer"):
        reader = read_as(user)
        for page in pages:
            text = reader.open(page)
            assert "secret" not in text
        assert "Nothing to see here" in reader.text()
        assert "faces" in reader.open(QUEUE)


def test_hostile_keys_are_text(queue, read_as):
    admin = read_as("admin")
    assert HOSTILE in admin.open(QUEUE)
    assert f"<b>{HOSTILE}" in admin.open(HOSTILE_CASES)
    with pytest.raises(NoAlertPresentException):
        admin.browser.switch_to.alert.dismiss()
    assert admin.browser.find_elements(By.CSS_SELECTOR, "main img, main script, main b") == []
    assert admin.complaints() == []


def test_the_pause_of_an_action_is_in_the_quota_table(paused, read_as, screenshot):
    viewer = read_as("viewer")
    viewer.open("")
    rows = viewer.browser.find_elements(By.CSS_SELECTOR, "section[aria-labelledby=quota] tbody tr")
    (text,) = [row.text for row in rows if paused in row.text]
    assert "paused by" in text
    assert WHY in text
    screenshot("pages-quota")
    assert viewer.complaints() == []


@pytest.mark.parametrize("size", SIZES)
def test_the_pages_fit_the_window(queue, read_as, resized, screenshot, size):
    admin = read_as("admin")
    resized(size)
    for name, page in (("queue", QUEUE), ("cases", CASES), ("hostile", HOSTILE_CASES)):
        admin.open(page)
        wide = "return document.documentElement.scrollWidth"
        assert admin.browser.execute_script(wide) <= SIZES[size][0], page
        if name == "cases":
            screenshot(f"pages-reviews-{size}")


@pytest.mark.usefixtures("queue", "paused")
@pytest.mark.parametrize(
    "look", [("wide", "light"), ("wide", "dark"), ("narrow", "dark")], ids=" ".join
)
@pytest.mark.parametrize(
    "asked",
    [
        ("admin", QUEUE),
        ("admin", CASES),
        ("viewer", CASES),
        ("admin", HOSTILE_CASES),
        ("viewer", "reviews?conn=warehouse&name=of-secret"),
        ("viewer", ""),
        ("", QUEUE),
    ],
    ids=["queue", "cases", "reading", "hostile", "unknown", "paused", "logged-out"],
)
def test_axe_and_the_validator_find_nothing(read_as, resized, tmp_path, asked, look):
    (user, page), (size, scheme) = asked, look
    reader = read_as(user)
    resized(size)
    reader.open(page)
    assert reader.judged(tmp_path, scheme) == []
