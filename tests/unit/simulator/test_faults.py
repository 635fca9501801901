from __future__ import annotations

import random
import threading
import time

import pytest

from airflow_provider_faceid.simulator.account.account import VirtualClock
from airflow_provider_faceid.simulator.faults import FaultRule, Faults, Nth
from airflow_provider_faceid.simulator.faults.effects import AccountState, Code, Delay, DropAfter
from airflow_provider_faceid.simulator.people import FACE, ID_CARD

DROP, LATE = DropAfter(), Delay(1)
PEOPLE = [f"number {index}" for index in range(400)]


@pytest.fixture
def virtual() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def faults(virtual: VirtualClock) -> Faults:
    return Faults(virtual)


def hit(faults: Faults, calls: int, action: str = ID_CARD, id_card: str = "1") -> list[int]:
    """Return which of so many calls something happens to."""
    return [n for n in range(1, calls + 1) if faults.decide(action, id_card) is not None]


def victims(faults: Faults, people: list[str]) -> set[str]:
    return {person for person in people if faults.decide(ID_CARD, person)}


def test_without_rules_nothing_happens(faults):
    assert hit(faults, 5) == []


def test_a_rule_happens_to_the_calls_it_names(faults):
    faults.add(FaultRule(DROP, nth=Nth(3, 7, 2)))
    assert hit(faults, 10) == [3, 5, 7]


def test_other_actions_and_people_are_not_counted(faults):
    faults.add(FaultRule(DROP, action=ID_CARD, person="11x", nth=Nth(2, 2)))
    assert not faults.decide(ID_CARD, "11X")
    assert not faults.decide(FACE, "11X")
    assert not faults.decide(ID_CARD, "12X")
    assert faults.decide(ID_CARD, "11X") is DROP


def test_the_first_rule_that_wants_a_call_has_it_and_all_count_it(faults):
    faults.add(FaultRule(LATE, nth=Nth(2, 2)), FaultRule(DROP, nth=Nth(2, 3)))
    assert [faults.decide(ID_CARD, "1") for _ in range(4)] == [None, LATE, DROP, None]
    assert [(row["seen"], row["fired"]) for row in faults.rows()] == [(4, 1), (4, 1)]


def test_a_rule_that_happened_often_enough_leaves_calls_to_the_next(faults):
    faults.add(FaultRule(LATE, times=2), FaultRule(DROP))
    assert [faults.decide(ID_CARD, "1") for _ in range(3)] == [LATE, LATE, DROP]


def test_a_setting_is_changed_once_unless_told_otherwise(faults):
    faults.add(FaultRule(AccountState("arrears")), FaultRule(AccountState("ok"), times=2))
    assert hit(faults, 5) == [1, 2, 3]


def test_a_rule_ends_so_many_seconds_after_it_first_happened(faults, virtual):
    faults.add(FaultRule(DROP, nth=Nth(2), lasts_s=600))
    virtual.advance(86_400)
    assert hit(faults, 3) == [2, 3]
    virtual.advance(599)
    assert hit(faults, 1) == [1]
    virtual.advance(2)
    assert hit(faults, 3) == []


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 1.0])
def test_probability_is_the_share_of_calls(faults, probability):
    faults.add(FaultRule(DROP, probability=probability))
    assert len(victims(faults, PEOPLE)) == pytest.approx(probability * len(PEOPLE), abs=25)


def test_the_same_seed_hits_the_same_people_in_whatever_order_they_come(virtual):
    rule = FaultRule(DROP, probability=0.2, seed=5)
    shuffled = random.Random(1).sample(PEOPLE, len(PEOPLE))
    first = victims(Faults(virtual, [rule]), PEOPLE)
    assert first == victims(Faults(virtual, [rule]), shuffled)
    assert first != victims(Faults(virtual, [FaultRule(DROP, probability=0.2, seed=6)]), PEOPLE)


def test_chance_stays_the_same_from_release_to_release(virtual):
    """Who is hit is part of what a failing test says, so it may not depend on the time."""
    struck = victims(Faults(virtual, [FaultRule(DROP, probability=0.01)]), PEOPLE)
    assert struck == {f"number {index}" for index in (13, 72, 76, 84, 152, 200, 331)}


def test_a_person_who_calls_again_has_another_chance(faults):
    faults.add(FaultRule(DROP, probability=0.5))
    assert 20 <= len(hit(faults, 60)) <= 40


def test_rules_with_one_seed_hit_different_people(faults):
    faults.add(FaultRule(LATE, probability=0.5), FaultRule(DROP, probability=0.5))
    decided = [faults.decide(ID_CARD, person) for person in PEOPLE]
    assert decided.count(DROP) == pytest.approx(100, abs=30)


def test_a_number_no_file_could_hold_has_its_chance_too(faults):
    faults.add(FaultRule(DROP, probability=0.5))
    assert faults.decide("\udcff", "\ud800") in {None, DROP}


def test_a_reset_goes_back_to_the_rules_of_the_start(virtual):
    faults = Faults(virtual, [FaultRule(DROP, nth=Nth(1, 1))])
    faults.add(FaultRule(LATE))
    assert [faults.decide(ID_CARD, "1") for _ in range(2)] == [DROP, LATE]
    faults.reset()
    assert [faults.decide(ID_CARD, "1") for _ in range(2)] == [DROP, None]
    faults.clear()
    faults.add(FaultRule(Code("-4")))
    assert faults.decide(ID_CARD, "1") == Code("-4")


def test_rules_may_be_added_while_calls_are_decided(faults):
    done = threading.Event()
    decided = []

    def decide() -> None:
        while not done.is_set():
            decided.append(faults.decide(ID_CARD, "1"))

    thread = threading.Thread(target=decide)
    thread.start()
    for _ in range(200):
        faults.add(FaultRule(DROP, times=1))
    end = time.monotonic() + 20
    while sum(row["fired"] for row in faults.rows()) < 200 and time.monotonic() < end:
        time.sleep(0.001)
    done.set()
    thread.join()
    assert decided.count(DROP) == 200
