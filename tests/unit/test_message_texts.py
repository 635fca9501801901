"""Misspelt names: said with the nearest that is known."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.exceptions import nearest, unknown

KNOWN = ("hash_secret", "similarity_threshold", "timeout", "connect_timeout")


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("hash_secert", "hash_secret"),
        ("similarity_treshold", "similarity_threshold"),
        ("Timeout", "timeout"),
        ("time out", "timeout"),
        ("connect-timeout", "connect_timeout"),
        ("HASH_SECRET ", "hash_secret"),
        ("colour", ""),
        ("", ""),
    ],
)
def test_the_nearest_name_is_found(misspelt, meant):
    assert nearest(misspelt, KNOWN) == meant


def test_names_that_are_all_known_need_no_words():
    assert unknown(["timeout"], KNOWN) == unknown([], KNOWN) == ""


def test_several_are_said_at_once():
    assert unknown(["timout", "timeout", "hashsecret"], KNOWN) == (
        "'timout' (did you mean 'timeout'?), 'hashsecret' (did you mean 'hash_secret'?)"
    )


def test_where_none_is_near_all_are_listed():
    assert unknown(["colour"], KNOWN) == (
        "'colour'; known are connect_timeout, hash_secret, similarity_threshold, timeout"
    )


def test_a_hostile_name_is_short_and_stays_on_its_line():
    words = unknown(["x\nERROR forged " * 50], KNOWN)
    assert "\n" not in words
    assert len(words) < 200
