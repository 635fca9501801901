"""The review queue: what enters it, who decides, twice at once, four eyes, and what a recheck releases."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from airflow_provider_faceid.clock import SYSTEM_CLOCK, utc_seconds, utc_text
from airflow_provider_faceid.exceptions import (
    ClosedReviewError,
    ConfigurationError,
    NotAReviewerError,
    ReviewConflictError,
    ReviewError,
)
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.records import RunContext
from airflow_provider_faceid.warehouse.review.entry import ReviewEntry
from airflow_provider_faceid.warehouse.review.repository import ReviewsRepository
from airflow_provider_faceid.warehouse.review.rules import Reason, ReviewRules
from airflow_provider_faceid.warehouse.tables import HISTORY, RESULTS
from tests.support.homes import WITH_TRANSACTIONS, homes

from .conftest import Home, upsert

FACES = RunContext("kyc", "ImageRecognitionV2", "run 1", dag_id="dag", task_id="enter")
NOW = 1_790_000_000.0
LOG = "SELECT event, actor, decision, status FROM faceid_review_log ORDER BY review_id, number"


class StandingClock(type(SYSTEM_CLOCK)):
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.moment = NOW

    def now(self) -> float:
        return self.moment


class Queue:
    """A warehouse with results, and its review queue."""

    def __init__(self, home: Home) -> None:
        self.home, self.clock = home, StandingClock()
        self.database = home.open()
        prepare(self.database, Names())
        self.repository = self.another()
        self.repository.open(FACES)

    def another(self) -> ReviewsRepository:
        """Return the queue through a connection of its own."""
        return ReviewsRepository(self.home.open(), self.clock)

    def answer(self, key: str, code: str = "Success", at: float = NOW, **facts: Any) -> None:
        """Write an answer of the service."""
        usual = {**FACES.scope, "source_key": key, "status": "answered", "code": code}
        usual |= {"outcome": "match", "request_id": f"{key}@{at}", "answered_at": utc_text(at)}
        usual |= {"answer_id": usual["request_id"], "updated_at": utc_text(at), "row_hash": "same"}
        usual |= {"question_hash": f"{key:0>16}"}
        for table in (RESULTS, HISTORY):
            row = {name: value for name, value in (usual | facts).items() if name in table.columns}
            upsert(self.database, table, table.name, [row])

    def hold(self, key: str) -> None:
        """Write that a row was sent without an answer."""
        row = {**FACES.scope, "source_key": key, "status": "held", "outcome": "uncertain"}
        row |= {"code": "no_answer", "question_hash": f"{key:0>16}"}
        upsert(self.database, RESULTS, RESULTS.name, [row])

    def enter(self, **rules: Any) -> dict[str, int]:
        entry = ReviewEntry(self.home.open(), Names(), FACES, ReviewRules(**rules), self.clock)
        return dict(entry.enter())

    def ids(self) -> dict[str, str]:
        """Return the id of the unresolved case of each row."""
        cases = self.repository.unresolved("kyc", limit=100)
        return {case.source_key: case.review_id for case in cases}

    def only(self, **rules: Any) -> str:
        """Enter the one case there is, and return its id."""
        self.enter(**rules)
        (found,) = self.ids().values()
        return found


@pytest.fixture
def queue(home):
    return Queue(home)


pytestmark = homes(*WITH_TRANSACTIONS)


def test_rows_enter_by_rule_once_for_each_answer(queue):
    queue.answer("clear", similarity=95.0)
    queue.answer("just enough", similarity=80.0)
    queue.answer("not enough", similarity=60.0, outcome="review")
    queue.answer("fake", "FailedOperation.LifePhotoDetectFake", outcome="review")
    queue.answer("old photo", "FailedOperation.IdPhotoPoorQuality", outcome="review")
    queue.answer("turned", at=NOW - 99, similarity=90.0)
    queue.answer(
        "turned", "FailedOperation.CompareLowSimilarity", outcome="mismatch", similarity=9.0
    )
    queue.answer(
        "never", "FailedOperation.CompareLowSimilarity", outcome="mismatch", similarity=9.0
    )
    queue.hold("lost")
    entered = {"low_similarity": 2, "suspected_fake": 1, "poor_registered_photo": 1}
    assert queue.enter() == entered | {"mismatch_after_match": 1, "in_doubt": 1}
    assert queue.enter() == {}
    cases = {case.source_key: case for case in queue.repository.unresolved("kyc", limit=100)}
    assert {key: (case.reason, case.suggested) for key, case in cases.items()} == {
        "fake": ("suspected_fake", None),
        "turned": ("mismatch_after_match", "reject"),
        "just enough": ("low_similarity", "approve"),
        "not enough": ("low_similarity", "reject"),
        "lost": ("in_doubt", None),
        "old photo": ("poor_registered_photo", None),
    }
    assert next(iter(cases)) == "fake"
    assert cases["fake"].due_at == NOW + 4 * 3600
    queue.answer("fake", "FailedOperation.LifePhotoDetectFake", at=NOW + 60, outcome="review")
    assert queue.enter() == {"suspected_fake": 1}


def test_reasons_band_priority_due_time_and_four_eyes_are_settings(queue):
    queue.answer("a", similarity=85.0)
    queue.answer("b", "FailedOperation.LifePhotoDetectFake", outcome="review")
    rules = {
        "reasons": frozenset({Reason.LOW_SIMILARITY}),
        "similarity_band": (84.0, 86.0),
        "threshold": 85.5,
        "priority": {Reason.LOW_SIMILARITY: 1},
        "due_hours": {Reason.LOW_SIMILARITY: 0.5},
        "four_eyes": frozenset({Reason.LOW_SIMILARITY}),
    }
    assert queue.enter(**rules) == {"low_similarity": 1}
    (case,) = queue.repository.unresolved("kyc", limit=100)
    assert (case.priority, case.due_at, case.four_eyes) == (1, NOW + 1800, 1)
    assert case.suggested == "reject"
    with pytest.raises(ConfigurationError, match="similarity_band"):
        ReviewRules(similarity_band=(80.0, 60.0))
    with pytest.raises(ConfigurationError, match="priority"):
        ReviewRules(priority={Reason.IN_DOUBT: 0})


def test_a_decision_stands_beside_the_verdict_and_in_the_log(queue):
    queue.answer("a", similarity=65.0, outcome="review")
    case_id = queue.only()
    queue.clock.moment += 90
    case = queue.repository.decide(case_id, "approve", "ann", note=" looked at the card ")
    assert (case.status, case.decision, case.decided_by) == ("resolved", "approve", "ann")
    assert (case.seconds_open, case.version, case.note) == (90, 2, "looked at the card")
    columns = "outcome, review_reason, review_status, review_decision, reviewed_at"
    assert queue.home.query(f"SELECT {columns} FROM faceid_latest") == [
        ("review", "low_similarity", "resolved", "approve", utc_text(NOW + 90))
    ]
    assert queue.home.query(LOG) == [
        ("created", None, None, "open"),
        ("decided", "ann", "approve", "resolved"),
    ]
    queue.answer("a", at=NOW + 500, similarity=99.0)
    assert queue.home.query("SELECT outcome, review_decision FROM faceid_latest") == [
        ("match", None)
    ]


def unchanged(queue: Queue, error: type[Exception], words: str, work: Any) -> None:
    """Assert that something is refused, and that no table has changed."""
    tables = [f"SELECT * FROM {name}" for name in ("faceid_reviews", "faceid_review_log")]
    tables.append("SELECT source_key, status, not_before FROM faceid_results")
    before = [sorted(map(repr, queue.home.query(sql))) for sql in tables]
    with pytest.raises(error, match=words):
        work()
    assert [sorted(map(repr, queue.home.query(sql))) for sql in tables] == before


def test_bad_decisions_are_refused_by_name_and_change_nothing(queue):
    queue.answer("a", similarity=65.0, outcome="review")
    case_id = queue.only()
    decide, assign = queue.repository.decide, queue.repository.assign
    unchanged(queue, ReviewError, "no case 'x'", lambda: decide("x", "approve", "ann"))
    unchanged(queue, ConfigurationError, "one of", lambda: decide(case_id, "maybe", "ann"))
    unchanged(
        queue,
        NotAReviewerError,
        "not among the reviewers",
        lambda: decide(case_id, "approve", "eve", reviewers={"ann"}),
    )
    unchanged(queue, NotAReviewerError, "nobody", lambda: decide(case_id, "approve", ""))
    unchanged(
        queue,
        ConfigurationError,
        "holds no people",
        lambda: decide(case_id, "approve", "ann", note="is 138 1234 5678"),
    )
    assign(case_id, "bob", "ann")
    unchanged(
        queue, NotAReviewerError, "assigned to 'bob'", lambda: decide(case_id, "approve", "ann")
    )
    seen = queue.repository.case(case_id).version
    assign(case_id, "ann", "bob")
    unchanged(
        queue,
        ReviewConflictError,
        "Somebody else",
        lambda: decide(case_id, "approve", "ann", version=seen),
    )
    decide(case_id, "approve", "ann")
    unchanged(
        queue, ClosedReviewError, "resolved by 'ann'", lambda: decide(case_id, "reject", "ann")
    )
    unchanged(queue, ClosedReviewError, "resolved by 'ann'", lambda: assign(case_id, "bob", "ann"))


def test_of_two_decisions_at_once_one_holds(queue):
    if queue.home.dialect.name == "duckdb":
        pytest.skip("two decisions at once need two connections; DuckDB's file is opened by one")
    for number in range(5):
        queue.answer(str(number), similarity=65.0, outcome="review")
    queue.enter()
    for case_id in queue.ids().values():
        start, ends = threading.Barrier(2), []

        def decide(who: str, what: str, case_id=case_id, start=start, ends=ends) -> None:
            repository = queue.another()
            repository.case(case_id)
            start.wait(30)
            try:
                repository.decide(case_id, what, who)
                ends.append(who)
            except ReviewError as error:
                ends.append(type(error))
            finally:
                repository.database.close()

        threads = [
            threading.Thread(target=decide, args=one)
            for one in (("ann", "approve"), ("bob", "reject"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        (winner,) = [end for end in ends if isinstance(end, str)]
        (loser,) = [end for end in ends if not isinstance(end, str)]
        assert loser in {ReviewConflictError, ClosedReviewError}
        case = queue.repository.case(case_id)
        assert (case.decided_by, case.version) == (winner, 2)
    assert len(queue.home.query(LOG)) == 10


def test_four_eyes_take_two_people_who_agree(queue):
    queue.answer("a", similarity=65.0, outcome="review")
    case_id = queue.only(four_eyes=frozenset(Reason))
    decide = queue.repository.decide
    first = decide(case_id, "approve", "ann")
    assert (first.status, first.awaits_second, first.seconds_open) == ("in_progress", True, None)
    assert queue.repository.unresolved("kyc", second=True, limit=9) == [first]
    assert queue.repository.unresolved("kyc", second=False, limit=9) == []
    assert queue.home.query("SELECT review_decision FROM faceid_latest") == [(None,)]
    unchanged(queue, NotAReviewerError, "second person", lambda: decide(case_id, "approve", "ann"))
    disagreed = decide(case_id, "reject", "bob")
    assert (disagreed.status, disagreed.decision) == ("open", "escalate")
    assert (disagreed.priority, disagreed.awaits_second) == (1, False)
    decide(case_id, "reject", "cho")
    queue.clock.moment += 60
    last = decide(case_id, "reject", "bob")
    assert (last.status, last.decided_by, last.second_by) == ("resolved", "cho", "bob")
    assert (last.second_at, last.seconds_open) == (NOW + 60, 60)
    events = ["created", "decided", "disagreed", "decided", "seconded"]
    assert [event for event, *_ in queue.home.query(LOG)] == events


def test_a_repetition_of_the_same_task_changes_nothing(queue):
    queue.answer("a", similarity=65.0, outcome="review")
    case_id = queue.only()
    once = queue.repository.decide(case_id, "reject", "ann", origin="dag/run/task/0")
    assert queue.repository.decide(case_id, "reject", "ann", origin="dag/run/task/0") == once
    assert len(queue.home.query(LOG)) == 2


def test_a_time_limit_escalates_and_the_case_stays_open(queue):
    queue.answer("a", similarity=65.0, outcome="review")
    case_id = queue.only()
    case = queue.repository.decide(case_id, "escalate", "")
    assert (case.status, case.priority, case.decided_by) == ("open", 1, None)
    assert queue.repository.decide(case_id, "approve", "ann").is_resolved


def test_a_recheck_releases_the_row_and_keeps_its_verdict(queue):
    queue.answer("a", similarity=65.0, outcome="review")
    queue.hold("b")
    queue.enter()
    ids = queue.ids()
    for key in ("a", "b"):
        queue.repository.decide(ids[key], "recheck", "ann")
    columns = "source_key, status, outcome, not_before FROM faceid_results ORDER BY source_key"
    assert queue.home.query(f"SELECT {columns}") == [
        ("a", "answered", "review", utc_text(NOW)),
        ("b", "postponed", "uncertain", utc_text(NOW)),
    ]
    latest = "SELECT outcome, review_decision FROM faceid_latest"
    assert queue.home.query(latest) == [("review", "recheck")]
    queue.hold("b")
    assert queue.enter() == {"in_doubt": 1}


def test_a_recheck_of_a_row_with_another_answer_is_refused(queue):
    queue.answer("a", similarity=65.0, outcome="review")
    case_id = queue.only()
    queue.answer("a", at=NOW + 5, similarity=99.0)
    unchanged(
        queue,
        ReviewError,
        "another answer by now",
        lambda: queue.repository.decide(case_id, "recheck", "ann"),
    )
    assert queue.repository.decide(case_id, "reject", "ann").is_resolved


def test_the_overturn_rate_of_a_planted_set_is_exact(queue):
    planted = {"approve": 0, "reject": 0}
    for number in range(40):
        enough = number % 2 == 0
        queue.answer(
            str(number),
            similarity=75.0 if enough else 65.0,
            outcome="match" if enough else "review",
        )
    queue.enter()
    for key, case_id in queue.ids().items():
        number = int(key)
        if number >= 36:
            continue
        says = "approve" if number % 2 == 0 else "reject"
        against = {"approve": "reject", "reject": "approve"}[says]
        queue.clock.moment = NOW + 60 * (number + 1)
        if number % 9 == 4:
            queue.repository.decide(case_id, "recheck", "ann")
        elif number % 5 == 1:
            queue.repository.decide(case_id, against, "ann")
            planted[against] += 1
        else:
            queue.repository.decide(case_id, says, "ann")
    assert planted == {"approve": 3, "reject": 3}
    columns = "cases, unresolved, approved + rejected, rechecked, overturned, overturn_rate"
    ((*counts, rate),) = queue.home.query(
        f"SELECT {columns} FROM faceid_review_queue WHERE reason = 'low_similarity'"
    )
    assert counts == [40, 4, 32, 4, 6]
    assert rate == pytest.approx(6 / 32, abs=1e-12)
    ((median, oldest),) = queue.home.query(
        "SELECT median_seconds, oldest_at FROM faceid_review_queue"
    )
    assert median == 60 * 18
    assert utc_seconds(oldest) == NOW
