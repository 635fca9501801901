"""The funnel's counts: places of rows sum to the whole, charges to the bill, whatever was killed."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from airflow_provider_faceid.warehouse.funnel import Funnel
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sources.prerequisites import Prerequisite
from airflow_provider_faceid.warehouse.tables import HISTORY, QUARANTINE, RESULTS, RUNS
from tests.integration.warehouse.conftest import upsert

ONE, TWO, THREE = "IdCardVerification", "MobileStatus", "BankCardVerification"
STEPS = [Prerequisite(ONE), Prerequisite(TWO, ("found",)), Prerequisite(THREE)]
NAMES = Names("my %s_results", "my ?quarantine", "my {runs}")


class Book:
    """The tables of a campaign."""

    def __init__(self, home) -> None:
        self.database = home.open()
        prepare(self.database, NAMES)

    def row(self, action, key, outcome="match", status="answered", **more):
        row = {"campaign": "c", "action": action, "source_key": str(key)}
        row |= {"status": status, "outcome": outcome, **more}
        upsert(self.database, RESULTS, NAMES.results, [row])

    def rows(self, action, keys, *args, **more):
        for key in keys:
            self.row(action, key, *args, **more)

    def answer(self, action, key, at, charged=1, run="r1"):
        row = {
            "campaign": "c",
            "action": action,
            "source_key": str(key),
            "answer_id": f"a{key}{at}",
        }
        row |= {"charged": charged, "answered_at": moment(at), "run_id": run, "map_index": -1}
        upsert(self.database, HISTORY, NAMES.history, [row])

    def bad(self, action, key, rule="rule"):
        row = {"campaign": "c", "action": action, "source_key": str(key), "rule": rule}
        upsert(self.database, QUARANTINE, NAMES.quarantine, [{**row, "stage": "input"}])

    def run(self, action, started, ended, *, charged=0, unknown=0, calls=0, **more):
        row = {"campaign": "c", "action": action, "run_id": "r1", "map_index": -1}
        row |= {"started_at": moment(started), "state": "success" if ended else "running"}
        row |= {"finished_at": moment(ended) if ended else None, "calls": calls}
        row |= {"charged": charged, "charge_unknown": unknown}
        upsert(self.database, RUNS, NAMES.runs, [row | more])

    def read(self, steps=STEPS, prices=None):
        found = list(Funnel(self.database, NAMES, "c").read(steps, prices or {}))
        for step in found:
            facts = step.as_dict()
            parts = ("passed", "postponed", "held", "quarantined", "left")
            assert facts["reached"] == sum(map(facts.get, parts)) + sum(facts["others"].values())
            whole = facts["reached"] + facts["ended_before"] + facts["waiting_before"]
            assert whole == found[0].reached
        return found


def moment(minute):
    return f"2026-11-29T10:{minute:02}:00.000Z"


@pytest.fixture
def book(home):
    return Book(home)


def test_each_row_is_in_one_place_of_each_step_it_reached(book):
    book.rows(ONE, range(10))
    book.rows(ONE, range(10, 13), "mismatch")
    book.row(ONE, 13, "not_found")
    book.row(ONE, 14, "limit", "postponed")
    book.row(ONE, 15, "uncertain", "held")
    book.bad(ONE, 16)
    book.bad(ONE, 16, "another rule")
    book.bad(ONE, 0)  # it has an answer, too: that counts
    book.run(ONE, 0, 1, rows_in=20)
    book.rows(TWO, range(6), "found")
    book.row(TWO, 6, "not_found")
    book.bad(TWO, 7)
    book.row(TWO, 11, "found")  # it was a match of the first step once
    book.rows(THREE, range(3))
    book.row(THREE, 3, "review")
    one, two, three = book.read()
    assert (one.reached, one.passed, one.others) == (20, 10, {"mismatch": 3, "not_found": 1})
    assert (one.postponed, one.held, one.quarantined, one.left) == (1, 1, 1, 3)
    assert (two.reached, two.passed, two.others, two.quarantined) == (10, 6, {"not_found": 1}, 1)
    assert (two.left, two.ended_before, two.waiting_before) == (2, 4, 6)
    assert (two.asked_before, two.saved_rows) == (1, 3)
    assert (three.reached, three.passed, three.left) == (6, 3, 2)
    assert (three.ended_before, three.waiting_before, three.saved_rows) == (5, 9, 5)


def test_an_empty_campaign_is_a_funnel_of_nothing(book):
    assert [step.reached for step in book.read()] == [0, 0, 0]
    assert [step.saved_rows for step in book.read()] == [0, 0, 0]


def test_a_row_that_was_asked_before_its_earlier_verdict_changed_saves_nothing(book):
    book.row(ONE, 1, "mismatch")
    book.answer(TWO, 1, 1)
    book.row(ONE, 2, "mismatch")
    _, two, three = book.read()
    assert (two.ended_before, two.asked_before, two.saved_rows) == (2, 1, 1)
    assert three.saved_rows == 2


def test_rows_left_are_those_of_the_last_run_over_all_its_shards(book):
    book.rows(ONE, range(4))
    book.run(ONE, 0, 1, rows_in=100, run_id="r0")
    for shard in (0, 1):
        book.run(ONE, 2, None, rows_in=1, map_index=shard)
        book.run(ONE, 3 + shard, 9, rows_in=3, map_index=shard)
    book.run(ONE, 10, 11, rows_in=50, state="planned", run_id="r2")
    assert book.read()[0].left == 2


def test_money_is_of_the_charged_calls_of_all_runs(book):
    book.rows(ONE, range(2))
    book.row(ONE, 3, "mismatch")
    book.run(ONE, 0, 1, charged=2, calls=5, unknown=1)
    book.run(ONE, 2, 3, charged=1, calls=1)
    one, two, three = (
        step.as_dict() for step in book.read(prices={ONE: Decimal("0.1"), TWO: Decimal(3)})
    )
    assert (one["calls"], one["charged"], one["charge_unknown"]) == (6, 3, 1)
    assert (one["price"], one["cost"], one["cost_at_most"]) == (0.1, 0.3, 0.4)
    assert (two["cost"], two["saved_rows"], two["saved"]) == (0.0, 1, 3.0)
    assert (three["price"], three["cost"], three["saved"]) == (None, None, None)


def test_charges_of_a_killed_process_are_those_of_its_answers(book):
    # Killed: it wrote answers 1 and 2, and counts of a moment before; its third was only in the ledger.
    book.run(ONE, 1, None, charged=1, calls=1)
    book.answer(ONE, 1, 2)
    book.answer(ONE, 2, 3)
    book.answer(ONE, 9, 3, charged=0)
    book.run(ONE, 5, 8, charged=2, calls=2, unknown=1)  # its next try
    book.answer(ONE, 3, 4)
    book.answer(ONE, 4, 6)
    book.answer(ONE, 5, 7)
    book.row(ONE, 6, "uncertain", "held")
    (one,) = book.read([Prerequisite(ONE)])
    assert (one.charged, one.charge_unknown, one.unfinished) == (5, 2, 1)


def test_the_steps_are_compared_by_outcome_of_another_campaign_never(book):
    book.rows(ONE, range(3))
    book.row(TWO, 1, "found", campaign="another")
    assert Counter(step.passed for step in book.read()) == {3: 1, 0: 2}
