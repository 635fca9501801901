from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_faceid.simulator.api import call as pairs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("a=1&b=", (("a", "1"), ("b", ""))),
        ("a=1&&a=2&", (("a", "1"), ("a", "2"))),
        ("a=b+c%20d%2B%3D%26&n=%E9%9F%A6", (("a", "b c d+=&"), ("n", "韦"))),
        ("a=1=2", (("a", "1=2"),)),
        ("a", None),
        ("a=1&b", None),
    ],
)
def test_a_query_is_read_in_order(text, expected):
    assert pairs.read_pairs(text) == expected


@pytest.mark.parametrize(
    ("given_pairs", "expected"),
    [
        ([("a", "1"), ("a", "2")], {"a": "2"}),
        ([("E.Iv", "x"), ("E.L.0", "a"), ("E.L.1", "b")], {"E": {"Iv": "x", "L": ["a", "b"]}}),
        ([("E.L.1", "b"), ("E.L.0", "a")], {"E": {"L": ["a", "b"]}}),
        ([("E.L.1", "b")], {"E": {"L": {"1": "b"}}}),
        ([("L.0", "a")], {"L": ["a"]}),
        ([("E", "x"), ("E.Iv", "y")], {"E": {"Iv": "y"}}),
        ([("E.Iv", "y"), ("E", "x")], {"E": "x"}),
        ([("a.b.c.d.e", "1")], {"a": {"b": {"c.d.e": "1"}}}),
        ([("", "1"), ("..", "2")], {"": {"": {"": "2"}}}),
    ],
)
def test_names_with_dots_are_objects_and_lists(given_pairs, expected):
    assert pairs.nest(given_pairs) == expected


def depth(value: object) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@settings(max_examples=40)
@given(st.lists(st.tuples(st.text("ab.01"), st.text())))
def test_any_names_make_at_most_three_levels(given_pairs):
    assert depth(pairs.nest(given_pairs)) <= 3
