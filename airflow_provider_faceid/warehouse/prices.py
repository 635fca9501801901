"""Prices of charged calls by Action, with currency and validity: ``faceid_prices``. None is shipped."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from ..clock import Clock, utc_text
from ..exceptions import ConfigurationError
from .sql.database import Database
from .tables import PRICES, delete, insert

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(9999, 12, 31)


class Price(NamedTuple):
    """
    The price of one charged call.

    :param action: the API Action.
    :param price: amount from 0.
    :param currency: of the amount, such as ``USD``.
    :param valid_from: the service's first day (Beijing) on which it holds.
    :param valid_to: the last one; None for no end.
    """

    action: str
    price: float
    currency: str
    valid_from: date = FIRST_DAY
    valid_to: date | None = None


def check_prices(prices: Iterable[Price]) -> None:
    """
    Make sure that an Action has one price on each day.

    :raises ConfigurationError: two prices hold on one day, or one ends before it begins.
    """
    ordered = sorted(prices, key=lambda price: (price.action, price.valid_from))
    for price in ordered:
        if (price.valid_to or LAST_DAY) < price.valid_from:
            raise ConfigurationError(
                f"The price of {price.action} from {price.valid_from} ends before it begins"
            )
    for earlier, later in pairwise(ordered):
        if earlier.action == later.action and (earlier.valid_to or LAST_DAY) >= later.valid_from:
            raise ConfigurationError(
                f"{later.action} has two prices on {later.valid_from}. Give the earlier one "
                "valid_to: the last day on which it holds"
            )


def count_prices(database: Database, table: str) -> int:
    """Return how many prices there are."""
    ((count,),) = database.rows(f"SELECT COUNT(*) FROM {database.dialect.quote_table(table)}")
    return int(count)


def write_prices(database: Database, table: str, prices: Iterable[Price], clock: Clock) -> None:
    """
    Replace all prices, in one transaction.

    :param table: name of the price table, which exists.
    :raises ConfigurationError: see :func:`check_prices`.
    """
    listed = list(prices)
    check_prices(listed)
    now = utc_text(clock.now())
    rows = [
        {
            **price._asdict(),
            "valid_from": price.valid_from.isoformat(),
            "valid_to": price.valid_to and price.valid_to.isoformat(),
            "updated_at": now,
        }
        for price in listed
    ]

    def work(cursor: object) -> None:
        delete(cursor, database, table, "1 = 1", ())
        insert(cursor, database, PRICES, table, rows)

    database.run(f"writing table '{table}'", work)


def current_price(database: Database, table: str, action: str, today: date) -> Price | None:
    """
    Return the price of an Action on a day; None if there is none, or no price table.

    :param table: name of the price table.
    :param today: the service's day (Beijing).
    """
    if not database.columns(table):
        return None
    dialect = database.dialect
    rows = database.rows(
        f"SELECT action, price, currency FROM {dialect.current.format(dialect.quote_table(table))} "
        f"WHERE action = {dialect.marker} AND valid_from <= {dialect.marker} "
        f"AND (valid_to IS NULL OR valid_to >= {dialect.marker})",
        [action, *[today.isoformat()] * 2],
    )
    return Price(rows[0][0], float(rows[0][1]), rows[0][2]) if rows else None
