"""What version e3c2574 left is brought up to date: no call, no answer lost, columns of the user kept."""

from __future__ import annotations

import base64
import json
import sqlite3
import time
from pathlib import Path

import pytest

from airflow_provider_faceid.batch.inputs import Columns
from airflow_provider_faceid.clock import utc_text
from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.simulator.people import FACE, ID_CARD
from airflow_provider_faceid.state.call_table import Claim, Decision, call_key, earlier_keys
from airflow_provider_faceid.state.ledger import Ledger
from airflow_provider_faceid.state.store import StateStore
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from tests.support.homes import homes

pytestmark = pytest.mark.source
where_version_1_was = homes("sqlite", "postgresql", "duckdb")

OLD = Path(__file__).parents[2] / "data" / "e3c2574"
POOR_PHOTO = "450102194705063088"
"""Whose photo the service refused."""
NEXT_DAY = "2026-11-29T16:00:00.000+00:00"
"""When rows that were postponed then were due again."""
DATED = 3
"""Campaigns without a name, of which the files have one for each of three runs of a DAG ``dag``."""


def statements(file: str) -> list[str]:
    """Return the statements of a file, each of which ends with a line's semicolon."""
    return [s for s in (OLD / file).read_text().replace(";\n", ";\0").split("\0") if s.strip()]


def old_rows() -> list[tuple[int, str, str]]:
    return [tuple(row) for row in json.loads((OLD / "people.json").read_text())]


@pytest.fixture
def old(bench):
    """A bench on the warehouse and the people of that version, photos included."""
    people = {p.id_card: p for p in bench.server.account.people.listed}
    rows = old_rows()
    first = bench.photo(people[rows[0][1]])
    photos = {number: bench.photo(people[number]) for _, number, _ in rows if number in people}
    # The one that was refused is part of its question, and is drawn differently today.
    photos[POOR_PHOTO] = (OLD / "poor_photo.jpg").read_bytes()
    bench.fill(
        [
            (key, number, name, base64.b64encode(photos.get(number, first)).decode())
            for key, number, name in rows
        ]
    )
    play(bench.home)
    return bench


def play(home) -> None:
    """Play the statements of that version back, on the day they are of."""
    database, tomorrow = home.open(), utc_text(time.time() + 86_400)
    with database.transaction("playing back") as cursor:
        for statement in statements(f"create.{home.dialect.name}.sql") + statements("rows.sql"):
            cursor.execute(statement.rstrip().rstrip(";").replace(NEXT_DAY, tomorrow))
    database.close()


@pytest.fixture
def old_state(tmp_path):
    """The state store of that version, on SQLite."""
    path = tmp_path / "old-state.sqlite"
    with sqlite3.connect(path) as connection:
        for statement in statements("state.sql"):
            connection.execute(statement)
    connection.close()
    store = StateStore(f"sqlite:///{path}")
    yield store
    store.close()


def answers(home, table: str = "faceid_history") -> set[tuple[str, str, str]]:
    return set(home.query(f"SELECT action, source_key, request_id FROM {table}"))


@where_version_1_was
def test_every_answer_is_in_the_history_and_the_latest_of_each_row_is_current(old):
    before = set(
        old.home.query(
            "SELECT action, source_key, request_id FROM faceid_results WHERE status = 'answered'"
        )
    )
    prepare(old.home.open(), Names())
    assert answers(old.home) == before
    assert len(before) > 40
    campaigns = {"dag", "spring"}
    for table in ("faceid_results", "faceid_history", "faceid_quarantine", "faceid_runs"):
        assert {c for (c,) in old.home.query(f"SELECT DISTINCT campaign FROM {table}")} == campaigns
    current = old.home.query(
        "SELECT source_key, COUNT(*) FROM faceid_results WHERE campaign = 'dag' GROUP BY source_key"
    )
    assert sorted(int(key) for key, _ in current) == list(range(1, 12))
    assert {count for _, count in current} == {1}
    assert old.results("dag")["4"] == ("answered", "match")  # held in one of the three runs
    assert old.results("dag")["8"] == ("postponed", "limit")
    assert old.home.query("SELECT COUNT(*) FROM faceid_runs WHERE postponed = 1") == [(5,)]


@where_version_1_was
def test_moments_are_timestamps_and_only_answers_have_one(old):
    prepare(old.home.open(), Names())
    rows = old.home.query(
        "SELECT status, answered_at, verified_date, updated_at FROM faceid_results"
    )
    for status, answered_at, verified_date, updated_at in rows:
        assert (answered_at is not None) is (verified_date is not None) is (status == "answered")
        assert updated_at is not None
    database = old.home.open()
    types = {
        column: kind
        for table in ("faceid_results", "faceid_runs", "faceid_quarantine")
        for column, kind in _types(database, table).items()
    }
    native = {"sqlite": "TEXT"}.get(old.home.dialect.name)
    for column in ("answered_at", "not_before", "started_at", "found_at"):
        kind = types[column].upper()
        assert kind == native if native else kind == "TIMESTAMP WITH TIME ZONE", column


def _types(database, table):
    with database.transaction("looking") as cursor:
        return database.types_in(cursor, table)


@where_version_1_was
@pytest.mark.parametrize("campaign", ["dag", "spring"])
def test_a_run_after_the_upgrade_calls_nobody(old, campaign):
    plan = old.run(campaign=campaign, dry_run=True)
    assert (plan["planned_calls"], plan["still_valid"]) == (0, 10)
    manifest = old.run(campaign=campaign)
    assert (manifest["calls"], manifest["answered"], manifest["postponed"]) == (0, 10, 1)
    assert old.calls() == []
    assert old.home.query(
        "SELECT source, COUNT(*) FROM faceid_results WHERE row_hash IS NOT NULL "
        f"AND campaign = '{campaign}' AND action = '{ID_CARD}' GROUP BY source"
    ) == [("here:people", 10)]  # all answered ones
    assert old.run(campaign=campaign)["calls"] == 0


@where_version_1_was
def test_a_run_over_photos_calls_nobody_either(old, old_state):
    """The one that was refused is read: the ledger knows it under its earlier key."""
    old.state = old_state
    columns = Columns({"IdCard": "id_card", "Name": "name"}, "photo")
    manifest = old.run(FACE, campaign="spring", columns=columns)
    assert (manifest["calls"], manifest["answered"]) == (0, 9)
    assert manifest["quarantined_by_rule"] == {
        "id_card_length": 1,
        "service:FailedOperation.LifePhotoPoorQuality": 1,
    }


@where_version_1_was
def test_another_person_under_an_old_key_is_asked_about(old):
    other = old.ordinary[60]
    old.home.run(
        "UPDATE people SET id_card = ?, name = ? WHERE id = 2", [(other.id_card, other.name)]
    )
    manifest = old.run(campaign="dag")
    assert (manifest["due_changed"], manifest["calls"]) == (1, 1)
    assert old.called() == {other.id_card: 1}


@where_version_1_was
def test_a_column_of_the_user_stays_with_what_is_in_it(old):
    for table in ("faceid_results", "faceid_runs"):
        old.home.run(f"ALTER TABLE {table} ADD COLUMN ticket VARCHAR(20)")
        old.home.run(f"UPDATE {table} SET ticket = 'T-1'")
    prepare(old.home.open(), Names())
    for table in ("faceid_results", "faceid_runs"):
        assert old.home.query(f"SELECT DISTINCT ticket FROM {table}") == [("T-1",)]
    old.run(campaign="dag")
    assert old.home.query("SELECT COUNT(*) FROM faceid_results WHERE ticket = 'T-1'")[0][0] > 20


@where_version_1_was
def test_a_column_of_the_user_with_the_name_of_a_new_one_is_refused_and_nothing_changes(old):
    old.home.run("ALTER TABLE faceid_results ADD COLUMN source VARCHAR(20)")
    before = old.home.query("SELECT * FROM faceid_results ORDER BY campaign, action, source_key")
    with pytest.raises(ConfigurationError, match="has the column 'source', which is yours"):
        old.run(campaign="dag")
    after = old.home.query("SELECT * FROM faceid_results ORDER BY campaign, action, source_key")
    assert after == before
    assert old.calls() == []


def test_a_table_of_a_newer_version_is_refused_with_what_to_do(bench):
    bench.fill_with(bench.ordinary[:2])
    bench.run()
    bench.home.run("UPDATE faceid_versions SET version = 3 WHERE table_name = 'faceid_results'")
    with pytest.raises(
        ConfigurationError, match=r"'faceid_results' is of version 3, newer .* \(2\)\. Install"
    ):
        bench.run(campaign="another")
    assert len(bench.calls()) == 2


def test_a_table_that_was_dropped_is_made_again_and_filled_from_the_ledger(bench):
    bench.fill_with(bench.ordinary[:3])
    bench.run()
    history = answers(bench.home)
    cascade = "CASCADE" if bench.home.dialect.name == "postgresql" else ""
    bench.home.run(f"DROP TABLE faceid_results {cascade}")
    manifest = bench.run()
    assert (manifest["calls"], manifest["reused"], manifest["answered"]) == (0, 3, 3)
    assert answers(bench.home) == history
    assert bench.home.query("SELECT COUNT(*) FROM faceid_latest") == [(3,)]


class TestStateStore:
    """Answers of version 1 are found by the same question in the same campaign."""

    SECRET = "simulator-key"

    def claim(self, campaign: str, **changes: object) -> Claim:
        _, number, name = old_rows()[0]
        params = {"IdCard": number, "Name": name, **changes}
        return Claim(
            call_key(self.SECRET, ID_CARD, campaign, params),
            "1",
            earlier_keys=earlier_keys(self.SECRET, ID_CARD, campaign, params),
        )

    def ledger(self, store: StateStore) -> Ledger:
        ledger = Ledger(store, "new")
        ledger.begin(1.8e9)
        return ledger

    def test_the_answer_is_used_and_its_key_renamed(self, old_state):
        ledger = self.ledger(old_state)
        assert ledger.has_earlier_keys
        claim = self.claim("spring")
        for _ in range(2):
            (ruling,) = ledger.step([], [claim])
            assert ruling.decision is Decision.USE
            assert ruling.verdict.code == "0"
        with old_state.transaction() as cursor:
            cursor.execute(
                "SELECT call_key FROM faceid_calls WHERE call_key IN (?, ?)",
                (claim.key, claim.earlier_keys[0]),
            )
            assert cursor.fetchall() == [(claim.key,)]

    @pytest.mark.parametrize(
        ("campaign", "changes"), [("summer", {}), ("spring", {"Name": "somebody else"})]
    )
    def test_another_question_or_campaign_is_not_found(self, old_state, campaign, changes):
        (ruling,) = self.ledger(old_state).step([], [self.claim(campaign, **changes)])
        assert ruling.decision is Decision.CALL

    def test_a_call_in_doubt_stays_so(self, old_state):
        _, number, name = old_rows()[3]
        claim = self.claim("dag/2026-11-21 00:00:00+00:00", IdCard=number, Name=name)
        (ruling,) = self.ledger(old_state).step([], [claim])
        assert ruling.decision is Decision.HOLD

    def test_a_store_without_earlier_keys_says_so(self, state):
        assert not self.ledger(state).has_earlier_keys
