"""Every code block of the docs runs."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
from configparser import ConfigParser
from contextlib import closing

import pytest

from airflow_provider_faceid.client.settings import parse_settings
from airflow_provider_faceid.get_provider_info import get_provider_info
from tests.docs.blocks import PROJECT, blocks, python_blocks

pytestmark = pytest.mark.long

OURS = "airflow faceid "
"""How the commands of this package begin; they run in one process, as others take seconds to start."""


def test_every_block_is_of_a_language_that_is_run():
    assert {block.language for block in blocks()} <= {
        "python",
        "sql",
        "bash",
        "json",
        "ini",
        "text",
    }


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


@pytest.mark.parametrize("block", [pytest.param(b, id=b.title) for b in blocks("ini")])
def test_configuration_is_an_option_of_ours(block):
    parser = ConfigParser()
    parser.read_string(block.text)
    declared = get_provider_info()["config"]
    assert parser.sections()
    for section in parser.sections():
        assert set(parser[section]) <= set(declared[section]["options"])
