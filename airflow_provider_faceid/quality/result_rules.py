"""Results validation: rules of result rows and the suite of an Action, made from its table of codes.

A rule about one column is an expectation of Great Expectations' own; one about several columns is a
:class:`ResultRule`. Counts are judged as a page of one row. Great Expectations is not imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from ..api.action import Action
from ..api.actions import ACTIONS
from ..api.codes import (
    BELOW_THRESHOLD,
    COMMON,
    IMPLAUSIBLE,
    NO_ANSWER,
    UNKNOWN_CODE,
    CodeRow,
    Outcome,
    look_up,
)
from ..api.verdict import MAX_SIMILARITY
from ..warehouse.records import COUNTED, Status
from . import WARNING, expectation

RESULT_RULE = "expect_multicolumn_values_to_keep_result_rule"
QUARANTINED = "quarantined"
OF_RUN = "_of_run"
"""Ends the name of a count of rows that were last written in the DAG run of the check."""


class ResultRule(NamedTuple):
    """
    A rule about several columns of a result row.

    :param asks: what it asks for, for people.
    :param columns: of the result table, in the order the rule takes their values.
    :param keeps: returns whether a row of an Action keeps the rule: takes the Action and the values.
    :param severity: of the expectation in the suite.
    """

    name: str
    asks: str
    columns: tuple[str, ...]
    keeps: Callable[..., bool]
    severity: str = "critical"


@lru_cache(maxsize=4096)
def _row(action: str, code: object) -> CodeRow | None:
    """Return what a code means for an Action; None for what is no code."""
    return look_up(ACTIONS[action].results, code) if isinstance(code, str) and code else None


def _keeps_code(action: Action, status: str, code: Any) -> bool:
    row = _row(action.name, code)
    is_known = row is not None and row is not UNKNOWN_CODE and row is not NO_ANSWER
    return is_known or status != Status.ANSWERED


def _keeps_outcome(action: Action, status: str, code: Any, outcome: Any) -> bool:
    if status != Status.ANSWERED:
        return True
    row = _row(action.name, code)
    if row is None:
        return False
    is_face = action.compares_faces and row.outcome is Outcome.MATCH
    others = (BELOW_THRESHOLD.outcome, IMPLAUSIBLE.outcome) if is_face else ()
    return outcome in {row.outcome, *others}


def _keeps_charge(action: Action, status: str, code: Any, attempts: Any, charged: Any) -> bool:
    if status != Status.ANSWERED:
        return charged is None
    row = _row(action.name, code)
    if attempts == 0:  # another row's call has answered
        return bool(charged == 0)
    expected = UNKNOWN_CODE.charged.flag if row is None else row.charged.flag
    return charged is None if expected is None else bool(charged == int(expected))


def _keeps_similarity(action: Action, status: str, outcome: Any, similarity: Any) -> bool:
    if similarity is None:
        is_match = status == Status.ANSWERED and outcome == Outcome.MATCH
        return not (action.compares_faces and is_match)
    is_number = isinstance(similarity, int | float | Decimal)
    return action.compares_faces and is_number and 0 <= similarity <= MAX_SIMILARITY


def _keeps_moments(
    _action: Action, status: str, answered_at: Any, verified_date: Any, not_before: Any
) -> bool:
    if status == Status.ANSWERED:
        return answered_at is not None and verified_date is not None
    waits = status != Status.POSTPONED or not_before is not None
    return answered_at is None and verified_date is None and waits


def _keeps_request_id(_action: Action, status: str, request_id: Any) -> bool:
    return status != Status.ANSWERED or bool(request_id)


RESULT_RULES: dict[str, ResultRule] = {
    rule.name: rule
    for rule in (
        ResultRule(
            "result_code",
            "an answer has a code that the Action's table or the common one lists",
            ("status", "code"),
            _keeps_code,
            WARNING,
        ),
        ResultRule(
            "result_outcome",
            "the outcome of an answer is that of its code; a face match may be below the threshold",
            ("status", "code", "outcome"),
            _keeps_outcome,
        ),
        ResultRule(
            "result_charged",
            "charged is what the table of codes says of the code: 1, 0, or NULL where no page says; 0 if "
            "another row's call answered, NULL without an answer",
            ("status", "code", "attempts", "charged"),
            _keeps_charge,
        ),
        ResultRule(
            "result_similarity",
            "a similarity is from 0 to 100 and there for each face match; NULL where no faces are compared",
            ("status", "outcome", "similarity"),
            _keeps_similarity,
        ),
        ResultRule(
            "result_moments",
            "an answer has a moment and a day, a postponed row a moment before which it waits",
            ("status", "answered_at", "verified_date", "not_before"),
            _keeps_moments,
        ),
        ResultRule(
            "result_request_id",
            "an answer has the service's RequestId",
            ("status", "request_id"),
            _keeps_request_id,
            WARNING,
        ),
    )
}
"""Rules of result rows by name."""


def known_outcomes(action: Action) -> list[str]:
    """Return the outcomes a result row of an Action can have, from the tables of codes."""
    rows = [*action.results.values(), *COMMON.values(), NO_ANSWER, UNKNOWN_CODE]
    rows += [BELOW_THRESHOLD, IMPLAUSIBLE] if action.compares_faces else []
    # A limit of the connection postpones a row of any Action.
    return sorted({row.outcome.value for row in rows} | {Outcome.LIMIT.value})


def result_suite(action: Action) -> list[dict[str, Any]]:
    """
    Return the expectations of an Action's result rows, without those of their counts.

    :param action: whose codes, charges and similarity are expected.
    """
    in_set = "expect_column_values_to_be_in_set"
    return [
        expectation("result_status", in_set, column="status", value_set=list(map(str, Status))),
        expectation(
            "result_outcome_known", in_set, column="outcome", value_set=known_outcomes(action)
        ),
        *(
            expectation(
                rule.name,
                RESULT_RULE,
                column_list=list(rule.columns),
                rule=rule.name,
                action=action.name,
            )
            | ({"severity": rule.severity} if rule.severity == WARNING else {})
            for rule in RESULT_RULES.values()
        ),
    ]


def count_suite(manifest: Mapping[str, int] | None) -> list[dict[str, Any]]:
    """
    Return the expectations of the counts of a result table, which are a page of one row.

    A table holds at least the rows its run counted: less are lost. It holds more where the source has
    lost rows since. Rows that were written in the same DAG run are among those it counted, so that in a
    campaign's first run the counts are equal.

    :param manifest: rows by status, and quarantined ones, as the run counted them; None if they are
        not compared.
    """
    between = "expect_column_values_to_be_between"
    pair = "expect_column_pair_values_to_be_equal"
    suite = [expectation("result_key_once", pair, column_A="rows", column_B="keys")]
    if manifest is None:
        return suite
    least = [
        expectation(f"count_{place}", between, column=place, min_value=manifest[place])
        for place in (*map(str, COUNTED), QUARANTINED)
    ]
    most = [
        expectation(
            f"count_{status}{OF_RUN}", between, column=f"{status}{OF_RUN}", max_value=number
        )
        | {"severity": WARNING}
        for status, number in ((str(status), manifest[status]) for status in COUNTED)
    ]
    return [*suite, *least, *most]
