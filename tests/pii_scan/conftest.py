"""All example DAGs in a real Airflow, with everything that goes wrong; then the search."""

from __future__ import annotations

import csv
import json
import secrets
import sqlite3
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_faceid.pii_scan import PiiScan
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.faults import FaultRule, Nth
from airflow_provider_faceid.simulator.faults.effects import Code, Delay, DropAfter, Status
from airflow_provider_faceid.simulator.people import FACE, ID_CARD
from tests.pii_scan.echo import Echo, echo
from tests.support.airflow_home import ENDED, Home, Run
from tests.support.encryption import fields_of
from tests.support.marked_people import APPLICANTS, Source, plant
from tests.support.patience import PATIENCE

ANSWERED_BEFORE_THE_CRASH, IN_FLIGHT = 10, 10
LATE = FaultRule(
    Delay(60.0),
    action=ID_CARD,
    nth=Nth(ANSWERED_BEFORE_THE_CRASH + 1, ANSWERED_BEFORE_THE_CRASH + IN_FLIGHT),
)
"""Calls that are in flight when the worker is killed."""
FATAL = FaultRule(Code("UnauthorizedOperation.Arrears", "error"), action=FACE, nth=Nth(4, 4))
AWAY = FaultRule(Status(503, retry_after=0), action=ID_CARD)
HELD, AWAY_AT_FIRST = 30, 29
"""Keys of people about whom the calls of an Action are never answered, and are refused twice."""
ASKED = 12
"""Key of a person about whom the DAG of all Actions asks one by one."""
SERVICE = "pii_scan-id"
SECONDS = PATIENCE
DONE = ENDED | {"up_for_reschedule"}
"""States in which a task has nothing to do today."""
SOURCE_TABLES = ("applicants", "careless")
FILES = "files"
"""Folder of people in files."""


@dataclass(repr=False)
class Story:
    """
    What was done, and what is left of it.

    :param folder: everything Airflow and its parts have written.
    :param secrets: of the connection.
    :ivar runs: by what they are to show.
    :ivar states: of the runs, at the end.
    :ivar tasks: states of the task instances of each run, by task.
    :ivar tries: most tries of a task instance of each run, by task.
    :ivar calls: what the service saw.
    :ivar echoed: requests that were said back.
    :ivar held: rows in doubt after the crash.
    """

    folder: Path
    source: Source
    secrets: dict[str, str]
    runs: dict[str, Run] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    tasks: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    tries: dict[str, dict[str, int]] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)
    echoed: list[bytes] = field(default_factory=list)
    held: int = 0

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Run a query in the warehouse."""
        return self.source.query(sql)

    def search(self, markers: dict[str, str | bytes]) -> PiiScan:
        """Look for markers everywhere but in the source."""
        pii_scan = PiiScan(markers)
        warehouse = self.source.file
        pii_scan.search_folder(
            self.folder,
            [
                self.folder / FILES,
                warehouse,
                *(Path(f"{warehouse}{end}") for end in ("-wal", "-shm")),
            ],
        )
        home = self.folder / "airflow"
        for file in (home / "airflow.db", home / "faceid_state.sqlite", warehouse):
            pii_scan.search_database(f"sqlite:///{file}", SOURCE_TABLES)
        return pii_scan


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("pii_scan")
    keys = {"SecretKey": secrets.token_urlsafe(24), "hash secret": secrets.token_urlsafe(24)}
    with ExitStack() as stack:
        server = SimulatorServer(people=100, keys={SERVICE: keys["SecretKey"]})
        source = plant(server, folder / "warehouse.sqlite")
        stack.enter_context(server)
        error, page = stack.enter_context(echo(200)), stack.enter_context(echo(500))
        keys |= {
            f"{form} {name}": value
            for form, given in fields_of(server).items()
            for name, value in given.items()
            if name == "kms_secret"
        }
        one = Story(folder, source, keys)
        files = _people_in_files(source, folder / FILES)
        home = Home(
            folder,
            _connections(one, server, error, page),
            settings={"AIRFLOW_VAR_FACEID_FILES": f"{files}/*.csv"},
        )
        stack.callback(home.parts.stop)
        home.start()
        _in_trouble(one, home, server)
        _at_last(one, home, server)
        for name, run in one.runs.items():
            one.states[name], one.tasks[name] = run.state(), run.states()
            one.tries[name] = {
                task_id: max(ti["try_number"] for ti in run.tasks(task_id))
                for task_id in one.tasks[name]
            }
        one.calls = list(server.account.ledger.rows())
        one.echoed = [*error.heard, *page.heard]
    return one


def _in_trouble(story: Story, home: Home, server: SimulatorServer) -> None:
    """Kill a task with calls in flight; have another one fail for good."""
    server.faults.add(LATE, FATAL, *_echoes(story))
    crash = story.runs["crash"] = home.trigger("verify_id_cards")
    fatal = story.runs["fatal"] = home.trigger("verify_faces")
    home.parts.wait_for(
        "answers, and calls in flight", lambda: _in_the_middle(story, server), SECONDS
    )
    home.kill(crash, "verify")
    crash.until_ended()
    fatal.until_ended()
    server.faults.clear()


def _at_last(story: Story, home: Home, server: SimulatorServer) -> None:
    """Have a task retried while the service is away; ask about one person; be careless."""
    ((campaign, story.held),) = story.query(
        "SELECT campaign, COUNT(*) FROM faceid_results "
        "WHERE status = 'held' AND campaign = 'verify_id_cards' GROUP BY campaign"
    )
    server.faults.add(AWAY, *_echoes(story))
    retries = story.runs["retries"] = home.trigger("verify_in_shards")
    story.runs["faces"] = home.trigger("verify_faces")
    number = story.source.careless["triggered"].id_card
    story.runs["careless"] = home.trigger("careless", id_card=number)
    home.parts.wait_for(
        "a shard that is retried",
        lambda: any(ti["try_number"] > 1 for ti in retries.tasks("verify")),
        SECONDS,
    )
    server.faults.replace(*_lost(story), *_echoes(story), *_outputs(story))
    story.runs["family"] = home.trigger("family")
    story.runs["in a row"] = home.trigger("onboarding")
    story.runs["pipeline"] = home.trigger("full_pipeline")
    story.runs["files"] = home.trigger("verify_files")
    story.runs["by eight"] = home.trigger("verify_by_eight")
    tomorrow = story.source.key_of(server, ID_CARD, "-7")
    one = story.runs["one person"] = home.trigger(
        "one_person", campaign=campaign, key=5, tomorrow=tomorrow
    )
    started = (
        "retries",
        "faces",
        "careless",
        "family",
        "in a row",
        "pipeline",
        "files",
        "by eight",
    )
    for name in started:
        story.runs[name].until_ended()
    story.runs["report"] = home.trigger("rolling_report")
    story.runs["report"].until_ended()
    home.parts.wait_for(
        "the tasks for one person",
        lambda: all(states <= DONE for states in one.states().values()),
        SECONDS,
    )


def _in_the_middle(story: Story, server: SimulatorServer) -> bool:
    """Say whether most answers are in the warehouse while others are on their way."""
    late = sum(call["fault"] == Delay.name for call in server.account.ledger.rows())
    if late < IN_FLIGHT:
        return False
    try:
        ((count,),) = story.query("SELECT COUNT(*) FROM faceid_results WHERE code = '0'")
    except sqlite3.OperationalError:
        return False  # the table is not there yet
    return count > APPLICANTS / 2


def _echoes(story: Story) -> list[FaultRule]:
    """Return rules by which the service says a person's own data back, in a code of its own."""
    people = story.source.people
    return [
        FaultRule(
            Code(
                "FailedOperation.Unheard", "result", fields={"Echo": person.name + person.id_card}
            ),
            action=FACE,
            person=person.id_card,
        )
        for person in (people[8], people[9])
    ]


def _lost(story: Story) -> list[FaultRule]:
    """Return rules by which calls about two people are lost; the rows of one stay in doubt."""
    held, away = (story.source.people[key].id_card for key in (HELD, AWAY_AT_FIRST))
    return [
        FaultRule(DropAfter(), action="BankCardVerification", person=held),
        FaultRule(Status(503, retry_after=0), action="PhoneVerification", person=away, times=2),
    ]


def _outputs(story: Story) -> list[FaultRule]:
    """Return rules by which the service puts a person into the other values of its answers."""
    rules = []
    for person in (story.source.people[ASKED], story.source.people[ASKED + 1]):
        phone, card = (person.columns()[column] for column in ("phone", "bank_card"))
        said: dict[str, dict[str, object]] = {
            "PhoneVerification": {"Isp": phone},
            "MobileStatus": {"StatusCode": int(phone)},
            "MobileNetworkTimeVerification": {"Range": f"[{phone},+)"},
            "CheckBankCardInformation": {
                "AccountBank": f"{person.name}, {card}",
                "AccountType": int(card),
            },
        }
        rules += [
            FaultRule(Code("0", "result", fields=fields), action=action, person=person.id_card)
            for action, fields in said.items()
        ]
    return rules


def _connections(
    story: Story, server: SimulatorServer, error: Echo, page: Echo
) -> dict[str, dict[str, Any]]:
    account = {
        "conn_type": "faceid",
        "login": SERVICE,
        "password": story.secrets["SecretKey"],
        "extra": json.dumps(
            {"hash_secret": story.secrets["hash secret"], "max_attempts": 2, "outage_patience": 5}
        ),
    }
    encrypted = {
        f"faceid_{form.partition('-')[0].lower()}": account
        | {"host": server.url, "extra": json.dumps(json.loads(account["extra"]) | given)}
        for form, given in fields_of(server).items()
    }
    return {
        **encrypted,
        "faceid_default": account | {"host": server.url},
        "faceid_echo": account | {"host": error.url},
        "faceid_echo_page": account | {"host": page.url},
        "faceid_warehouse": {"conn_type": "sqlite", "host": str(story.source.file)},
        "faceid_files": {"conn_type": "duckdb"},
    }


def _people_in_files(source: Source, folder: Path) -> Path:
    """Write the people of the table into a file as well, and return its folder."""
    folder.mkdir()
    with (folder / "people.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["applicant_id", "name", "id_card"])
        writer.writerows(source.query("SELECT applicant_id, name, id_card FROM applicants"))
    return folder
