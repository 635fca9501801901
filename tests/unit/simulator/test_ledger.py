from __future__ import annotations

from uuid import UUID

from airflow_provider_faceid.simulator.ledger import Entry, Ledger

FIRST = UUID(int=1)


def entry(number: int = 1, *, charged: bool = True, error: str = "") -> Entry:
    result = "" if error else "0"
    return Entry(0.5, "IdCardVerification", "a number", result, error, charged, UUID(int=number))


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
            "charged": True,
            "request_id": str(FIRST),
        }
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
