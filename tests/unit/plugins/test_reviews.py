"""The pages of the review queue: who sees cases, who decides them, and forms that are not ours."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from airflow_provider_faceid.clock import SYSTEM_CLOCK, utc_text
from airflow_provider_faceid.warehouse.migrations import prepare_review_log
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.review.repository import ReviewsRepository
from airflow_provider_faceid.warehouse.tables import REVIEWS
from tests.support import auth_manager
from tests.unit.plugins.conftest import HOSTILE, ONE

CASES = "/reviews?conn=wh&name=c"
DAY = 86_400


class Fields(HTMLParser):
    """The hidden fields of each form of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        found = dict(attrs)
        if tag == "form":
            self.forms.append({})
        if tag == "input" and found.get("type") == "hidden":
            self.forms[-1][found["name"]] = found["value"]


@pytest.fixture
def queue(warehouse):
    """Return what enters a case, with the repository it is in."""
    prepare_review_log(warehouse.database, Names())

    def enter(key: str, *, hours: float = 24, **row: Any) -> str:
        now = SYSTEM_CLOCK.now()
        usual = {"source_key": key, "answer_id": key, "review_id": f"case-{key}", "status": "open"}
        usual |= {"reason": "low_similarity", "outcome": "review", "code": "Success", "version": 1}
        usual |= {"similarity": 65.5, "suggested": "reject", "priority": 3, "four_eyes": 0}
        usual |= {"created_at": utc_text(now), "due_at": utc_text(now + 3600 * hours)}
        usual |= {"action": ONE}
        warehouse.write(REVIEWS, "faceid_reviews", **usual | row)
        return usual["review_id"]

    enter.case = lambda id_: ReviewsRepository(warehouse.database, SYSTEM_CLOCK).case(id_)
    return enter


@pytest.fixture
def send(visit):
    """Return what sends a form as somebody, by default one the session was shown."""

    def send(form: dict[str, str], role: str = "admin", **headers: str) -> Any:
        visit("/", role)  # takes on the role
        return visit.client.post("/review", data=form, headers=headers, follow_redirects=False)

    visit.client.cookies.set("_token", "the session of somebody")
    return send


def form_of(visit: Any, key: str, role: str = "admin") -> dict[str, str]:
    forms = Fields(visit(CASES, role).text).forms
    return next(form for form in forms if form["review_id"] == f"case-{key}")


def test_the_queue_lists_open_cases_with_their_numbers(queue, visit):
    queue("late", hours=-1, assigned_to="ann", status="in_progress")
    queue("soon")
    queue("done", status="resolved", decision="approve", decided_by="ann", seconds_open=120)
    text = visit("/reviews").text
    assert '<td class="n">2</td><td class="n late">1</td>' in text
    assert "100.0 %" in text
    assert "2 min 0 s" in text
    text = visit(CASES).text
    assert text.index("late") < text.index("soon")
    assert text.count("overdue</span>") == 1
    assert "case-done" not in text
    assert "65.50" in text
    assert "form-action 'self'" in visit(CASES).headers["content-security-policy"]
    assert "form-action 'none'" in visit("/reviews").headers["content-security-policy"]


def test_a_decision_is_recorded_as_the_user_who_is_logged_in(queue, visit, send):
    case_id = queue("a")
    form = form_of(visit, "a")
    answer = send(form | {"do": "approve", "note": "looked at it"})
    assert (answer.status_code, answer.headers["location"]) == (303, "reviews?conn=wh&name=c")
    case = queue.case(case_id)
    assert (case.status, case.decision, case.decided_by) == ("resolved", "approve", "admin")
    assert case.note == "looked at it"
    assert "case-a" not in visit(CASES).text
    again = send(form | {"do": "reject"})
    assert again.status_code == 409
    assert "was resolved by" in again.text
    assert queue.case(case_id) == case


def test_a_case_is_taken_and_given_back(queue, visit, send):
    case_id = queue("a")
    assert send(form_of(visit, "a") | {"do": "take"}).status_code == 303
    assert queue.case(case_id).assigned_to == "admin"
    assert send(form_of(visit, "a") | {"do": "give_back"}).status_code == 303
    assert queue.case(case_id).status == "open"


def test_a_page_offers_what_its_reader_may_do(queue, visit):
    queue("theirs", assigned_to="ann", status="in_progress")
    queue("first", four_eyes=1, decision="approve", decided_by="admin", status="in_progress")
    text = visit(CASES).text
    offered = {
        key: re.findall(r'name="do" value="(\w+)"', part.partition("</form>")[0])
        for key, part in (
            (key, text.partition(f'id="case-{key}"')[2]) for key in ("theirs", "first")
        )
    }
    assert offered == {"theirs": ["take"], "first": ["escalate"]}


def test_a_case_that_has_changed_since_the_page_was_loaded_is_refused(queue, visit, send):
    case_id = queue("a")
    form = form_of(visit, "a")
    send(form | {"do": "take"})
    answer = send(form | {"do": "approve"})
    assert answer.status_code == 409
    assert "Somebody else has changed" in answer.text
    assert queue.case(case_id).decision is None


@pytest.mark.parametrize(
    ("change", "headers"),
    [
        ({"form_token": ""}, {}),
        ({"form_token": "0" * 64}, {}),
        ({"version": "2"}, {}),
        ({"review_id": "case-b"}, {}),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
        ({}, {"Sec-Fetch-Site": "same-site"}),
        ({}, {"Cookie": "_token=another session"}),
    ],
)
def test_a_form_that_is_not_ours_changes_nothing(queue, visit, send, change, headers):
    ids = [queue("a"), queue("b")]
    answer = send(form_of(visit, "a") | {"do": "approve"} | change, **headers)
    assert answer.status_code == 403
    assert "Nothing was changed" in answer.text
    assert [queue.case(one).version for one in ids] == [1, 1]


def test_whoever_may_only_read_sees_cases_and_cannot_decide(queue, visit, send):
    case_id = queue("a")
    text = visit(CASES, "viewer").text
    assert "case-a" in text
    assert "<form" not in text
    form = form_of(visit, "a", "admin") | {"do": "approve"}
    answer = send(form, "viewer")
    assert answer.status_code == 403
    assert "does not let you edit runs of DAG" in answer.text
    assert queue.case(case_id).version == 1


@pytest.mark.parametrize("variable", [auth_manager.HIDDEN_DAGS, auth_manager.HIDDEN_KEYS])
def test_whoever_may_not_read_keys_sees_no_case(queue, visit, send, monkeypatch, variable):
    monkeypatch.setenv(variable, "secret")
    queue("hidden-key", dag_id="secret")
    form = form_of(visit, "hidden-key", "admin") | {"do": "approve"}
    seen, answer = visit(CASES, "user"), send(form, "user")
    assert (seen.status_code, answer.status_code) == (404, 404)
    assert "hidden-key" not in seen.text + answer.text + visit("/reviews", "user").text
    assert queue.case("case-hidden-key").version == 1


def test_bad_forms_are_refused_with_words(queue, visit, send):
    queue("a")
    form = form_of(visit, "a")
    for change, status, words in (
        ({"do": "maybe"}, 422, "A decision is one of"),
        ({"do": "approve", "note": "call 13812345678"}, 422, "holds no people"),
        ({"do": "approve", "conn": "other"}, 404, "Nothing to see here"),
        ({"do": "approve", "note": "x" * 20_000}, 413, "Too long"),
    ):
        answer = send(form | change)
        assert (answer.status_code, words in answer.text) == (status, True), answer.text
    assert queue.case("case-a").version == 1


def test_who_is_logged_out_neither_sees_nor_decides(queue, visit):
    queue("a")
    assert visit(CASES, role=None).status_code == 401
    visit("/", role=None)
    assert visit.client.post("/review", data={"do": "approve"}).status_code == 401


def test_whatever_is_in_a_key_is_shown_as_text(queue, visit):
    queue(HOSTILE, campaign=HOSTILE, assigned_to=HOSTILE, status="in_progress")
    assert "<script>alert" not in visit("/reviews").text
    from urllib.parse import quote  # noqa: PLC0415 - here only

    text = visit(f"/reviews?conn=wh&name={quote(HOSTILE)}").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text


def test_a_warehouse_without_cases_is_no_error(warehouse, visit):
    warehouse.run()
    assert "No case of a DAG you may read" in visit("/reviews").text
    assert visit(CASES).status_code == 404
