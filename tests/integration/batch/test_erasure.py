"""A person or a row is forgotten: nothing leads to them any more, and the bill is rebuilt as before."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

import airflow_provider_faceid.batch.erasure as erasure_module
from airflow_provider_faceid.api.person import read_person
from airflow_provider_faceid.batch.erasure import Forgetting, Request
from airflow_provider_faceid.clock import SYSTEM_CLOCK, beijing_date, utc_seconds
from airflow_provider_faceid.exceptions import ConfigurationError, InFlightError
from airflow_provider_faceid.pii_scan import PiiScan
from airflow_provider_faceid.simulator.faults import FaultRule, Nth
from airflow_provider_faceid.simulator.faults.effects import DropAfter
from airflow_provider_faceid.simulator.people import FACE, ID_CARD
from airflow_provider_faceid.state.call_table import Claim, call_key
from airflow_provider_faceid.state.ledger import LEASE_SECONDS, Ledger
from airflow_provider_faceid.warehouse.erasure.erasure import Erasure
from airflow_provider_faceid.warehouse.migrations import prepare_beside
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.reconciliation import BillKey, differences, read_charges
from airflow_provider_faceid.warehouse.sql.database import DUCKDB, POSTGRESQL
from airflow_provider_faceid.warehouse.tables import ERASURES, HISTORY, QUARANTINE, RESULTS
from tests.support.homes import homes

pytestmark = pytest.mark.long

FIRST_KEY, STEP = 713_900_001, 23_456_789
"""Source keys of nine digits, of which no two share eight: finding one in a file is no accident."""
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
    bench.fill([(FIRST_KEY + STEP * n, p.id_card, p.name) for n, p in enumerate(people)])
    bench.run(**more)
    return people


def delete_from_source(bench, key):
    """Delete a row of the source, as its owner does; DuckDB keeps the bytes in the table's row group."""
    bench.source.run(f"DELETE FROM people WHERE id = {key}")
    if bench.source.dialect is DUCKDB:
        bench.source.run("CREATE OR REPLACE TABLE people AS SELECT * FROM people")


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
    key = str(FIRST_KEY + STEP * 2)
    marks, bill, before = hashes_of(bench, key), bill_of(bench), charges(bench)
    assert len(marks) >= 5
    assert leaks(bench, tmp_path, marks)  # the search finds what is there
    assert compare(bench, bill) == []

    delete_from_source(bench, key)
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


def snapshot(bench):
    """Return what there is in tables and ledger, receipts too."""
    counts = {name: sorted(map(repr, rows)) for name, rows in rows_of(bench).items()}
    with bench.state.transaction() as cursor:
        cursor.execute("SELECT call_key, state FROM faceid_calls ORDER BY call_key")
        return counts, cursor.fetchall()


def rows_of(bench):
    names = ["faceid_erasures", *(table.name for table in TABLES)]
    return {name: bench.home.query(f"SELECT * FROM {name}") for name in names}


@pytest.mark.usefixtures("plain_files")
def test_a_person_is_found_in_all_campaigns_by_their_numbers(bench, tmp_path):
    people = verified(bench)
    bench.run(campaign="d", owner="other")
    prepare_beside(bench.home.open(), Names(), ERASURES)
    gone, marks = people[1], hashes_of(bench, FIRST_KEY + STEP * 1)
    bill, before = bill_of(bench), charges(bench)
    delete_from_source(bench, FIRST_KEY + STEP * 1)
    done = forget(bench, person=read_person({"id_card": gone.id_card.lower(), "name": gone.name}))
    assert (done.receipt["erased_by"], done.receipt["results"], done.receipt["calls"]) == (
        "person",
        2,
        2,
    )
    marks += [gone.id_card, gone.name]
    assert leaks(bench, tmp_path, marks) == []
    assert charges(bench) == before
    assert compare(bench, bill) == []
    assert len(bench.results()) == len(bench.results("d")) == 5


def test_the_whole_person_behind_a_key_is_found_under_other_keys(bench):
    person, other = bench.ordinary[:2]
    rows = [(1, person), (2, other), (3, person)]
    bench.fill([(FIRST_KEY + STEP * n, p.id_card, p.name) for n, p in rows])
    bench.run()
    forget(bench, keys=[str(FIRST_KEY + STEP * 1)])
    assert bench.results().keys() == {str(FIRST_KEY + STEP * 2), str(FIRST_KEY + STEP * 3)}
    forget(bench, keys=[str(FIRST_KEY + STEP * 3)], is_whole_person=True)
    assert bench.results().keys() == {str(FIRST_KEY + STEP * 2)}


@pytest.mark.usefixtures("plain_files")
def test_a_call_in_doubt_stays_on_the_bill_without_its_row(bench, tmp_path):
    bench.server.faults.add(FaultRule(DropAfter(), nth=Nth(1, 2)))
    try:
        verified(bench, 4)
    finally:
        bench.server.faults.clear()
    prepare_beside(bench.home.open(), Names(), ERASURES)
    held = sorted(key for key, (status, _) in bench.results().items() if status == "held")
    assert len(held) == 2
    marks, bill, before = hashes_of(bench, held[0]), bill_of(bench), charges(bench)
    differences = [(one.difference, one.unexplained) for one in compare(bench, bill)]
    assert differences == [(2, 0)]
    delete_from_source(bench, held[0])
    done = forget(bench, keys=[held[0]])
    assert (done.receipt["in_doubt_kept"], done.receipt["answers_kept"]) == (1, 0)
    assert leaks(bench, tmp_path, marks) == []
    assert charges(bench) == before
    assert [(one.difference, one.unexplained) for one in compare(bench, bill)] == differences
    # Nobody can release it, and it waits for nothing.
    assert bench.store().release() == 1
    assert bench.home.query("SELECT status, SUM(waiting) FROM faceid_waiting GROUP BY status") == [
        ("postponed", 1)
    ]


def test_a_row_in_flight_is_refused_and_nothing_is_half_done(bench):
    people = verified(bench)
    prepare_beside(bench.home.open(), Names(), ERASURES)
    values = {"IdCard": people[0].id_card, "Name": people[0].name}
    worker = Ledger(bench.state, "another task")
    worker.begin(SYSTEM_CLOCK.now())
    key = call_key(bench.settings().hmac_key, ID_CARD, "e", values)
    worker.step([], [Claim(key, str(FIRST_KEY))])
    before = snapshot(bench)
    for request in (
        {"keys": [str(FIRST_KEY)]},
        {"keys": [str(FIRST_KEY + STEP * 1), str(FIRST_KEY)]},
        {"person": read_person({"id_card": people[0].id_card, "name": people[0].name})},
    ):
        with pytest.raises(InFlightError, match="1 call is in flight"):
            forget(bench, **request)
        assert snapshot(bench) == before
    # Rows of another campaign are not in flight.
    forget(bench, keys=[str(FIRST_KEY)], campaign="c")
    assert str(FIRST_KEY) not in bench.results()


def test_a_call_claimed_between_look_and_erasure_is_refused_likewise(bench, monkeypatch):
    people = verified(bench)
    values = {"IdCard": people[0].id_card, "Name": people[0].name}
    key = call_key(bench.settings().hmac_key, ID_CARD, "c", values)
    begin = Forgetting._begin

    def claimed(self, found):
        receipt = begin(self, found)
        worker = Ledger(bench.state, "another task")
        worker.begin(SYSTEM_CLOCK.now())
        worker.step([], [Claim(key, str(FIRST_KEY), answered_since=SYSTEM_CLOCK.now() + 60)])
        return receipt

    monkeypatch.setattr(Forgetting, "_begin", claimed)
    with pytest.raises(InFlightError):
        forget(bench, keys=[str(FIRST_KEY)])
    assert len(bench.results()) == 6
    assert bench.home.query("SELECT COUNT(*) FROM faceid_erasures") == [(0,)]


def test_a_row_that_is_written_meanwhile_is_said_to_be_there_again(bench, monkeypatch):
    verified(bench)
    erase = Erasure.erase

    def written(self, *parts):
        receipt = erase(self, *parts)
        bench.run(owner="meanwhile")
        return receipt

    monkeypatch.setattr(Erasure, "erase", written)
    with pytest.raises(InFlightError, match="meanwhile"):
        forget(bench, keys=[str(FIRST_KEY)])
    monkeypatch.undo()
    delete_from_source(bench, FIRST_KEY)
    forget(bench, keys=[str(FIRST_KEY)])
    assert str(FIRST_KEY) not in bench.results()
    assert compare(bench, bill_of(bench)) == []


def test_a_call_of_a_dead_worker_stays_countable_if_its_action_is_known(bench):
    verified(bench)
    prepare_beside(bench.home.open(), Names(), ERASURES)
    new = bench.ordinary[7]
    key = call_key(
        bench.settings().hmac_key, ID_CARD, "c", {"IdCard": new.id_card, "Name": new.name}
    )
    worker = Ledger(bench.state, "a task that dies")
    worker.begin(SYSTEM_CLOCK.now())
    worker.step([], [Claim(key, "lost")])
    with bench.state.transaction() as cursor:
        cursor.execute(
            f"UPDATE faceid_tries SET seen_at = {SYSTEM_CLOCK.now() - LEASE_SECONDS - 1}"
        )
    before = snapshot(bench)
    with pytest.raises(ConfigurationError, match="Give the Action"):
        forget(bench, keys=["lost"], campaign="c")
    assert snapshot(bench) == before
    assert in_doubt(bench) == []
    done = forget(bench, keys=["lost"], campaign="c", action=ID_CARD)
    assert (done.receipt["calls"], done.receipt["in_doubt_kept"]) == (1, 1)
    ((action, erased),) = in_doubt(bench)
    assert action == ID_CARD
    assert erased.startswith("(erased) ")


def in_doubt(bench):
    return bench.home.query("SELECT action, source_key FROM faceid_in_doubt")


def test_an_unknown_key_is_refused_and_nothing_is_half_done(bench):
    verified(bench)
    prepare_beside(bench.home.open(), Names(), ERASURES)
    before = snapshot(bench)
    for request, words in (
        ({"keys": ["nobody"]}, "know 1 key: nothing was erased"),
        ({"keys": [str(FIRST_KEY)], "campaign": "d"}, "in campaign 'd'"),
        ({"keys": [str(FIRST_KEY)], "action": FACE}, f"of {FACE}"),
        ({"keys": [str(FIRST_KEY), "nobody"]}, "such as 'nobody': nothing was erased"),
        ({"person": read_person({"phone": "13800138000"})}, "know this person"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            forget(bench, **request)
        assert snapshot(bench) == before
    forget(bench, keys=[str(FIRST_KEY), "nobody"], skips_unknown=True)
    assert len(bench.results()) == 5


@homes("duckdb")
@pytest.mark.usefixtures("plain_files")
@pytest.mark.parametrize("place", ["smallest", "largest"])
def test_statistics_in_a_duckdb_file_are_of_rows_that_are_left(bench, tmp_path, place):
    prepare_beside(bench.home.open(), Names(), ERASURES)
    people = verified(bench)
    # Tables that stay as they are, and their metadata in the block where that of ours is.
    for name in ("faceid_history", "faceid_results", "faceid_quarantine", "faceid_prices"):
        bench.home.run(f"CREATE TABLE {name}_of_mine AS SELECT 1 AS id")
    bench.home.close()
    key = str(FIRST_KEY + STEP * (0 if place == "smallest" else len(people) - 1))
    delete_from_source(bench, key)
    assert forget(bench, keys=[key]).problems == []
    bench.home.close()
    assert leaks(bench, tmp_path, [key]) == []
    made = bench.home.query("SELECT table_name FROM information_schema.tables")
    assert [name for (name,) in made if "filler" in name] == []


@homes("postgresql")
def test_statistics_of_postgresql_are_of_rows_that_are_left(bench):
    verified(bench)
    key = str(FIRST_KEY)
    marks = hashes_of(bench, key)
    bench.home.run("ANALYZE")
    assert [mark for mark in marks if mark in statistics(bench)] != []
    delete_from_source(bench, key)
    assert forget(bench, keys=[key]).problems == []
    assert [mark for mark in marks if mark in statistics(bench)] == []


def statistics(bench):
    """Return the values that the server quotes of our tables."""
    return repr(
        bench.home.query(
            "SELECT CAST(most_common_vals AS TEXT), CAST(histogram_bounds AS TEXT) FROM pg_stats "
            "WHERE schemaname = current_schema() AND tablename LIKE 'faceid_%'"
        )
    )


STEPS = ("erase_calls", "erase", "_refuse_what_came_back", "_rewrite", "_finish")
"""Where a process dies: before the first, and before and after each further step."""


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_that_dies_at_any_point_is_finished_by_the_same_command(
    bench, monkeypatch, step, when
):
    people = verified(bench)
    prepare_beside(bench.home.open(), Names(), ERASURES)
    key = str(FIRST_KEY + STEP * 2)
    marks, bill, before = hashes_of(bench, key), bill_of(bench), charges(bench)
    delete_from_source(bench, key)
    owner = {"erase_calls": erasure_module, "erase": Erasure}.get(step, Forgetting)
    whole = getattr(owner, step)

    def dies(*parts, **more):
        if when == "before":
            raise DeadError
        whole(*parts, **more)
        raise DeadError

    with monkeypatch.context() as patched:
        patched.setattr(owner, step, dies)
        with pytest.raises(DeadError):
            forget(bench, keys=[key])
    if (step, when) == ("_finish", "after"):  # all was done
        with pytest.raises(ConfigurationError, match="nothing was erased"):
            forget(bench, keys=[key])
    else:
        done = forget(bench, keys=[key])
        assert done.problems == []
        assert bool(done.receipt) or len(done.finished) == 1
    assert not any(mark in text for text in texts_of(bench).values() for mark in marks)
    assert charges(bench) == before
    assert compare(bench, bill) == []
    receipts = bench.home.query("SELECT erased_at, finished_at FROM faceid_erasures")
    assert [bool(erased) for erased, _ in receipts] == [bool(ended) for _, ended in receipts]
    assert len(people) - 1 == len(bench.results())
    with bench.state.transaction() as cursor:
        cursor.execute("SELECT COUNT(*) FROM faceid_calls")
        assert cursor.fetchall() == [(5,)]


class DeadError(Exception):
    """The process has died."""
