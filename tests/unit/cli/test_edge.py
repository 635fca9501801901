"""The edge of ``airflow faceid`` to the shell: what is printed where, exit codes, errors without tracebacks."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from argparse import Namespace

import pytest
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_faceid.cli import commands
from airflow_provider_faceid.cli._common import duration, known_action, table
from airflow_provider_faceid.cli.definition import DONE, FAILED, FOUND, Answer, Command
from airflow_provider_faceid.cli.edge import INTERRUPTED, execute
from airflow_provider_faceid.exceptions import ConfigurationError, UncertainError
from tests.support.patience import PATIENCE

ANSWER = Answer({"rows": 3, "name": "\x1b[31m张"}, "3 rows")


def command(work) -> Command:
    return Command("try", "Try", work)


def run(work, output="table") -> int:
    return execute(command(work), Namespace(output=output))


def raises(error: BaseException):
    def work(_: Namespace) -> Answer:
        raise error

    return work


def test_the_answer_alone_is_on_standard_output(capsys):
    def work(_: Namespace) -> Answer:
        print("a library says something")  # noqa: T201 - as libraries do
        return ANSWER

    assert run(work) == DONE
    printed = capsys.readouterr()
    assert printed.out == "3 rows\n"
    assert printed.err == "a library says something\n"


def test_log_lines_do_not_come_between(capsys):
    handler = logging.StreamHandler(sys.stdout)
    root = logging.getLogger()
    root.addHandler(handler)
    try:

        def work(_: Namespace) -> Answer:
            root.error("a line of the log")
            return ANSWER

        run(work, "json")
    finally:
        root.removeHandler(handler)
    printed = capsys.readouterr()
    assert json.loads(printed.out) == ANSWER.data
    assert printed.out.isascii()
    assert printed.err == "a line of the log\n"


def test_what_was_found_is_an_exit_code_of_its_own(capsys):
    assert run(lambda _: Answer({}, "two things", FOUND, ["one", "two"])) == FOUND
    assert capsys.readouterr() == ("two things\n", "faceid try: one\nfaceid try: two\n")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConfigurationError("no such table. Name it"), "no such table. Name it"),
        (
            UncertainError("no answer", request_id="f3b6"),
            "no answer [RequestId f3b6]",
        ),
        (
            AirflowNotFoundException("The conn_id `no\x1b[2J` isn't defined"),
            "The conn_id `no\\x1b[2J` isn't defined. Create it in Admin > Connections",
        ),
    ],
)
def test_an_error_is_its_message(error, said, capsys):
    assert run(raises(error)) == FAILED
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"faceid try: {said}")
    assert "Traceback" not in err


def test_an_error_of_others_shows_no_value(capsys):
    assert run(raises(KeyError("Wang Xiaoming"))) == FAILED
    out, err = capsys.readouterr()
    assert "Wang" not in out + err
    assert "KeyError" in err


def test_an_interruption_is_no_traceback(capsys):
    assert run(raises(KeyboardInterrupt())) == INTERRUPTED
    assert capsys.readouterr().err == "faceid try: interrupted\n"


def test_connections_of_the_metadata_database_are_read_meanwhile_only(monkeypatch):
    monkeypatch.delenv("_AIRFLOW_PROCESS_CONTEXT", raising=False)
    seen = []

    def work(_: Namespace) -> Answer:
        seen.append(os.environ.get("_AIRFLOW_PROCESS_CONTEXT"))
        return ANSWER

    run(work)
    assert seen == ["server"]
    assert "_AIRFLOW_PROCESS_CONTEXT" not in os.environ


def test_a_table_has_numbers_to_the_right_and_obeys_no_text():
    rows = [{"campaign": "a\x1b[2J", "rows": 12000}, {"campaign": "b", "rows": None}]
    assert table(rows).splitlines() == [
        "campaign    rows",
        "a\\x1b[2J  12,000",
        "b              -",
    ]
    assert table([]) == ""


def test_durations_are_in_two_units():
    assert [duration(one) for one in (None, 40, 200, 7500)] == [
        None,
        "40 s",
        "3 min 20 s",
        "2 h 05 min",
    ]


def test_a_misspelt_action_is_answered_with_the_nearest():
    with pytest.raises(ConfigurationError, match="did you mean 'IdCardVerification'"):
        known_action("IdCardVerificaton")


def test_each_command_has_a_line_of_help_and_a_name_of_its_own(capsys):
    names = [one.name for one in commands.COMMANDS]
    assert len(set(names)) == len(names)
    assert names == sorted(names)
    for one in commands.COMMANDS:
        with pytest.raises(SystemExit) as ended:
            commands.get_parser().parse_args([one.name, "--help"])
        assert ended.value.code == 0
        assert "--output" in capsys.readouterr().out


def test_a_parser_is_made_without_what_commands_need():
    """Airflow makes it at each start, of every command."""
    heavy = ["pandas", "sqlalchemy", "requests", "aiohttp", "great_expectations", "airflow"]
    code = (
        "import sys; from airflow_provider_faceid.cli.commands import get_parser; get_parser(); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout.strip() == "[]"
