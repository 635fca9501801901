from __future__ import annotations

import tracemalloc
from uuid import UUID

from airflow_provider_faceid.simulator.account import Entry, Ledger

FIRST = str(UUID(int=1))


def entry(number: int = 1, *, charged: bool = True, error: str = "", fault: str = "") -> Entry:
    return Entry(
        at=0.5,
        action="IdCardVerification",
        id_card="a number",
        result="" if error else "0",
        error=error,
        processed=not error,
        charged=charged,
        fault=fault,
        request_id=str(UUID(int=number)),
    )


def test_a_row_holds_everything_about_a_request():
    ledger = Ledger()
    ledger.add(entry())
    assert list(ledger.rows()) == [
        {
            "at": "1970-01-01T00:00:00.500+00:00",
            "action": "IdCardVerification",
            "id_card": "a number",
            "result": "0",
            "error": "",
            "processed": True,
            "charged": True,
            "answered": False,
            "fault": "",
            "request_id": FIRST,
        }
    ]


def test_a_row_says_what_became_of_a_request_whatever_the_caller_saw():
    ledger = Ledger()
    entries = [entry(1), entry(2, fault="drop_after"), entry(3, charged=False, error="Throttled")]
    for one in entries:
        ledger.add(one)
    entries[0].answered = entries[2].answered = True
    assert [
        (row["processed"], row["charged"], row["answered"], row["fault"]) for row in ledger.rows()
    ] == [
        (True, True, True, ""),
        (True, True, False, "drop_after"),
        (False, False, True, ""),
    ]


def test_only_charged_requests_are_billed():
    ledger = Ledger()
    ledger.add(entry())
    ledger.add(entry(charged=False, error="RequestLimitExceeded"))
    assert len(ledger) == 2
    assert ledger.bill == {"IdCardVerification": 1}


def test_rows_can_be_read_in_parts():
    ledger = Ledger()
    for number in range(10):
        ledger.add(entry(number))
    ids = [row["request_id"] for row in ledger.rows()]
    assert [row["request_id"] for row in ledger.rows(8)] == ids[8:]
    assert [row["request_id"] for row in ledger.rows(3, 2)] == ids[3:5]
    assert list(ledger.rows(10)) == list(ledger.rows(99, 1)) == []


def test_a_list_being_read_survives_a_reset():
    ledger = Ledger()
    ledger.add(entry(1))
    ledger.add(entry(2))
    rows = ledger.rows()
    next(rows)
    ledger.clear()
    assert next(rows)["request_id"] == str(UUID(int=2))
    assert len(ledger) == 0
    assert not ledger.bill


def test_an_answer_to_a_request_that_is_forgotten_is_forgotten_too():
    ledger = Ledger()
    late = entry(1)
    ledger.add(late)
    ledger.clear()
    ledger.add(entry(2))
    late.answered = True
    assert [row["answered"] for row in ledger.rows()] == [False]


def test_a_million_requests_fit_into_a_gigabyte():
    ledger, count = Ledger(), 2000
    tracemalloc.start()
    for number in range(count):
        ledger.add(entry(number))
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert used / count < 500
