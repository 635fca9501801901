"""Notifiers under a real scheduler: mails and messages of tasks, and of DAGs from the DAG processor."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import ExitStack
from email import message_from_bytes, policy
from pathlib import Path
from typing import NamedTuple

import pytest

from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.people import ID_CARD
from tests.support.airflow_home import RUN_SECONDS, Home, Run
from tests.support.mail import mail_server

pytestmark = pytest.mark.long

MATCHES, MISMATCHES = 24, 12
ROWS = MATCHES + MISMATCHES
CONNECTION = {"conn_type": "faceid", "login": "simulator-id", "password": "simulator-key"}


@pytest.fixture(scope="module")
def service():
    with SimulatorServer(people=80) as server:
        yield server


@pytest.fixture(scope="module")
def mails():
    with mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def home(tmp_path_factory, service, mails):
    """An Airflow whose DAGs tell what they do."""
    folder = tmp_path_factory.mktemp("notified")
    told, warehouse = folder / "told", folder / "warehouse.sqlite"
    told.mkdir()
    people = [person for person in service.account.people.listed if not person.persona]
    rows = [(n, people[n].name, people[n].id_card) for n in range(MATCHES)]
    rows += [
        (n, people[n + 1].name, people[n].id_card) for n in range(MATCHES, MATCHES + MISMATCHES)
    ]
    with sqlite3.connect(warehouse) as connection:
        connection.execute(
            "CREATE TABLE applicants (applicant_id INTEGER PRIMARY KEY, name TEXT, id_card TEXT)"
        )
        connection.executemany("INSERT INTO applicants VALUES (?, ?, ?)", rows)
    connection.close()
    smtp = {"disable_ssl": True, "disable_tls": True, "retry_limit": 1}
    home = Home(
        folder,
        {
            "faceid_default": CONNECTION | {"host": service.url},
            "faceid_warehouse": {"conn_type": "sqlite", "host": str(warehouse)},
            "smtp_default": {
                "conn_type": "smtp",
                "host": "127.0.0.1",
                "port": mails.port,
                "extra": smtp,
            },
        },
        bundles={"notified": Path(__file__).with_name("notified")},
        settings={
            "TOLD_TO": str(told),
            "AIRFLOW__API__BASE_URL": "http://airflow.example.com",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            "AIRFLOW__OPENLINEAGE__DISABLED": "True",
        },
    )
    with ExitStack() as stack:
        stack.callback(home.parts.stop)
        home.start()
        yield home


class Ended(NamedTuple):
    """A run that has ended; what it was charged."""

    run: Run
    state: str
    charged: int


@pytest.fixture(scope="module")
def runs(home, service) -> dict[str, Ended]:
    """One run of each DAG, one after the other."""
    ended: dict[str, Ended] = {}
    for dag_id in ("told", "told_of_failure"):
        before = service.account.ledger.bill[ID_CARD]
        run = home.trigger(dag_id)
        state = run.until_ended()
        ended[dag_id] = Ended(run, state, service.account.ledger.bill[ID_CARD] - before)
    return ended


def told(home: Home, name: str) -> dict:
    """Return a message, once it is there: callbacks of a DAG come after its end."""
    file = home.folder / "told" / name

    def is_whole() -> bool:
        return file.exists() and file.read_text(encoding="utf-8").endswith("}")

    home.parts.wait_for(name, is_whole, RUN_SECONDS)
    return json.loads(file.read_text(encoding="utf-8"))


def test_a_run_is_told_by_mail_in_chinese_and_by_its_dag(home, runs, mails):
    run, state, billed = runs["told"]
    assert state == "success", home.errors()
    assert billed == ROWS
    (raw,) = mails.received
    mail = message_from_bytes(raw, policy=policy.default)
    assert (mail["Subject"], mail["To"]) == (
        "Face ID, told: alert for Match rate",
        "kyc@example.com",
    )
    html = mail.get_body(("html",)).get_content()
    assert f"<li>{ROWS} rows came in: {ROWS} answered.</li>" in html
    assert f"<li>{billed} of {ROWS} requests are charged, 0 more may be.</li>" in html
    assert "<strong>Alert:</strong> Match rate is 66.7\xa0%, below 90.0\xa0%." in html
    assert f"<li>Match rate: 66.7\xa0% ({MATCHES} of {ROWS})</li>" in html
    assert f"<li>Cost: USD\xa0{billed / 4:.2f}</li>" in html
    link = re.search(r'<a href="([^"]+)">', html)[1]
    assert link.startswith("http://airflow.example.com/faceid/report?dag_id=told&amp;run_id=")
    chinese = told(home, "zh.json")
    assert chinese["title"] == "人脸核身 told：一致率告警"
    assert f"共输入 {ROWS} 行：{ROWS} 行已获答复。" in chinese["text"].splitlines()
    assert "告警： 一致率为 66.7\xa0%，低于 90.0\xa0%。" in chinese["text"].splitlines()
    of_dag = told(home, "dag.json")
    assert of_dag["text"].splitlines()[0] == f"DAG told, run {run.run_id}."
    report = json.loads((home.folder / "told" / "report.json").read_text(encoding="utf-8"))
    for name in ("headline", "alerts", "stands_out"):
        assert of_dag["numbers"][name] == chinese["numbers"][name] == report[name]
    assert of_dag["alerts"] == ["Match rate is 66.7\xa0%, below 90.0\xa0%."]


def test_a_notifier_that_fails_is_logged_and_fails_nothing(home, runs):
    assert runs["told"].state == "success", home.errors()
    told(home, "dag.json")
    logs = (home.folder / "airflow" / "logs").rglob("*task_id=report*/*.log")
    assert any("the chat is away" in log.read_text(encoding="utf-8") for log in logs)


def test_failures_are_told_with_their_reason_and_nobodys_data(home, runs):
    run, state, _ = runs["told_of_failure"]
    assert state == "failed"
    failed = told(home, "failed.json")
    assert failed["title"] == "Face ID, budget: failed"
    lines = failed["text"].splitlines()
    assert lines[0] == f"DAG told_of_failure, task verify, run {run.run_id}."
    assert re.match(r"Failed: .*max_charged", lines[1])
    assert lines[2].startswith(f"{ROWS} rows came in: 5 answered")
    assert lines[3] == "5 of 5 requests are charged, 0 more may be."
    of_dag = told(home, "failed_dag.json")
    assert of_dag["title"] == "Face ID, told_of_failure: failed"
    assert of_dag["text"].splitlines()[1:] == ["Failed: task_failure", "There is no report of it."]
    quoting = told(home, "quoting.json")["text"]
    assert "Failed: ValueError" in quoting
    assert "张三" not in quoting
    assert "370102200305173681" not in quoting
