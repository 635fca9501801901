"""Which rows are due and why, and whether a run may begin."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.batch.plan import (
    CampaignHistory,
    Disposition,
    Plan,
    Policy,
    Reason,
    RowDecision,
    decide_row,
)
from airflow_provider_faceid.exceptions import PlanRefusedError
from airflow_provider_faceid.warehouse.records import (
    PreviousRun,
    QuarantineEntry,
    Stage,
    Status,
    StoredResult,
)

NOW = 1_000_000.0
HASH, OTHER = "v2" + "a" * 22, "v2" + "b" * 22
DAY = 86_400.0


def known(
    status: Status = Status.ANSWERED,
    outcome: str = "match",
    row_hash: str | None = HASH,
    age: float = 0.0,
    not_before: float = 0.0,
) -> StoredResult:
    return StoredResult(status, outcome, row_hash, "person", NOW - age, not_before)


def decision(
    line: StoredResult | None,
    *refusals: QuarantineEntry,
    row_hash: str | None = HASH,
    person: str = "person",
    **policy: object,
) -> RowDecision:
    return decide_row(row_hash, line, refusals, Policy(NOW, **policy), lambda: person)


WAITING = known(Status.POSTPONED, "limit", not_before=NOW + 1)
RIPE = known(Status.POSTPONED, "limit", not_before=NOW)
RELEASED = known(Status.POSTPONED, "uncertain", not_before=NOW)
HELD = known(Status.HELD, "uncertain")
INVALID = QuarantineEntry("too_young", Stage.VALIDATE, None)
REFUSED = QuarantineEntry("service:-3", Stage.SERVICE, HASH)
BROKEN = QuarantineEntry("name_missing", Stage.INPUT, None)


@pytest.mark.parametrize(
    ("line", "refusals", "reason"),
    [
        (None, (), Reason.NEW),
        (known(row_hash=OTHER), (), Reason.CHANGED),
        (known(age=11 * DAY), (), Reason.EXPIRED),
        (RIPE, (), Reason.POSTPONED),
        (RELEASED, (), Reason.RELEASED),
        (HELD, (), Reason.HELD),
        (WAITING._replace(row_hash=OTHER), (), Reason.CHANGED),
        (HELD._replace(row_hash=OTHER), (), Reason.CHANGED),
        (RELEASED._replace(row_hash=OTHER), (), Reason.CHANGED),
        (None, (REFUSED._replace(row_hash=OTHER),), Reason.MENDED),
        (None, (BROKEN,), Reason.MENDED),
        (HELD, (INVALID,), Reason.HELD),
    ],
)
def test_a_row_is_due_for_a_reason(line, refusals, reason):
    assert decision(line, *refusals, valid_for=10 * DAY).reason is reason


@pytest.mark.parametrize(
    ("line", "refusals", "place", "detail"),
    [
        (known(age=9 * DAY), (), Disposition.ANSWERED, "match"),
        (known(), (INVALID,), Disposition.ANSWERED, "match"),
        (WAITING, (), Disposition.POSTPONED, "limit"),
        (None, (INVALID, BROKEN), Disposition.QUARANTINED, "too_young"),
        (None, (REFUSED,), Disposition.QUARANTINED, "service:-3"),
    ],
)
def test_all_others_are_left_alone(line, refusals, place, detail):
    found = decision(line, *refusals, valid_for=10 * DAY)
    assert (found.reason, found.place, found.detail) == (None, place, detail)
    assert not found.is_outdated


@pytest.mark.parametrize("line", [known(row_hash=OTHER), RIPE, WAITING._replace(row_hash=OTHER)])
def test_a_row_the_validation_refuses_loses_what_is_not_its_verdict(line):
    found = decision(line, INVALID)
    assert (found.reason, found.place, found.is_outdated) == (None, Disposition.QUARANTINED, True)


def test_without_a_limit_an_answer_never_expires():
    assert decision(known(age=1e6)).place is Disposition.ANSWERED


def test_a_photo_the_service_refused_may_be_another_one_unless_a_version_says_so():
    assert decision(None, REFUSED, compares_photos=False).reason is Reason.MENDED
    assert decision(None, REFUSED).place is Disposition.QUARANTINED


@pytest.mark.parametrize(("person", "is_due"), [("person", False), ("another", True)])
def test_a_row_of_version_1_is_compared_by_its_number(person, is_due):
    found = decision(known(row_hash=None), person=person)
    assert (found.reason is Reason.CHANGED) is is_due
    assert found.is_adopted is not is_due
    assert found.was_answered is is_due


@pytest.mark.parametrize(
    ("before", "now", "is_due", "is_adopted"),
    [
        (HASH + ".old", HASH + ".old", False, False),
        (HASH + ".old", HASH + ".new", True, False),
        (HASH, HASH + ".new", False, True),
        (HASH + ".old", HASH, False, True),
        (HASH, OTHER + ".new", True, False),
        (HASH, None, True, False),
    ],
)
def test_another_version_is_another_question_once_versions_are_known(
    before, now, is_due, is_adopted
):
    found = decision(known(row_hash=before), row_hash=now)
    assert (found.reason is Reason.CHANGED, found.is_adopted) == (is_due, is_adopted)


def plan(changed: int, answered: int) -> Plan:
    return Plan(answered_before=answered, changed=changed)


def decide(one: Plan, max_changed: float = 0.2, *runs: PreviousRun) -> list[str]:
    history = CampaignHistory("c", "here:people", "key", runs)
    history.check(one, max_changed)
    return history.warnings()


MINE, ELSEWHERE = PreviousRun("here:people", "key"), PreviousRun("here:others", "key")


@pytest.mark.parametrize(
    ("changed", "answered", "max_changed", "may"),
    [
        (0, 0, 0.2, True),
        (20, 100, 0.2, True),
        (21, 100, 0.2, False),
        (1, 2, 0.2, True),  # one alone is no reload: that takes two
        (2, 3, 0.2, False),
        (1, 100, 0.0, False),
        (100, 100, 1.0, True),
    ],
)
def test_no_more_answered_rows_may_ask_something_else_than_allowed(
    changed, answered, max_changed, may
):
    if may:
        assert decide(plan(changed, answered), max_changed, MINE) == []
    else:
        with pytest.raises(PlanRefusedError, match=f"{changed} of {answered} answered rows"):
            decide(plan(changed, answered), max_changed, MINE)


def test_another_hash_key_is_said_and_named_as_the_cause():
    (warning,) = decide(plan(0, 0), 0.2, PreviousRun("here:people", "other"))
    assert "hashed with another key" in warning
    with pytest.raises(PlanRefusedError, match="hash key is another one"):
        decide(plan(50, 50), 0.2, PreviousRun("here:people", "other"))


def test_another_source_is_said():
    (warning,) = decide(plan(1, 9), 0.2, ELSEWHERE)
    assert "from here:others before, and now from here:people" in warning
    assert decide(plan(1, 9), 0.2, MINE, ELSEWHERE) == []


def test_two_sources_in_turn_whose_keys_collide_are_refused():
    assert len(decide(plan(0, 9), 0.2, ELSEWHERE, MINE)) == 1
    with pytest.raises(PlanRefusedError, match="used for here:others in turn"):
        decide(plan(1, 9), 0.2, ELSEWHERE, MINE)


def test_the_plan_is_said_in_one_line():
    one = Plan(still_valid=40, seconds=12.0)
    one.due.update({Reason.NEW: 7, Reason.CHANGED: 1})
    assert one.line() == (
        "8 due (1 changed, 7 new), 40 still valid; at most 8 calls and 8 charges, about 12 s"
    )
    assert Plan(still_valid=3, offered=2).line() == (
        "0 due (none), 3 still valid, 2 held; nothing to call"
    )
    assert not Plan(still_valid=3).has_work
    assert Plan(offered=1).has_work
