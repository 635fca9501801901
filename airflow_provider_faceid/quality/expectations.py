"""Custom Great Expectations expectation for input rules; importing the module registers it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pandas as pd
from great_expectations.compatibility import pydantic
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import ColumnMapExpectation
from great_expectations.expectations.metrics import (
    ColumnMapMetricProvider,
    column_condition_partial,
    column_function_partial,
)
from great_expectations.validator.metric_configuration import MetricConfiguration

from ..api.actions import ACTIONS
from ..api.fields import FIELD_OF_RULE
from ..api.rules import InputField
from ..clock import SYSTEM_CLOCK, beijing_date
from . import SeenPhoto

_FIRST_BROKEN = "column_values.faceid_first_broken"
_MAP, _CONDITION = f"{_FIRST_BROKEN}.map", f"{_FIRST_BROKEN}.is_not.condition"


class _FirstBrokenMetric(ColumnMapMetricProvider):
    """
    The first input rule each value of a column breaks, and whether it is another than a given one.

    The first is asked for once per page and column, however many rules there are: all expectations of
    the column depend on that metric, and Great Expectations computes a metric once.
    """

    function_metric_name = _FIRST_BROKEN
    function_value_keys = ("asked", "skipped")
    condition_metric_name = f"{_FIRST_BROKEN}.is_not"
    condition_value_keys = ("rule", "skipped", "action")
    filter_column_isnull = False
    """A value that is missing breaks a rule, too."""

    @column_function_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas_function(cls, column: Any, asked: str, skipped: Any, **_: Any) -> Any:  # noqa: N805 - as there
        # The metric's identity is its text: the name of the type's first rule, and of the Action.
        rule, _sep, action = asked.partition(" ")
        found = _first_broken(_rules_of(rule, str(column.name), action), column, skipped or ())
        return pd.Series(found, index=column.index, dtype=object)

    @column_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas_condition(cls, column: Any, _metrics: Any, rule: str, **_: Any) -> Any:  # noqa: ARG002, N805 - as there
        found, _domain, _accessor = _metrics[_MAP]
        return found != rule

    @classmethod
    def _get_evaluation_dependencies(cls, metric: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        needed: dict[str, Any] = super()._get_evaluation_dependencies(metric, *args, **kwargs)
        if metric.metric_name == _CONDITION:
            given = metric.metric_value_kwargs
            first = FIELD_OF_RULE[given["rule"]].rules[0].name
            needed[_MAP] = MetricConfiguration(
                metric_name=_MAP,
                metric_domain_kwargs=metric.metric_domain_kwargs,
                metric_value_kwargs={
                    "asked": f"{first} {given['action'] or ''}",
                    "skipped": given["skipped"],
                },
            )
        return needed


class ExpectColumnValuesToKeepInputRule(ColumnMapExpectation):
    """
    Expect that the first input rule a value breaks is another than this, or none.

    :param column: column of the values, which need not be ``id_card`` or ``name``.
    :param rule: name of a rule of the table in the docs; it says of what kind the values are.
    :param skipped: names of rules that are not asked.
    :param action: the API Action whose field the column is; it says how long a text may be.
    """

    rule: str
    skipped: list[str] | None = None
    action: str | None = None

    map_metric = f"{_FIRST_BROKEN}.is_not"
    success_keys = ("rule", "skipped", "action", "mostly")
    args_keys = ("column", "rule", "skipped", "action")

    @pydantic.validator("rule")  # type: ignore[untyped-decorator]
    def _is_known(cls, rule: str) -> str:  # noqa: N805 - as pydantic wants it
        if rule not in FIELD_OF_RULE:
            raise ValueError(f"no input rule is called {rule!r}")
        return rule


def _rules_of(rule: str, column: str, action: str) -> InputField:
    """Return the rules of a column's field; without an Action those of any value of the rule's type."""
    known = ACTIONS.get(action)
    for field in known.fields if known is not None else ():
        if field.column == column and field.rules is not None:
            return field.rules
    return FIELD_OF_RULE[rule]


def _first_broken(asked: InputField, values: Any, skipped: Collection[str]) -> list[str]:
    """Return the names of the rules; an empty one where none is broken."""
    if any(isinstance(value, SeenPhoto) for value in values.iloc[:1]):
        return [seen.rule for seen in values]
    today = beijing_date(SYSTEM_CLOCK.now())
    broken = asked.first_broken_each(values, today, frozenset(skipped))
    return [rule.name if rule else "" for rule in broken]
