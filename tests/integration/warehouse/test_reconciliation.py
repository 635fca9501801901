"""The bill is compared with our charges: what differs is found, and said which calls explain it."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest

from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.warehouse.migrations import prepare, prepare_reconciliation
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.prices import Price, count_prices, write_prices
from airflow_provider_faceid.warehouse.reconciliation import (
    BillKey,
    Charges,
    InDoubt,
    differences,
    read_charges,
    write_differences,
)
from airflow_provider_faceid.warehouse.records import RunContext
from airflow_provider_faceid.warehouse.tables import HISTORY, RESULTS

from .conftest import as_text, upsert

ONE, TWO = "IdCardVerification", "MobileStatus"
FIRST = date(2026, 11, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(30)]
SPAN = (DAYS[0], DAYS[-1])
A_DAY = 1000
CONTEXT = RunContext("spring", "", "run")


@pytest.fixture
def warehouse(home):
    database = home.open()
    prepare(database, Names())
    return database


def answer(day, number, action=ONE, code="0", charged=1):
    return {
        "campaign": "spring",
        "action": action,
        "source_key": f"{day}/{number}",
        "answer_id": "first",
        "outcome": "match",
        "code": code,
        "charged": charged,
        "attempts": 1,
        "verified_date": day.isoformat(),
    }


def held(day, key, action=ONE, hour=4):
    return {
        "campaign": "spring",
        "action": action,
        "source_key": key,
        "status": "held",
        "outcome": "uncertain",
        "code": "no_answer",
        "updated_at": f"{day}T{hour:02}:00:00.000+00:00",
    }


def compare(warehouse, bill, days=SPAN, actions=()):
    ours = read_charges(warehouse, "faceid_charges", "faceid_in_doubt", days, actions)
    return differences(bill, ours)


@pytest.fixture
def month(warehouse):
    """Thirty days of 1,000 calls of two codes, and their bill."""
    rows, bill = [], Counter()
    for day in DAYS:
        for number in range(A_DAY):
            code = "0" if number % 10 else "-1"
            rows.append(answer(day, number, code=code))
            bill[BillKey(day, ONE, code)] += 1
    upsert(warehouse, HISTORY, HISTORY.name, rows)
    return warehouse, bill


def test_one_call_in_thirty_days_of_a_thousand_is_found_and_named(month):
    warehouse, bill = month
    assert bill.total() == 30_000
    assert compare(warehouse, bill) == []
    planted = BillKey(DAYS[16], ONE, "-1")
    bill[planted] += 1
    (found,) = compare(warehouse, bill)
    assert (found.key, found.billed, found.charged) == (planted, 101, 100)
    assert (found.difference, found.explained, found.unexplained) == (1, 0, 1)

    # The same call, sent without an answer: its row explains it.
    upsert(warehouse, RESULTS, RESULTS.name, [held(DAYS[16], "the one"), held(DAYS[3], "another")])
    (found,) = compare(warehouse, bill)
    assert [call.source_key for call in found.in_doubt] == ["the one"]
    assert (found.explained, found.unexplained) == (1, 0)

    # A bill without codes says which day and Action.
    without = Counter()
    for key, count in bill.items():
        without[key._replace(code="")] += count
    (found,) = compare(warehouse, without)
    assert found.key == BillKey(DAYS[16], ONE)
    assert (found.billed, found.charged, found.unexplained) == (1001, 1000, 0)


def test_a_bill_below_our_count_is_explained_by_nothing(warehouse):
    upsert(warehouse, HISTORY, HISTORY.name, [answer(FIRST, n) for n in range(3)])
    upsert(warehouse, RESULTS, RESULTS.name, [held(FIRST, "1")])
    (found,) = compare(warehouse, {BillKey(FIRST, ONE): 2})
    assert (found.difference, found.explained, found.unexplained) == (-1, 0, -1)
    assert found.in_doubt == []


def test_what_only_one_side_knows_differs(warehouse):
    upsert(warehouse, HISTORY, HISTORY.name, [answer(FIRST, 1, TWO), answer(DAYS[1], 1)])
    found = compare(warehouse, {BillKey(FIRST, ONE): 2}, (FIRST, FIRST))
    assert [(one.key.action, one.billed, one.charged) for one in found] == [
        (ONE, 2, 0),
        (TWO, 0, 1),
    ]
    assert len(compare(warehouse, {BillKey(FIRST, ONE): 2}, (FIRST, FIRST), [ONE])) == 1


def test_days_are_the_services(warehouse):
    """A row that was written at 16:30 UTC was written on Beijing's next day."""
    upsert(warehouse, RESULTS, RESULTS.name, [held(FIRST, "late", hour=17)])
    ours = read_charges(warehouse, "faceid_charges", "faceid_in_doubt", SPAN, [])
    assert ours.in_doubt == [InDoubt(DAYS[1], ONE, "spring", "late")]


def test_an_answer_of_a_code_no_page_is_clear_about_explains_before_calls_in_doubt():
    key = BillKey(FIRST, ONE, "0")
    calls = [InDoubt(FIRST, ONE, "spring", str(number)) for number in range(3)]
    (found,) = differences({key: 12}, Charges({key: 10}, {key: 2}, calls))
    assert (found.explained, found.unexplained, found.in_doubt) == (2, 0, [])
    (found,) = differences({key: 14}, Charges({key: 10}, {key: 2}, calls))
    assert (found.explained, found.unexplained, len(found.in_doubt)) == (4, 0, 3)
    (found,) = differences({key: 16}, Charges({key: 10}, {key: 2}, calls))
    assert (found.explained, found.unexplained) == (5, 1)


def test_a_call_in_doubt_explains_its_own_day_first_and_one_call_only():
    first, second = BillKey(FIRST, ONE), BillKey(DAYS[1], ONE)
    call = InDoubt(DAYS[1], ONE, "spring", "1")
    one, two = differences({first: 1, second: 1}, Charges({}, {}, [call]))
    assert (one.unexplained, two.unexplained) == (1, 0)
    (late,) = differences({first: 1}, Charges({}, {}, [call]))
    assert (late.unexplained, late.in_doubt) == (0, [call])
    (other,) = differences({BillKey(FIRST, TWO): 1}, Charges({}, {}, [call]))
    assert other.unexplained == 1


def test_what_differs_is_written_and_replaces_what_differed_before(home, warehouse):
    upsert(warehouse, RESULTS, RESULTS.name, [held(FIRST, "1"), held(FIRST, "2")])
    tables = prepare_reconciliation(warehouse, Names())
    bill = {BillKey(FIRST, ONE): 3, BillKey(DAYS[1], TWO): 1}

    def write(days):
        found = compare(warehouse, bill, days)
        write_differences(warehouse, tables, days, found, context=CONTEXT, clock=SYSTEM_CLOCK)

    write(SPAN)
    columns = "verified_date, action, code, billed, charged, difference, in_doubt, unexplained"
    query = f"SELECT {columns} FROM faceid_reconciliation ORDER BY verified_date"
    first = ("2026-11-01", ONE, "", 3, 0, 3, 2, 1)
    assert home.query(query) == [first, ("2026-11-02", TWO, "", 1, 0, 1, 0, 1)]
    calls = "SELECT verified_date, source_key, written_on FROM faceid_reconciliation_calls"
    assert sorted(home.query(calls)) == [
        ("2026-11-01", "1", "2026-11-01"),
        ("2026-11-01", "2", "2026-11-01"),
    ]
    bill.clear()
    write((DAYS[1], DAYS[-1]))
    assert home.query(query) == [first]
    prepare_reconciliation(warehouse, Names())
    write(SPAN)
    assert home.query(query) == home.query(calls) == []


def test_prices_are_replaced_together_and_hold_on_their_days(home, warehouse):
    prices = [
        Price(ONE, 0.5, "USD", valid_to=FIRST),
        Price(ONE, 0.25, "USD", valid_from=DAYS[1]),
        Price(TWO, 2.0, "CNY", valid_from=DAYS[1], valid_to=DAYS[2]),
    ]
    rows = [answer(day, 1, action) for day in DAYS[:4] for action in (ONE, TWO)]
    upsert(warehouse, HISTORY, HISTORY.name, rows)
    write_prices(warehouse, "faceid_prices", prices, SYSTEM_CLOCK)
    query = (
        "SELECT verified_date, amount, currency FROM faceid_charges WHERE action = '{}' ORDER BY 1"
    )
    amounts = [tuple(map(as_text, row))[1:] for row in warehouse.rows(query.format(ONE))]
    assert amounts == [(0.5, "USD"), (0.25, "USD"), (0.25, "USD"), (0.25, "USD")]
    amounts = [tuple(map(as_text, row))[1:] for row in warehouse.rows(query.format(TWO))]
    assert amounts == [(None, None), (2.0, "CNY"), (2.0, "CNY"), (None, None)]
    write_prices(warehouse, "faceid_prices", [], SYSTEM_CLOCK)
    assert count_prices(warehouse, "faceid_prices") == 0


@pytest.mark.parametrize(
    "prices",
    [
        [Price(ONE, 1, "USD"), Price(ONE, 2, "USD", valid_from=FIRST)],
        [Price(ONE, 1, "USD", valid_to=FIRST), Price(ONE, 2, "CNY", valid_from=FIRST)],
        [Price(ONE, 1, "USD", valid_from=DAYS[1], valid_to=FIRST)],
    ],
)
def test_two_prices_on_one_day_are_refused_and_the_old_ones_stay(warehouse, prices):
    write_prices(warehouse, "faceid_prices", [Price(TWO, 1, "USD")], SYSTEM_CLOCK)
    with pytest.raises(ConfigurationError, match=r"two prices on|ends before it begins"):
        write_prices(warehouse, "faceid_prices", prices, SYSTEM_CLOCK)
    assert count_prices(warehouse, "faceid_prices") == 1
