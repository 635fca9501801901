"""Composite keys as one text: different keys have different texts, and each is taken apart again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_faceid.warehouse.sources.composite import decode, encode

PARTS = st.lists(
    st.text(max_size=6) | st.text('",\\[] ab', max_size=8), min_size=1, max_size=4
).map(tuple)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("t1", "17"), '["t1","17"]'),
        (("", ""), '["",""]'),
        (('a","b', "c"), r'["a\",\"b","c"]'),
        (("a", 'b","c'), r'["a","b\",\"c"]'),
        (("\\", "\\\\"), r'["\\","\\\\"]'),
        (("张三", "😀"), '["张三","😀"]'),
    ],
)
def test_a_composite_key_is_a_json_array(parts, text):
    assert encode(parts) == text
    assert decode(text) == tuple(json.loads(text)) == parts


@given(PARTS, PARTS)
def test_different_keys_have_different_texts_and_each_is_taken_apart_again(one, other):
    assert decode(encode(one)) == one
    assert (encode(one) == encode(other)) == (one == other)


@given(st.lists(st.text(st.characters(min_codepoint=32)), min_size=1, max_size=3))
def test_without_control_characters_it_is_json(parts):
    assert json.loads(encode(parts)) == parts


@pytest.mark.parametrize(
    "text", ["", "17", "[]", '["a"', '["a",]', '["a" ,"b"]', r'["\n"]', '["a"]x']
)
def test_what_is_no_composite_key_is_not_taken_apart(text):
    with pytest.raises(ValueError, match="no text of a composite key"):
        decode(text)
