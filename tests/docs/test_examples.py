"""Every code block of the docs runs."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
import sys
from configparser import ConfigParser
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import pytest

from airflow_provider_faceid.client.settings import parse_settings
from airflow_provider_faceid.get_provider_info import get_provider_info
from airflow_provider_faceid.simulator import SimulatorServer

pytestmark = pytest.mark.long

PROJECT = Path(__file__).parents[2]
TRANSLATED = "*.zh-CN.md"
"""Their blocks are those of the English pages, see test_translations.py."""
PAGES = [
    PROJECT / "README.md",
    *sorted(page for page in (PROJECT / "docs").glob("*.md") if not page.match(TRANSLATED)),
    *sorted((PROJECT / "docs" / "decisions").glob("*.md")),
]
OURS = "airflow faceid "
"""How the commands of this package begin; they run in one process, as others take seconds to start."""
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def title(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(language: str | None = None) -> list[Block]:
    """Return all blocks, or those of one language."""
    found = [
        Block(page, text[: match.start()].count("\n") + 1, match[1], match[2])
        for page in PAGES
        for text in [page.read_text(encoding="utf-8")]
        for match in FENCE.finditer(text)
    ]
    return [block for block in found if language in {None, block.language}]


SINCE_3_3 = ("retry_policy", "PartitionedAssetTimetable")
WAITS = ("HITLOperator", "PartitionedAssetTimetable")
"""What a DAG that waits for people, or for another DAG, is known by: it is read, and not run."""

RUN_DAGS = """
import os, sys
from datetime import datetime, timezone
from airflow.models.dagbag import DagBag  # the place both 3.1 and 3.3 know
bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
assert not bag.import_errors, bag.import_errors
for dag_id in sys.argv[1:]:
    run = bag.dags[dag_id].test(logical_date=datetime(2026, 6, 1, tzinfo=timezone.utc))
    assert run.state == "success", (dag_id, run.state)
"""


def runs_here(block: Block) -> bool:
    """Say whether Airflow has what a block shows."""
    major, minor = version("apache-airflow").split(".")[:2]
    is_new = any(word in block.text for word in SINCE_3_3)
    return not is_new or (int(major), int(minor)) >= (3, 3)


def python_blocks(*, dags: bool) -> list:
    found = filter(runs_here, blocks("python"))
    chosen = [block for block in found if ("with DAG(" in block.text) is dags]
    return [pytest.param(block, id=block.title) for block in chosen]


def test_every_block_is_of_a_language_that_is_run():
    assert {block.language for block in blocks()} <= {
        "python",
        "sql",
        "bash",
        "json",
        "ini",
        "text",
    }


def test_dags_run(world):
    found = [param.values[0] for param in python_blocks(dags=True)]
    names = []
    for block in found:
        name = re.search(r'with DAG\((?:dag_id=)?\s*"(\w+)"', block.text)[1]
        (world.home / "dags" / f"{name}.py").write_text(block.text, encoding="utf-8")
        if not any(word in block.text for word in WAITS):
            names.append(name)
    world.run([sys.executable, "-c", RUN_DAGS, *names])

    assert len(names) == 5
    with closing(sqlite3.connect(world.warehouse)) as connection:
        answers = dict(
            connection.execute(
                "SELECT campaign, COUNT(*) FROM faceid_results WHERE status = 'answered' GROUP BY 1"
            ).fetchall()
        )
        bad = connection.execute("SELECT rule, source_key FROM faceid_quarantine").fetchall()
    assert answers["first_verification"] == 59
    assert answers["my_applicants"] == 19
    assert answers["in_shards"] == 59
    assert answers["in_a_row"] == 3 * 59
    assert ("name_missing", "9") in bad


FOUR_DATES = """
import json, os, sqlite3, sys
from datetime import datetime, timezone
from urllib.request import urlopen
from airflow.models.dagbag import DagBag
dag_id, url, warehouse = sys.argv[1:]
dag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags[dag_id]
seen = 0
for day in range(1, 5):
    if day == 4:
        with sqlite3.connect(warehouse) as connection:
            connection.executescript(sys.stdin.read())
    run = dag.test(logical_date=datetime(2026, 6, day, tzinfo=timezone.utc))
    assert run.state == "success", run.state
    with urlopen(url + "/_sim/ledger", timeout=30) as answer:
        calls = len(json.load(answer))
    print("CALLS", calls - seen)
    seen = calls
"""


def test_the_first_dag_of_the_readme_pays_for_what_is_new_or_changed(world, tmp_path):
    """Four dates, 50 people; before the fourth one has changed and three are new."""
    (block,) = [b for b in blocks("python") if b.page.name == "README.md" and "with DAG(" in b.text]
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "first.py").write_text(block.text, encoding="utf-8")
    warehouse = tmp_path / "warehouse.sqlite"
    with SimulatorServer(people=80) as service:
        people = [p for p in service.account.people.listed if not p.persona]
        insert = "INSERT INTO applicants VALUES ({}, '{}', '{}');"
        with closing(sqlite3.connect(warehouse)) as connection, connection:
            connection.execute(
                "CREATE TABLE applicants (applicant_id INTEGER PRIMARY KEY, name TEXT, id_card TEXT)"
            )
            for key, person in enumerate(people[:50]):
                connection.execute(insert.format(key, person.name, person.id_card))
        changes = [insert.format(n, people[n].name, people[n].id_card) for n in range(50, 53)]
        other = people[53]
        changes.append(
            f"UPDATE applicants SET name = '{other.name}', id_card = '{other.id_card}' "
            "WHERE applicant_id = 7;"
        )
        here = {
            "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
            "AIRFLOW_CONN_FACEID_WAREHOUSE": json.dumps(
                {"conn_type": "sqlite", "host": str(warehouse)}
            ),
            "AIRFLOW_CONN_FACEID_DEFAULT": json.dumps(
                json.loads(world.env["AIRFLOW_CONN_FACEID_DEFAULT"]) | {"host": service.url}
            ),
        }
        one = replace(world, env=world.env | here)
        command = [sys.executable, "-c", FOUR_DATES, "first_verification", service.url]
        printed = one.run([*command, str(warehouse)], stdin="\n".join(changes))
    assert re.findall(r"^CALLS (\d+)", printed, re.MULTILINE) == ["50", "0", "0", "4"]


@pytest.mark.parametrize("block", python_blocks(dags=False))
def test_python_runs(run_example, block):
    printed = run_example(block.title, block.text)
    shows = printed.strip() or "\ndef " in block.text
    assert shows, "an example shows something: it prints, its task returns, or it is a function"


SQL_HERE = [
    pytest.param(block, id=block.title)
    for block in blocks("sql")
    if not re.match(r"-- \w+\n", block.text)  # of another database: test_export_sql.py
]


@pytest.mark.parametrize("block", SQL_HERE)
def test_sql_runs(world, block):
    with closing(sqlite3.connect(world.warehouse)) as connection:
        columns = [name for name, *_ in connection.execute(block.text).description]
    assert len(columns) >= 2


@pytest.mark.parametrize("block", [pytest.param(b, id=b.title) for b in blocks("json")])
def test_json_is_a_connection(world, block):
    connection = json.loads(block.text)
    settings = parse_settings(
        conn_id="docs",
        host=None,
        port=None,
        schema=None,
        login=connection["login"],
        password=connection["password"],
        extra=connection["extra"],
    )
    assert settings.timeout == connection["extra"]["timeout"]


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b, id=b.title)
        for b in blocks("bash")
        if "make " not in b.text and not b.text.startswith(OURS)
    ],
)
def test_commands_run(world, block):
    printed = world.run(["bash", "-euc", block.text])
    assert "faceid_example" in printed or "Connection success" in printed


RUN_OURS = """
import sqlite3
from airflow_provider_faceid.__main__ import main
from airflow_provider_faceid.hooks.faceid import FaceIdHook
FaceIdHook().rate_limiter("IdCardVerification").wait()  # the state store is there once a call was made
with sqlite3.connect({warehouse!r}) as connection:
    connection.execute(
        "INSERT OR REPLACE INTO faceid_results (campaign, action, source_key, status, outcome, attempts, "
        "provider_version, run_id, map_index, dag_id, updated_at) VALUES ('verify_id_cards', "
        "'IdCardVerification', 'held', 'held', 'uncertain', 1, '1', 'docs', -1, 'docs', "
        "'2026-11-01T00:00:00.000+00:00')"
    )
connection.close()
for arguments in {commands!r}:
    try:
        main(arguments)
    except SystemExit as ended:
        if arguments[0] != "doctor" or ended.code != 1:  # which finds much in the world of the tests
            raise
"""


@pytest.mark.parametrize(
    "block", [pytest.param(b, id=b.title) for b in blocks("bash") if b.text.startswith(OURS)]
)
def test_commands_of_ours_run(world, run_example, block):
    lines = block.text.replace("\\\n", "").splitlines()
    typed = [shlex.split(line, comments=True) for line in lines]
    commands = [words[3:] if words[0] == "python" else words[2:] for words in typed]
    here = RUN_OURS.format(warehouse=str(world.warehouse), commands=commands)
    printed = run_example(block.title, here)
    with closing(sqlite3.connect(world.warehouse)) as connection, connection:
        connection.execute("DELETE FROM faceid_results WHERE source_key = 'held'")
    assert printed.strip()


def test_make_targets_of_the_docs_exist():
    wanted = {
        target
        for block in blocks("bash")
        for target in re.findall(r"^make ([\w-]+)", block.text, re.MULTILINE)
    }
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    assert {"demo", "test"} <= wanted
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in wanted)


def test_make_demo_passes_and_says_where_things_are(world):
    home = world.home / "demo"
    home.mkdir()
    (home / "warehouse.sqlite").write_text("of an earlier demo")
    here = replace(world, env=world.env | {"FACEID_DEMO_HOME": str(home)})
    printed = here.run([sys.executable, "demo/run.py"])

    assert re.search(r"^demo: PASS", printed, re.MULTILINE)
    assert str(home / "warehouse.sqlite") in printed
    assert "make ui" in printed
    report = Path(
        re.fullmatch(r"report: (\S+) \(open it in a browser\)", printed.split("\n")[-2])[1]
    )
    assert "</html>" in report.read_text(encoding="utf-8")
    assert json.loads(report.with_suffix(".json").read_text(encoding="utf-8"))["kind"] == "days"
    kept = Path(re.search(r"are kept in (\S+)", printed)[1])
    assert (kept / "warehouse.sqlite").read_text() == "of an earlier demo"


@pytest.mark.parametrize("block", [pytest.param(b, id=b.title) for b in blocks("ini")])
def test_configuration_is_an_option_of_ours(block):
    parser = ConfigParser()
    parser.read_string(block.text)
    declared = get_provider_info()["config"]
    assert parser.sections()
    for section in parser.sections():
        assert set(parser[section]) <= set(declared[section]["options"])
