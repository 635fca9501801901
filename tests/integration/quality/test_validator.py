from __future__ import annotations

import json
import logging

import pandas as pd
import pytest

from airflow_provider_faceid.api.actions.id_card_verification import ACTION as ID_CARD_VERIFICATION
from airflow_provider_faceid.api.fields import InputRules
from airflow_provider_faceid.clock import SYSTEM_CLOCK, beijing_date
from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.quality import default_suite, expectation
from airflow_provider_faceid.quality.validator import KEY, RuleCount, Validator

SUITE = default_suite(ID_CARD_VERIFICATION, InputRules(beijing_date(SYSTEM_CLOCK.now())))
PLANTED = ("440305199505132562", "张三丰2")


def page(**columns):
    """Return a page with keys k0, k1, ..."""
    size = len(next(iter(columns.values())))
    frame = pd.DataFrame({name: pd.Series(list(v), dtype=object) for name, v in columns.items()})
    frame[KEY] = pd.Series([f"k{row}" for row in range(size)], dtype=object)
    return frame


def in_set(column="gender", **more):
    return expectation(
        "gender", "expect_column_values_to_be_in_set", column=column, value_set=["M", "F"], **more
    )


def test_mostly_is_judged_over_all_pages_together():
    """Half of the second page is bad, and no more than a tenth of all rows."""
    validator = Validator([in_set(mostly=0.9)])
    assert validator.bad_rows(page(gender="MFMFMFMFMFMFMFMF")) == []
    assert validator.bad_rows(page(gender="MX FM"[:4])) == [("k1", "gender"), ("k2", "gender")]
    (count,) = validator.counts
    assert (count.evaluated, count.unexpected, count.success) == (20, 2, True)
    validator.bad_rows(page(gender="X"))
    assert not count.success


@pytest.mark.parametrize(
    ("mostly", "evaluated", "unexpected", "success"),
    [
        (1.0, 0, 0, True),
        (1.0, 10, 0, True),
        (1.0, 10, 1, False),
        (0.9, 10, 1, True),
        (0.9, 10, 2, False),
        (0.7, 10, 3, True),
        (0.07, 100, 93, True),
        (0.07, 100, 94, False),
        (0.99, 100, 1, True),
        (0.95, 1000, 50, True),
        (0.0, 5, 5, True),
    ],
)
def test_mostly_is_exact_at_its_limit(mostly, evaluated, unexpected, success):
    assert RuleCount("r", "t", "c", mostly, evaluated, unexpected).success is success


def test_empty_values_are_not_asked():
    validator = Validator([in_set()])
    assert validator.bad_rows(page(gender=["M", None, "X", None])) == [("k2", "gender")]
    assert validator.counts[0].evaluated == 2


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_pages_of_any_size_give_the_same_rows_and_counts(size):
    numbers = ["11010519491231002X", "110105194912310021", "123", None, "x" * 18, 7] * 2
    called = ["王小明", "王2", "", None, "李", "张"] * 2
    whole = page(id_card=numbers, name=[text or None for text in called])
    at_once, by_pages = Validator(SUITE), Validator(SUITE)
    expected = at_once.bad_rows(whole)
    found = []
    for start in range(0, len(whole), size):
        found += by_pages.bad_rows(whole.iloc[start : start + size].reset_index(drop=True))
    assert sorted(found) == sorted(expected)
    assert by_pages.counts == at_once.counts


def test_an_unknown_expectation_is_an_error_of_the_configuration():
    with pytest.raises(ConfigurationError, match=r"number 2 cannot be built: .*Check its type"):
        Validator(
            [in_set(), {"type": "expect_column_values_to_be_nice", "kwargs": {"column": "a"}}]
        )


def test_arguments_an_expectation_does_not_take_are_an_error_of_the_configuration():
    with pytest.raises(ConfigurationError, match="number 1 cannot be built"):
        Validator([{"type": "expect_column_values_to_be_in_set", "kwargs": {"colum": "a"}}])


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        ("expect_table_row_count_to_equal", {"value": 3}),
        ("expect_column_mean_to_be_between", {"column": "a", "max_value": 1}),
        ("expect_column_values_to_be_unique", {"column": "a"}),
        ("expect_compound_columns_to_be_unique", {"column_list": ["a", "b"]}),
        ("expect_column_to_exist", {"column": "a"}),
    ],
)
def test_what_cannot_be_judged_row_by_row_and_page_by_page_is_refused(kind, kwargs):
    with pytest.raises(ConfigurationError, match=f"'{kind}' cannot be judged row by row"):
        Validator([{"type": kind, "kwargs": kwargs}])


@pytest.mark.parametrize(
    "missing", ["gendre", "100%", "性别"], ids=["misspelt", "percent", "Chinese"]
)
def test_a_missing_column_is_an_error_and_not_bad_data(missing):
    validator = Validator([in_set(missing)])
    with pytest.raises(ConfigurationError, match="cannot be evaluated") as caught:
        validator.bad_rows(page(gender="MF"))
    assert f"'{missing}'" in str(caught.value)


def test_a_broken_expectation_is_an_error_and_not_bad_data():
    broken = expectation("r", "expect_column_values_to_match_regex", column="a", regex="(")
    with pytest.raises(
        ConfigurationError, match=r"'expect_column_values_to_match_regex' of column 'a'"
    ) as caught:
        Validator([broken]).bad_rows(page(a=PLANTED))
    assert not any(planted in str(caught.value) for planted in PLANTED)


def test_comparing_what_cannot_be_compared_is_an_error_without_values():
    broken = expectation("r", "expect_column_values_to_be_between", column="a", max_value=3)
    with pytest.raises(ConfigurationError) as caught:
        Validator([broken]).bad_rows(page(a=[1, *PLANTED]))
    assert not any(planted in repr(caught.value) for planted in PLANTED)


def test_no_value_is_in_any_result(caplog, capfd):
    validator = Validator(SUITE)
    results = []
    run = validator._definition.run

    def spy(**parts):
        results.append(run(**parts))
        return results[-1]

    object.__setattr__(validator, "_definition", type("Spy", (), {"run": staticmethod(spy)}))
    with caplog.at_level(logging.DEBUG):
        found = validator.bad_rows(page(id_card=[PLANTED[0]] * 3, name=[PLANTED[1]] * 3))
    assert {rule for _, rule in found} == {"id_card_check_digit", "name_characters"}
    output = capfd.readouterr()
    told = json.dumps(results[0].to_json_dict(), ensure_ascii=False) + repr(results[0])
    told += repr(found) + repr(validator.counts) + caplog.text + output.out + output.err
    for planted in PLANTED:
        assert planted not in told
        assert planted.encode("unicode_escape").decode() not in told
    assert all(len(json.dumps(count.as_dict())) < 200 for count in validator.counts)


@pytest.mark.parametrize(
    "column", ["性别", "100%", "%(x)s", "😀", "a b", 'a"b', "{x}", "$PARAMETER"]
)
def test_a_column_may_have_any_name(column):
    validator = Validator([in_set(column)])
    assert validator.bad_rows(page(**{column: "MXF"})) == [("k1", "gender")]
    assert validator.counts[0].column == column


def test_a_rule_without_a_name_is_named_after_its_expectation():
    validator = Validator(
        [{"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "a", "value_set": [1]}}]
    )
    assert validator.bad_rows(page(a=[1, 2])) == [("k1", "column_values_to_be_in_set:a")]


def test_the_same_expectation_twice_is_two_rules():
    validator = Validator([in_set(), in_set() | {"meta": {"rule": "again"}}])
    assert sorted(validator.bad_rows(page(gender="X"))) == [("k0", "again"), ("k0", "gender")]


def test_pairs_of_columns_are_judged_row_by_row():
    pair = expectation(
        "order", "expect_column_pair_values_a_to_be_greater_than_b", column_A="a", column_B="b"
    )
    validator = Validator([pair])
    assert validator.bad_rows(page(a=[2, 1], b=[1, 2])) == [("k1", "order")]
    assert validator.counts[0].column == "a"


def test_keys_come_back_as_they_were():
    frame = page(gender="XXX")
    keys = [10**17 + 1, "text", 3]
    frame[KEY] = pd.Series(keys, dtype=object)
    found = [key for key, _ in Validator([in_set()]).bad_rows(frame)]
    assert found == keys
    assert [type(key) for key in found] == [int, str, int]


def test_no_expectations_find_nothing():
    assert Validator([]).bad_rows(page(a=[1])) == []


def test_the_import_writes_no_lines_into_the_task_log():
    Validator([])
    for name in ("great_expectations._docs_decorators", "great_expectations.expectations.registry"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
