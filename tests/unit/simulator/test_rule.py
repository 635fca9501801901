from __future__ import annotations

import math

import pytest

from airflow_provider_faceid.simulator.faults import (
    FaultRule,
    Nth,
    describe,
    read_rule,
    read_rules,
)
from airflow_provider_faceid.simulator.faults.effects import (
    EFFECTS,
    AccountState,
    Code,
    Delay,
    DropAfter,
    DropBefore,
    Quota,
    Status,
    Truncate,
)
from airflow_provider_faceid.simulator.people import FACE, ID_CARD
from airflow_provider_faceid.simulator.validation import FieldError

DROP = {"effect": "drop_after"}


def which(nth: Nth) -> list[int]:
    return [number for number in range(1, 13) if nth.holds(number)]


@pytest.mark.parametrize(
    ("written", "calls"),
    [
        (3, [3]),
        ({"first": 2}, [1, 2]),
        ({"every": 5}, [5, 10]),
        ({"from": 10}, [10, 11, 12]),
        ({"to": 2}, [1, 2]),
        ({"from": 4, "to": 6}, [4, 5, 6]),
        ({"from": 1, "to": 8, "every": 3}, [1, 4, 7]),
        ({}, list(range(1, 13))),
    ],
)
def test_calls_are_counted_from_one(written, calls):
    assert which(read_rule(DROP | {"nth": written}).nth) == calls


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        ({"effect": "delay", "wait_s": 2}, FaultRule(Delay(2))),
        (DROP, FaultRule(DropAfter())),
        ({"effect": "drop_before", "wait_s": 0.5}, FaultRule(DropBefore(0.5))),
        ({"effect": "status", "status": 502, "times": 3}, FaultRule(Status(502), times=3)),
        ({"effect": "truncate", "keep": 0, "close": False}, FaultRule(Truncate(0, close=False))),
        (
            {"effect": "code", "code": "-4", "action": ID_CARD, "nth": {"every": 2}},
            FaultRule(Code("-4"), action=ID_CARD, nth=Nth(2, None, 2)),
        ),
        (
            {"effect": "quota", "quotas": {FACE: 0}, "probability": 0.5, "seed": 4},
            FaultRule(Quota({FACE: 0}), probability=0.5, seed=4),
        ),
        (
            {"effect": "account", "state": "arrears", "person": "1", "lasts_s": 60},
            FaultRule(AccountState("arrears"), person="1", lasts_s=60),
        ),
    ],
)
def test_a_rule_is_read_and_described_as_it_was_written(document, rule):
    assert read_rule(document) == rule
    assert read_rule(describe(rule)) == rule
    assert document.items() <= (describe(rule) | {"nth": document.get("nth")}).items()


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("drop", "`rule` must be an object"),
        ({}, "`effect` must be one of: delay, dribble, drop_before"),
        ({"effect": "explode"}, "`effect` must be one of"),
        ({"effect": ["delay"]}, "`effect` must be one of"),
        ({"effect": "delay"}, "`wait_s` is missing: `delay` needs it"),
        ({"effect": "delay", "wait": 1}, "`wait` is unknown: `delay` takes wait_s"),
        ({"effect": "html_after", "x": 1}, "`x` is unknown: `html_after` takes nothing"),
        ({"effect": "delay", "wait_s": -1}, "`wait_s` must be a number from 0 to 3600"),
        ({"effect": "delay", "wait_s": True}, "`wait_s` must be a number"),
        ({"effect": "delay", "wait_s": math.nan}, "`wait_s` must be a number"),
        ({"effect": "delay", "wait_s": math.inf}, "`wait_s` must be a number"),
        ({"effect": "dribble", "over_s": "2"}, "`over_s` must be a number"),
        ({"effect": "truncate", "keep": 2}, "`keep` must be a number from 0 to 1"),
        ({"effect": "truncate", "close": 1}, "`close` must be true or false"),
        ({"effect": "status", "status": 200}, "`status` must be a whole number from 300 to 599"),
        ({"effect": "status", "status": 502.0}, "`status` must be a whole number"),
        ({"effect": "code", "code": ""}, "`code` must be a text"),
        ({"effect": "code", "code": 4}, "`code` must be a text"),
        ({"effect": "code", "code": "0", "envelope": "x"}, "`envelope` must be one of: result"),
        ({"effect": "code", "code": "0", "charged": "yes"}, "`charged` must be true or false"),
        ({"effect": "code", "code": "0", "fields": []}, "`fields` must be an object"),
        (
            {"effect": "quota", "quotas": {"Other": 1}},
            "`Other` is unknown: `quotas` takes BankCard",
        ),
        ({"effect": "quota", "quotas": {FACE: -1}}, f"`{FACE}` must be a whole number"),
        ({"effect": "clock_offset", "offset_s": 1e12}, "`offset_s` must be a number"),
        ({"effect": "account"}, "`state` is missing"),
        ({"effect": "account", "state": "rich"}, "`state` must be one of: ok, arrears"),
        ({"effect": "account", "token": ""}, "`token` must be a text"),
        (DROP | {"action": "Describe"}, "`action` must be one of: BankCard2EVerification"),
        (DROP | {"person": 7}, "`person` must be a text"),
        (DROP | {"nth": 0}, "`nth` must be a whole number from 1"),
        (DROP | {"nth": "3"}, "`nth` must be a whole number"),
        (DROP | {"nth": {"each": 3}}, "`each` is unknown: `nth` takes first, from, to, every"),
        (DROP | {"nth": {"first": 0}}, "`nth.first` must be a whole number from 1"),
        (DROP | {"nth": {"every": 0}}, "`nth.from` must be a whole number from 1"),
        (DROP | {"nth": {"from": 5, "to": 4}}, "`nth.to` must be a whole number from 5"),
        (DROP | {"probability": 1.1}, "`probability` must be a number from 0 to 1"),
        (DROP | {"seed": 1.5}, "`seed` must be a whole number"),
        (DROP | {"times": 0}, "`times` must be a whole number from 1"),
        (DROP | {"lasts_s": -1}, "`lasts_s` must be a number"),
    ],
)
def test_a_wrong_rule_is_refused_and_the_field_is_named(document, text):
    with pytest.raises(FieldError) as caught:
        read_rule(document)
    assert text in str(caught.value)


def test_in_a_list_the_wrong_rule_is_named_by_its_number():
    with pytest.raises(FieldError, match="rule 2: `wait_s` is missing"):
        read_rules([DROP, {"effect": "delay"}])
    assert read_rules(DROP) == read_rules([DROP]) == [FaultRule(DropAfter())]


def test_no_error_repeats_a_person():
    with pytest.raises(FieldError) as caught:
        read_rule({"effect": "delay", "person": ["440305199505132561"]})
    assert "440305199505132561" not in str(caught.value)


def test_every_effect_says_what_it_does():
    assert all(kind.__doc__ for kind in EFFECTS.values())
    assert all(name == kind.name for name, kind in EFFECTS.items())
