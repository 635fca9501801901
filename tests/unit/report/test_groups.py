"""Small groups stay hidden: no published count is one, and no subtraction gives one."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from airflow_provider_faceid.report.groups import (
    coarse_table,
    compatible,
    is_shown,
    merged,
    pooled,
)
from airflow_provider_faceid.report.verdicts import codes_of, groups_of, groups_of_sum, rate
from airflow_provider_faceid.warehouse.views.metrics import ANSWER_PLACES

SMALLEST = 10
SIZES = st.integers(0, 40)
UNHURRIED = settings(deadline=None)
"""Of each test: a busy machine loses a moment now and then."""


@UNHURRIED
@given(st.lists(SIZES, min_size=1, max_size=8))
def test_no_published_count_of_a_breakdown_is_small(sizes):
    counts = {str(number): size for number, size in enumerate(sizes)}
    groups = pooled(counts, SMALLEST)
    assert sum(count for _, count in groups) == sum(sizes)
    assert sorted(name for names, _ in groups for name in names) == sorted(counts)
    assert all(count == sum(counts[name] for name in names) for names, count in groups)
    if is_shown(sum(sizes), SMALLEST):
        assert all(is_shown(count, SMALLEST) for _, count in groups)
        # Sums and differences of published counts are sums of groups, none of which is small.
        for size in range(1, len(groups) + 1):
            for some in combinations([count for _, count in groups], size):
                assert is_shown(sum(some), SMALLEST)


@UNHURRIED
@given(st.lists(SIZES, min_size=1, max_size=60))
def test_neighbours_are_together_until_none_is_small(counts):
    groups = merged(counts, SMALLEST)
    assert [index for begin, end in groups for index in range(begin, end)] == [*range(len(counts))]
    if is_shown(sum(counts), SMALLEST):
        assert all(is_shown(sum(counts[a:b]), SMALLEST) for a, b in groups)


@UNHURRIED
@given(st.lists(st.lists(SIZES, min_size=3, max_size=3), min_size=1, max_size=8))
def test_no_cell_of_a_table_is_small(table):
    rows = [dict(zip("abc", row, strict=True)) for row in table]
    rows = [row for row in rows if is_shown(sum(row.values()), SMALLEST)]
    columns = coarse_table(rows, "abc", SMALLEST)
    assert sorted(name for column in columns for name in column) == ["a", "b", "c"]
    for row in rows:
        assert all(is_shown(sum(row[n] for n in column), SMALLEST) for column in columns)


@UNHURRIED
@given(st.lists(st.integers(0, 30), min_size=51, max_size=51))
def test_cut_offs_side_by_side_show_no_small_group_between_them(bins):
    assume(is_shown(sum(bins), SMALLEST))
    above = {50 + number: sum(bins[number:]) for number in range(51)} | {49: sum(bins), 101: 0}
    candidates = [70, 60, 80, *(cut for cut in range(50, 101) if cut not in (60, 70, 80))]
    shown = compatible(candidates, lambda cut: (above[cut],), SMALLEST)
    known = sorted({above[cut] for cut in [49, *shown, 101]})
    assert all(is_shown(b - a, SMALLEST) for a, b in combinations(known, 2))


@UNHURRIED
@given(st.lists(st.lists(SIZES, min_size=6, max_size=6), min_size=1, max_size=4))
def test_a_sum_over_parts_tells_no_more_than_the_parts_do(parts):
    listed = [dict(zip(ANSWER_PLACES, sizes, strict=True)) for sizes in parts]
    published = [(counts, groups_of(counts, SMALLEST)) for counts in listed]
    for group in groups_of_sum(published):
        if group["answers"] is None:
            continue
        # It is a sum of published groups: each of the parts has its places in whole groups.
        for counts, groups in published:
            filled = {place for place in group["places"] if counts[place]}
            for one in groups:
                here = {place for place in one["places"] if counts[place]}
                assert not here & filled or here <= filled


@pytest.mark.parametrize(
    ("counts", "value", "bound"),
    [
        ({"matched": 90, "mismatched": 10}, 0.9, None),
        ({"matched": 97, "mismatched": 3}, None, ("at_least", 0.91)),
        ({"matched": 3, "mismatched": 97}, None, ("at_most", 0.09)),
        ({"matched": 100, "mismatched": 0}, 1.0, None),
        ({"matched": 5, "mismatched": 4}, None, None),
        ({"matched": 90, "mismatched": 4, "not_found": 20}, None, ("at_least", 90 / 114)),
        ({}, None, None),
    ],
)
def test_a_rate_tells_no_small_group(counts, value, bound):
    whole = dict.fromkeys(ANSWER_PLACES, 0) | counts
    found = rate("match_rate", whole, groups_of(whole, SMALLEST), SMALLEST)
    assert found["value"] == value
    assert {k: found[k] for k in ("at_least", "at_most") if k in found} == dict(
        [bound] if bound else []
    )


def test_codes_together_have_no_code_of_their_own_but_every_column():
    rows = [
        {"code": code, "outcome": outcome, "description": "words", "answers": n, "charged": n}
        | {"may_be_charged": 0}
        for code, outcome, n in [("0", "match", 80), ("-1", "mismatch", 4), ("-5", "not_found", 12)]
    ]
    alone, together = codes_of("IdCardVerification", rows, SMALLEST)
    assert set(alone) == set(together)
    assert (alone["codes"], alone["answers"], alone["next"]) == (["0"], 80, "record")
    assert (set(together["codes"]), together["answers"]) == ({"-1", "-5"}, 16)
    assert together["outcome"] is None


@pytest.mark.parametrize(
    ("code", "description", "said"),
    [
        ("0", "words of an earlier version", "姓名与身份证号一致"),
        ("0", None, "姓名与身份证号一致"),
        ("-99", "words of a later version", ""),
        ("-99", "a code this version does not know", "本版本未收录的结果码"),
    ],
)
def test_a_code_is_said_in_chinese_if_this_version_knows_it(code, description, said):
    row = {"code": code, "outcome": "match", "description": description, "answers": 80}
    (line,) = codes_of("IdCardVerification", [row | {"charged": 80, "may_be_charged": 0}], SMALLEST)
    assert line["description_zh"] == said
