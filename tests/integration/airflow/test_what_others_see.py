"""A real Airflow, and what others see of its runs: lineage, metrics, asset partitions, missed deadlines."""

from __future__ import annotations

import json
import socket
import sqlite3
import threading
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("airflow.providers.openlineage")

from airflow_provider_faceid.clock import SYSTEM_CLOCK, beijing_date
from airflow_provider_faceid.pii_scan.matcher import Matcher
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.people import ID_CARD
from tests.support.airflow_home import RUN_SECONDS, Home
from tests.support.openlineage_schemas import faults

pytestmark = pytest.mark.long

PEOPLE = 40
PROJECT = Path(__file__).parents[3]
FILES = (
    PROJECT / "example_dags" / "verify_by_eight.py",
    PROJECT / "example_dags" / "full_pipeline.py",
    Path(__file__).parent / "dags" / "after_nights.py",
)


class Listener(threading.Thread):
    """A StatsD server: adds up the counters it is sent."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.counters: Counter[str] = Counter()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def run(self) -> None:
        while True:
            for line in self._socket.recv(65536).decode().splitlines():
                name, _, value = line.partition(":")
                number, _, kind = value.partition("|")
                if kind.startswith("c"):
                    self.counters[name] += int(float(number))


@dataclass
class Story:
    """What was seen of the runs."""

    folder: Path
    people: list[Any]
    keys: list[str]
    calls: int = 0
    billed: int = 0
    days: set[str] = field(default_factory=set)
    counters: Counter[str] = field(default_factory=Counter)
    partitions: set[str] = field(default_factory=set)
    events: list[dict[str, Any]] = field(default_factory=list)
    warned: str = ""

    def event(self, job: str) -> dict[str, Any]:
        """Return the last event of a task that ended."""
        return [e for e in self.events if e["job"]["name"] == job and e["eventType"] == "COMPLETE"][
            -1
        ]


def fill(warehouse: Path, people: list[Any], keys: list[str]) -> None:
    with closing(sqlite3.connect(warehouse)) as connection, connection:
        connection.execute(
            "CREATE TABLE applicants (applicant_id TEXT PRIMARY KEY, name TEXT, id_card TEXT)"
        )
        rows = [(key, one.name, one.id_card) for key, one in zip(keys, people, strict=True)]
        connection.executemany("INSERT INTO applicants VALUES (?, ?, ?)", rows)


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("seen")
    (folder / "dags").mkdir()
    for file in FILES:  # without a schedule: each of them runs once
        text = file.read_text().replace('"0 2 * * *"', "None").replace('"@daily"', "None")
        (folder / "dags" / file.name).write_text(text)
    listener = Listener()
    listener.start()
    with ExitStack() as stack:
        service = stack.enter_context(SimulatorServer(people=2 * PEOPLE, quotas={ID_CARD: 0}))
        people = [one for one in service.account.people.listed if not one.persona][:PEOPLE]
        keys = [f"marked-key-{number:03d}" for number in range(PEOPLE)]
        story = Story(folder, people, keys)
        fill(folder / "warehouse.sqlite", people, keys)
        faceid = {"conn_type": "faceid", "host": service.url, "extra": {"quotas": {ID_CARD: 500}}}
        home = Home(
            folder,
            {
                "faceid_default": faceid | {"login": "simulator-id", "password": "simulator-key"},
                "faceid_warehouse": {
                    "conn_type": "sqlite",
                    "host": str(folder / "warehouse.sqlite"),
                },
            },
            bundles={"seen": folder / "dags"},
            settings={
                "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
                "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",  # which makes runs of partitions
                "AIRFLOW__METRICS__STATSD_ON": "True",
                "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
                "AIRFLOW__METRICS__STATSD_PORT": str(listener.port),
            },
        )
        stack.callback(home.parts.stop)
        home.start()
        home._begin("triggerer", "--skip-serve-logs")
        story.days.add(beijing_date(SYSTEM_CLOCK.now()).isoformat())
        night = home.trigger("verify_by_eight")  # of the day before: its deadline is over
        assert night.until_ended() == "success", home.errors()
        story.days.add(beijing_date(SYSTEM_CLOCK.now()).isoformat())
        after = "/api/v2/dags/after_nights/dagRuns"
        home.parts.wait_for(
            "run of a partition",
            lambda: [r for r in home.api.ask(after)["dag_runs"] if r["state"] == "success"],
            RUN_SECONDS,
        )
        story.partitions = {run["partition_key"] for run in home.api.ask(after)["dag_runs"]}
        pipeline = home.trigger("full_pipeline", path=str(folder / "lake"))
        assert pipeline.until_ended() == "success", home.errors()
        triggerer = folder / "triggerer.log"
        home.parts.wait_for(
            "callback of the deadline", lambda: "was to end by" in _callbacks(home), RUN_SECONDS
        )
        story.warned = _callbacks(home)
        assert triggerer.exists()
        story.calls, story.billed = (
            len(service.account.ledger),
            service.account.ledger.bill[ID_CARD],
        )
        story.counters = listener.counters
        # A task has ended before its last event is written.
        story.events = home.parts.wait_for(
            "event of every task", lambda: _events(home, pipeline.tasks()), RUN_SECONDS
        )
    return story


def _events(home: Home, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return all events once there is one for the end of each task of the pipeline, else none."""
    events = [json.loads(line) for line in home.lineage.read_text().splitlines()]
    ended = {event["job"]["name"] for event in events if event["eventType"] == "COMPLETE"}
    return events if ended >= {f"full_pipeline.{ti['task_id']}" for ti in tasks} else []


def _callbacks(home: Home) -> str:
    """Return what the triggerer has written, wherever its callbacks log."""
    logs = [home.folder / "triggerer.log", *(home.folder / "airflow" / "logs").rglob("*")]
    return "\n".join(log.read_text(errors="replace") for log in logs if log.is_file())


def test_events_keep_to_the_published_schemas(story):
    jobs = {event["job"]["name"] for event in story.events}
    assert jobs >= {"verify_by_eight.verify", "full_pipeline.views", "full_pipeline.export"}
    assert {
        event["job"]["name"]: [*faults(event)] for event in story.events if [*faults(event)]
    } == {}


def test_every_task_tells_its_datasets(story):
    for task in ("validate", "plan", "verify", "check_results", "views", "report", "export"):
        event = story.event(f"full_pipeline.{task}")
        assert event["inputs"], task
        assert event["outputs"], task
    outputs = {one["name"]: one for one in story.event("verify_by_eight.verify")["outputs"]}
    rows = outputs["main.faceid_results"]["outputFacets"]["outputStatistics"]["rowCount"]
    assert rows == PEOPLE
    lineage = outputs["main.faceid_results"]["facets"]["columnLineage"]["fields"]["id_card_hash"]
    assert [one["field"] for one in lineage["inputFields"]] == ["id_card"]


def test_no_value_of_a_row_is_in_any_event(story):
    markers = {f"key {key}": key for key in story.keys}
    for number, one in enumerate(story.people):
        markers |= {f"{kind} {number}": value for kind, value in one.columns().items()}
    found = Matcher(markers).find((story.folder / "lineage.jsonl").read_bytes())
    assert [*found] == []


def test_metrics_count_what_the_service_saw(story):
    assert story.counters[f"airflow.faceid.calls.{ID_CARD}"] == story.calls == 2 * PEOPLE
    assert story.counters[f"airflow.faceid.charged.{ID_CARD}"] == story.billed
    assert story.counters[f"airflow.faceid.rows.{ID_CARD}.match"] == 2 * PEOPLE
    ours = {name for name in story.counters if name.startswith("airflow.faceid.")}
    assert len(ours) < 10


def test_an_event_starts_who_waits_for_its_day(story):
    assert story.partitions
    assert story.partitions <= story.days


def test_a_missed_deadline_is_told_with_counts_and_without_a_person(story):
    told = story.warned[story.warned.index("was to end by") :].splitlines()[0]
    assert "rows are settled" in told or "no table was begun" in told  # as fast as it was
    assert not any(one.name in told or one.id_card in told for one in story.people)
