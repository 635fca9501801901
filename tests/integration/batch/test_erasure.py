"""A person or a row is forgotten: nothing leads to them any more, and the bill is rebuilt as before."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from airflow_provider_faceid.batch.erasure import Forgetting, Request
from airflow_provider_faceid.clock import SYSTEM_CLOCK, beijing_date, utc_seconds
from airflow_provider_faceid.pii_scan import PiiScan
from airflow_provider_faceid.warehouse.bill import BillKey
from airflow_provider_faceid.warehouse.database import DUCKDB, POSTGRESQL
from airflow_provider_faceid.warehouse.migrations import prepare_beside
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.reconciliation import differences, read_charges
from airflow_provider_faceid.warehouse.tables import ERASURES, HISTORY, QUARANTINE, RESULTS

FIRST_KEY = 713_900_001
"""Source keys of nine digits, so that finding one in a file is no accident."""
TABLES = (RESULTS, HISTORY, QUARANTINE)


def forgetting(bench, request, **more):
    return Forgetting(
        request,
        warehouse=bench.home.open(),
        names=Names(),
        store=bench.state,
        settings=bench.settings(),
        clock=SYSTEM_CLOCK,
        **more,
    )


def forget(bench, **request):
    return forgetting(bench, Request(requested_by="someone", **request)).run()


def verified(bench, count=6, **more):
    """Fill the source with people who match, and verify them."""
    people = bench.ordinary[:count]
    bench.fill([(FIRST_KEY + n, p.id_card, p.name) for n, p in enumerate(people)])
    bench.run(**more)
    return people


def bill_of(bench):
    """Return the bill of the service, by day, Action and code."""
    bill = Counter()
    for call in bench.calls():
        if call["charged"]:
            bill[
                BillKey(
                    beijing_date(utc_seconds(call["at"])),
                    call["action"],
                    call["result"] or call["error"],
                )
            ] += 1
    return bill


def charges(bench):
    return sorted(
        bench.home.query(
            "SELECT verified_date, action, code, calls, charged, may_be_charged FROM faceid_charges"
        ),
        key=repr,
    )


def compare(bench, bill):
    days = [key.day for key in bill]
    span = (min(days) - timedelta(days=1), max(days) + timedelta(days=1))
    ours = read_charges(bench.home.open(), "faceid_charges", "faceid_in_doubt", span, [])
    return differences(bill, ours)


def hashes_of(bench, key):
    """Return all that the tables have about a row and nothing else has."""
    found = set()
    for table, columns in (
        (
            "faceid_results",
            ("source_key", "id_card_hash", "question_hash", "row_hash", "request_id"),
        ),
        (
            "faceid_history",
            ("source_key", "id_card_hash", "question_hash", "row_hash", "answer_id"),
        ),
        ("faceid_quarantine", ("source_key", "question_hash", "row_hash")),
    ):
        for row in bench.home.query(
            f"SELECT {', '.join(columns)} FROM {table} WHERE source_key = '{key}'"
        ):
            found |= {value for value in row if value}
    return sorted(found)


def texts_of(bench):
    """Return everything the tables beside the results hold, as text."""
    names = ["faceid_erasures", *(table.name for table in TABLES)]
    return {name: repr(bench.home.query(f"SELECT * FROM {name}")) for name in names}


def leaks(bench, tmp_path, marks):
    """Return where any of some texts is found: in tables, in the state store, in all files of both."""
    found = [
        (name, mark) for name, text in texts_of(bench).items() for mark in marks if mark in text
    ]
    bench.state.close()
    scan = PiiScan({f"mark {n}": mark for n, mark in enumerate(marks)})
    scan.search_folder(str(tmp_path))
    if bench.home.dialect is POSTGRESQL:
        for name in texts_of(bench):
            (data,) = bench.home.query(
                f"SELECT encode(pg_read_binary_file(pg_relation_filepath('{name}')), 'escape')"
            )
            found += [(f"file of {name}", mark) for mark in marks if mark in data[0]]
    return found + [str(hit) for hit in scan.hits]


@pytest.fixture
def plain_files(home):
    """Let DuckDB write texts as they are, so that a search of its file finds what is there."""
    if home.dialect is DUCKDB:
        connect = home._connect

        def uncompressed(address):
            connection = connect(address)
            connection.execute("SET force_compression = 'uncompressed'")
            return connection

        home._connect = uncompressed


@pytest.mark.usefixtures("plain_files")
def test_nothing_leads_to_a_forgotten_row_and_the_bill_is_as_before(bench, tmp_path):
    people = verified(bench)
    prepare_beside(bench.home.open(), Names(), ERASURES)
    key = str(FIRST_KEY + 2)
    marks, bill, before = hashes_of(bench, key), bill_of(bench), charges(bench)
    assert len(marks) >= 5
    assert leaks(bench, tmp_path, marks)  # the search finds what is there
    assert compare(bench, bill) == []

    bench.source.run(f"DELETE FROM people WHERE id = {key}")
    done = forget(bench, keys=[key])
    assert done.problems == []
    assert done.sources == ["here:people"]
    assert done.receipt["is_rewritten"] == 1
    counts = ("results", "history", "answers_kept", "calls", "source_keys")
    assert [done.receipt[name] for name in counts] == [1, 1, 1, 1, 1]
    assert leaks(bench, tmp_path, marks) == []
    assert charges(bench) == before
    assert compare(bench, bill) == []

    ((receipt, who, erased, finished),) = bench.home.query(
        "SELECT receipt_id, requested_by, erased_at, finished_at FROM faceid_erasures"
    )
    assert (receipt, who) == (done.receipt["receipt_id"], "someone")
    assert erased <= finished
    # Everybody else is as they were, and a row that comes back is verified as a new one.
    assert len(bench.results()) == 5
    assert bench.run(owner="later")["calls"] == 0
    bench.source.run(
        "INSERT INTO people VALUES (?, ?, ?, NULL)", [(int(key), people[2].id_card, people[2].name)]
    )
    assert bench.run(owner="even later")["calls"] == 1
    assert bench.results()[key] == ("answered", "match")
