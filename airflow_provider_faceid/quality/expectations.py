"""Our expectations for Great Expectations. Importing this module imports and registers them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import ColumnMapExpectation
from great_expectations.expectations.metrics import (
    ColumnMapMetricProvider,
    column_condition_partial,
)

from ..clock import SYSTEM_CLOCK, beijing_date
from . import rules


def _condition(judge: Callable[[Any], Any]) -> Any:
    """Make a metric out of a function over a column."""

    @column_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def condition(cls: Any, column: Any, **_: Any) -> Any:  # noqa: ARG001 - a class method to be
        return pd.Series(judge(column), index=column.index)

    return condition


class _CheckDigitMetric(ColumnMapMetricProvider):
    condition_metric_name = "column_values.faceid_check_digit"
    _pandas = _condition(rules.check_digit_fits)


class _BirthDateMetric(ColumnMapMetricProvider):
    condition_metric_name = "column_values.faceid_birth_date"
    _pandas = _condition(
        lambda column: rules.birth_date_fits(column, beijing_date(SYSTEM_CLOCK.now()))
    )


class _ProvinceMetric(ColumnMapMetricProvider):
    condition_metric_name = "column_values.faceid_province"
    _pandas = _condition(rules.province_fits)


class _TextMetric(ColumnMapMetricProvider):
    condition_metric_name = "column_values.faceid_text"
    _pandas = _condition(rules.is_text)


class _NameMetric(ColumnMapMetricProvider):
    condition_metric_name = "column_values.faceid_name"
    _pandas = _condition(rules.name_fits)


class ExpectColumnValuesToHaveIdCardCheckDigit(ColumnMapExpectation):
    """Expect ID numbers to end in the check character of ISO 7064 MOD 11-2."""

    map_metric = "column_values.faceid_check_digit"


class ExpectColumnValuesToHaveIdCardBirthDate(ColumnMapExpectation):
    """Expect ID numbers to carry a birth date from 1900 to today."""

    map_metric = "column_values.faceid_birth_date"


class ExpectColumnValuesToHaveIdCardProvince(ColumnMapExpectation):
    """Expect ID numbers to start with the code of a province."""

    map_metric = "column_values.faceid_province"


class ExpectColumnValuesToBeText(ColumnMapExpectation):
    """Expect values to be text: an ID number in a number column has lost its X and zeros."""

    map_metric = "column_values.faceid_text"


class ExpectColumnValuesToBePersonNames(ColumnMapExpectation):
    """Expect values to hold a name's characters: letters, spaces, middle dots, hyphens."""

    map_metric = "column_values.faceid_name"
