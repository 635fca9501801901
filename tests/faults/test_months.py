"""A verdict lives for months: who is asked about on which day, what it costs, and about whom it is."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import NamedTuple

import psycopg
import pytest

from airflow_provider_faceid.exceptions import FaceIdError, PlanRefusedError
from airflow_provider_faceid.simulator.faults import FaultRule
from airflow_provider_faceid.simulator.faults.effects import Code, DropAfter
from airflow_provider_faceid.simulator.people import FACE, ID_CARD
from airflow_provider_faceid.state.call_table import Claim, Decision, call_key
from airflow_provider_faceid.state.ledger import LEASE_SECONDS, Ledger
from airflow_provider_faceid.warehouse.sql.database import POSTGRESQL, SQLITE
from tests.integration.warehouse.conftest import Home

DAY, VALID_DAYS = 86_400, 10


class Asked(NamedTuple):
    """What a notebook beside our code says of a row: who it is, when it was last answered."""

    person: int
    day: int | None = None


class Month:
    """
    A table of applicants that changes a little every day, and a count of what that must cost.

    The count knows nothing of our code: it compares who a row names with who was asked about.
    """

    def __init__(self, trial, rows: int) -> None:
        self.trial, self.day = trial, 0
        self.people = trial.ordinary
        self.next_person = 0
        self.rows: dict[int, Asked] = {}
        self.refused: int | None = None
        self.removed: dict[int, Asked] = {}
        self.answers = 0
        trial.fill([])
        for _ in range(rows):
            self.add()

    def someone(self) -> int:
        """Return somebody who was not in the table yet."""
        self.next_person += 1
        return self.next_person - 1

    def add(self) -> int:
        """A new applicant."""
        key, person = len(self.rows) + len(self.removed) + 1, self.someone()
        self.rows[key] = Asked(person)
        one = self.people[person]
        self.trial.home.run(
            "INSERT INTO people VALUES (?, ?, ?, NULL)", [(key, one.id_card, one.name)]
        )
        return key

    def change(self, key: int) -> None:
        """The row names another person from now on; what we knew of it is void."""
        person = self.someone()
        self.rows[key] = Asked(person)
        one = self.people[person]
        self.trial.home.run(
            "UPDATE people SET id_card = ?, name = ? WHERE id = ?", [(one.id_card, one.name, key)]
        )

    def remove(self, key: int) -> None:
        """The row goes, its verdict stays."""
        self.removed[key] = self.rows.pop(key)
        self.trial.home.run("DELETE FROM people WHERE id = ?", [(key,)])

    def steady(self, number: int) -> int:
        """Return one of the rows that have a verdict and nothing new this morning."""
        keys = [key for key, row in self.rows.items() if row.day is not None]
        return keys[number % len(keys)]

    def morning(self) -> None:
        """Some new, some changed, one mended, one gone; and one the service will refuse."""
        for number in range(3):
            self.change(self.steady(7 * self.day + 300 * number))
        if self.refused is not None:
            self.change(self.refused)
        self.remove(self.steady(11 * self.day + 500))
        for _ in range(4):
            self.add()
        self.refused = self.add()
        number = self.people[self.rows[self.refused].person].id_card
        self.trial.arm(FaultRule(Code("-3"), person=number))

    def due(self) -> int:
        """Count the charges this day must bring, and write down who is answered."""
        charged = 0
        for key, (person, day) in self.rows.items():
            if key != self.refused and (day is None or self.day - day >= VALID_DAYS):
                charged += 1
                self.rows[key] = Asked(person, self.day)
        self.answers += charged
        return charged


def bill(trial) -> int:
    return trial.server.account.ledger.bill[ID_CARD]


@pytest.mark.fault(43)
def test_thirty_days_are_billed_as_a_count_of_its_own_says(trials, thorough, measured):
    rows, days = (1000, 30) if thorough else (300, 23)
    trial = trials(rows + 10 * days + 100)
    month, bills, extra = Month(trial, rows), [], VALID_DAYS * DAY
    for month.day in range(days):
        trial.run_id = f"day {month.day}"
        if month.day:
            month.morning()
        before, expected = bill(trial), month.due()
        manifest = trial.run(valid_for=extra, max_changed=0.2)
        bills.append(bill(trial) - before)
        assert (bills[-1], manifest["charged"]) == (expected, expected), f"day {month.day}"
        assert manifest["planned_calls"] == expected + (month.refused is not None)
        trial.server.clock.advance(DAY)
    check_verdicts(trial, month)
    assert trial.run(valid_for=2 * extra)["calls"] == 0
    trial.held = True  # whoever expires is charged again, and who went is still in the table
    measured(f"{rows} rows, {days} days: {bills[0]} on day 1, then {sum(bills[1:])} in all")


def check_verdicts(trial, month: Month) -> None:
    """No row has another person's verdict, and no answer is lost."""
    everybody = month.rows | month.removed
    persons = {call["request_id"]: call["id_card"] for call in trial.calls()}
    results = dict(trial.home.query("SELECT source_key, request_id FROM faceid_results"))
    answered = {str(key) for key, row in everybody.items() if row.day is not None}
    assert results.keys() == answered
    for key, row in everybody.items():
        if str(key) in results:
            assert persons[results[str(key)]] == month.people[row.person].id_card
    history = trial.home.query("SELECT COUNT(*), COUNT(DISTINCT request_id) FROM faceid_history")
    assert history == [(month.answers, month.answers)]


@pytest.mark.fault(44)
def test_a_table_reloaded_with_other_keys_stops_before_its_first_call(trial, measured):
    people = trial.ordinary[:60]
    trial.fill_with(people)
    trial.run()
    shuffled = [*people[1:], people[0]]
    trial.home.run("DELETE FROM people")
    rows = [(key, p.id_card, p.name, None) for key, p in enumerate(shuffled, 1)]
    trial.home.run("INSERT INTO people VALUES (?, ?, ?, ?)", rows)
    error, manifest = trial.fail(PlanRefusedError)
    assert "60 of 60 answered rows" in str(error)
    assert (manifest["calls"], len(trial.calls())) == (0, 60)
    trial.run(max_changed=1.0)  # all of them are known: the ledger answers
    persons = {call["request_id"]: call["id_card"] for call in trial.calls()}
    for key, request in trial.home.query("SELECT source_key, request_id FROM faceid_results"):
        assert persons[request] == shuffled[int(key) - 1].id_card
    trial.hold()
    measured("0 calls, 60 of 60 said to ask something else")


@pytest.mark.fault(45)
def test_whoever_asks_is_answered_by_the_one_call(trial, measured):
    """The doors are tested apart; here two campaigns and four tasks stand at the ledger at once."""
    trial.fill_with(trial.ordinary[:5])
    trial.run(owner="batch")
    settings = trial.settings()
    for owner in ("operator", "hook", "another task"):
        ledger = Ledger(trial.state, owner)
        ledger.join(trial.clock.now())
        for person in trial.ordinary[:5]:
            params = {"Name": person.name, "IdCard": person.id_card.lower(), "Extra": None}
            key = call_key(settings.hmac_key, ID_CARD, "c", params)
            (ruling,) = ledger.step([], [Claim(key, owner)])
            assert ruling.decision is Decision.USE
    trial.hold()
    measured("1 charge each")


@pytest.mark.fault(46)
@pytest.mark.parametrize("mended", [True, False])
def test_a_row_the_service_refused_is_asked_again_once_it_is_mended(trial, measured, *, mended):
    wrong, right, other = trial.ordinary[:3]
    trial.fill_with([wrong, other])
    trial.arm(FaultRule(Code("-3"), person=wrong.id_card))
    assert trial.run()["quarantined_by_rule"] == {"service:-3": 1}
    if mended:
        trial.home.run(
            "UPDATE people SET id_card = ?, name = ? WHERE id = 1", [(right.id_card, right.name)]
        )
    again = trial.run()
    assert (again["calls"], again["due_mended"]) == ((1, 1) if mended else (0, 0))
    assert (again["answered"], again["quarantined"]) == ((2, 0) if mended else (1, 1))
    trial.hold()
    measured("1 call if mended, 0 if not")


@pytest.mark.fault(46)
def test_a_photo_the_service_refused_is_asked_again_once_it_is_another_one(trial, measured):
    person = trial.special("FailedOperation.LifePhotoPoorQuality", FACE)
    trial.fill([(1, person.id_card, person.name, trial.photo(person))], photo="BLOB")
    assert trial.run(FACE)["quarantined"] == 1
    assert trial.run(FACE)["calls"] == 0
    good = trial.photo(trial.ordinary[0])
    trial.home.run("UPDATE people SET photo = ? WHERE id = 1", [(good,)])
    assert trial.run(FACE)["calls"] == 1
    trial.hold(FACE)
    measured("1 call for the new photo")


@pytest.mark.fault(50)
def test_a_warehouse_that_can_be_read_and_not_written_stops_the_run_before_a_call(
    trials, tmp_path, measured
):
    path = tmp_path / "read-only.sqlite"
    trial = trials(home=Home(SQLITE, str(path), sqlite3.connect))
    trial.fill_with(trial.ordinary[:20])
    trial.store().open()
    writable = trial.home
    trial.home = Home(SQLITE, f"file:{path}?mode=ro", lambda url: sqlite3.connect(url, uri=True))
    error, _ = trial.fail(FaceIdError)
    trial.home.close()
    trial.home = writable
    assert "writing table 'faceid_runs' through connection 'here' failed" in str(error)
    assert trial.calls() == []
    assert trial.run()["answered"] == 20
    trial.hold()
    measured("0 calls")


@pytest.fixture
def only_select(postgres):
    """A schema, and a role of its name that may do nothing in it so far."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA only_select")
        connection.execute("CREATE ROLE only_select")
    yield psycopg.conninfo.make_conninfo(postgres, options="-c search_path=only_select")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP SCHEMA only_select CASCADE")
        connection.execute("DROP OWNED BY only_select")
        connection.execute("DROP ROLE only_select")


@pytest.mark.fault(50)
@pytest.mark.parametrize("writes", ["nothing", "the run table"])
def test_a_role_that_may_not_write_verdicts_stops_the_run_before_a_call(
    trials, postgres, only_select, measured, writes
):
    trial = trials(home=Home(POSTGRESQL, only_select, psycopg.connect))
    trial.fill_with(trial.ordinary[:20])
    trial.store().open()
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("GRANT USAGE ON SCHEMA only_select TO only_select")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA only_select TO only_select")
        if writes == "the run table":
            connection.execute("GRANT ALL ON only_select.faceid_runs TO only_select")
    writable = trial.home
    limited = psycopg.conninfo.make_conninfo(
        postgres, options="-c search_path=only_select -c role=only_select"
    )
    trial.home = Home(POSTGRESQL, limited, psycopg.connect)
    error, _ = trial.fail(FaceIdError)
    trial.home.close()
    trial.home = writable
    assert "InsufficientPrivilege" in str(error)
    assert trial.calls() == []
    assert trial.run()["answered"] == 20
    trial.hold()
    measured("0 calls")


@pytest.mark.fault(53)
@pytest.mark.parametrize("ahead", [3600, -3600])
def test_a_clock_that_jumps_keeps_an_answered_row_answered(trial, measured, ahead):
    """Run B takes run A for dead and holds its row; A's answer is written first, or last."""
    person = trial.ordinary[0]
    trial.fill_with([person, trial.ordinary[1]])
    settings = trial.settings()
    params = {"IdCard": person.id_card, "Name": person.name}
    claim = Claim(call_key(settings.hmac_key, ID_CARD, "c", params), "1")
    first = Ledger(trial.state, "run A")
    first.begin(trial.clock.now())
    (ruling,) = first.step([], [claim])
    assert ruling.decision is Decision.CALL
    trial.server.clock.advance(ahead if ahead > 0 else ahead + LEASE_SECONDS)
    before = trial.store()
    before.open()
    if ahead > 0:
        held = trial.run(owner="run B")
        assert (held["held"], held["answered"]) == (1, 1)
    # A's answer arrives: B's hold must not outlive it.
    answer = answer_of(trial, settings, params)
    from airflow_provider_faceid.state.call_table import Record, State  # noqa: PLC0415

    first.step([Record(claim.key, State.DONE, answer)], [])
    last = trial.run(owner="run B")
    assert (last["held"], last["answered"]) == (0, 2)
    assert trial.results()["1"] == ("answered", "match")
    trial.manifests[-1]["charged"] += 1  # A's own, which no run has counted
    trial.hold(owner="run C")
    measured("nobody waits, 0 held in the end")


def answer_of(trial, settings, params):
    """Ask the service as run A does."""
    import asyncio  # noqa: PLC0415

    from airflow_provider_faceid.client.transport_async import AsyncClient  # noqa: PLC0415
    from airflow_provider_faceid.state.rate_limiter import SlotRateLimiter  # noqa: PLC0415
    from airflow_provider_faceid.state.rate_rows import MemoryRow  # noqa: PLC0415

    async def ask():
        pace = SlotRateLimiter(MemoryRow(trial.clock), 1000)
        async with AsyncClient(settings, pace, trial.clock) as client:
            return await client.call(ID_CARD, params)

    return asyncio.run(ask())


@pytest.mark.fault(53)
def test_a_held_row_that_is_written_last_does_not_replace_the_answer(trial, measured):
    from airflow_provider_faceid.api.codes import NO_ANSWER  # noqa: PLC0415

    trial.fill_with(trial.ordinary[:3])
    trial.run()
    facts = {
        key: {"row_hash": row_hash}
        for key, row_hash in trial.home.query("SELECT source_key, row_hash FROM faceid_results")
    }
    late = trial.store()
    late.open()
    for key, fact in facts.items():
        late.buffer.add_held(key, NO_ANSWER, **fact)
    late.write(*late.buffer.drain())
    assert {status for status, _ in trial.results().values()} == {"answered"}
    late.buffer.add_held("1", NO_ANSWER, row_hash="v2 of another person")
    late.write(*late.buffer.drain())
    assert trial.results()["1"][0] == "held"
    trial.run()
    trial.hold()
    measured("3 of 3 stay answered")


@pytest.mark.fault(53)
def test_rows_that_wait_within_a_run_wait_on_a_clock_nobody_puts_back(trial, measured):
    """Everybody is there twice, so that the second row waits for the first; then time goes back."""
    people = trial.ordinary[:40] * 2
    trial.fill_with(people)
    batch = trial.batch()
    add, put_back = batch._delay_queue.add, []

    def adding(row, seconds):
        if not put_back:
            put_back.append(trial.server.clock.advance(-3600))
        return add(row, seconds)

    batch._delay_queue.add = adding
    manifest = batch.run().as_dict()
    trial.manifests.append(manifest)
    assert put_back
    assert (manifest["answered"], manifest["calls"]) == (80, 40)
    assert manifest["seconds"] < 30
    trial.hold()
    measured("nobody waits")


@pytest.mark.fault(57)
def test_a_secret_key_that_was_rotated_without_a_hash_key_is_said_before_a_call(trial, measured):
    from airflow_provider_faceid.client.settings import Credentials  # noqa: PLC0415

    trial.fill_with(trial.ordinary[:30])
    trial.run()
    rotated = {"credentials": Credentials("simulator-id", "another-key")}
    error, _ = trial.fail(PlanRefusedError, settings=rotated)
    assert "hash key is another one than in the last run" in str(error)
    assert "hashed with another key than in its last run" in trial._told()
    assert len(trial.calls()) == 30
    kept = {**rotated, "hash_secret": "simulator-key"}
    assert trial.run(settings=kept, dry_run=True)["still_valid"] == 30
    trial.hold()
    measured("0 calls")


@pytest.mark.fault(59)
def test_tables_of_another_version_are_migrated_or_refused(trials, measured):
    """That each answer is kept, on each database: tests/integration/batch/test_migrations.py."""
    from tests.integration.batch.test_migrations import old_rows, play  # noqa: PLC0415

    trial = trials(people=680)
    trial.fill([(*row, None) for row in old_rows()])
    play(trial.home)
    trial.home.run("ALTER TABLE faceid_results ADD COLUMN ticket VARCHAR(20) DEFAULT 'T-1'")
    manifest = trial.run(campaign="dag")
    assert (manifest["calls"], manifest["answered"], manifest["still_valid"]) == (0, 10, 10)
    assert trial.home.query("SELECT DISTINCT ticket FROM faceid_results") == [("T-1",)]
    trial.home.run("UPDATE faceid_versions SET version = 99")
    error, _ = trial.fail(FaceIdError, campaign="dag")
    assert "newer than this provider knows" in str(error)
    assert trial.calls() == []
    trial.held = True  # the table's rows are those of two Actions and campaigns
    measured("0 calls, the column kept; version 99 refused")


def test_in_doubt_for_good_is_offered_to_the_ledger_once_a_run_and_costs_nothing(trial):
    trial.fill_with(trial.ordinary[:4])
    trial.arm(FaultRule(DropAfter(), person=trial.ordinary[0].id_card))
    assert trial.run()["held"] == 1
    for _ in range(3):
        again = trial.run()
        assert (again["held"], again["calls"], again["planned_calls"]) == (1, 0, 0)
    assert Counter(call["id_card"] for call in trial.calls()).most_common(1)[0][1] == 1
    trial.hold()
