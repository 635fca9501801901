"""Custom Great Expectations expectations for input rules, row rules and rules of result rows.

Importing the module registers them, so that a suite's JSON may name them: in a Great Expectations project
of your own as well as in ours. They are evaluated on pandas.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from functools import partial
from typing import Any

import pandas as pd
from great_expectations.compatibility import pydantic
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import (
    ColumnMapExpectation,
    MulticolumnMapExpectation,
)
from great_expectations.expectations.metrics import (
    ColumnMapMetricProvider,
    column_condition_partial,
    column_function_partial,
)
from great_expectations.expectations.metrics.map_metric_provider import (
    MulticolumnMapMetricProvider,
    multicolumn_condition_partial,
)
from great_expectations.render import LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer
from great_expectations.validator.metric_configuration import MetricConfiguration

from ..api.actions import ACTIONS
from ..api.fields import FIELD_OF_RULE
from ..api.rules import InputField, RowRule
from ..clock import SYSTEM_CLOCK, beijing_date
from . import NORMALISED, SeenPhoto
from .result_rules import RESULT_RULES

__all__ = [
    "ExpectColumnValuesToKeepInputRule",
    "ExpectMulticolumnValuesToKeepResultRule",
    "ExpectMulticolumnValuesToKeepRowRule",
]

_SAMPLE, _FEW = 1000, 100
"""If so many rows have fewer different values, a page is judged by its different values."""
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
        # As categories: each rule of the column is compared with all of them.
        return pd.Series(pd.Categorical(found), index=column.index)

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


class _InWords(ABC):
    """Data Docs show what a rule asks for."""

    @classmethod
    @abstractmethod
    def _asks(cls, rule: str, action: str) -> str:
        """Return what a rule asks for."""

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)  # type: ignore[untyped-decorator]
    def _prescriptive_renderer(
        cls, configuration: Any = None, result: Any = None, runtime_configuration: Any = None
    ) -> list[RenderedStringTemplateContent]:
        config = configuration or result.expectation_config
        given = config.kwargs
        rule, share = given["rule"], given.get("mostly")
        share = 1.0 if share is None else float(share)
        params = {
            "rule": rule,
            "asks": cls._asks(rule, given.get("action") or ""),
            "columns": ", ".join(given.get("column_list") or ()),
            "percent": f"{share * 100:g}",
        }
        template = "$columns: " * bool(given.get("column_list")) + "rule $rule ($asks)"
        template += ", $percent % of the rows" * (share < 1)
        styling = (runtime_configuration or {}).get("styling", {})
        content = {"template": template, "params": params, "styling": styling}
        return [
            RenderedStringTemplateContent(
                content_block_type="string_template", string_template=content
            )
        ]


class ExpectColumnValuesToKeepInputRule(_InWords, ColumnMapExpectation):
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

    @classmethod
    def _asks(cls, rule: str, action: str) -> str:  # noqa: ARG003 - as the others
        rules = FIELD_OF_RULE[rule].rules
        return next(known.asks for known in rules if known.name == rule)


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
    if values.dtype != object:  # pandas has a missing text there that is no None
        values = values.astype(object).where(values.notna(), None)
    today = beijing_date(SYSTEM_CLOCK.now())
    broken = asked.first_broken_each(
        values.to_list(),
        today,
        frozenset(skipped),
        warn=True,
        is_normalised=values.name in values.attrs.get(NORMALISED, ()),
    )
    return [rule.name if rule else "" for rule in broken]


class _RowRuleMetric(MulticolumnMapMetricProvider):
    """Whether the values of a row, each of which keeps the rules of its own, keep a rule together."""

    condition_metric_name = "multicolumn_values.faceid_row_rule"
    condition_domain_keys = ("batch_id", "table", "column_list", "row_condition", "ignore_row_if")
    condition_value_keys = ("rule", "skipped", "action")

    @multicolumn_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(cls, column_list: Any, rule: str, skipped: Any, action: str, **_: Any) -> Any:  # noqa: N805 - as there
        asked = _row_rule(action, rule)
        by_field = {
            field.name: column_list[field.column]
            for field in ACTIONS[action].fields
            if field.name in asked.fields
        }
        kept = pd.Series(data=True, index=column_list.index)
        for field, values in by_field.items():
            rules = ACTIONS[action].field(field).rules  # type: ignore[union-attr]
            found = _first_broken(rules, values, skipped or ())  # type: ignore[arg-type]
            kept &= pd.Series(found, index=values.index, dtype=object) == ""
            by_field[field] = values.map(rules.read)  # type: ignore[union-attr]
        rows = zip(*(by_field[field] for field in asked.fields), kept, strict=True)
        return pd.Series(
            [not alone or not asked.breaks(*values) for *values, alone in rows],
            index=column_list.index,
        )


class ExpectMulticolumnValuesToKeepRowRule(_InWords, MulticolumnMapExpectation):
    """
    Expect that the values of a row keep an input rule together, if each keeps the rules of its own.

    :param column_list: columns of the values: those of the Action's fields that the rule is about.
    :param rule: name of a row rule of the Action.
    :param skipped: names of rules that are not asked of the single values.
    :param action: the API Action.
    """

    rule: str
    action: str
    skipped: list[str] | None = None
    ignore_row_if: str = "never"

    map_metric = "multicolumn_values.faceid_row_rule"
    success_keys = ("rule", "skipped", "action", "mostly")
    args_keys = ("column_list", "rule", "skipped", "action")

    @pydantic.root_validator  # type: ignore[untyped-decorator]
    def _is_known(cls, values: dict[str, Any]) -> dict[str, Any]:  # noqa: N805 - as pydantic wants it
        of = ACTIONS.get(values.get("action", ""))
        if of is None or values.get("rule") not in {known.name for known in of.row_rules}:
            raise ValueError(
                f"no row rule of Action {values.get('action')!r} is called {values.get('rule')!r}"
            )
        return values

    @classmethod
    def _asks(cls, rule: str, action: str) -> str:
        return _row_rule(action, rule).asks


class _ResultRuleMetric(MulticolumnMapMetricProvider):
    """Whether some columns of a result row keep a rule together."""

    condition_metric_name = "multicolumn_values.faceid_result_rule"
    condition_domain_keys = ("batch_id", "table", "column_list", "row_condition", "ignore_row_if")
    condition_value_keys = ("rule", "action")

    @multicolumn_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(cls, column_list: Any, rule: str, action: str, **_: Any) -> Any:  # noqa: N805 - as there
        keeps = partial(RESULT_RULES[rule].keeps, ACTIONS[action])
        rows = list(zip(*(column_list[column] for column in column_list.columns), strict=True))
        seen: dict[tuple[Any, ...], bool] = {}  # most pages have few different ones
        for row in rows[:_SAMPLE]:
            seen[row] = keeps(*row)
        if len(seen) < _FEW:
            kept = [seen[row] if row in seen else seen.setdefault(row, keeps(*row)) for row in rows]
        else:
            kept = [keeps(*row) for row in rows]
        return pd.Series(kept, index=column_list.index, dtype=bool)


class ExpectMulticolumnValuesToKeepResultRule(_InWords, MulticolumnMapExpectation):
    """
    Expect that some columns of a result row keep a rule together.

    :param column_list: columns of the values, in the order in which the rule takes them.
    :param rule: name of a rule of the table in the docs.
    :param action: the API Action whose codes, charges and similarity are expected.
    """

    rule: str
    action: str
    ignore_row_if: str = "never"

    map_metric = "multicolumn_values.faceid_result_rule"
    success_keys = ("rule", "action", "mostly")
    args_keys = ("column_list", "rule", "action")

    @pydantic.root_validator  # type: ignore[untyped-decorator]
    def _is_known(cls, values: dict[str, Any]) -> dict[str, Any]:  # noqa: N805 - as pydantic wants it
        known = RESULT_RULES.get(values.get("rule", ""))
        if known is None:
            raise ValueError(f"no rule of result rows is called {values.get('rule')!r}")
        if values.get("action") not in ACTIONS:
            raise ValueError(f"no listed Action is called {values.get('action')!r}")
        if len(values.get("column_list") or ()) != len(known.columns):
            raise ValueError(f"the rule takes the columns {', '.join(known.columns)}")
        return values

    @classmethod
    def _asks(cls, rule: str, action: str) -> str:  # noqa: ARG003 - as the others
        return RESULT_RULES[rule].asks


def _row_rule(action: str, rule: str) -> RowRule:
    return next(known for known in ACTIONS[action].row_rules if known.name == rule)
