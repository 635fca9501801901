"""What a call uses up of the limits per identity."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.api.action import IdentityLimits
from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.actions.id_card_verification import ACTION as ID_CARD_VERIFICATION
from airflow_provider_faceid.api.actions.image_recognition_v2 import ACTION as IMAGE_RECOGNITION_V2
from airflow_provider_faceid.clock import next_beijing_midnight
from airflow_provider_faceid.state.identity_limits import Use, uses_of

NOON = 1_790_000_080.0
"""Forty seconds into a minute."""
SECRET = "a-secret-key"
PERSON = {"IdCard": "110101199003070000", "Name": "somebody", "ImageBase64": b"..."}
ALL = IdentityLimits(id_card_per_day=4, name_per_day=3, id_card_per_minute=2, name_per_minute=1)


def uses(action=IMAGE_RECOGNITION_V2, limits=ALL, secret=SECRET, now=NOON, **person) -> list[Use]:
    return list(uses_of(action, limits, secret, PERSON | person, now))


def counters(**changes) -> set[int]:
    return {use.counter for use in uses(**changes)}


def test_the_shortest_windows_come_first_with_their_limits_and_ends():
    minute_ends, day_ends = NOON + 20, next_beijing_midnight(NOON)
    assert [(use.limit, use.ends) for use in uses()] == [
        (2, minute_ends),
        (1, minute_ends),
        (4, day_ends),
        (3, day_ends),
    ]


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_documented_limits_count_what_is_documented(action):
    values = {field.name: "1" for field in action.fields if field.column}
    found = uses(action=action, limits=action.identity_limits, **values)
    documented = action.identity_limits.values()
    assert sorted(use.limit for use in found) == sorted(filter(None, documented))


def test_no_limit_is_not_counted():
    assert uses(limits=IdentityLimits(id_card_per_day=0, name_per_day=0)) == []


def test_what_is_not_sent_is_not_counted():
    (only,) = uses_of(
        ID_CARD_VERIFICATION,
        IdentityLimits(id_card_per_day=1, name_per_day=1),
        SECRET,
        {"Name": "x"},
        NOON,
    )
    assert only.limit == 1


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"Name": "another"}, 2),
        ({"IdCard": "110101199003070019"}, 2),
        ({"ImageBase64": b"another"}, 4),
        ({"action": ID_CARD_VERIFICATION}, 0),
        ({"secret": "another-key"}, 0),
        ({"now": NOON + 19.9}, 4),
        ({"now": NOON + 20}, 2),
        ({"now": next_beijing_midnight(NOON)}, 0),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else str(value),
)
def test_counters_are_shared_by_the_same_identity_in_the_same_window(changes, same):
    assert len(counters() & counters(**changes)) == same


def test_a_name_is_not_taken_for_a_number():
    assert len(counters(IdCard="same", Name="same")) == 4


def test_counters_fit_into_a_signed_integer_of_eight_bytes():
    found = [use.counter for n in range(200) for use in uses(Name=str(n), IdCard=str(-n))]
    assert len(set(found)) == len(found)
    assert all(0 <= counter < 2**63 for counter in found)


def test_a_value_that_is_no_unicode_text_is_counted_too():
    assert len(counters(Name="\ud800") - counters()) == 2
