"""The example DAG of checks in a row under a real scheduler, and again after a day: who is called."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections import Counter, defaultdict
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.people import Person
from tests.support.airflow_home import Home

pytestmark = pytest.mark.long

CHECKS = ("IdCardVerification", "PhoneVerification", "BankCardVerification", "ImageRecognitionV2")
PRICES = {CHECKS[0]: 0.1, CHECKS[1]: 0.2, CHECKS[2]: 0.3, CHECKS[3]: 0.5}
APPLICANTS = 1000
WRONG = {0: "name", 1: "phone", 2: "bank_card", 3: "photo"}
"""Value that is somebody else's, by the last digit of the key."""
NO_NUMBER, SHORT_PHONE = {5, 15}, {25, 35}

MENDED = {0: "name", 10: "name", 20: "name", 15: "id_card", 1: "phone", 11: "phone", 25: "phone"}
MENDED |= {2: "bank_card"}
SPOILT = {4: "phone", 14: "phone"}
"""What changes until the next day, by key: ten rows."""
COLUMNS = ("name", "id_card", "phone", "bank_card", "photo")


@dataclass
class Story:
    """Two days of the DAG."""

    service: SimulatorServer
    warehouse: Path
    people: list[Person] = field(default_factory=list)
    calls: list[dict[str, list[dict[str, Any]]]] = field(default_factory=list)
    funnels: list[dict[str, Any]] = field(default_factory=list)
    errors: str = ""

    def query(self, sql: str, *rows: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """Run a statement in the warehouse, once for each row of parameters if there are any."""
        with closing(sqlite3.connect(self.warehouse)) as connection, connection:
            if rows:
                connection.executemany(sql, rows)
                return []
            return connection.execute(sql).fetchall()

    def values(self, key: int) -> dict[str, str]:
        """Return the values of a person that are right."""
        person = self.people[key]
        photo = base64.b64encode(self.service.account.gallery.submitted(person)).decode()
        return {**person.columns(), "photo": photo}

    def fill(self) -> None:
        """Make the table: six of ten applicants are who they say, four are wrong in one value."""
        columns = ", ".join(f"{column} TEXT" for column in COLUMNS)
        self.query(f"CREATE TABLE applicants (applicant_id INTEGER PRIMARY KEY, {columns})")
        rows = [self.values(key) for key in range(APPLICANTS)]
        wrong = [dict(row) for row in rows]
        for key, row in enumerate(wrong):
            if key % 10 in WRONG:
                row[WRONG[key % 10]] = self.of_another(rows, key, WRONG[key % 10])
            if key in SHORT_PHONE:
                row["phone"] = row["phone"][:-1]
        markers = ", ".join("?" * (1 + len(COLUMNS)))
        self.query(
            f"INSERT INTO applicants VALUES ({markers})",
            *((key, *(row[column] for column in COLUMNS)) for key, row in enumerate(wrong)),
        )
        for key in NO_NUMBER:
            self.query(f"UPDATE applicants SET id_card = NULL WHERE applicant_id = {key}")

    def of_another(self, rows: list[dict[str, str]], key: int, column: str) -> str:
        """Return the value of somebody else that differs."""
        known = {*self.people[key].known_as, rows[key][column]}
        others = (rows[(key + step) % APPLICANTS][column] for step in range(1, APPLICANTS))
        return next(value for value in others if value not in known)

    def change(self) -> None:
        """Let a day pass: ten rows change."""
        rows = [self.values(key) for key in range(APPLICANTS)]
        for key, column in MENDED.items():
            self.query(
                f"UPDATE applicants SET {column} = ? WHERE applicant_id = ?",
                (rows[key][column], key),
            )
        for key, column in SPOILT.items():
            self.query(
                f"UPDATE applicants SET {column} = ? WHERE applicant_id = ?",
                (self.of_another(rows, key, column), key),
            )

    def run(self, home: Home) -> None:
        """Run the DAG once, and note what the service saw and what the funnel says."""
        began = len(self.service.account.ledger)
        run = home.trigger("onboarding", prices=PRICES, currency="CNY")
        assert run.until_ended() == "success", home.errors()
        seen = defaultdict(list)
        for call in self.service.account.ledger.rows(began):
            seen[call["action"]].append(call)
        self.calls.append(seen)
        entry = home.api.ask(f"{run.path}/taskInstances/funnel/xcomEntries/return_value")
        value = entry["value"]
        self.funnels.append(json.loads(value) if isinstance(value, str) else value)

    def called(self, day: int, action: str) -> Counter[int]:
        """Return how often each applicant was asked about."""
        keys = {person.id_card: key for key, person in enumerate(self.people)}
        return Counter(keys[call["id_card"]] for call in self.calls[day][action])

    def matched(self, day: int, action: str) -> set[int]:
        """Return the applicants the service says yes about."""
        keys = {person.id_card: key for key, person in enumerate(self.people)}
        success = ACTIONS[action].success_code
        return {
            keys[call["id_card"]]
            for call in self.calls[day][action]
            if success in {call["result"], call["error"]}
        }


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("in_a_row")
    warehouse = folder / "warehouse.sqlite"
    fast = dict.fromkeys(CHECKS, 500)
    with ExitStack() as stack:
        service = stack.enter_context(SimulatorServer(people=1100, quotas=fast))
        listed = [person for person in service.account.people.listed if not person.persona]
        story = Story(service, warehouse, listed[:APPLICANTS])
        story.fill()
        faceid = {"conn_type": "faceid", "host": service.url, "extra": {"quotas": fast}}
        faceid |= {"login": "simulator-id", "password": "simulator-key"}
        home = Home(
            folder,
            {
                "faceid_default": faceid,
                "faceid_warehouse": {"conn_type": "sqlite", "host": str(warehouse)},
            },
            bundles={"examples": Path(__file__).parents[3] / "example_dags"},
            settings={
                "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
                "AIRFLOW__OPENLINEAGE__DISABLED": "True",
            },
        )
        stack.callback(home.parts.stop)
        home.start()
        story.run(home)
        story.change()
        story.run(home)
    return story


def faulty(*columns: str) -> set[int]:
    """Return the applicants who are wrong in some value on the first day."""
    return {key for key in range(APPLICANTS) if WRONG.get(key % 10) in columns}


def test_each_step_is_asked_about_exactly_the_matches_of_the_step_before(story):
    called = [story.called(0, action) for action in CHECKS]
    assert all(set(counts.values()) == {1} for counts in called)
    asked = [set(counts) for counts in called]
    assert asked[0] == set(range(APPLICANTS)) - NO_NUMBER
    for number, action in enumerate(CHECKS[:-1]):
        broken = SHORT_PHONE if number == 0 else set()
        assert asked[number + 1] == story.matched(0, action) - broken, action
    assert asked[1] == asked[0] - faulty("name") - SHORT_PHONE
    assert asked[3] == asked[0] - faulty("name", "phone", "bank_card") - SHORT_PHONE
    assert story.matched(0, CHECKS[3]) == asked[3] - faulty("photo")


def test_the_next_day_only_the_changed_rows_are_called_as_far_as_they_come(story):
    of_a_name = {key for key, column in MENDED.items() if column in {"name", "id_card"}}
    of_a_phone = {key for key, column in MENDED.items() if column == "phone"}
    assert story.called(1, CHECKS[0]) == Counter(of_a_name)
    assert story.called(1, CHECKS[1]) == Counter(of_a_name | of_a_phone | SPOILT.keys())
    assert story.called(1, CHECKS[2]) == Counter(MENDED.keys())
    assert story.called(1, CHECKS[3]) == Counter(MENDED.keys())
    assert story.calls[1].keys() == set(CHECKS)


def test_the_funnel_counts_what_the_service_billed_and_every_row_once(story):
    for day, funnel in enumerate(story.funnels):
        steps = funnel["steps"]
        assert [step["action"] for step in steps] == list(CHECKS)
        assert {
            step["reached"] + step["ended_before"] + step["waiting_before"] for step in steps
        } == {APPLICANTS}
        for step in steps:
            billed = [
                call["charged"] for seen in story.calls[: day + 1] for call in seen[step["action"]]
            ]
            assert step["charged"] == sum(billed)
            assert step["calls"] >= len(billed)  # one that certainly did not leave is repeated
            assert step["charge_unknown"] == step["unfinished_runs"] == step["left"] == 0
            assert step["cost"] == pytest.approx(sum(billed) * PRICES[step["action"]])
            assert step["saved"] == pytest.approx(step["saved_rows"] * PRICES[step["action"]])
    assert sum(step["charged"] for step in story.funnels[1]["steps"]) == sum(
        story.service.account.ledger.bill.values()
    )


def test_the_funnel_of_the_first_day_is_that_of_the_table(story):
    first, second = story.funnels
    wrong = [len(faulty(column)) for column in WRONG.values()]
    passed = [APPLICANTS - len(NO_NUMBER) - wrong[0]]
    passed.append(passed[0] - wrong[1] - len(SHORT_PHONE))
    passed += [passed[1] - wrong[2], passed[1] - wrong[2] - wrong[3]]
    assert [step["passed"] for step in first["steps"]] == passed
    assert [step["quarantined"] for step in first["steps"]] == [2, 2, 0, 0]
    assert [step["saved_rows"] for step in first["steps"]] == [
        0,
        wrong[0],
        wrong[0] + wrong[1],
        wrong[0] + wrong[1] + wrong[2],
    ]
    assert first["passed"] == passed[-1]
    assert second["passed"] == passed[-1] + len(MENDED) - len(SPOILT)
    # Those whose phone was spoilt had been asked about in the later steps before.
    assert [step["asked_before"] for step in second["steps"]] == [0, 0, 2, 2]


def test_current_verdicts_are_one_a_row_and_step_in_one_campaign(story):
    found = story.query("SELECT DISTINCT campaign, source FROM faceid_results")
    assert found == [("onboarding", "faceid_warehouse:applicants")]
