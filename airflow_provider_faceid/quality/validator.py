"""Great Expectations validator: pages of a table in, broken rules by row and counts out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..exceptions import ConfigurationError, unknown
from . import INPUT_RULE, ROW_RULE
from .result_rules import RESULT_RULE

if TYPE_CHECKING:
    import pandas as pd

KEY = "faceid_key"
"""Column of a page that names the row."""

_CHATTY = "great_expectations"
"""Logger that writes over 200 lines on import, and of its own folders and settings afterwards."""

_FIELDS = ("kwargs", "meta", "severity", "type")
"""Fields of an expectation."""

LONGEST_RULE = 200
"""Characters of the name of a rule, which is part of a key of the quarantine table."""

_CRITICAL = "critical"
_SEVERITIES = (_CRITICAL, "warning", "info")

_ASKED_OF_NULL = frozenset({INPUT_RULE, ROW_RULE, RESULT_RULE})
"""Types of expectations that a missing value may break."""

_RESULT_FORMAT = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": [KEY],
    "exclude_unexpected_values": True,  # no name or number ever leaves the page
    "return_unexpected_index_query": False,
}


@dataclass
class RuleCount:
    """
    Counts of one expectation over all pages.

    :param mostly: share of rows that must keep to it, 0-1.
    :param evaluated: rows it was asked of. Empty values are not, but by input rules: one of them
        is that there is a value.
    :param unexpected: rows that broke it.
    :param severity: `critical`: they go to quarantine. `warning` or `info`: they are counted.
    """

    rule: str
    type: str
    column: str
    mostly: float
    evaluated: int = 0
    unexpected: int = 0
    severity: str = _CRITICAL

    @property
    def success(self) -> bool:
        """Say whether the rule is met, judged over all pages together."""
        # A quotient is rounded like the number a user writes: 9 of 10 are 0.9, and 1 - 0.9 is not 0.1.
        kept = self.evaluated - self.unexpected
        return not self.evaluated or kept / self.evaluated >= self.mostly

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as they go to XCom; the rule's name stands for its type."""
        counts = {name: value for name, value in vars(self).items() if name != "type"}
        return {**counts, "success": self.success}


class Validator:
    """
    One suite, evaluated page by page.

    :param expectations: one dict per expectation with ``type``, ``kwargs`` and, to name the rule
        its bad rows are quarantined under, ``meta: {"rule": ...}``. With ``severity`` ``warning`` or
        ``info`` they are counted only.
    :ivar expectations: the same.
    :ivar counts: what each of them found so far.
    :ivar version: of Great Expectations.
    :raises ConfigurationError: an expectation is unknown, or cannot be judged page by page.
    """

    def __init__(self, expectations: Sequence[dict[str, Any]]) -> None:
        if logging.getLogger(_CHATTY).level == logging.NOTSET:  # not configured by the user
            logging.getLogger(_CHATTY).setLevel(logging.WARNING)
        # Takes seconds and memory, so it happens here and not when the DAG is read.
        import great_expectations as gx  # noqa: PLC0415
        from great_expectations.data_context.types import base  # noqa: PLC0415

        from . import expectations as _ours  # noqa: F401, PLC0415 - registers our expectations

        base.logger.setLevel(logging.NOTSET)  # it has chosen INFO for itself
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = base.ProgressBarsConfig(globally=False)
        batch = (
            context.data_sources.add_pandas("faceid")
            .add_dataframe_asset("page")
            .add_batch_definition_whole_dataframe("page")
        )
        # Given at once: added one by one, the same expectation under another rule would be dropped.
        built = [_built(expectation, number) for number, expectation in enumerate(expectations)]
        suite = context.suites.add(gx.ExpectationSuite(name="faceid", expectations=built))
        self.counts = [_count(expectation) for expectation in expectations]
        self._definition = context.validation_definitions.add(
            gx.ValidationDefinition(name="faceid", data=batch, suite=suite)
        )
        self.version = str(gx.__version__)
        self.expectations = list(expectations)

    def bad_rows(self, page: pd.DataFrame) -> list[tuple[Any, str]]:
        """
        Return the key and rule of every row that breaks a critical one, a row once per rule.

        :param page: rows with the key in column :data:`KEY`.
        :raises ConfigurationError: an expectation could not be evaluated, for example because its
            column does not exist. It must not pass as good data.
        """
        outcome = self._definition.run(
            batch_parameters={"dataframe": page}, result_format=_RESULT_FORMAT
        )
        bad: list[tuple[Any, str]] = []
        for result in outcome.results:
            count = self.counts[int(result.expectation_config.meta["faceid_number"])]
            if result.exception_info and _raised(result.exception_info):
                raise ConfigurationError(
                    f"Expectation '{count.type}' of column '{count.column}' cannot be evaluated. "
                    "Check its column and arguments"
                )
            found = result.result
            missing = 0 if count.type in _ASKED_OF_NULL else found.get("missing_count", 0)
            count.evaluated += found["element_count"] - missing
            count.unexpected += found["unexpected_count"]
            if count.severity != _CRITICAL:
                continue
            for index in found.get("unexpected_index_list") or []:
                bad += [(_plain(key), count.rule) for key in _keys(index)]
        return bad


def _built(expectation: dict[str, Any], number: int) -> Any:
    from great_expectations.expectations.expectation import (  # noqa: PLC0415 - heavy, as above
        ColumnMapExpectation,
        ColumnPairMapExpectation,
        MulticolumnMapExpectation,
    )
    from great_expectations.expectations.expectation_configuration import (  # noqa: PLC0415
        ExpectationConfiguration,
    )

    if words := unknown(expectation, _FIELDS):
        raise ConfigurationError(f"Expectation number {number + 1} has the unknown field {words}")
    if "type" not in expectation:
        raise ConfigurationError(f"Expectation number {number + 1} has no type")
    severity = expectation.get("severity", _CRITICAL)
    if severity not in _SEVERITIES:
        raise ConfigurationError(
            f"Expectation number {number + 1}: a severity is one of {', '.join(_SEVERITIES)}"
        )
    for field in ("kwargs", "meta"):
        if not isinstance(expectation.get(field, {}), Mapping):
            raise ConfigurationError(f"Expectation number {number + 1}: its {field} are no object")
    meta = {**expectation.get("meta", {}), "faceid_number": number}
    if not isinstance(meta.get("rule", ""), str) or len(meta.get("rule", "")) > LONGEST_RULE:
        raise ConfigurationError(
            f"Expectation number {number + 1}: its rule is a name of at most {LONGEST_RULE} characters"
        )
    try:
        built = ExpectationConfiguration(
            type=expectation["type"], kwargs=expectation.get("kwargs", {}), meta=meta
        ).to_domain_obj()
    except Exception as error:
        raise ConfigurationError(
            f"Expectation number {number + 1} cannot be built: {type(error).__name__}. Check its "
            "type and kwargs"
        ) from error
    per_row = ColumnMapExpectation | ColumnPairMapExpectation | MulticolumnMapExpectation
    if not isinstance(built, per_row) or "unique" in expectation["type"]:
        raise ConfigurationError(
            f"Expectation '{expectation['type']}' cannot be judged row by row and page by page. "
            "Use one of the column map expectations; look for repeated rows in SQL"
        )
    return built


def _count(expectation: dict[str, Any]) -> RuleCount:
    kwargs = expectation.get("kwargs", {})
    listed = ", ".join(kwargs.get("column_list") or ())
    column = str(kwargs.get("column") or listed or kwargs.get("column_A", ""))
    named = expectation.get("meta", {}).get("rule")
    return RuleCount(
        rule=named or f"{expectation['type'].removeprefix('expect_')}:{column}",
        type=expectation["type"],
        column=column,
        mostly=float(kwargs.get("mostly", 1.0)),
        severity=expectation.get("severity", _CRITICAL),
    )


def _raised(info: dict[str, Any]) -> bool:
    """One metric's trouble, or a dict of several metrics' troubles."""
    if "raised_exception" in info:
        return bool(info["raised_exception"])
    return any(part.get("raised_exception") for part in info.values() if isinstance(part, dict))


def _keys(index: Any) -> list[Any]:
    """Keys come as ``{KEY: [k1, k2]}`` without values, or as ``{KEY: k}`` with them."""
    found = index[KEY] if isinstance(index, dict) else index
    return list(found) if isinstance(found, list | tuple) else [found]


def _plain(key: Any) -> Any:
    return key.item() if hasattr(key, "item") else key
