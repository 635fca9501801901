"""The example DAG of reviews under a real scheduler: answers through Airflow's API, four eyes, overturn rate."""

from __future__ import annotations

import json
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.standard.version_compat import AIRFLOW_V_3_3_PLUS

from airflow_provider_faceid.clock import utc_text
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql.database import SQLITE, Database
from airflow_provider_faceid.warehouse.tables import HISTORY, RESULTS, insert
from tests.support.airflow_home import ENDED, RUN_SECONDS, ApiServer, Home, Run
from tests.support.patience import PATIENCE

pytestmark = pytest.mark.long

PASSWORD = "reviewed"
USERS = {"root": "admin", "alice": "user", "bob": "user", "eve": "user"}
READING_SECONDS = 4.0
NOW = 1_790_000_000.0
FAKE = "FailedOperation.LifePhotoDetectFake"
PLANTED = {
    "a": {"similarity": 75.0, "outcome": "match", "code": "Success"},
    "b": {"similarity": 65.0, "outcome": "review", "code": "Success"},
    "c": {"similarity": 64.0, "outcome": "review", "code": "Success"},
    "d": {"similarity": 78.0, "outcome": "match", "code": "Success"},
    "e": {"outcome": "review", "code": FAKE},
    "f": {"outcome": "review", "code": FAKE},
    "clear": {"similarity": 99.0, "outcome": "match", "code": "Success"},
}
DECISIONS = {"a": "reject", "b": "approve", "c": "reject", "d": "approve", "e": "reject"}
"""Of the first people: two of the four that have a similarity are against the threshold."""


class Server(ApiServer):
    """An api-server whose users have passwords."""

    def log_in(self) -> bool:
        """Take the administrator's token, if it answers by now."""
        try:
            self.token = self.token_of("root")
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def token_of(self, user: str) -> str:
        """Return a token of a user."""
        body = json.dumps({"username": user, "password": PASSWORD}).encode()
        kind = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/auth/token", data=body, headers=kind)
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return str(json.load(response)["access_token"])


@dataclass
class Story:
    """An Airflow with the DAG, and a warehouse with planted answers."""

    home: Home
    warehouse: Path

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.warehouse)) as connection:
            return connection.execute(sql).fetchall()

    def asked(self, run: Run, task: str) -> dict[str, dict[str, Any]]:
        """Return the questions of a task that wait for an answer, by the key they are about."""
        found = self.home.api.ask(f"{run.path}/hitlDetails?limit=100")["hitl_details"]
        return {
            one["body"].split("- Key: `")[1].split("`")[0]: one
            for one in found
            if not one["response_received"] and one["task_instance"]["task_id"] == task
        }

    def wait_for(self, run: Run, task: str, count: int) -> dict[str, dict[str, Any]]:
        """Return the questions of a task once so many wait."""
        self.home.parts.wait_for(
            f"{count} questions", lambda: len(self.asked(run, task)) == count, 2 * RUN_SECONDS
        )
        return self.asked(run, task)

    def answer_all(self, run: Run, task: str, answers: Mapping[str, tuple[str, str]]) -> None:
        """
        Answer each question of a task, and return when all of its instances have ended.

        Airflow fails a task that is answered while its worker is still ending, and asks again: nobody
        answers within a moment.

        :param answers: who answers what, by key.
        """

        since: dict[str, float] = {}

        def are_done() -> bool:
            asked = self.asked(run, task)
            for key in since.keys() - asked.keys():
                del since[key]
            for key, question in asked.items():
                if time.monotonic() - since.setdefault(key, time.monotonic()) < READING_SECONDS:
                    continue
                assert self.answer(question, *answers[key]) in {200, 409}
            states = [ti["state"] for ti in run.tasks(task)]
            return len(states) == len(answers) and set(states) <= ENDED

        self.home.parts.wait_for(f"answers of {task}", are_done, 2 * RUN_SECONDS)

    def has_logged(self, task: str, words: str) -> bool:
        """Say whether a task has logged something."""
        logs = (self.home.folder / "airflow" / "logs").rglob(f"task_id={task}/**/*.log")
        return any(words in log.read_text(errors="replace") for log in logs)

    def answer(self, question: dict[str, Any], user: str, choice: str) -> int:
        """Answer a question as a user, and return the HTTP status, 200 if it was accepted."""
        of = question["task_instance"]
        path = f"/api/v2/dags/{of['dag_id']}/dagRuns/{of['dag_run_id']}/taskInstances/"
        path += f"{of['task_id']}/{of['map_index']}/hitlDetails"
        api, body = self.home.api, {"chosen_options": [choice], "params_input": {}}
        try:
            api.ask(path, body, method="PATCH", token=api.token_of(user))
        except urllib.error.HTTPError as error:
            return error.code
        return 200


def plant(path: Path) -> None:
    """Write answers of the service, as a verification would have."""
    database = Database(lambda: sqlite3.connect(path), SQLITE, "warehouse")
    prepare(database, Names())
    rows = []
    for key, facts in PLANTED.items():
        about = {"campaign": "verify_faces", "action": "ImageRecognitionV2", "source_key": key}
        moments = {"answered_at": utc_text(NOW), "updated_at": utc_text(NOW)}
        row = {**about, **moments, **facts, "status": "answered", "attempts": 1, "charged": 1}
        rows.append(row | {"request_id": f"request {key}", "answer_id": f"request {key}"})
    with database.transaction("planting answers") as cursor:
        insert(cursor, database, RESULTS, "faceid_results", rows)
        insert(cursor, database, HISTORY, "faceid_history", rows)
    database.close()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("review")
    warehouse, passwords = folder / "warehouse.sqlite", folder / "passwords.json"
    plant(warehouse)
    passwords.write_text(json.dumps(dict.fromkeys(USERS, PASSWORD)))
    home = Home(
        folder,
        {"faceid_warehouse": {"conn_type": "sqlite", "host": str(warehouse)}},
        bundles={"examples": Path(__file__).parents[3] / "example_dags"},
        settings={
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
                f"{name}:{role}" for name, role in USERS.items()
            ),
            "FACEID_REVIEWERS": "alice,bob",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            "AIRFLOW__OPENLINEAGE__DISABLED": "True",
        },
    )
    home.api = Server(home.api.url)
    with ExitStack() as stack:
        stack.callback(home.parts.stop)
        home.start()
        if not AIRFLOW_V_3_3_PLUS:  # a task that waits for an answer waits in the triggerer there
            home._begin("triggerer", "--skip-serve-logs")
        yield Story(home, warehouse)


def test_people_decide_through_the_api_and_two_of_them_where_four_eyes_are_asked(story):
    run = story.home.trigger("review")
    first = story.wait_for(run, "first.ask", 6)
    assert set(first) == set(PLANTED) - {"clear"}
    assert "The threshold says: `reject`" in first["b"]["body"]
    assert story.answer(first["a"], "eve", "approve") == 403
    decided = {key: ("alice", decision) for key, decision in DECISIONS.items()}
    story.answer_all(run, "first.ask", {**decided, "f": ("bob", "approve")})
    second = story.wait_for(run, "second.ask", 2)
    assert set(second) == {"e", "f"}
    assert story.query(
        "SELECT source_key, status, decided_by, second_by FROM faceid_reviews "
        "WHERE four_eyes = 1 ORDER BY source_key"
    ) == [("e", "in_progress", "alice", None), ("f", "in_progress", "bob", None)]
    # Airflow lets bob answer again, who is a reviewer; the case does not.
    story.answer_all(run, "second.ask", {"e": ("bob", "reject"), "f": ("bob", "approve")})
    assert run.until_ended() == "failed"
    assert story.has_logged("second.decide", "takes a second person: 'bob' has decided already")
    assert run.states()["second.decide"] == {"success", "failed"}
    again = story.home.trigger("review")
    story.answer_all(again, "second.ask", {"f": ("alice", "approve")})
    assert again.until_ended() == "success", story.home.errors()
    assert story.query(
        "SELECT source_key, outcome, review_decision FROM faceid_latest ORDER BY source_key"
    ) == [
        ("a", "match", "reject"),
        ("b", "review", "approve"),
        ("c", "review", "reject"),
        ("clear", "match", None),
        ("d", "match", "approve"),
        ("e", "review", "reject"),
        ("f", "review", "approve"),
    ]
    assert story.query(
        "SELECT source_key, decided_by, second_by FROM faceid_reviews WHERE four_eyes = 1 ORDER BY 1"
    ) == [("e", "alice", "bob"), ("f", "bob", "alice")]
    assert story.query(
        "SELECT reason, cases, unresolved, approved + rejected, overturned, overturn_rate "
        "FROM faceid_review_queue ORDER BY reason"
    ) == [("low_similarity", 4, 0, 4, 2, 0.5), ("suspected_fake", 2, 0, 2, 0, 0.0)]
