"""Each invariant finds what it is there to find."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from urllib.parse import quote

import pytest

from airflow_provider_faceid.clock import utc_seconds

from .invariants import INVARIANTS, Facts, broken

LATER = "2026-11-21T08:00:05.000+00:00"
NAME, NUMBER = "韦小宝", "11010519491231002X"


def call(person=NUMBER, at="2026-11-21T08:00:00.000+00:00", *, charged=True, answered=True):
    return {"id_card": person, "at": at, "charged": charged, "answered": answered}


SOUND = Facts(
    source={"1": NUMBER, "2": "another", "3": "a third"},
    results=[("1", "answered"), ("2", "held")],
    quarantine=["3", "3"],
    calls=[call(), call("another", answered=False)],
    most_in_doubt=1,
    quota=2,
    left=[*[utc_seconds(call()["at"])] * 2, utc_seconds(LATER)],
    texts={"log": b"1/1 rows, 0 charged"},
    identities=[NAME, NUMBER],
    charged=1,
)
SHIFTED = [base64.b64encode(("x" * n + NAME + "x").encode()).decode() for n in range(3)]


def test_sound_facts_break_nothing():
    assert broken(SOUND) == {}


@pytest.mark.parametrize(
    ("invariant", "change"),
    [
        ("I1", {"results": [("1", "answered")]}),
        ("I1", {"results": [*SOUND.results, ("1", "answered")]}),
        ("I1", {"results": [*SOUND.results, ("4", "answered")]}),
        ("I1", {"quarantine": ["1", "3"]}),
        ("I2", {"calls": [*SOUND.calls, call("another", LATER, answered=False)]}),
        ("I2", {"most_in_doubt": 0}),
        ("I3", {"calls": [*SOUND.calls, call(charged=False)]}),
        ("I3", {"left": [*SOUND.left, *SOUND.left]}),
        ("I4", {"texts": {"log": f"name {NAME}".encode()}}),
        ("I4", {"texts": {"log": f"number {NUMBER[1:17]}".encode()}}),
        ("I4", {"texts": {"manifest": json.dumps([NAME]).encode()}}),
        ("I4", {"texts": {"log": f"/?Name={quote(NAME)}".encode()}}),
        *[("I4", {"texts": {"file": text.encode()}}) for text in SHIFTED],
        ("I5", {"charged": 2}),
        ("I5", {"charged": 0}),
        ("I6", {"calls_again": 1}),
    ],
)
def test_an_invariant_that_is_broken_is_named(invariant, change):
    assert list(broken(replace(SOUND, **change))) == [invariant]


def test_every_invariant_has_its_number():
    assert list(INVARIANTS) == ["I1", "I2", "I3", "I4", "I5", "I6"]


def test_retries_that_were_asked_for_may_charge_twice():
    twice = [*SOUND.calls, call("another", answered=False)]
    assert broken(replace(SOUND, calls=twice, retries=1, quota=0)) == {}
