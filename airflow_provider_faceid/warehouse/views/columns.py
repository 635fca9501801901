"""Columns of views, made of the metrics and of the definitions of our tables."""

from __future__ import annotations

from collections.abc import Mapping

from ..tables import HISTORY, PRICES, QUARANTINE, RESULTS, REVIEWS, Column
from .metrics import COUNTS, RATES, rate_of_rows
from .views import ViewColumn

COLUMNS: Mapping[str, Column] = {
    **REVIEWS.columns,
    **HISTORY.columns,
    **QUARANTINE.columns,
    **RESULTS.columns,
    **PRICES.columns,
}
_DIGITS = " UNION ALL ".join(f"SELECT {digit} AS digit" for digit in range(10))
_TENS = f"{_DIGITS} UNION ALL SELECT 10 AS digit"


def same(*names: str) -> dict[str, ViewColumn]:
    """Return columns as our tables have them."""
    return {name: ViewColumn(name, COLUMNS[name].type, COLUMNS[name].meaning) for name in names}


def counts(*names: str) -> dict[str, ViewColumn]:
    """Return counts over rows."""
    return {name: ViewColumn(COUNTS[name].sql, "integer", COUNTS[name].meaning) for name in names}


def rates(*names: str) -> dict[str, ViewColumn]:
    """Return rates over rows."""
    return {name: ViewColumn(rate_of_rows(name), "real", RATES[name].meaning) for name in names}


def named(type_: str, **meanings: str) -> dict[str, ViewColumn]:
    """Return columns that the relation has by these names."""
    return {name: ViewColumn(name, type_, meaning) for name, meaning in meanings.items()}


def whole(expression: str) -> str:
    """Return the SQL of a sum of counts as a whole number."""
    return f"CAST(SUM({expression}) AS {{whole_number}})"


def numbers(first: int, last: int) -> str:
    """Return a relation of the whole numbers ``number`` of a range within 0-109."""
    return (
        f"(SELECT tens.digit * 10 + ones.digit AS number FROM ({_TENS}) AS tens "
        f"CROSS JOIN ({_DIGITS}) AS ones "
        f"WHERE tens.digit * 10 + ones.digit BETWEEN {first} AND {last})"
    )
