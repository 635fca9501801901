"""Validation: the default suite of an Action, one expectation for each input rule, as plain data.

The rules are those of :mod:`..api.fields`, which the batch asks too. Columns are those of the page
the validation reads: ``id_card``, ``name``, and for photos ``photo``. Great Expectations is imported
only when a validation runs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..api import photo
from ..api.action import Action
from ..api.fields import InputRules


class SeenPhoto(NamedTuple):
    """
    A photo that was read whole, judged, and let go.

    :param rule: name of the first rule it breaks, empty if it breaks none.
    :param length: length of the Base64 text it would be sent as; None if it could not be read.
    :param head: the first characters of that text.
    """

    rule: str
    length: int | None = None
    head: str | None = None


NORMALISED = "faceid_normalised"
"""Attribute of a frame: columns whose texts are as they would be sent, to be normalised no second time."""

INPUT_RULE = "expect_column_values_to_keep_input_rule"
ROW_RULE = "expect_multicolumn_values_to_keep_row_rule"
WARNING = "warning"
"""Severity of an expectation whose bad rows are counted, and asked about all the same."""


def expectation(rule: str, expectation_type: str, /, **kwargs: Any) -> dict[str, Any]:
    """Return an expectation as data: the rule is the name its bad rows are quarantined under."""
    return {"type": expectation_type, "kwargs": kwargs, "meta": {"rule": rule}}


def default_suite(
    action: Action, rules: InputRules, *, photo_path: bool = False, reads_photos: bool = True
) -> list[dict[str, Any]]:
    """
    Return the expectations of an Action.

    :param rules: how values are read.
    :param photo_path: whether photos are given by path and not in the table.
    :param reads_photos: whether each photo is read whole.
    """
    # Nothing on the page could break these.
    unasked = set(photo.RULES) - {photo.MISSING.name} if photo_path and not reads_photos else set()
    if not photo_path:
        unasked |= set(photo.ON_READING)
    skipped = sorted(rules.not_asked)
    of_columns = [
        expectation(
            rule.name,
            INPUT_RULE,
            column=field.column,
            rule=rule.name,
            skipped=skipped,
            action=action.name,
        )
        | ({"severity": WARNING} if rule.is_warning else {})
        for field in action.fields
        if field.column
        for rule in rules.asked(field)
        if rule.name not in unasked
    ]
    return of_columns + [
        expectation(
            rule.name,
            ROW_RULE,
            column_list=[action.columns[field] for field in rule.fields],
            rule=rule.name,
            skipped=skipped,
            action=action.name,
        )
        for rule in action.row_rules
    ]
